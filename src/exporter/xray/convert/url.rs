//! URLs put together and cleaned: no user information, no signatures, no more than so many characters.

use super::writer::{Writer, cut_chars};

/// Query parameters whose values give access, compared without case.
/// <https://opentelemetry.io/docs/specs/semconv/registry/attributes/url/#url-query>
const SECRETS: [&str; 5] = ["X-Amz-Signature", "Signature", "sig", "AWSAccessKeyId", "X-Goog-Signature"];

/// A URL in pieces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Url<'a> {
    /// Empty where the URL is a path alone.
    pub scheme: &'a str,
    pub host: &'a str,
    /// Shown where the scheme does not imply it.
    pub port: Option<u16>,
    pub path: &'a str,
    pub query: &'a str,
}

impl<'a> Url<'a> {
    /// Cuts a whole URL, its fragment left with the query; `None` where there is no `://`.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let (path, query) = split_query(rest);
        Some(Url { scheme, host, port: None, path, query })
    }

    /// A request target or path, with the query in it.
    pub fn of_target(target: &'a str) -> Self {
        let (path, query) = split_query(target);
        Url { path, query, ..Url::default() }
    }

    /// Writes the URL with its quotes.
    pub fn write(&self, writer: &mut Writer<'_>, chars_max: usize, redact: bool) {
        let mut out = Cut { writer, left: chars_max };
        out.writer.raw("\\\"");
        if !self.scheme.is_empty() {
            out.piece(self.scheme);
            out.piece("://");
        }
        let bare_v6 = self.host.contains(':') && self.host.parse::<std::net::Ipv6Addr>().is_ok();
        if bare_v6 {
            out.piece("[");
        }
        out.piece(self.host);
        if bare_v6 {
            out.piece("]");
        }
        match (self.port, self.scheme) {
            (None, _) | (Some(80), "http") | (Some(443), "https") => {}
            (Some(port), _) => out.port(port),
        }
        // `https://host` stays as it was sent.
        let is_host_alone = self.path.is_empty() && self.port.is_none() && !self.host.is_empty();
        if !self.path.starts_with('/') && !is_host_alone {
            out.piece("/");
        }
        out.piece(self.path);
        if !self.query.is_empty() {
            out.piece("?");
            out.query(self.query, redact);
        }
        out.writer.raw("\\\"");
    }
}

/// The host of a whole URL, without its port.
pub fn host_of(url: &str) -> Option<&str> {
    let host = Url::parse(url)?.host;
    let host = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    Some(host).filter(|host| !host.is_empty())
}

fn split_query(target: &str) -> (&str, &str) {
    target.split_once('?').unwrap_or((target, ""))
}

/// Writes until so many characters are used up.
struct Cut<'w, 'o> {
    writer: &'w mut Writer<'o>,
    left: usize,
}

impl Cut<'_, '_> {
    #[inline]
    fn piece(&mut self, text: &str) {
        let text = cut_chars(text, self.left);
        // A text that was not cut by characters is no longer than the room that is left, in bytes.
        self.left = if text.len() <= self.left { self.left - text.len() } else { self.left - text.chars().count() };
        self.writer.text(text);
    }

    fn port(&mut self, port: u16) {
        if self.left >= 6 {
            self.writer.raw(":");
            self.writer.uint(u64::from(port));
            self.left -= 6;
        }
    }

    fn query(&mut self, query: &str, redact: bool) {
        if !redact {
            return self.piece(query);
        }
        // What lies between secrets is written in one piece.
        let (mut plain, mut pair) = (0, 0);
        while pair < query.len() && self.left > 0 {
            let rest = &query.as_bytes()[pair..];
            let name = rest.iter().position(|byte| matches!(byte, b'=' | b'&')).unwrap_or(rest.len());
            let length = name + rest[name..].iter().position(|byte| *byte == b'&').unwrap_or(rest.len() - name);
            if name + 1 < length && is_secret(&query[pair..pair + name]) {
                self.piece(&query[plain..=pair + name]);
                self.piece("REDACTED");
                plain = pair + length;
            }
            pair += length + 1;
        }
        self.piece(query.get(plain..).unwrap_or_default());
    }
}

fn is_secret(parameter: &str) -> bool {
    SECRETS.iter().any(|secret| secret.eq_ignore_ascii_case(parameter))
}

#[cfg(test)]
mod tests {
    use super::super::writer::plain_bytes;
    use super::*;

    fn written(url: Url<'_>, chars_max: usize) -> String {
        let mut out = Vec::new();
        url.write(&mut Writer::new(&mut out, 10_000), chars_max, true);
        String::from_utf8(plain_bytes(&out)).unwrap().trim_matches('"').to_owned()
    }

    #[test]
    fn a_whole_url_loses_its_secrets_only() {
        let cases = [
            ("https://u:p@h/x?X-Amz-Signature=ab", "https://h/x?X-Amz-Signature=REDACTED"),
            ("https://h?a=1&SIG=abc&b=", "https://h?a=1&SIG=REDACTED&b="),
            ("https://h:8443", "https://h:8443"),
            ("http://h/a?b=c?d&e#f", "http://h/a?b=c?d&e#f"),
            ("http://u:a@b@h/", "http://h/"),
            ("http://[::1]:80/x", "http://[::1]:80/x"),
        ];
        for (text, expected) in cases {
            assert_eq!(written(Url::parse(text).unwrap(), 1024), expected);
        }
        assert_eq!(Url::parse("/only/a/path"), None);
    }

    #[test]
    fn pieces_are_joined() {
        let url = Url { scheme: "http", host: "::1", port: Some(8080), path: "a", query: "b" };
        assert_eq!(written(url, 1024), "http://[::1]:8080/a?b");
        assert_eq!(written(Url { port: Some(80), ..url }, 1024), "http://[::1]/a?b");
        assert_eq!(written(Url::of_target("/cart?id=1"), 1024), "/cart?id=1");
        assert_eq!(written(Url { path: "éééé", ..Url::default() }, 3), "/éé");
    }

    #[test]
    fn a_host_is_found_in_a_url() {
        assert_eq!(host_of("https://u@api.example:443/x"), Some("api.example"));
        assert_eq!(host_of("http://[2001:db8::1]:80/"), Some("2001:db8::1"));
        assert_eq!(host_of("mailto:somebody"), None);
        assert_eq!(host_of("file:///x"), None);
    }
}
