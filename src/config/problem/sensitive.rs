//! What must not be printed: by the name of its key, or by its look.
//!
//! Guessing errs on the side of covering: a harmless text that is covered costs a glance into the file, a key that is
//! printed ends in a log and has to be replaced.

use crate::stdx::secret::MASK;

/// Pieces of a key's name (lowercase, letters and digits only) below which everything is secret.
const SECRET_PIECES: [&str; 12] = [
    "apikey",
    "accesskey",
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "credential",
    "authorization",
    "cookie",
    "bearer",
    "header", // Headers carry keys under names of all kinds: x-honeycomb-team, authorization.
];

/// From this length on, letters mixed with digits and nothing else are taken for a key.
const TOKEN_CHARS_MIN: usize = 20;

/// Longest text of the file that a message repeats, in characters.
const QUOTED_CHARS_MAX: usize = 60;

/// Says whether what stands below a key of this name is secret: `api_key`, `X-Auth-Token`, `headers`.
///
/// `api_key_file` is not: it is the name of a file.
pub fn is_secret_name(name: &str) -> bool {
    let plain: String =
        name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect();
    if plain.ends_with("file") {
        return false;
    }
    let ends_in_key = plain.len() > 3 && (plain.ends_with("key") || plain.ends_with("keys"));
    ends_in_key || SECRET_PIECES.iter().any(|piece| plain.contains(piece))
}

/// Says whether a key of this name holds headers, whose own names are no secret.
pub fn is_headers(name: &str) -> bool {
    name.to_lowercase().contains("header")
}

/// Says whether a text looks like a key wherever it stands: a long run of letters and digits, or a URL with a password.
pub fn looks_secret(text: &str) -> bool {
    if let Some((_, rest)) = text.split_once("://")
        && rest.split(['/', '?', '#']).next().is_some_and(|host| host.contains('@'))
    {
        return true;
    }
    // In pieces, so that a key in the middle of a sentence is seen as well.
    text.split(|letter: char| !(letter.is_ascii_alphanumeric() || "_-+=".contains(letter))).any(looks_like_token)
}

fn looks_like_token(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let letters = word.bytes().filter(u8::is_ascii_alphabetic).count();
    word.len() >= TOKEN_CHARS_MIN && digits >= 3 && letters >= 3
}

/// Gives a text of the file in backticks as a message may repeat it: cut, escaped, covered when it looks secret.
pub fn quoted(text: &str) -> String {
    if looks_secret(text) {
        return format!("`{MASK}`");
    }
    let cut: String = text.chars().take(QUOTED_CHARS_MAX).collect();
    let dots = if cut.len() < text.len() { "…" } else { "" };
    format!("`{}{dots}`", cut.escape_debug())
}

/// Covers in a message whatever it repeats of a secret, in whole or in words of it.
///
/// For messages that others wrote (an address parser, a custom visitor), which may quote their input or parts of it.
pub fn cover(message: &str, secret: &str) -> String {
    if secret.is_empty() {
        return message.to_owned();
    }
    let mut message = message.to_owned();
    if secret.chars().count() > 2 {
        for form in [secret.to_owned(), secret.escape_debug().to_string()] {
            message = message.replace(&form, MASK);
        }
    }
    let lower = secret.to_lowercase();
    let mut out = String::new();
    let mut rest = message.as_str();
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_alphanumeric()).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let folded = word.to_lowercase();
        let repeats = folded == lower || (folded.chars().count() > 2 && lower.contains(&folded));
        out.push_str(if repeats { MASK } else { word });
        let next = after.chars().next().map_or(0, char::len_utf8);
        out.push_str(&after[..next]);
        rest = &after[next..];
    }
    out
}
