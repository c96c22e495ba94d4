//! [`Session`]: the loop that reads again until nothing fails, and what it remembers from pass to pass.

use std::cell::RefCell;

use serde::de::DeserializeOwned;

use crate::config::interpolate::Unresolved;
use crate::config::problem::sensitive::quoted;
use crate::config::problem::{Kind, Path, Problem, Problems, Step};
use crate::config::read::describe::{LIST, MAPPING, NOTHING};
use crate::config::read::error::{Cause, ReadError, Target};
use crate::config::read::index::{Index, find, hide_all};
use crate::config::read::node_reader::NodeReader;
use crate::config::yaml::{Key, Node};
use crate::stdx::nearest::nearest;
use crate::stdx::secret::MASK;

/// Names a hint lists when none is near.
const NAMES_LISTED_MAX: usize = 20;

/// How often a file is read at most. Each problem takes one pass and at most one more for every level above it.
const PASSES_MAX: usize = 4_000;

/// Whether a node is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Sound,
    /// Counts as not written, and that is in order.
    Absent,
    /// Counts as not written because of a problem that is noted.
    Failed,
}

pub struct Session<'i> {
    index: &'i Index,
    memory: RefCell<Memory>,
}

struct Memory {
    states: Vec<State>,
    problems: Problems,
    tolerated: Vec<(usize, Problem)>,
    /// Nodes of unknown keys, and the names they were probably meant to be.
    misspelt: Vec<(usize, &'static str)>,
    /// Missing keys by the number of their mapping (and tuples, without a key), given something in the place of what
    /// is not there, to find what else is wrong.
    stand_ins: Vec<(usize, &'static str)>,
}

impl<'i> Session<'i> {
    pub fn new(index: &'i Index, problems: Problems) -> Self {
        Self {
            index,
            memory: RefCell::new(Memory {
                states: vec![State::Sound; index.len()],
                problems,
                tolerated: Vec::new(),
                misspelt: Vec::new(),
                stand_ins: Vec::new(),
            }),
        }
    }

    /// Takes note of a value whose variable is not there.
    pub fn unresolved(&mut self, unresolved: Unresolved, path: Path, may_pass: bool) {
        let problem = Problem {
            place: unresolved.fault.place,
            path,
            message: unresolved.fault.message,
            hint: unresolved.fault.hint,
            kind: unresolved.kind,
        };
        let memory = self.memory.get_mut();
        let state = &mut memory.states[unresolved.node];
        if may_pass {
            if *state == State::Sound {
                *state = State::Absent;
            }
            memory.tolerated.push((unresolved.node, problem));
        } else {
            *state = State::Failed;
            memory.problems.push(problem);
        }
    }

    /// Reads until nothing fails. Every pass but the last takes a node out or adds a stand-in, so it ends.
    pub fn read<T: DeserializeOwned>(&mut self, root: &Node) -> Option<T> {
        for _ in 0..PASSES_MAX {
            if !self.is_sound(root.id) {
                return None;
            }
            if self.memory.get_mut().problems.is_full() {
                break;
            }
            match T::deserialize(NodeReader::new(root, self)) {
                Ok(value) => {
                    let memory = self.memory.get_mut();
                    if memory.stand_ins.is_empty() {
                        return Some(value);
                    }
                    // What was made up must not get into the value.
                    for (mapping, _) in std::mem::take(&mut memory.stand_ins) {
                        memory.states[mapping] = State::Failed;
                    }
                }
                Err(error) => self.settle(root, error),
            }
        }
        // What was not come to may hold anything.
        self.hide(root);
        None
    }

    pub fn finish(self) -> (Problems, Vec<Problem>) {
        let memory = self.memory.into_inner();
        let tolerated = memory.tolerated.into_iter().map(|(_, problem)| problem);
        (memory.problems, tolerated.collect())
    }

    pub fn is_sound(&self, node: usize) -> bool {
        self.memory.borrow().states[node] == State::Sound
    }

    /// Gives the missing keys of a mapping for which something is put in.
    pub fn stand_ins(&self, mapping: usize) -> Vec<&'static str> {
        let memory = self.memory.borrow();
        let stand_ins = memory.stand_ins.iter();
        stand_ins.filter(|(node, _)| *node == mapping).map(|(_, name)| *name).collect()
    }

    /// Notes that something is put in for an element of a tuple.
    pub fn made_up(&self, tuple: usize) {
        let mut memory = self.memory.borrow_mut();
        if !memory.stand_ins.contains(&(tuple, "")) {
            memory.stand_ins.push((tuple, ""));
        }
    }

    /// Notes a key that is none of the known ones; its value is not read, and not shown.
    pub fn unknown_key(&self, key: &Key, value: &Node, known: &'static [&'static str]) {
        let meant = nearest(&key.text, known.iter().copied());
        let mut memory = self.memory.borrow_mut();
        memory.states[value.id] = State::Failed;
        if let Some(name) = known.iter().find(|name| Some(**name) == meant) {
            memory.misspelt.push((value.id, name));
        }
        hide_all(value, memory.problems.page_mut());
        let path = self.index.path(value.id);
        memory.problems.push(Problem {
            place: key.place,
            message: format!("unknown key {}", path.quoted_key()),
            path,
            hint: hint_among(meant, known),
            kind: Kind::UnknownKey,
        });
    }

    /// Notes an error and takes out what it is about.
    fn settle(&mut self, root: &Node, error: ReadError) {
        let (cause, target) = error.into_parts();
        let target = target.unwrap_or(Target { node: root.id, place: root.place });
        match cause {
            Cause::MissingKey(name) => self.missing_key(root, target.node, name),
            Cause::StandIn => self.fail(target.node),
            Cause::Raised(fault) => {
                let sound = |node: usize| self.is_sound(node);
                let below = self.index.below(target.node);
                let node = self.index.at_place(below, fault.place, sound);
                let node = node.unwrap_or(target.node);
                let message = self.index.cover(root, node, &fault.message);
                let hint = fault.hint.map(|hint| self.index.cover(root, node, &hint));
                let place = fault.place;
                self.note(Target { node, place }, message, hint, Kind::Value);
                self.hide_unread(root, Target { node, place });
                self.fail(node);
            }
            Cause::Said(message) => {
                // A mapping or list that lacks what was taken out may well complain, and would not have otherwise.
                if !self.has_failed_below(target.node) {
                    let message = self.index.cover(root, target.node, &message);
                    self.note(target, message, None, Kind::Value);
                }
                self.hide_unread(root, target);
                self.fail(target.node);
            }
            Cause::Value { found, text, expected } => {
                let node = find(root, target.node);
                let secret = node.is_some_and(|node| self.index.is_secret(node));
                // The commonest slip: one element, written without its brackets.
                let hint = match (&text, &*expected) {
                    (None, LIST) if found == NOTHING => Some("an empty list is written []".to_owned()),
                    (Some(_), LIST) if secret => Some("a list is written in brackets: […]".to_owned()),
                    (Some(text), LIST) => {
                        Some(format!("a list is written in brackets: [{}]", quoted(text).trim_matches('`')))
                    }
                    _ => None,
                };
                let found = match text {
                    None => found,
                    Some(_) if secret || expected == MAPPING => format!("{found} `{MASK}`"),
                    Some(text) => format!("{found} {}", quoted(&text)),
                };
                if let Some(node) = node
                    && expected == MAPPING
                {
                    self.hide(node);
                }
                let message = format!("expected {expected}, found {}", found.trim_start());
                self.note(target, message, hint, Kind::Value);
                self.hide_unread(root, target);
                self.fail(target.node);
            }
            Cause::UnknownName { name, known } => {
                let meant = nearest(&name, known.iter().copied());
                let secret = match find(root, target.node) {
                    Some(node) if node.place == target.place => self.index.is_secret(node),
                    // The name is a key, and the node what stands below it.
                    _ => self.index.is_below_secret(target.node),
                };
                let name = if secret { format!("`{MASK}`") } else { quoted(&name) };
                let message = format!("unknown name {name}");
                self.note(target, message, hint_among(meant, known), Kind::Value);
                self.hide_unread(root, target);
                self.fail(target.node);
            }
        }
    }

    /// Notes a missing key, unless it is there and was taken out, or is there and misspelt.
    fn missing_key(&mut self, root: &Node, mapping: usize, name: &'static str) {
        let written = find(root, mapping).map_or(&[][..], Node::entries);
        let entry = written.iter().find(|(key, _)| key.text == name);
        let place = self.index.key_place(mapping);
        let mut path = self.index.path(mapping);
        path.0.push(Step::Key(name.to_owned()));
        let memory = self.memory.get_mut();
        if let Some((_, value)) = entry {
            // Let pass, but its section cannot do without.
            let unset = memory.tolerated.iter().position(|(node, _)| *node == value.id);
            if let Some(position) = unset {
                let (_, problem) = memory.tolerated.remove(position);
                memory.problems.push(problem);
            }
            return self.fail(mapping);
        }
        let misspelt =
            |(node, meant): &(usize, &str)| *meant == name && written.iter().any(|(_, value)| value.id == *node);
        if memory.misspelt.iter().any(misspelt) || memory.stand_ins.contains(&(mapping, name)) {
            return self.fail(mapping);
        }
        memory.stand_ins.push((mapping, name));
        memory.problems.push(Problem {
            place,
            path,
            message: format!("missing key `{name}`"),
            hint: Some(format!("add `{name}: …`")),
            kind: Kind::MissingKey,
        });
    }

    /// Covers what was possibly not read, and so not recognised: misspelt keys in it may hold secrets. A scalar that
    /// was read is known for what it is.
    fn hide_unread(&mut self, root: &Node, target: Target) {
        if let Some(node) = find(root, target.node)
            && (node.text().is_none() || node.place != target.place)
        {
            self.hide(node);
        }
    }

    fn hide(&mut self, node: &Node) {
        hide_all(node, self.memory.get_mut().problems.page_mut());
    }

    fn has_failed_below(&self, node: usize) -> bool {
        let memory = self.memory.borrow();
        let below = self.index.below(node);
        memory.states[below.clone()].contains(&State::Failed)
            || memory.stand_ins.iter().any(|(mapping, _)| below.contains(mapping))
    }

    fn fail(&mut self, node: usize) {
        let memory = self.memory.get_mut();
        // Already out: then only the root is left to give up, so that every pass makes progress.
        let node = if memory.states[node] == State::Sound { node } else { 0 };
        memory.states[node] = State::Failed;
        memory.stand_ins.retain(|(mapping, _)| *mapping != node);
    }

    fn note(&mut self, target: Target, message: String, hint: Option<String>, kind: Kind) {
        let path = self.index.path(target.node);
        self.memory.get_mut().problems.push(Problem { place: target.place, path, message, hint, kind });
    }
}

fn hint_among(meant: Option<&str>, known: &[&str]) -> Option<String> {
    match meant {
        Some(name) => Some(format!("did you mean `{name}`?")),
        None if known.is_empty() || known.len() > NAMES_LISTED_MAX => None,
        None => Some(format!("known names: {}", known.join(", "))),
    }
}
