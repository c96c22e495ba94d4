//! Exceptions in the order of a text, while it is being read; turned into a [`Chain`] at the end.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::{Chain, EXCEPTIONS_MAX, Exception, FRAMES_MAX, Frame, Link};

/// How many frames one text may have copied ("... 12 more", "[Previous line repeated …]"). Without this bound a short text
/// could ask for a very long answer.
const COPIES_MAX: usize = 16 * 1024;

/// How many exceptions from the start, and from the end, of a text keep their frames while it is being read.
const FRAMED_MAX: usize = 4 * EXCEPTIONS_MAX;

/// All exceptions found so far, in the order of the text.
#[derive(Default)]
pub(super) struct Tree<'a> {
    pub nodes: Vec<Node<'a>>,
    /// The index of the recorded exception.
    pub root: usize,
    /// Whether the text lists the oldest call first.
    oldest_first: bool,
    /// See [`Chain::skipped`].
    pub skipped: u32,
    /// See [`Chain::lines_unread`].
    pub lines_unread: u32,
    copies: usize,
}

/// One exception, while it is being read.
#[derive(Default)]
pub(super) struct Node<'a> {
    pub class: Cow<'a, str>,
    pub message: Cow<'a, str>,
    pub notes: Option<Cow<'a, str>>,
    pub frames: Frames<'a>,
    /// The node that this one hangs on, and how. A node that hangs on nothing and is not the root is left out.
    pub parent: Option<(usize, Link)>,
}

/// The frames of one exception: the first half of [`FRAMES_MAX`] as they come, then a ring of the latest ones.
#[derive(Default)]
pub(super) struct Frames<'a> {
    kept: Vec<Frame<'a>>,
    /// Where in `kept` the oldest entry of the ring stands, once it is full.
    turn: usize,
    pub skipped: u32,
}

const HALF: usize = FRAMES_MAX / 2;

impl<'a> Frames<'a> {
    pub fn push(&mut self, frame: Frame<'a>) {
        if self.kept.len() < FRAMES_MAX {
            self.kept.push(frame);
            return;
        }
        self.kept[HALF + self.turn] = frame;
        self.turn = (self.turn + 1) % (FRAMES_MAX - HALF);
        self.skipped = self.skipped.saturating_add(1);
    }

    pub fn len(&self) -> usize {
        self.kept.len()
    }

    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Returns the frame at a position in the order of the text, not counting those that are skipped.
    pub fn get(&self, index: usize) -> Option<&Frame<'a>> {
        if index < HALF {
            return self.kept.get(index);
        }
        self.kept.get(HALF + (index - HALF + self.turn) % (FRAMES_MAX - HALF))
    }

    pub fn last_mut(&mut self) -> Option<&mut Frame<'a>> {
        if self.turn > 0 {
            return self.kept.get_mut(HALF + self.turn - 1);
        }
        self.kept.last_mut()
    }

    /// Puts frames before the one at `index`.
    pub fn insert(&mut self, index: usize, frames: Vec<Frame<'a>>) {
        let skipped = self.skipped;
        let mut all = std::mem::take(self).into_vec();
        self.skipped = skipped;
        let index = index.min(all.len());
        all.splice(index..index, frames);
        for frame in all {
            self.push(frame);
        }
    }

    pub fn into_vec(mut self) -> Vec<Frame<'a>> {
        if self.turn > 0 {
            self.kept[HALF..].rotate_left(self.turn);
        }
        self.kept
    }
}

impl<'a> Tree<'a> {
    /// Starts a tree of a text that lists the oldest call first.
    pub fn oldest_first() -> Self {
        Self { oldest_first: true, ..Self::default() }
    }

    /// Adds an exception and returns its index.
    pub fn add(&mut self, node: Node<'a>) -> usize {
        let index = self.nodes.len();
        // Neither near the first nor near the last exception, one of which is the recorded one: it will not be kept.
        if index >= 2 * FRAMED_MAX {
            self.nodes[index - FRAMED_MAX].frames = Frames::default();
        }
        self.nodes.push(node);
        index
    }

    /// Adds an exception that hangs on an earlier one.
    pub fn add_under(&mut self, parent: usize, link: Link) -> usize {
        self.add(Node { parent: Some((parent, link)), ..Node::default() })
    }

    /// Reserves room for copied frames and returns how many of them may be made.
    pub fn allow_copies(&mut self, wanted: usize) -> usize {
        let allowed = wanted.min(FRAMES_MAX).min(COPIES_MAX - self.copies);
        self.copies += allowed;
        allowed
    }

    /// Appends the outermost `count` frames of one exception to another ("... 12 more").
    pub fn copy_outermost(&mut self, from: usize, to: usize, count: usize) {
        let available = self.nodes[from].frames.len();
        let wanted = count.min(available);
        let allowed = self.allow_copies(wanted);
        let copies: Vec<_> = (available - wanted..available)
            .take(allowed)
            .filter_map(|index| self.nodes[from].frames.get(index).map(Frame::implied))
            .collect();
        let frames = &mut self.nodes[to].frames;
        frames.skipped = frames.skipped.saturating_add((count - allowed) as u32);
        for frame in copies {
            frames.push(frame);
        }
    }

    /// Orders the exceptions: the root and its causes, then the side branches in the order of the text.
    pub fn into_chain(mut self) -> Chain<'a> {
        let mut chain =
            Chain { language: None, exceptions: Vec::new(), skipped: self.skipped, lines_unread: self.lines_unread };
        if self.nodes.is_empty() {
            return chain;
        }
        self.nodes[self.root].parent = None;
        let (first_child, next_sibling) = self.children();
        let mut heads = VecDeque::from([(self.root, None)]);
        while let Some((head, mut parent)) = heads.pop_front() {
            let mut next = Some(head);
            while let Some(index) = next {
                next = None;
                let position = chain.exceptions.len();
                if position < EXCEPTIONS_MAX {
                    let node = std::mem::take(&mut self.nodes[index]);
                    chain.exceptions.push(node.finish(parent, self.oldest_first));
                } else {
                    chain.skipped = chain.skipped.saturating_add(1);
                }
                let mut child = first_child[index];
                while let Some(at) = child {
                    let link = self.nodes[at].parent.map(|(_, link)| link);
                    if next.is_none() && matches!(link, Some(Link::Cause | Link::Context)) {
                        next = Some(at);
                    } else {
                        heads.push_back((at, Some(position)));
                    }
                    child = next_sibling[at];
                }
                parent = Some(position);
            }
        }
        chain
    }

    fn children(&self) -> (Vec<Option<usize>>, Vec<Option<usize>>) {
        let mut first_child = vec![None; self.nodes.len()];
        let mut next_sibling = vec![None; self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate().rev() {
            if let Some((parent, _)) = node.parent {
                next_sibling[index] = first_child[parent];
                first_child[parent] = Some(index);
            }
        }
        (first_child, next_sibling)
    }
}

impl<'a> Node<'a> {
    fn finish(self, parent: Option<usize>, oldest_first: bool) -> Exception<'a> {
        let skipped = self.frames.skipped;
        let mut frames = self.frames.into_vec();
        if oldest_first {
            frames.reverse();
        }
        Exception {
            class: self.class,
            message: self.message,
            notes: self.notes,
            frames,
            link: self.parent.map_or(Link::Root, |(_, link)| link),
            parent,
            skipped,
        }
    }
}
