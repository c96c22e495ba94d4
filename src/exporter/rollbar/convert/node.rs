//! [`Node`]: a JSON value that is being built, shortened and written; text borrows from the batch where it is unchanged.
//!
//! An item is a tree of these because the size ladder has to come back to what was written first. Writing ends the
//! tree: numbers that JSON cannot hold do not occur, keys are unique by construction.

use std::borrow::Cow;
use std::fmt::Write;

use crate::otlp::value::write_json_string;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub enum Node<'a> {
    Text(Cow<'a, str>),
    Int(i64),
    Double(f64),
    Bool(bool),
    Null,
    List(Vec<Node<'a>>),
    Map(Map<'a>),
}

/// The members of a JSON object, in the order in which they are written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Map<'a>(pub Vec<(Cow<'a, str>, Node<'a>)>);

impl<'a> Node<'a> {
    /// Text, borrowed or owned.
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Node::Text(text.into())
    }

    pub fn as_map_mut(&mut self) -> Option<&mut Map<'a>> {
        match self {
            Node::Map(map) => Some(map),
            _ => None,
        }
    }

    pub fn as_list_mut(&mut self) -> Option<&mut Vec<Node<'a>>> {
        match self {
            Node::List(list) => Some(list),
            _ => None,
        }
    }

    pub fn as_text(&self) -> Option<&str> {
        match self {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Appends the value as JSON.
    pub fn write(&self, out: &mut String) {
        match self {
            Node::Text(text) => write_json_string(out, text),
            Node::Int(number) => write!(out, "{number}").expect("writing to a String cannot fail"),
            Node::Double(number) if number.is_finite() => {
                write!(out, "{number:?}").expect("writing to a String cannot fail");
            }
            Node::Double(_) | Node::Null => out.push_str("null"),
            Node::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Node::List(list) => {
                out.push('[');
                for (index, node) in list.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    node.write(out);
                }
                out.push(']');
            }
            Node::Map(map) => map.write(out),
        }
    }
}

impl<'a> Map<'a> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds a member; the caller knows that the key is new.
    pub fn put(&mut self, key: impl Into<Cow<'a, str>>, node: Node<'a>) {
        self.0.push((key.into(), node));
    }

    /// Adds a text that is not empty.
    pub fn put_text(&mut self, key: &'static str, text: impl Into<Cow<'a, str>>) {
        let text = text.into();
        if !text.is_empty() {
            self.put(key, Node::Text(text));
        }
    }

    /// Adds an object that is not empty.
    pub fn put_map(&mut self, key: &'static str, map: Map<'a>) {
        if !map.is_empty() {
            self.put(key, Node::Map(map));
        }
    }

    pub fn get(&self, key: &str) -> Option<&Node<'a>> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node<'a>> {
        self.0.iter_mut().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Takes a member out.
    pub fn remove(&mut self, key: &str) -> Option<Node<'a>> {
        let at = self.0.iter().position(|(name, _)| name == key)?;
        Some(self.0.remove(at).1)
    }

    /// The object under a key.
    pub fn map_mut(&mut self, key: &str) -> Option<&mut Map<'a>> {
        self.get_mut(key).and_then(Node::as_map_mut)
    }

    /// Appends the object as JSON.
    pub fn write(&self, out: &mut String) {
        out.push('{');
        for (index, (key, node)) in self.0.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            write_json_string(out, key);
            out.push(':');
            node.write(out);
        }
        out.push('}');
    }
}

/// Cuts a text to at most so many characters, never inside one.
pub fn cut_chars<'a>(text: impl Into<Cow<'a, str>>, chars_max: usize) -> Cow<'a, str> {
    let text = text.into();
    // Fewer bytes than characters allowed: the usual case, and no walk.
    if text.len() <= chars_max {
        return text;
    }
    let Some((end, _)) = text.char_indices().nth(chars_max) else { return text };
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[..end]),
        Cow::Owned(mut text) => {
            text.truncate(end);
            Cow::Owned(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_written_as_json() {
        let mut map = Map::default();
        map.put("a\"b", Node::text("x\ny"));
        map.put("list", Node::List(vec![Node::Int(-1), Node::Double(0.5), Node::Double(f64::NAN), Node::Null]));
        map.put_text("none", "");
        map.put_map("empty", Map::default());
        let mut out = String::new();
        map.write(&mut out);
        assert_eq!(out, r#"{"a\"b":"x\ny","list":[-1,0.5,null,null]}"#);
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut_chars("añb", 2), "añ");
        assert_eq!(cut_chars("añb", 3), "añb");
        assert_eq!(cut_chars(String::from("€€€"), 1), "€");
    }
}
