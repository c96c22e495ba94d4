//! [`Scan`]: one walk over a free text, taking out what looks like a secret. Byte by byte and without going back far, so that
//! the time is linear in the text, whoever wrote it. What goes is listed in [`super`].

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{KEY_BYTES_MAX, MASK, Scrubber, normal};

/// Headers whose values hold blanks: behind a colon in free text they go on to the end of the line.
const HEADERS: &[&str] = &["authorization", "proxyauthorization", "httpauthorization", "cookie", "setcookie"];

/// What `Authorization` begins with: what is secret follows behind a blank.
/// <https://www.iana.org/assignments/http-authschemes/>, and what services use beside (read 2026-11).
const SCHEMES: &[&str] = &["bearer", "basic", "digest", "negotiate", "token", "apikey"];

/// Beginnings of AWS key ids, each followed by 16 capitals and digits.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids> (read 2026-11)
const AWS_KEY_IDS: &[&[u8]] = &[b"AKIA", b"ASIA", b"ABIA", b"ACCA"];
const AWS_KEY_ID_BYTES: usize = 20;

/// How far behind `//` user and password are looked for: bounds the work on a text of nothing but `://`.
const AUTHORITY_BYTES_MAX: usize = 512;

/// How long the label of a PEM block may be.
const PEM_LABEL_BYTES_MAX: usize = 64;

/// Base64 as it stands in texts that were cut.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);

/// One walk over a text.
pub(super) struct Scan<'s, 'a> {
    scrubber: &'s Scrubber,
    text: &'a str,
    /// Up to where the text has been copied to `out`.
    kept: usize,
    out: String,
    /// The next `@` behind some earlier place; `usize::MAX` where there is none.
    at_sign: Option<usize>,
}

impl<'s, 'a> Scan<'s, 'a> {
    pub fn new(scrubber: &'s Scrubber, text: &'a str) -> Self {
        Scan { scrubber, text, kept: 0, out: String::new(), at_sign: None }
    }

    /// Gives the text without its secrets; borrowed where it held none.
    pub fn run(mut self) -> Cow<'a, str> {
        let bytes = self.text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let next = match bytes[at] {
                b'=' | b':' => self.pair(at, at + 1),
                b'%' if matches!(bytes.get(at + 1..at + 3), Some(b"3D" | b"3d")) => self.pair(at, at + 3),
                b'B' | b'b' => self.credentials(at),
                b'e' if bytes[at..].starts_with(b"eyJ") => self.web_token(at),
                b'A' => self.aws_key_id(at),
                b'>' => self.element(at),
                b'-' if bytes[at..].starts_with(b"-----BEGIN ") => self.pem(at),
                _ => None,
            };
            at = next.map_or(at + 1, |next| next.max(at + 1));
        }
        if self.kept == 0 {
            return Cow::Borrowed(self.text);
        }
        self.out.push_str(&self.text[self.kept..]);
        Cow::Owned(self.out)
    }

    /// Masks a range, which begins and ends at ASCII. Returns where to go on.
    fn mask(&mut self, start: usize, end: usize, with: &str) -> usize {
        let start = start.max(self.kept);
        if start >= end || &self.text[start..end] == with {
            return end;
        }
        self.out.push_str(&self.text[self.kept..start]);
        self.out.push_str(with);
        self.kept = end;
        end
    }

    /// `key=value` and its kin; `at` is at the sign, `after` behind it.
    fn pair(&mut self, at: usize, after: usize) -> Option<usize> {
        let bytes = self.text.as_bytes();
        if bytes[at] == b':' {
            match bytes.get(after) {
                Some(b':') => return Some(after + 1),
                Some(b'/') if bytes[after..].starts_with(b"//") => return Some(self.authority(after + 2)),
                _ => {}
            }
        }
        let key = self.key_before(at);
        if key.is_empty() || !self.scrubber.is_secret(key) {
            return None;
        }
        let is_header = HEADERS.contains(&normal(key.rsplit(['.', '[']).next().unwrap_or(key)).as_str());
        let mut start = after;
        while start < bytes.len() && matches!(bytes[start], b' ' | b'\t' | b'=' | b'>') && start < after + 8 {
            start += 1;
        }
        let slashes = bytes[start..].iter().take_while(|byte| **byte == b'\\').count();
        let quote = bytes.get(start + slashes).copied().filter(|byte| matches!(byte, b'"' | b'\'' | b'`'));
        let end = match quote {
            Some(quote) => {
                start += slashes + 1;
                quoted_end(bytes, start, quote, slashes)
            }
            None if is_header && bytes[at] == b':' => bytes[start..]
                .iter()
                .position(|byte| matches!(byte, b'\n' | b'\r'))
                .map_or(bytes.len(), |length| start + length),
            None if is_header => header_end(bytes, start),
            None => bare_end(bytes, start),
        };
        Some(self.mask(start, end, MASK))
    }

    /// `<key>value</key>`; `at` is at the `>`.
    fn element(&mut self, at: usize) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let length = bytes[..at].iter().rev().take(KEY_BYTES_MAX).take_while(|byte| is_key_byte(**byte)).count();
        let is_tag = matches!(bytes[..at - length].last(), Some(b'<' | b':'));
        if !is_tag || !self.scrubber.is_secret(&self.text[at - length..at]) {
            return None;
        }
        let value = bytes[at + 1..].iter().position(|byte| *byte == b'<')?;
        Some(self.mask(at + 1, at + 1 + value, MASK))
    }

    /// The key that ends before `at`, quotes and blanks between left out.
    fn key_before(&self, at: usize) -> &'a str {
        let bytes = self.text.as_bytes();
        let mut end = at;
        while end > 0 && at - end < 4 && matches!(bytes[end - 1], b' ' | b'"' | b'\'' | b'`' | b'\\' | b'\t') {
            end -= 1;
        }
        let mut start = end;
        while start > 0 && end - start < KEY_BYTES_MAX && is_key_byte(bytes[start - 1]) {
            start -= 1;
        }
        &self.text[start..end]
    }

    /// User and password of a URL; `start` is behind `//`.
    fn authority(&mut self, start: usize) -> usize {
        if !self.at_sign_within(start) {
            return start;
        }
        let rest = &self.text.as_bytes()[start..];
        let blank = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'<' | b'>' | b'`' | b'\\');
        let limit =
            rest.iter().take(AUTHORITY_BYTES_MAX).position(blank).unwrap_or(rest.len().min(AUTHORITY_BYTES_MAX));
        let path = rest[..limit].iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(limit);
        let at = rest[..path].iter().rposition(|byte| *byte == b'@').or_else(|| {
            // `user:pa/ss@host`: a colon that no port follows means that the authority goes on behind the slash.
            let colon = rest[..path].iter().position(|byte| *byte == b':')?;
            let port = rest[colon + 1..path].iter().all(u8::is_ascii_digit);
            let bracketed = rest.first() == Some(&b'[');
            (!port && !bracketed).then(|| rest[..limit].iter().rposition(|byte| *byte == b'@')).flatten()
        });
        match at {
            Some(at) => self.mask(start, start + at + 1, ""),
            None => start,
        }
    }

    /// Whether an `@` stands where a user name would end. Found once and kept, because most texts hold none.
    fn at_sign_within(&mut self, start: usize) -> bool {
        if self.at_sign.is_none_or(|at| at < start) {
            let rest = &self.text.as_bytes()[start..];
            self.at_sign = Some(rest.iter().position(|byte| *byte == b'@').map_or(usize::MAX, |length| start + length));
        }
        self.at_sign.is_some_and(|at| at < start.saturating_add(AUTHORITY_BYTES_MAX))
    }

    /// `Bearer …` and `Basic …`.
    fn credentials(&mut self, at: usize) -> Option<usize> {
        let bytes = self.text.as_bytes();
        if at > 0 && bytes[at - 1].is_ascii_alphanumeric() {
            return None;
        }
        let bearer = bytes[at..].get(..7).is_some_and(|word| word.eq_ignore_ascii_case(b"bearer "));
        let basic = !bearer && bytes[at..].get(..6).is_some_and(|word| word.eq_ignore_ascii_case(b"basic "));
        if !bearer && !basic {
            return None;
        }
        let mut start = at + if bearer { 7 } else { 6 };
        start += bytes[start..].iter().take_while(|byte| **byte == b' ').count();
        let is_token =
            |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=');
        let length = bytes[start..].iter().take_while(is_token).count();
        let token = &bytes[start..start + length];
        let secret = if bearer {
            length >= 24
                || (length >= 4
                    && (token.iter().any(u8::is_ascii_digit) || token.iter().skip(1).any(u8::is_ascii_uppercase)))
        } else {
            is_basic(token)
        };
        secret.then(|| self.mask(start, start + length, MASK))
    }

    /// A JSON web token: three runs of base64url joined by dots.
    fn web_token(&mut self, at: usize) -> Option<usize> {
        let bytes = self.text.as_bytes();
        if at > 0 && is_base64url(bytes[at - 1]) {
            return None;
        }
        let run = |from: usize| bytes[from..].iter().take_while(|byte| is_base64url(**byte)).count();
        let head = at + run(at);
        if head - at < 10 || bytes.get(head) != Some(&b'.') {
            return None;
        }
        let claims = head + 1 + run(head + 1);
        let end = if bytes.get(claims) == Some(&b'.') { claims + 1 + run(claims + 1) } else { claims };
        Some(self.mask(at, end, MASK))
    }

    fn aws_key_id(&mut self, at: usize) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let id = bytes.get(at..at + AWS_KEY_ID_BYTES)?;
        let alone = (at == 0 || !bytes[at - 1].is_ascii_alphanumeric())
            && bytes.get(at + AWS_KEY_ID_BYTES).is_none_or(|byte| !byte.is_ascii_alphanumeric());
        let is_id = alone
            && AWS_KEY_IDS.iter().any(|head| id.starts_with(head))
            && id.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        is_id.then(|| self.mask(at, at + AWS_KEY_ID_BYTES, MASK))
    }

    fn pem(&mut self, at: usize) -> Option<usize> {
        let label = at + "-----BEGIN ".len();
        let length =
            self.text.as_bytes()[label..].windows(5).take(PEM_LABEL_BYTES_MAX).position(|five| five == b"-----")?;
        let start = label + length + 5;
        let end = self.text[start..].find("-----END ").map_or(self.text.len(), |length| start + length);
        Some(self.mask(start, end, MASK))
    }
}

fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'[' | b']')
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Whether these are `user:password` in base64, cut or not.
fn is_basic(token: &[u8]) -> bool {
    let bare = token.iter().position(|byte| *byte == b'=').unwrap_or(token.len());
    let whole = bare - usize::from(bare % 4 == 1);
    bare >= 4
        && GeneralPurpose::new(&STANDARD, LENIENT)
            .decode(&token[..whole])
            .is_ok_and(|text| text.contains(&b':') && text.iter().all(|byte| *byte >= 0x20))
}

/// Where a quoted value ends: at its quote behind as many backslashes as stood before the first.
fn quoted_end(bytes: &[u8], start: usize, quote: u8, slashes: usize) -> usize {
    let mut at = start;
    let mut run = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => run += 1,
            byte if byte == quote && run <= slashes => return at - run,
            _ => run = 0,
        }
        at += 1;
    }
    bytes.len()
}

/// Where a value without quotes ends: at a blank, quote or `&`; at other punctuation only where a blank or the end follows,
/// because passwords hold punctuation.
fn bare_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while at < bytes.len() {
        let ends = match bytes[at] {
            b'&' | b'"' | b'\'' | b'`' | b'<' => true,
            b'%' => bytes[at..].starts_with(b"%26"),
            byte if byte.is_ascii_whitespace() => true,
            b',' | b';' | b')' | b']' | b'}' => {
                let next = bytes[at..].iter().take(16).find(|byte| !matches!(byte, b',' | b';' | b')' | b']' | b'}'));
                next.is_none_or(|byte| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\''))
            }
            _ => false,
        };
        if ends {
            break;
        }
        at += 1;
    }
    at
}

/// Where a header's value without quotes ends, as a printed map shows it: `{Cookie=a=1; b=2, Accept=*}`.
fn header_end(bytes: &[u8], start: usize) -> usize {
    let mut end = bare_end(bytes, start);
    loop {
        let is_scheme = SCHEMES.iter().any(|scheme| bytes[start..end].eq_ignore_ascii_case(scheme.as_bytes()));
        let next = match &bytes[end..] {
            [b' ', ..] if is_scheme => end + 1,
            [b';', b' ', ..] => end + 2,
            _ => return end,
        };
        end = bare_end(bytes, next);
    }
}
