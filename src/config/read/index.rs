//! [`Index`]: what a tree knows of each node beyond the node itself: the way to it, and whether it is secret.

use std::collections::HashSet;
use std::ops::Range;

use crate::config::problem::page::Page;
use crate::config::problem::sensitive::{cover, is_headers, is_secret_name, looks_secret};
use crate::config::problem::{Path, Step};
use crate::config::yaml::{Node, Origin, Value};
use crate::stdx::located::Place;

/// Longest message that is looked through for secrets; more of it is cut off.
const MESSAGE_CHARS_MAX: usize = 500;

/// Facts about the nodes of one tree, by their numbers.
#[derive(Default)]
pub struct Index {
    nodes: Vec<Known>,
}

struct Known {
    parent: Option<usize>,
    step: Option<Step>,
    place: Place,
    key_place: Option<Place>,
    /// Number of the first node that is not below this one.
    end: usize,
    /// Stands below a key with a secret name, here or where it is an alias of.
    secret: bool,
}

impl Index {
    pub fn new(root: &Node) -> Self {
        let mut index = Self::default();
        index.add(root, None, None, None, false);
        // By an alias a secret may stand below other keys too.
        let mut secrets = HashSet::new();
        for_each(root, &mut |node| {
            if node.text().is_some() && index.nodes[node.id].secret {
                secrets.insert(node.span.start);
            }
        });
        for_each(root, &mut |node| {
            if node.text().is_some() && secrets.contains(&node.span.start) {
                index.nodes[node.id].secret = true;
            }
        });
        index
    }

    /// Recursion is bounded by the depth of a tree.
    fn add(&mut self, node: &Node, parent: Option<usize>, step: Option<Step>, key_place: Option<Place>, secret: bool) {
        let id = self.nodes.len();
        self.nodes.push(Known { parent, step, place: node.place, key_place, end: 0, secret });
        for (position, item) in node.items().iter().enumerate() {
            self.add(item, Some(id), Some(Step::Index(position)), None, secret);
        }
        for (key, value) in node.entries() {
            let secret = secret || is_secret_name(&key.text);
            let step = Step::Key(key.text.clone());
            self.add(value, Some(id), Some(step), Some(key.place), secret);
        }
        self.nodes[id].end = self.nodes.len();
    }

    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Gives the numbers of a node and all below it.
    pub fn below(&self, node: usize) -> Range<usize> {
        node..self.nodes[node].end
    }

    /// Gives the place where a person looks for a node: its key, or itself in a list.
    pub fn key_place(&self, node: usize) -> Place {
        let known = &self.nodes[node];
        known.key_place.unwrap_or(known.place)
    }

    pub fn path(&self, node: usize) -> Path {
        let mut steps = Vec::new();
        let mut at = Some(node);
        while let Some(id) = at {
            steps.extend(self.nodes[id].step.clone());
            at = self.nodes[id].parent;
        }
        steps.reverse();
        Path(steps)
    }

    /// Finds the node whose key, or else which itself, stands at a place.
    pub fn at_place(&self, among: Range<usize>, place: Place, accept: impl Fn(usize) -> bool) -> Option<usize> {
        let find = |there: &dyn Fn(&Known) -> bool| among.clone().find(|&id| there(&self.nodes[id]) && accept(id));
        // Keys first: a block mapping starts where its first key does, and the key is meant.
        find(&|known| known.key_place == Some(place)).or_else(|| find(&|known| known.place == place))
    }

    /// Says whether a node stands below a key with a secret name.
    pub fn is_below_secret(&self, node: usize) -> bool {
        self.nodes[node].secret
    }

    /// Says whether the text of a scalar must not be printed.
    pub fn is_secret(&self, node: &Node) -> bool {
        match &node.value {
            Value::Scalar(scalar) => {
                scalar.origin == Origin::Environment || self.nodes[node.id].secret || looks_secret(&scalar.text)
            }
            _ => self.nodes[node.id].secret,
        }
    }

    /// Covers in a message what it repeats of the secrets at and below a node.
    pub fn cover(&self, root: &Node, node: usize, message: &str) -> String {
        let printable = |letter: char| match letter {
            '\n' => letter,
            letter if letter.is_control() => char::REPLACEMENT_CHARACTER,
            letter => letter,
        };
        let mut letters = message.chars();
        let mut covered: String = letters.by_ref().take(MESSAGE_CHARS_MAX).map(printable).collect();
        if letters.next().is_some() {
            covered.push('…');
        }
        let Some(node) = find(root, node) else {
            return covered;
        };
        for_each(node, &mut |node| {
            if let Some(text) = node.text()
                && self.is_secret(node)
            {
                covered = cover(&covered, text);
            }
        });
        covered
    }

    /// Covers on a page what is secret by its key's name or its look.
    ///
    /// A reference alone (`${NAME}`) stays: it is no secret, and the name is what a person needs to see.
    pub fn hide_secrets(&self, root: &Node, page: &mut Page) {
        for_each(root, &mut |node| {
            let secret = self.nodes[node.id].secret;
            for (key, _) in node.entries() {
                if looks_secret(&key.text) || secret && !self.is_headers(node.id) {
                    page.hide(&key.span);
                }
            }
            if node.text().is_some() {
                let written = page.written(&node.span);
                if (secret || looks_secret(written)) && !is_lone_reference(written) {
                    page.hide(&node.span);
                }
            }
        });
    }

    fn is_headers(&self, node: usize) -> bool {
        matches!(&self.nodes[node].step, Some(Step::Key(key)) if is_headers(key))
    }
}

/// Covers everything at and below a node.
pub fn hide_all(node: &Node, page: &mut Page) {
    for_each(node, &mut |node| {
        if node.text().is_some() && !is_lone_reference(page.written(&node.span)) {
            page.hide(&node.span);
        }
        for (key, _) in node.entries() {
            if looks_secret(&key.text) {
                page.hide(&key.span);
            }
        }
    });
}

/// Finds a node by its number, which says below which child it is.
pub fn find(root: &Node, id: usize) -> Option<&Node> {
    let mut node = root;
    while node.id != id {
        let items = node.items().iter();
        let values = node.entries().iter().map(|(_, value)| value);
        node = items.chain(values).take_while(|child| child.id <= id).last()?;
    }
    Some(node)
}

fn for_each(node: &Node, act: &mut dyn FnMut(&Node)) {
    act(node);
    for item in node.items() {
        for_each(item, act);
    }
    for (_, value) in node.entries() {
        for_each(value, act);
    }
}

/// Says whether a value is written as one variable without a default.
fn is_lone_reference(written: &str) -> bool {
    written.trim_matches(['"', '\'']).strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).is_some_and(|name| {
        let name = name.strip_prefix("env:").unwrap_or(name);
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}
