//! What a document is named after: the node on the service map.
//!
//! Candidates are asked in order; the first that has a character which X-Ray takes is the name. Whatever it comes from, it
//! is cleaned: an invalid name makes X-Ray refuse the whole document.

use super::charset::{ASCII, compose, is_allowed, is_separator};
use super::facts::Facts;
use super::resource::ResourceFacts;
use super::shape::{Form, Half, Shape, is_aws_sdk};
use super::slots::Slot as S;
use super::sql::connection_host;
use super::url::host_of;
use super::writer::Writer;
use crate::exporter::xray::config::{Config, InvalidChars, SegmentName};
use crate::otlp::Span;
use crate::otlp::span::SpanKind;

/// <https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html>
const CHARS_MAX: usize = 200;

/// A name in up to three pieces that are written one behind the other, not cleaned yet; a port may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name<'a> {
    pieces: [&'a str; 3],
    port: Option<u16>,
}

impl<'a> Name<'a> {
    fn one(text: Option<&'a str>) -> Option<Self> {
        text.filter(|text| is_usable(text)).map(Name::of)
    }

    fn of(text: &'a str) -> Self {
        Name { pieces: [text, "", ""], port: None }
    }

    /// `first@second`, or the first alone.
    fn at(first: Option<&'a str>, second: Option<&'a str>) -> Option<Self> {
        let first = first.filter(|text| is_usable(text))?;
        match second.filter(|text| is_usable(text)) {
            Some(second) => Some(Name { pieces: [first, "@", second], port: None }),
            None => Some(Name::of(first)),
        }
    }

    /// Whether the name shows this text as it is.
    #[inline]
    pub fn is(&self, text: &str) -> bool {
        self.pieces == [text, "", ""] && self.port.is_none() && is_clean(text)
    }

    /// Writes the name with its quotes: composed, what X-Ray refuses removed, trimmed, at most 200 characters.
    #[inline]
    pub fn write(&self, writer: &mut Writer<'_>, invalid: InvalidChars) {
        let is_short = self.pieces.iter().map(|piece| piece.len()).sum::<usize>() <= CHARS_MAX;
        if self.port.is_none() && is_short && self.pieces.iter().all(|piece| piece.is_empty() || is_clean(piece)) {
            writer.raw("\\\"");
            self.pieces.iter().for_each(|piece| writer.text(piece));
            writer.raw("\\\"");
            return;
        }
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        let characters = self.pieces.iter().flat_map(|piece| piece.chars()).chain(port.chars());
        writer.string(&clean(characters, invalid));
    }
}

/// Chooses the name of one document.
pub fn choose<'a>(
    config: &Config,
    resource: &ResourceFacts<'a>,
    span: &Span<'a>,
    facts: &Facts<'a>,
    shape: &Shape,
) -> Name<'a> {
    let is_segment = shape.form == Form::Segment;
    let is_client = span.kind == SpanKind::Client;
    let calls = is_client || span.kind == SpanKind::Producer;
    let service = resource.service_name;
    let service_is_known = !service.starts_with("unknown_service");
    let named_by_span = config.segment_name == SegmentName::SpanName && span.kind == SpanKind::Internal;
    let when = |condition: bool| condition.then_some(());

    if shape.half == Half::Service {
        let own = Name::one(facts.text(S::AwsLocalService)).or_else(|| Name::one(Some(service)));
        if let Some(name) = own {
            return name;
        }
    }
    when(is_segment)
        .and_then(|()| Name::one(facts.text(S::AwsLocalService)))
        .or_else(|| {
            when(calls || !is_segment && span.kind == SpanKind::Consumer || shape.half == Half::Dependency)?;
            Name::one(facts.text(S::AwsRemoteService).map(|name| remote_service(name, facts)))
        })
        .or_else(|| {
            when(calls || !is_segment)?;
            Name::one(facts.first(&[S::ServicePeerName, S::PeerService]))
        })
        .or_else(|| {
            when(is_aws_sdk(facts))?;
            Name::one(facts.first(&[S::AwsService, S::RpcService]).or_else(|| method_service(facts)))
        })
        .or_else(|| when(is_client).and_then(|()| database(facts)))
        .or_else(|| {
            when(calls)?;
            Name::one(facts.first(&[S::MessagingDestinationName, S::MessagingDestination]))
        })
        .or_else(|| when(is_segment && service_is_known && !named_by_span).and_then(|()| Name::one(Some(service))))
        .or_else(|| Name::one(facts.text(S::RpcService).or_else(|| method_service(facts))))
        .or_else(|| when(is_client).and_then(|()| host(config, facts)))
        .or_else(|| when(is_client).and_then(|()| Name::one(facts.text(S::FaasInvokedName))))
        .or_else(|| Name::one(Some(span.name)))
        .or_else(|| when(is_segment).and_then(|()| Name::one(Some(service))))
        .unwrap_or(Name::of("span"))
}

/// `aws.remote.service`; of an AWS SDK's call without the words that say so.
fn remote_service<'a>(name: &'a str, facts: &Facts<'_>) -> &'a str {
    if !is_aws_sdk(facts) {
        return name;
    }
    ["AWS.SDK.", "AWS::"].iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
}

/// The service of a method that is written with it: `S3/GetObject`, `shop.Cart/Add`.
fn method_service<'a>(facts: &Facts<'a>) -> Option<&'a str> {
    facts.text(S::RpcMethod)?.rsplit_once('/').map(|(service, _)| service.trim_start_matches('/'))
}

/// `orders@db.example`, or `postgresql@db.example`, or one without the other.
fn database<'a>(facts: &Facts<'a>) -> Option<Name<'a>> {
    let system = facts.first(&[S::DbSystemName, S::DbSystem]);
    let namespace = facts.first(&[S::DbNamespace, S::DbName]);
    if system.is_none() && namespace.is_none() {
        return None;
    }
    let host = facts
        .first(&[S::ServerAddress, S::NetPeerName])
        .or_else(|| facts.text(S::DbConnectionString).and_then(connection_host));
    Name::at(namespace, host).or_else(|| {
        host?;
        Name::at(system, host)
    })
}

/// The host that a client talks to.
fn host<'a>(config: &Config, facts: &Facts<'a>) -> Option<Name<'a>> {
    let of_url = || facts.first(&[S::UrlFull, S::HttpUrl]).and_then(host_of);
    let port = || {
        let sent = [S::ServerPort, S::NetPeerPort].into_iter().find_map(|slot| facts.value(slot).as_int());
        sent.filter(|_| config.name_include_port).and_then(|port| u16::try_from(port).ok())
    };
    let with_port = |slot| Name::one(facts.text(slot)).map(|name| Name { port: port(), ..name });
    Name::one(facts.text(S::HttpHost))
        .or_else(|| with_port(S::ServerAddress))
        .or_else(|| with_port(S::NetPeerName))
        .or_else(|| Name::one(facts.text(S::NetworkPeerAddress)))
        .or_else(|| Name::one(of_url()))
}

/// Whether something is left of a text after cleaning.
#[inline]
fn is_usable(text: &str) -> bool {
    text.chars().any(|character| is_allowed(character) && !is_separator(character))
}

/// Whether cleaning would change nothing; not every clean text is known to be.
#[inline]
fn is_clean(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() <= CHARS_MAX
        && bytes.first().is_some_and(|byte| *byte != b' ')
        && bytes.last() != Some(&b' ')
        && bytes.iter().all(|byte| ASCII.get(usize::from(*byte)).copied().unwrap_or_default())
}

fn clean(characters: impl Iterator<Item = char>, invalid: InvalidChars) -> String {
    let mut name = String::with_capacity(CHARS_MAX);
    let mut count = 0;
    // The latest character waits for marks that belong to it.
    let mut waiting: Option<char> = None;
    let mut settle = |character: char| {
        let taken = match invalid {
            _ if is_allowed(character) => Some(character),
            InvalidChars::Underscore => Some('_'),
            InvalidChars::Remove => None,
        };
        let leads = count == 0 && taken.is_some_and(is_separator);
        if let Some(taken) = taken.filter(|_| !leads) {
            name.push(taken);
            count += 1;
        }
        count < CHARS_MAX
    };
    for character in characters {
        match waiting.and_then(|base| compose(base, character)) {
            Some(composed) => waiting = Some(composed),
            None => {
                if waiting.replace(character).is_some_and(|before| !settle(before)) {
                    waiting = None;
                    break;
                }
            }
        }
    }
    if let Some(last) = waiting {
        settle(last);
    }
    name.truncate(name.trim_end_matches(is_separator).len());
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(text: &str) -> String {
        clean(text.chars(), InvalidChars::Remove)
    }

    #[test]
    fn a_name_is_cleaned_and_cut() {
        let cases = [
            ("GET /users/{id}", "GET /users/id"),
            ("a,b", "ab"),
            ("SELECT * FROM t WHERE x = 'y'", "SELECT  FROM t WHERE x = y"),
            ("日本 サービス", "日本 サービス"),
            ("²½ test", "²½ test"),
            ("cafe\u{301}", "café"),
            ("  a b  ", "a b"),
            ("a\u{a0}b", "a\u{a0}b"),
            ("{}", ""),
            ("😀 ok", "ok"),
        ];
        for (text, expected) in cases {
            assert_eq!(cleaned(text), expected);
            assert_eq!(is_usable(text), !expected.is_empty(), "{text}");
        }
        assert_eq!(cleaned(&"é".repeat(150)), "é".repeat(150));
        assert_eq!(cleaned(&"é".repeat(250)), "é".repeat(200));
        assert_eq!(clean("a{b}".chars(), InvalidChars::Underscore), "a_b_");
    }
}
