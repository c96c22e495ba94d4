//! One frame of a .NET stack trace: the word for "at", a signature, a position. See `dotnet` for the text around it.

use std::borrow::Cow;

use super::Frame;
use super::lines::number;

/// The longest translated word for "at" that is believed, in bytes.
pub(super) const WORD_BYTES_MAX: usize = 12;

/// Reads a frame without its indentation.
pub(super) fn frame(content: &str) -> Option<Frame<'_>> {
    let (word, body) = content.split_once(' ')?;
    if word.len() > WORD_BYTES_MAX || !word.chars().all(|c| c.is_alphabetic() || c == ':') {
        return None;
    }
    // "(wrapper managed-to-native) Type.Method (…)" of mono.
    let wrapper = if body.starts_with('(') { body.find(") ")? + 2 } else { 0 };
    let open = wrapper + body[wrapper..].find('(')?;
    let close = matching_close(body, open)?;
    let name = body[wrapper..open].trim_end();
    let start = name.split(' ').next().unwrap_or_default();
    if !start.contains('.') && (word != "at" || name.contains(' '))
        || word != "at" && name.contains(' ')
        || name.is_empty()
    {
        return None;
    }
    let (owner, method) = split_owner(name);
    let (file, line) = match &body[close + 1..] {
        "" => (None, None),
        rest => position(rest.strip_prefix(' ')?),
    };
    Some(Frame {
        file: file.map(Cow::Borrowed),
        module: owner.map(Cow::Borrowed),
        function: Some(Cow::Borrowed(method)),
        parameters: Some(Cow::Borrowed(&body[open + 1..close])),
        line,
        ..Frame::default()
    })
}

pub(super) fn matching_close(body: &str, open: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (at, byte) in body.bytes().enumerate().skip(open) {
        match byte {
            b'(' => depth += 1,
            b')' if depth == 1 => return Some(at),
            b')' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Splits at the last dot that is not within `<…>` or `[…]`: `Cart.<>c.<<Run>b__0>d.MoveNext`, `Cart..ctor`.
pub(super) fn split_owner(name: &str) -> (Option<&str>, &str) {
    for constructor in [".ctor", ".cctor"] {
        if let Some(owner) = name.strip_suffix(constructor).and_then(|owner| owner.strip_suffix('.')) {
            return (Some(owner), &name[owner.len() + 1..]);
        }
    }
    let mut depth = 0i32;
    for (at, byte) in name.bytes().enumerate().rev() {
        match byte {
            b'>' | b']' => depth += 1,
            b'<' | b'[' => depth -= 1,
            b'.' if depth == 0 && at > 0 => return (Some(&name[..at]), &name[at + 1..]),
            _ => {}
        }
    }
    (None, name)
}

/// Reads ` in C:\src\Cart.cs:line 12`, its translations, and mono's ` [0x00020] in /src/Cart.cs:12 `.
pub(super) fn position(rest: &str) -> (Option<&str>, Option<u32>) {
    // Unity: "(at Assets/Cart.cs:12)". Ahead-of-time compiled code: "+ 0x1f".
    let rest = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(rest);
    if rest.starts_with("+ ") {
        return (None, None);
    }
    let rest = rest.strip_prefix('[').and_then(|rest| rest.split_once("] ")).map_or(rest, |(_, rest)| rest);
    let rest = rest.strip_prefix("<0x").and_then(|rest| rest.split_once("> ")).map_or(rest, |(_, rest)| rest);
    let Some((_, place)) = rest.trim().split_once(' ') else {
        return (None, None);
    };
    let Some((file, tail)) = place.rsplit_once(':') else {
        return (Some(place), None);
    };
    let digits = tail.trim_end_matches('.').rsplit(' ').next().unwrap_or_default();
    let Some(line) = number(digits) else {
        return (Some(place), None);
    };
    (Some(file).filter(|file| !file.starts_with('<')), Some(line).filter(|line| *line > 0))
}
