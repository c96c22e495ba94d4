//! [`Scrubber`]: takes secrets out of everything that goes to Rollbar, before anything is measured or cut.
//!
//! Three questions, one object: is a key's value secret ([`Scrubber::is_secret`]), what is left of a header's value
//! ([`Scrubber::header`]), and what is left of free text ([`Scrubber::text`]). What is taken out becomes [`MASK`], whatever
//! its length was. Text is read once, byte by byte, without backtracking: it is foreign.
//!
//! | In free text                         | What goes                                          |
//! |--------------------------------------|----------------------------------------------------|
//! | `key=value` `key: value` `"key":"v"` | the value, where the key is secret                 |
//! | `key=>value` `key%3Dvalue`           | the value likewise                                 |
//! | `<key>value</key>`                   | the value likewise                                 |
//! | `Bearer …` `Basic …`                 | the credentials                                    |
//! | `eyJ….….…`                           | the JSON web token                                 |
//! | `AKIA…` `ASIA…` and their kin        | the AWS key id                                     |
//! | `-----BEGIN …-----`                  | all up to its `-----END …-----`, or to the end     |
//! | `scheme://user:password@host`        | user and password                                  |
//!
//! The names are the union of what Rollbar's own SDKs scrub, and the signed-URL names that the semantic conventions for
//! `url.query` list: <https://opentelemetry.io/docs/specs/semconv/registry/attributes/url/> (read 2026-11).

mod scan;

use std::borrow::Cow;

use regex::Regex;
use serde::Deserialize;

use scan::Scan;

/// What stands where a secret was.
pub const MASK: &str = "********";

/// Keys whose values are secret: compared whole, without case, `-` and `_`.
const FIELDS: &[&str] = &[
    // Passwords.
    "pw",
    "pass",
    "passwd",
    "password",
    "passphrase",
    "pwd",
    "secret",
    "confirm_password",
    "password_confirmation",
    // Tokens.
    "access_token",
    "x-rollbar-access-token",
    "secret_key",
    "secret_token",
    "api_key",
    "auth",
    "authentication",
    "authorization",
    "auth_token",
    "authenticity_token",
    "csrf_token",
    "oauth_token",
    "token",
    "user_session_secret",
    "session_id",
    "private_key",
    "client_secret",
    "refresh_token",
    "id_token",
    "credentials",
    // Requests.
    "request.session.csrf",
    "request.session._csrf",
    "request.params._csrf",
    "_csrf",
    "cookie",
    "cookies",
    "set-cookie",
    // Headers.
    "www-authorization",
    "http_authorization",
    "proxy-authorization",
    "omniauth.auth",
    "oauth-access-token",
    "x-access-token",
    "x_csrf_token",
    "http_x_csrf_token",
    "x-xsrf-token",
    "x-api-key",
    "x-amz-security-token",
    // Cards.
    "cc-number",
    "card_number",
    "cvc",
    "cvv",
    "cvv2",
    "cc-csc",
    "cc-cvc",
    "expdate",
    "cc-exp",
    "cc-exp-month",
    "cc-exp-year",
    // Signed URLs.
    "x-amz-signature",
    "x-amz-credential",
    "aws_access_key_id",
    "aws_secret_access_key",
    "signature",
    "sig",
    "x-goog-signature",
    "x-goog-credential",
];

/// How a longer name ends when it is one of the above with something before it (`DB_PASSWORD`, `stripeApiKey`).
const ENDINGS: &[&str] =
    &["password", "passwd", "passphrase", "secret", "token", "apikey", "secretkey", "privatekey", "secretaccesskey"];

/// How long a key may be. Longer names are not in any list.
const KEY_BYTES_MAX: usize = 64;

/// `scrub:` of the exporter. Every list adds to the defaults; a leading `+` is allowed and means the same.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScrubConfig {
    /// Further keys whose values are secret, in attributes, queries and free text.
    pub fields: Vec<String>,
    /// Further headers whose values are secret.
    pub headers: Vec<String>,
    /// Regular expressions; what they match goes, in every text.
    pub patterns: Vec<String>,
    /// Keys and headers that are not secret after all.
    pub allow: Vec<String>,
}

/// A pattern of the configuration that is no regular expression.
#[derive(Debug, thiserror::Error)]
#[error("pattern `{pattern}` is no regular expression: {source}")]
pub struct BadPattern {
    pub pattern: String,
    #[source]
    pub source: Box<regex::Error>,
}

impl BadPattern {
    /// Compiles a pattern.
    pub fn compile(pattern: &str) -> Result<Regex, BadPattern> {
        Regex::new(pattern).map_err(|source| BadPattern { pattern: pattern.to_owned(), source: Box::new(source) })
    }
}

/// Knows what is secret.
#[derive(Debug, Clone)]
pub struct Scrubber {
    /// Sorted, normalised.
    fields: Vec<String>,
    headers: Vec<String>,
    allow: Vec<String>,
    patterns: Vec<Regex>,
}

impl Scrubber {
    pub fn new(config: &ScrubConfig) -> Result<Self, BadPattern> {
        let own = |list: &[String]| -> Vec<String> {
            list.iter()
                .map(|name| normal(name.strip_prefix('+').unwrap_or(name)))
                .filter(|name| !name.is_empty())
                .collect()
        };
        let allow = sorted(own(&config.allow));
        let allowed = |name: &String| allow.binary_search(name).is_err();
        let mut fields: Vec<String> = FIELDS.iter().map(|name| normal(name)).collect();
        fields.extend(own(&config.fields));
        fields.retain(allowed);
        let mut headers = own(&config.headers);
        headers.retain(allowed);
        let patterns =
            config.patterns.iter().map(|pattern| BadPattern::compile(pattern.strip_prefix('+').unwrap_or(pattern)));
        Ok(Scrubber {
            fields: sorted(fields),
            headers: sorted(headers),
            patterns: patterns.collect::<Result<_, _>>()?,
            allow,
        })
    }

    /// Whether the value under a key is secret: the key whole, its last dotted part, or any part in brackets.
    pub fn is_secret(&self, key: &str) -> bool {
        let (head, brackets) = match key.find(['[', '%']) {
            Some(at) => key.split_at(at),
            None => (key, ""),
        };
        let last = head.rsplit(['.', ':', '/']).next().unwrap_or(head);
        self.holds(last)
            || (last.len() < head.len() && self.is_field(&normal(head)))
            || (!brackets.is_empty() && bracketed(brackets).any(|part| self.holds(part)))
    }

    fn holds(&self, name: &str) -> bool {
        if name.is_empty() || name.len() > KEY_BYTES_MAX {
            return false;
        }
        let name = normal(name);
        let ends = ENDINGS.iter().any(|ending| name.ends_with(ending));
        (ends && self.allow.binary_search(&name).is_err()) || self.is_field(&name)
    }

    fn is_field(&self, normal: &String) -> bool {
        self.fields.binary_search(normal).is_ok()
    }

    /// What is left of a header's value.
    pub fn header<'a>(&self, name: &str, value: &'a str) -> Cow<'a, str> {
        if self.headers.binary_search(&normal(name)).is_ok() || self.holds(name) {
            return Cow::Borrowed(MASK);
        }
        self.text(value)
    }

    /// What is left of a text. Scrubbing twice changes nothing more.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Scan::new(self, text).run();
        for pattern in &self.patterns {
            if let Cow::Owned(clean) = pattern.replace_all(&text, MASK) {
                text = Cow::Owned(clean);
            }
        }
        text
    }

    /// What is left of a text that may be owned.
    pub fn cow<'a>(&self, text: Cow<'a, str>) -> Cow<'a, str> {
        match text {
            Cow::Borrowed(text) => self.text(text),
            Cow::Owned(text) => Cow::Owned(self.text(&text).into_owned()),
        }
    }
}

fn sorted(mut list: Vec<String>) -> Vec<String> {
    list.sort_unstable();
    list.dedup();
    list
}

/// A key without case, `-` and `_`.
fn normal(key: &str) -> String {
    key.bytes().filter(|byte| !matches!(byte, b'-' | b'_')).map(|byte| char::from(byte.to_ascii_lowercase())).collect()
}

/// The parts of `[a][b]`, brackets plain or percent-encoded.
fn bracketed(brackets: &str) -> impl Iterator<Item = &str> {
    brackets
        .split(['[', ']', '%'])
        .map(|part| part.strip_prefix("5B").or(part.strip_prefix("5b")).unwrap_or(part))
        .filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> String {
        let scrubber = Scrubber::new(&ScrubConfig::default()).unwrap();
        let once = scrubber.text(text).into_owned();
        assert_eq!(scrubber.text(&once), once, "scrubbing twice changes nothing");
        once
    }

    #[test]
    fn each_shape_of_a_secret_goes() {
        let cases = [
            ("password=hunter2 ok", "password=******** ok"),
            ("DB_PASSWORD: hunter2, next", "DB_PASSWORD: ********, next"),
            (r#"{"apiKey":"hunter2","n":1}"#, r#"{"apiKey":"********","n":1}"#),
            (r#"{\"apiKey\":\"hunter2\",\"n\":1}"#, r#"{\"apiKey\":\"********\",\"n\":1}"#),
            (r#":password=>"hunter2", :n=>1"#, r#":password=>"********", :n=>1"#),
            ("{'secret': 'hunter2'}", "{'secret': '********'}"),
            ("/cb?next=%2Fa%3Ftoken%3Dhunter2%26b%3D1", "/cb?next=%2Fa%3Ftoken%3D********%26b%3D1"),
            ("user[password]=hunter2&x=1", "user[password]=********&x=1"),
            ("Authorization: Digest a=hunter2, b=c\nHost: x", "Authorization: ********\nHost: x"),
            ("Cookie: a=hunter2; b=hunter2", "Cookie: ********"),
            ("{Cookie=a=1; b=hunter2, Accept=*}", "{Cookie=********, Accept=*}"),
            ("{Authorization=Bearer hunter2, Accept=*}", "{Authorization=********, Accept=*}"),
            ("authorization=hunter2 was refused", "authorization=******** was refused"),
            ("<a><wsse:Password>hunter2</wsse:Password></a>", "<a><wsse:Password>********</wsse:Password></a>"),
            ("sent Bearer hunter2.abc to", "sent Bearer ******** to"),
            ("sent basic dXNlcjpodW50ZXIy to", "sent basic ******** to"),
            ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln.", "jwt ********."),
            ("key AKIAIOSFODNN7EXAMPLE used", "key ******** used"),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----",
                "-----BEGIN RSA PRIVATE KEY-----********-----END RSA PRIVATE KEY-----",
            ),
            ("-----BEGIN KEY-----\nhunter2", "-----BEGIN KEY-----********"),
            ("at postgres://ada:hunter2@db:5432/x?y", "at postgres://db:5432/x?y"),
            ("at redis://:hun/ter2@db/0", "at redis://db/0"),
        ];
        for (text, expected) in cases {
            assert_eq!(check(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        let cases = [
            "user ada not loaded",
            "max_tokens=12 input_tokens: 7",
            "Auth::Token::Invalid raised",
            "Basic usage and Bearer authentication",
            "http://localhost:8080/a@b?x=1",
            "https://[::1]:8080/x@y",
            "passwords differ; tokenizer: none",
            "[Errno 111] Connection refused",
            "<password/> expected, <user>ada</user> found",
            "é=ü: ß",
        ];
        for text in cases {
            assert_eq!(check(text), text);
        }
    }

    #[test]
    fn the_configuration_adds_and_allows() {
        let config = ScrubConfig {
            fields: vec!["+iban".into(), "pin".into()],
            headers: vec!["X-Tenant".into()],
            patterns: vec![r"\bSK-[A-Z0-9]{4}\b".into()],
            allow: vec!["page_token".into(), "auth".into()],
        };
        let scrubber = Scrubber::new(&config).unwrap();
        assert_eq!(
            scrubber.text("IBAN=DE1 pin=2 auth=ok page_token=3 SK-AB12"),
            "IBAN=******** pin=******** auth=ok page_token=3 ********"
        );
        assert_eq!(scrubber.header("x-tenant", "acme"), MASK);
        assert_eq!(scrubber.header("x-other", "acme"), "acme");
        let bad = ScrubConfig { patterns: vec!["(".into()], ..ScrubConfig::default() };
        assert!(Scrubber::new(&bad).unwrap_err().to_string().starts_with("pattern `(` is no regular expression"));
    }
}
