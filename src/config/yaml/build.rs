//! Parser events → tree, with an explicit stack: nothing here recurses on the input.

use std::collections::HashMap;
use std::ops::Range;

use serde_yaml::granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag, options};

use crate::config::problem::sensitive::quoted;
use crate::config::problem::{Kind, Path, Problem, Step};
use crate::config::yaml::measure::{depth, merge, number, weight};
use crate::config::yaml::{DEPTH_MAX, FILE_BYTES_MAX, Key, NODES_MAX, Node, Origin, Parsed, Scalar, Style, Value};
use crate::stdx::located::Place;

/// The key that merges another mapping into its own (<https://yaml.org/type/merge.html>).
const MERGE_KEY: &str = "<<";

/// Reads a text into a tree and everything that is wrong with it as YAML.
pub fn parse(text: &str) -> Parsed {
    let mut builder = Builder::default();
    let end = if text.len() > FILE_BYTES_MAX {
        let message = format!("file has {} bytes, more than {FILE_BYTES_MAX}", text.len());
        Err(builder.problem(Place::NONE, Kind::Limit, message))
    } else {
        builder.run(text)
    };
    let root = match end {
        Ok(()) => {
            let mut root = builder.root.unwrap_or(Node {
                place: Place { line: 1, column: 1 },
                value: Value::Null,
                id: 0,
                span: 0..0,
            });
            number(&mut root, &mut 0);
            Some(root)
        }
        Err(problem) => {
            builder.problems.push(problem);
            None
        }
    };
    Parsed { root, problems: builder.problems, scalars: builder.scalars, left_out: builder.left_out }
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Node>,
    anchors: HashMap<usize, Anchored>,
    /// Nodes made so far, copies for anchors and aliases included.
    nodes: usize,
    documents: usize,
    problems: Vec<Problem>,
    scalars: Vec<Range<usize>>,
    left_out: Vec<Range<usize>>,
}

/// A mapping or list whose end has not come yet.
struct Open {
    node: Node,
    anchor: usize,
    key: Waiting,
    /// In a mapping: the keys so far and their lines.
    lines: HashMap<String, u32>,
    /// Mappings to be merged in at the end, by place of the merge key.
    merges: Vec<(Place, Node)>,
}

/// Which key of a mapping waits for its value.
enum Waiting {
    None,
    /// One that cannot be used, being a list or mapping itself.
    Unusable,
    Key(Key),
}

struct Anchored {
    node: Node,
    weight: usize,
    depth: usize,
}

impl Builder {
    fn run(&mut self, text: &str) -> Result<(), Problem> {
        let options = options! {
            emit_comments: false,
            flow_nesting_limit: DEPTH_MAX,
            block_nesting_limit: DEPTH_MAX,
        };
        for event in Parser::new_from_str_with_options(text, options) {
            let (event, span) = event.map_err(|error| self.broken(&error, text))?;
            let place = place(&span);
            let range = span.byte_range().unwrap_or(0..0);
            match event {
                Event::DocumentStart(..) => {
                    self.documents += 1;
                    if self.documents > 1 {
                        let message = "a second document starts here; one file is one document";
                        return Err(self.problem(place, Kind::Syntax, message));
                    }
                }
                Event::Scalar(text, style, anchor, tag) => {
                    self.scalars.push(range.clone());
                    let value = self.scalar(text.into_owned(), style, tag.as_deref(), place);
                    self.complete(place, range, value, anchor)?;
                }
                Event::SequenceStart(_, anchor, tag) => {
                    self.check_tag(tag.as_deref(), place);
                    self.open(place, range, Value::Sequence(Vec::new()), anchor)?;
                }
                Event::MappingStart(_, anchor, tag) => {
                    self.check_tag(tag.as_deref(), place);
                    self.open(place, range, Value::Mapping(Vec::new()), anchor)?;
                }
                Event::SequenceEnd | Event::MappingEnd => self.close()?,
                Event::Alias(anchor) => self.alias(anchor, place)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn scalar(&mut self, text: String, style: ScalarStyle, tag: Option<&Tag>, place: Place) -> Value {
        self.check_tag(tag, place);
        let forced = tag.is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
        let style = match style {
            ScalarStyle::Plain if !forced => Style::Plain,
            ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
            _ => Style::Quoted,
        };
        let null = matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL");
        if style == Style::Plain && null {
            return Value::Null;
        }
        Value::Scalar(Scalar { text, style, origin: Origin::File })
    }

    fn check_tag(&mut self, tag: Option<&Tag>, place: Place) {
        if let Some(tag) = tag
            && !tag.is_yaml_core_schema()
        {
            let message = format!("tag {} is not supported", quoted(&tag.original()));
            self.report(place, Kind::Syntax, message, None);
        }
    }

    fn open(&mut self, place: Place, span: Range<usize>, value: Value, anchor: usize) -> Result<(), Problem> {
        if self.open.len() == DEPTH_MAX {
            return Err(self.too_deep(place));
        }
        self.open.push(Open {
            node: Node { place, value, id: 0, span },
            anchor,
            key: Waiting::None,
            lines: HashMap::new(),
            merges: Vec::new(),
        });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Problem> {
        let Some(mut closed) = self.open.pop() else {
            return Ok(());
        };
        if let Value::Mapping(entries) = &mut closed.node.value {
            for (place, merged) in closed.merges {
                self.nodes += weight(&merged);
                self.check_count(place)?;
                merge(entries, &mut closed.lines, merged);
            }
        }
        let Node { place, span, value, .. } = closed.node;
        self.complete(place, span, value, closed.anchor)
    }

    fn alias(&mut self, anchor: usize, place: Place) -> Result<(), Problem> {
        let Some(anchored) = self.anchors.get(&anchor) else {
            // Its anchor is a mapping or list that is still open.
            let message = "alias stands inside of what it refers to";
            return Err(self.problem(place, Kind::Syntax, message));
        };
        let (weight, depth) = (anchored.weight, anchored.depth);
        // Before the copy is made: a bomb doubles with every line.
        self.nodes += weight;
        self.check_count(place)?;
        if self.open.len() + depth > DEPTH_MAX {
            return Err(self.too_deep(place));
        }
        let node = self.anchors[&anchor].node.clone();
        self.insert(node, place);
        Ok(())
    }

    /// Takes a finished node: keeps it for its anchor, and hands it to what contains it.
    fn complete(&mut self, place: Place, span: Range<usize>, value: Value, anchor: usize) -> Result<(), Problem> {
        let node = Node { place, value, id: 0, span };
        self.nodes += 1;
        if anchor != 0 {
            let weight = weight(&node);
            self.nodes += weight;
            let depth = depth(&node);
            self.anchors.insert(anchor, Anchored { node: node.clone(), weight, depth });
        }
        self.check_count(place)?;
        self.insert(node, place);
        Ok(())
    }

    /// Puts a node where it belongs: as the root, as an element, as a key, or as the value of the key before.
    fn insert(&mut self, node: Node, place: Place) {
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        let entries = match &mut parent.node.value {
            Value::Sequence(items) => return items.push(node),
            Value::Mapping(entries) => entries,
            Value::Null | Value::Scalar(_) => return,
        };
        let key = match std::mem::replace(&mut parent.key, Waiting::None) {
            Waiting::Key(key) => key,
            Waiting::Unusable => return self.leave_out(&node),
            Waiting::None => {
                let text = match node.value {
                    Value::Scalar(scalar) => scalar.text,
                    Value::Null => "null".to_owned(),
                    Value::Sequence(_) | Value::Mapping(_) => {
                        parent.key = Waiting::Unusable;
                        self.leave_out(&node);
                        let message = "a key must be text, not a list or mapping";
                        let hint = "to write braces as text, put the value in quotes";
                        return self.report(place, Kind::Syntax, message, Some(hint.to_owned()));
                    }
                };
                let span = node.span;
                parent.key = Waiting::Key(Key { text, place, span });
                return;
            }
        };
        // In quotes it is a key like any other, and longer by them.
        if key.text == MERGE_KEY && key.span.len() == MERGE_KEY.len() {
            self.merge_later(key.place, node);
        } else if let Some(line) = parent.lines.get(&key.text) {
            let hint = format!("the first is in line {line}");
            self.leave_out(&node);
            let mut problem = self.problem(key.place, Kind::DuplicateKey, "");
            problem.path.0.push(Step::Key(key.text));
            problem.message = format!("key {} is written twice", problem.path.quoted_key());
            problem.hint = Some(hint);
            if problem.path.ends_in_secret_key() {
                self.left_out.push(key.span);
            }
            self.problems.push(problem);
        } else {
            parent.lines.insert(key.text.clone(), key.place.line);
            entries.push((key, node));
        }
    }

    /// Takes the value of a merge key: a mapping, or a list of mappings of which the first have precedence.
    fn merge_later(&mut self, place: Place, node: Node) {
        let mappings = match node.value {
            Value::Mapping(_) => vec![node],
            Value::Sequence(items) => items,
            Value::Null => Vec::new(),
            Value::Scalar(_) => vec![node],
        };
        for mapping in mappings {
            if matches!(mapping.value, Value::Mapping(_)) {
                if let Some(parent) = self.open.last_mut() {
                    parent.merges.push((place, mapping));
                }
            } else {
                self.leave_out(&mapping);
                let message = "only a mapping can be merged by `<<`";
                self.report(place, Kind::Syntax, message, None);
            }
        }
    }

    fn leave_out(&mut self, node: &Node) {
        match &node.value {
            Value::Null => {}
            Value::Scalar(_) => self.left_out.push(node.span.clone()),
            Value::Sequence(items) => items.iter().for_each(|item| self.leave_out(item)),
            Value::Mapping(entries) => {
                for (key, value) in entries {
                    self.left_out.push(key.span.clone());
                    self.leave_out(value);
                }
            }
        }
    }

    fn check_count(&self, place: Place) -> Result<(), Problem> {
        if self.nodes <= NODES_MAX {
            return Ok(());
        }
        let message = format!("file has more than {NODES_MAX} values, aliases expanded");
        Err(self.problem(place, Kind::Limit, message))
    }

    fn too_deep(&self, place: Place) -> Problem {
        let message = format!("more than {DEPTH_MAX} levels of lists and mappings");
        self.problem(place, Kind::Limit, message)
    }

    fn broken(&self, error: &ScanError, text: &str) -> Problem {
        let marker = error.marker();
        let place = Place {
            line: u32::try_from(marker.line()).unwrap_or(u32::MAX),
            column: u32::try_from(marker.col() + 1).unwrap_or(u32::MAX),
        };
        let mut problem = self.problem(place, Kind::Syntax, error.kind().to_string());
        let line = text.lines().nth(marker.line().saturating_sub(1)).unwrap_or("");
        problem.hint = if line.contains("${") {
            Some("inside [ ] and { } a variable needs quotes: \"${NAME}\"".to_owned())
        } else if line.starts_with(' ') && line.trim_start_matches(' ').starts_with('\t') || line.starts_with('\t') {
            Some("indent with spaces instead of tabs".to_owned())
        } else {
            Some(
                "the mistake may stand above: look at the indentation, and for brackets and quotes left open"
                    .to_owned(),
            )
        };
        problem
    }

    fn report(&mut self, place: Place, kind: Kind, message: impl Into<String>, hint: Option<String>) {
        let mut problem = self.problem(place, kind, message);
        problem.hint = hint;
        self.problems.push(problem);
    }

    fn problem(&self, place: Place, kind: Kind, message: impl Into<String>) -> Problem {
        Problem { place, path: self.path(), message: message.into(), hint: None, kind }
    }

    /// Gives the way to what is being built.
    fn path(&self) -> Path {
        let step = |open: &Open| match (&open.node.value, &open.key) {
            (Value::Sequence(items), _) => Some(Step::Index(items.len())),
            (_, Waiting::Key(key)) => Some(Step::Key(key.text.clone())),
            _ => None,
        };
        Path(self.open.iter().filter_map(step).collect())
    }
}

fn place(span: &Span) -> Place {
    Place {
        line: u32::try_from(span.start.line()).unwrap_or(u32::MAX),
        column: u32::try_from(span.start.col() + 1).unwrap_or(u32::MAX),
    }
}
