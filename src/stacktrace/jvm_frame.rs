//! One frame of a JVM stack trace: class loader, module, class, method, place. See `jvm` for the text around it.

use std::borrow::Cow;

use super::lines::{open_of_last, split_number};
use super::{Frame, FrameKind};

/// Reads what stands behind `at `.
pub(super) fn frame(body: &str) -> Option<Frame<'_>> {
    let body = without_packaging(body);
    let open = open_of_last(body)?;
    let place = &body[open + 1..body.len() - 1];
    let (owner, method) = body[..open].rsplit_once('.')?;
    let (origin, class) = split_origin(owner);
    if class.is_empty() || method.is_empty() || class.contains(['(', ')']) {
        return None;
    }
    let mut frame = Frame {
        module: Some(Cow::Borrowed(class)),
        function: Some(Cow::Borrowed(method)),
        origin: origin.map(Cow::Borrowed),
        ..Frame::default()
    };
    match split_number(place) {
        Some(("Unknown Source", line)) => frame.line = Some(line),
        Some((file, line)) => {
            frame.file = Some(Cow::Borrowed(file));
            frame.line = Some(line);
        }
        None if place == "Native Method" => frame.kind = FrameKind::Native,
        None if place == "Unknown Source" || place.is_empty() => {}
        None => frame.file = Some(Cow::Borrowed(place)),
    }
    Some(frame)
}

/// Removes ` ~[jar:version]`, which logback and log4j append to a frame.
pub(super) fn without_packaging(body: &str) -> &str {
    let body = body.trim_end();
    if !body.ends_with(']') {
        return body;
    }
    let end = body.rfind(") ~[").or_else(|| body.rfind(") ["));
    end.map_or(body, |end| &body[..=end])
}

/// Splits `loader/module@version/` from a class. A hidden class has a slash of its own: `Cart$$Lambda$14/0x0000000800c03000`.
pub(super) fn split_origin(owner: &str) -> (Option<&str>, &str) {
    let Some(last) = owner.rfind('/') else {
        return (None, owner);
    };
    let split = if owner[last + 1..].starts_with("0x") { owner[..last].rfind('/') } else { Some(last) };
    match split {
        Some(at) => (Some(&owner[..at]), &owner[at + 1..]),
        None => (None, owner),
    }
}
