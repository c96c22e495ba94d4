//! Turns a chain that borrows from a changed copy of a text into one that stands for itself.

use std::borrow::Cow;

use super::{Chain, Exception, Frame};

impl Chain<'_> {
    pub(super) fn into_owned(self) -> Chain<'static> {
        Chain {
            language: self.language,
            exceptions: self.exceptions.into_iter().map(Exception::into_owned).collect(),
            skipped: self.skipped,
            lines_unread: self.lines_unread,
        }
    }
}

impl Exception<'_> {
    fn into_owned(self) -> Exception<'static> {
        Exception {
            class: own(self.class),
            message: own(self.message),
            notes: self.notes.map(own),
            frames: self.frames.into_iter().map(Frame::into_owned).collect(),
            link: self.link,
            parent: self.parent,
            skipped: self.skipped,
        }
    }
}

impl Frame<'_> {
    fn into_owned(self) -> Frame<'static> {
        Frame {
            file: self.file.map(own),
            module: self.module.map(own),
            function: self.function.map(own),
            parameters: self.parameters.map(own),
            line: self.line,
            column: self.column,
            code: self.code.map(own),
            origin: self.origin.map(own),
            kind: self.kind,
            implied: self.implied,
        }
    }
}

fn own(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(text.into_owned())
}
