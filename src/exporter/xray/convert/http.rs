//! The `http` block: request and response of a call that was served or made.
//!
//! Sources: the format, <https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html#api-segmentdocuments-http>;
//! the attributes, <https://opentelemetry.io/docs/specs/semconv/http/http-spans/> and its 1.20 predecessor (read 2026-11).

use std::net::IpAddr;

use super::facts::Facts;
use super::slots::{Slot as S, mask};
use super::url::Url;
use super::writer::{Writer, key};
use crate::otlp::Span;
use crate::otlp::span::SpanKind;

/// Without one of these a span is no HTTP call, whatever addresses it names.
const TRIGGERS: u128 = mask(&[
    S::HttpMethod,
    S::HttpRequestMethod,
    S::HttpClientIp,
    S::HttpUserAgent,
    S::UserAgentOriginal,
    S::HttpStatusCode,
    S::HttpResponseStatusCode,
    S::HttpUrl,
    S::UrlFull,
    S::HttpScheme,
    S::UrlScheme,
    S::HttpHost,
    S::HttpTarget,
    S::HttpServerName,
    S::NetHostPort,
    S::UrlPath,
    S::UrlQuery,
]);

/// What a whole URL says too.
const PARTS_OF_URL: u128 = mask(&[
    S::HttpScheme,
    S::UrlScheme,
    S::HttpHost,
    S::HttpTarget,
    S::UrlPath,
    S::UrlQuery,
    S::ServerAddress,
    S::ServerPort,
]);

/// What a request target says too.
const PARTS_OF_TARGET: u128 = mask(&[S::UrlPath, S::UrlQuery]);

/// Of a URL, one of these makes it worth showing.
const URL_PARTS: u128 = PARTS_OF_URL
    | mask(&[
        S::UrlFull,
        S::HttpUrl,
        S::HttpServerName,
        S::NetHostName,
        S::NetHostPort,
        S::NetPeerName,
        S::NetPeerPort,
        S::NetPeerIp,
        S::NetworkPeerAddress,
    ]);

pub const STATUS: [S; 2] = [S::HttpResponseStatusCode, S::HttpStatusCode];

/// What a document says about HTTP.
#[derive(Debug, Clone, Copy, Default)]
pub struct Http<'a> {
    method: Option<&'a str>,
    url: Option<Url<'a>>,
    user_agent: Option<&'a str>,
    client_ip: Option<&'a str>,
    forwarded: bool,
    status: Option<i64>,
    content_length: Option<i64>,
    /// Whether the far side records a segment of its own.
    pub traced: bool,
}

impl<'a> Http<'a> {
    /// Gathers the block; `None`, and nothing used, where the span is no HTTP call.
    pub fn gather(facts: &mut Facts<'a>, span: &Span<'a>) -> Option<Self> {
        if !facts.has_any(TRIGGERS) {
            return None;
        }
        let mut http = Http {
            method: method(facts),
            user_agent: facts.take(&[S::UserAgentOriginal, S::HttpUserAgent]),
            ..Http::default()
        };
        http.url = facts.has_any(URL_PARTS).then(|| url(facts, span)).flatten();
        http.client_ip = client_ip(facts, span);
        let told = facts.value(S::XrayForwardedFor).as_bool();
        let peer_is_known = facts.first(&[S::NetPeerIp, S::NetworkPeerAddress]).is_some();
        http.forwarded = http.client_ip.is_some() && told.unwrap_or(!peer_is_known);
        if told.is_some() && http.client_ip.is_some() {
            facts.mark(S::XrayForwardedFor);
        }
        http.status = facts.take_int(&STATUS, 1..=999);
        http.content_length = facts.take_int(
            &[S::HttpResponseBodySize, S::HttpResponseContentLength, S::HttpResponseHeaderLength],
            0..=i64::MAX,
        );
        Some(http)
    }

    /// Writes the member.
    pub fn write(&self, writer: &mut Writer<'_>, string_chars_max: usize, url_chars_max: usize, redact: bool) {
        let before = writer.mark();
        key!(writer, "http");
        writer.open();
        let request = writer.mark();
        key!(writer, "request");
        writer.open();
        if let Some(method) = self.method {
            key!(writer, "method");
            writer.string_cut(method, string_chars_max);
        }
        if let Some(url) = self.url {
            key!(writer, "url");
            url.write(writer, url_chars_max, redact);
        }
        if let Some(user_agent) = self.user_agent {
            key!(writer, "user_agent");
            writer.string_cut(user_agent, string_chars_max);
        }
        if let Some(client_ip) = self.client_ip {
            key!(writer, "client_ip");
            writer.string_cut(client_ip, string_chars_max);
        }
        if self.forwarded {
            key!(writer, "x_forwarded_for");
            writer.bool(true);
        }
        if self.traced {
            key!(writer, "traced");
            writer.bool(true);
        }
        writer.close_or_drop(request);
        let response = writer.mark();
        key!(writer, "response");
        writer.open();
        if let Some(status) = self.status {
            key!(writer, "status");
            writer.int(status);
        }
        if let Some(content_length) = self.content_length {
            key!(writer, "content_length");
            writer.int(content_length);
        }
        writer.close_or_drop(response);
        writer.close_or_drop(before);
    }

    /// Writes the status alone.
    pub fn write_status(&self, writer: &mut Writer<'_>) {
        Http { status: self.status, ..Http::default() }.write(writer, 0, 0, false);
    }
}

fn method<'a>(facts: &mut Facts<'a>) -> Option<&'a str> {
    let method = facts.take(&[S::HttpRequestMethod, S::HttpMethod])?;
    if method != "_OTHER" {
        return Some(method);
    }
    facts.take(&[S::HttpRequestMethodOriginal]).or(Some(method))
}

/// Who asked. The address of the peer is that only where the span serves: to a caller the peer is the server.
fn client_ip<'a>(facts: &mut Facts<'a>, span: &Span<'a>) -> Option<&'a str> {
    let serves = !matches!(span.kind, SpanKind::Client | SpanKind::Producer);
    let is_ip = |text: &str| text.parse::<IpAddr>().is_ok();
    if let Some(address) = facts.take(&[S::HttpClientIp]) {
        return Some(address);
    }
    let slot = if facts.text(S::ClientAddress).is_some_and(is_ip) {
        S::ClientAddress
    } else if serves && facts.text(S::NetPeerIp).is_some() {
        S::NetPeerIp
    } else if serves && facts.text(S::NetworkPeerAddress).is_some_and(is_ip) {
        S::NetworkPeerAddress
    } else {
        return None;
    };
    facts.take(&[slot])
}

fn url<'a>(facts: &mut Facts<'a>, span: &Span<'a>) -> Option<Url<'a>> {
    let whole = facts.first(&[S::UrlFull, S::HttpUrl]);
    // A proxy's request target may be a whole URL.
    let target =
        facts.text(S::HttpTarget).filter(|target| target.starts_with("http://") || target.starts_with("https://"));
    if let Some(text) = whole.or(target) {
        facts.take(&[S::UrlFull, S::HttpUrl]);
        facts.mark_all(PARTS_OF_URL);
        return Some(Url::parse(text).unwrap_or_else(|| Url::of_target(text)));
    }
    let (hosts, ports): (&[S], _) = if span.kind == SpanKind::Server {
        (&[S::HttpServerName, S::NetHostName, S::HostName, S::ServerAddress], [S::NetHostPort, S::ServerPort])
    } else {
        (&[S::NetPeerName, S::ServerAddress, S::NetPeerIp, S::NetworkPeerAddress], [S::NetPeerPort, S::ServerPort])
    };
    let mut url = match facts.take(&[S::HttpTarget]) {
        Some(target) => {
            facts.mark_all(PARTS_OF_TARGET);
            Url::of_target(target)
        }
        None => Url {
            path: facts.take(&[S::UrlPath]).unwrap_or_default(),
            query: facts.take(&[S::UrlQuery]).unwrap_or_default(),
            ..Url::default()
        },
    };
    if let Some(host) = facts.take(&[S::HttpHost]) {
        url.host = host; // as the Host header has it: with its port
    } else if let Some(host) = first_used(facts, hosts) {
        url.host = host;
        url.port = facts.take_int(&ports, 1..=65535).and_then(|port| u16::try_from(port).ok());
    }
    if !url.host.is_empty() {
        url.scheme = facts.take(&[S::UrlScheme, S::HttpScheme]).unwrap_or("http");
        if url.path.is_empty() {
            url.path = "/";
        }
    }
    (url != Url::default()).then_some(url)
}

/// The first text among slots of different meanings; only that one counts as used.
fn first_used<'a>(facts: &mut Facts<'a>, slots: &[S]) -> Option<&'a str> {
    let slot = *slots.iter().find(|slot| facts.text(**slot).is_some())?;
    facts.take(&[slot])
}
