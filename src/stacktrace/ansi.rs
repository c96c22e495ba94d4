//! Removes terminal colours (`ESC [ … letter`), which some loggers leave in stack texts.

/// Returns the text without escape sequences, or `None` if it holds none.
pub(super) fn strip(text: &str) -> Option<String> {
    if !text.contains("\u{1b}[") {
        return None;
    }
    let mut plain = String::with_capacity(text.len());
    let mut pieces = text.split("\u{1b}[");
    plain.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let end = piece.find(|c: char| !(c.is_ascii_digit() || c == ';' || c == '?'));
        let rest = end.map_or("", |end| &piece[end..]);
        // The final letter belongs to the sequence; anything else is text of its own.
        plain.push_str(rest.strip_prefix(|c: char| c.is_ascii_alphabetic()).unwrap_or(rest));
    }
    Some(plain)
}
