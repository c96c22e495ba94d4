//! `data.request`: the request that failed, from the attributes of the span that it came in by, old names and new.
//! <https://docs.rollbar.com/reference/create-item> (read 2026-11)

use std::borrow::Cow;
use std::net::IpAddr;

use super::bag::Bags;
use super::node::{Map, Node, cut_chars};
use super::plain;
use crate::exporter::rollbar::config::CaptureIp;
use crate::exporter::rollbar::scrub::{MASK, Scrubber};
use crate::otlp::{Key, Value};

/// Prefixes of captured headers. <https://opentelemetry.io/docs/specs/semconv/registry/attributes/http/> (read 2026-11)
const HEADER_PREFIX: &str = "http.request.header.";

/// Prefixes of captured route parameters; not in the conventions, but what instrumentations use.
const PARAMETER_PREFIXES: [&str; 2] = ["http.request.param.", "http.route.param."];

/// Headers that hold the user's address: left out where it may not be shown whole.
const ADDRESS_HEADERS: [&str; 6] =
    ["X-Forwarded-For", "Forwarded", "X-Real-Ip", "X-Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip"];

/// The captured body.
const BODY: &str = "http.request.body.content";

const HEADERS_MAX: usize = 64;
const PARAMETERS_MAX: usize = 64;
const PARAMETER_NAME_CHARS_MAX: usize = 128;
const METHOD_BYTES_MAX: usize = 32;
const URL_CHARS_MAX: usize = 4096;

/// Attributes that hold the user's address, or that of a proxy before the service.
const ADDRESSES: [Key; 2] = [Key::ClientAddress, Key::NetworkPeerAddress];

/// What of a request may be sent.
#[derive(Debug, Clone, Copy)]
pub struct RequestRules<'c> {
    pub scrubber: &'c Scrubber,
    pub capture_ip: CaptureIp,
    pub capture_body: bool,
}

/// Builds `request`; empty where the attributes tell of none.
pub fn request<'a>(rules: RequestRules<'_>, bags: Bags<'_, 'a>) -> Map<'a> {
    let scrubber = rules.scrubber;
    let mut request = Map::default();
    let url = Url::of(bags);
    if let Some(url) = &url {
        request.put("url", Node::Text(cut_chars(url.clean(scrubber), URL_CHARS_MAX)));
    }
    if let Some(method) = method(scrubber, bags) {
        request.put("method", Node::text(method));
    }
    if let Some(query) = url.as_ref().and_then(|url| url.query).filter(|query| !query.is_empty()) {
        request.put("GET", Node::Map(parameters(scrubber, query)));
        request.put("query_string", Node::Text(cut_chars(clean_query(scrubber, query), URL_CHARS_MAX)));
    }
    let headers = headers(rules, bags);
    request.put_map("headers", headers);
    let mut params = Map::default();
    for (name, value) in
        PARAMETER_PREFIXES.iter().flat_map(|prefix| bags.0.iter().flat_map(|bag| bag.with_prefix(prefix)))
    {
        let shown = cut_chars(name, PARAMETER_NAME_CHARS_MAX);
        if params.len() < PARAMETERS_MAX && !params.has(&shown) {
            params.put(shown, plain::node(scrubber, name, value));
        }
    }
    request.put_map("params", params);
    if let Some(ip) = user_ip(bags).and_then(|ip| shown_ip(ip, rules.capture_ip)) {
        request.put("user_ip", Node::text(ip));
    }
    if rules.capture_ip != CaptureIp::Full {
        bags.withhold(&ADDRESSES);
    }
    bags.withhold_name(BODY);
    if rules.capture_body
        && let Some(body) = bags.get(BODY)
    {
        request.put("body", plain::node(scrubber, "body", body));
    }
    request
}

fn method(scrubber: &Scrubber, bags: Bags<'_, '_>) -> Option<String> {
    let method = bags.find_text(Key::HttpRequestMethod)?;
    let method =
        if method == "_OTHER" { bags.find_text(Key::HttpRequestMethodOriginal).unwrap_or(method) } else { method };
    // A token (RFC 9110); what is none is no method.
    let is_token = method.len() <= METHOD_BYTES_MAX
        && method.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    is_token.then(|| scrubber.text(method).to_ascii_uppercase())
}

/// A URL in parts, without user and fragment.
struct Url<'a> {
    /// Scheme, host and path.
    base: Cow<'a, str>,
    query: Option<&'a str>,
}

impl<'a> Url<'a> {
    /// The full URL, else one put together from its parts.
    fn of(bags: Bags<'_, 'a>) -> Option<Self> {
        let full = bags.find_text(Key::UrlFull);
        let (path, query) = (bags.find_text(Key::UrlPath), bags.find_text(Key::UrlQuery));
        if let Some(full) = full {
            let full = full.split('#').next().unwrap_or_default();
            let (base, query) = full.split_once('?').map_or((full, None), |(base, query)| (base, Some(query)));
            return Some(Url { base: Cow::Borrowed(base), query });
        }
        let path = path?;
        // A request line may hold a whole URL (a proxy's).
        if path.contains("://") {
            return Some(Url { base: Cow::Borrowed(path), query });
        }
        let scheme = bags.find_text(Key::UrlScheme).unwrap_or("http");
        let host = host(bags, scheme);
        let base = host.map_or(Cow::Borrowed(path), |host| {
            let slash = if path.starts_with('/') { "" } else { "/" };
            Cow::Owned(format!("{scheme}://{host}{slash}{path}"))
        });
        Some(Url { base, query })
    }

    fn clean(&self, scrubber: &Scrubber) -> Cow<'a, str> {
        let base = scrubber.cow(self.base.clone());
        match self.query {
            Some(query) if !query.is_empty() => Cow::Owned(format!("{base}?{}", clean_query(scrubber, query))),
            _ => base,
        }
    }
}

/// `host` or `host:port`, default ports left out.
fn host<'a>(bags: Bags<'_, 'a>, scheme: &str) -> Option<Cow<'a, str>> {
    let captured = || bags.get("http.request.header.host").map(plain::text);
    let name = match bags.text("server.address") {
        Some(name) => Cow::Borrowed(name),
        None => match captured().or_else(|| bags.text("http.host").map(Cow::Borrowed)) {
            // It comes with its port.
            Some(host) => return Some(host),
            None => Cow::Borrowed(bags.text("net.host.name").or_else(|| bags.text("http.server_name"))?),
        },
    };
    let port = bags.get("server.port").or_else(|| bags.get("net.host.port")).and_then(Value::as_int);
    let default = if scheme == "https" { 443 } else { 80 };
    let name = if name.contains(':') && !name.starts_with('[') { Cow::Owned(format!("[{name}]")) } else { name };
    Some(match port {
        Some(port) if port > 0 && port != default => Cow::Owned(format!("{name}:{port}")),
        _ => name,
    })
}

/// A query with the values of secret keys masked; keys stay as they were written.
fn clean_query<'a>(scrubber: &Scrubber, query: &'a str) -> Cow<'a, str> {
    let is_secret = |pair: &str| pair.split_once('=').is_some_and(|(key, _)| scrubber.is_secret(&decode(key)));
    if !query.split('&').any(is_secret) {
        return scrubber.text(query);
    }
    let pairs: Vec<Cow<'_, str>> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((key, _)) if is_secret(pair) => Cow::Owned(format!("{key}={MASK}")),
            _ => scrubber.text(pair),
        })
        .collect();
    Cow::Owned(pairs.join("&"))
}

/// A query as an object; a name that comes again becomes a list.
fn parameters<'a>(scrubber: &Scrubber, query: &'a str) -> Map<'a> {
    let mut map = Map::default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()).take(PARAMETERS_MAX) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let key = decode(key);
        let value = if scrubber.is_secret(&key) { Node::text(MASK) } else { Node::Text(scrubber.cow(decode(value))) };
        let value = match value {
            Node::Text(text) => Node::Text(cut_chars(text, URL_CHARS_MAX)),
            other => other,
        };
        let key = cut_chars(scrubber.cow(key), PARAMETER_NAME_CHARS_MAX);
        match map.get_mut(&key) {
            Some(Node::List(list)) => list.push(value),
            Some(node) => *node = Node::List(vec![node.clone(), value]),
            None => map.put(key, value),
        }
    }
    map
}

/// Undoes percent-encoding and `+`; what is no UTF-8 then becomes U+FFFD.
fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let mut ahead = bytes.clone();
                match (ahead.next().and_then(digit), ahead.next().and_then(digit)) {
                    (Some(high), Some(low)) => {
                        out.push((high << 4 | low) as u8);
                        bytes = ahead;
                    }
                    _ => out.push(b'%'),
                }
            }
            byte => out.push(byte),
        }
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

fn headers<'a>(rules: RequestRules<'_>, bags: Bags<'_, 'a>) -> Map<'a> {
    let scrubber = rules.scrubber;
    let mut headers = Map::default();
    let hides = rules.capture_ip != CaptureIp::Full;
    for (name, value) in bags.0.iter().flat_map(|bag| bag.with_prefix(HEADER_PREFIX)).take(HEADERS_MAX) {
        let name = train_case(name);
        // Cookies are left out altogether: every one may be a session.
        let hidden = name == "Cookie" || (hides && ADDRESS_HEADERS.contains(&&*name));
        if !name.is_empty() && !hidden && !headers.has(&name) {
            let value = header_value(scrubber, &name, value);
            headers.put(name, value);
        }
    }
    let plain = [("User-Agent", bags.find_text(Key::UserAgentOriginal)), ("Host", bags.text("http.host"))];
    for (name, value) in plain {
        if let Some(value) = value.filter(|_| !headers.has(name)) {
            headers.put(name, Node::Text(cut_chars(scrubber.header(name, value), plain::TEXT_CHARS_MAX)));
        }
    }
    headers
}

fn header_value<'a>(scrubber: &Scrubber, name: &str, value: Value<'a>) -> Node<'a> {
    let value = match plain::text(value) {
        Cow::Borrowed(text) => scrubber.header(name, text),
        Cow::Owned(text) => Cow::Owned(scrubber.header(name, &text).into_owned()),
    };
    Node::Text(cut_chars(value, plain::TEXT_CHARS_MAX))
}

/// `x_forwarded_for` and `x-forwarded-for` as `X-Forwarded-For`.
fn train_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut starts = true;
    for character in name.chars().take(128) {
        let character = if character == '_' { '-' } else { character };
        out.push(if starts { character.to_ascii_uppercase() } else { character.to_ascii_lowercase() });
        starts = character == '-';
    }
    out
}

/// The user's address. A peer is the user only if it is routed globally: a proxy beside the service is not.
fn user_ip(bags: Bags<'_, '_>) -> Option<IpAddr> {
    let forwarded = || {
        let value = bags
            .get("http.request.header.x-forwarded-for")
            .or_else(|| bags.get("http.request.header.x_forwarded_for"))?;
        plain::text(value).split(',').next().and_then(literal)
    };
    let peer = || bags.find_text(Key::NetworkPeerAddress).and_then(literal).filter(is_global);
    bags.find_text(Key::ClientAddress).and_then(literal).or_else(forwarded).or_else(peer)
}

fn literal(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let text = text.strip_prefix('[').and_then(|text| text.split(']').next()).unwrap_or(text);
    match text.parse::<IpAddr>().ok()? {
        IpAddr::V6(ip) => Some(ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4)),
        ip @ IpAddr::V4(_) => Some(ip),
    }
}

/// Special-purpose addresses: <https://www.iana.org/assignments/iana-ipv4-special-registry/> and its IPv6 sibling.
fn is_global(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_broadcast()
                || ip.is_multicast())
                && !(first == 100 && (64..128).contains(&second))
        }
        IpAddr::V6(ip) => {
            let first = ip.segments()[0];
            !(ip.is_loopback() || ip.is_unspecified() || ip.is_multicast())
                && first & 0xfe00 != 0xfc00 // unique local
                && first & 0xffc0 != 0xfe80 // link local
        }
    }
}

/// The address as it may be shown; anonymised as Rollbar's SDKs do.
fn shown_ip(ip: IpAddr, capture: CaptureIp) -> Option<String> {
    match (capture, ip) {
        (CaptureIp::Off, _) => None,
        (CaptureIp::Full, ip) => Some(ip.to_string()),
        (CaptureIp::Anonymize, IpAddr::V4(ip)) => {
            let [first, second, third, _] = ip.octets();
            Some(format!("{first}.{second}.{third}.0"))
        }
        (CaptureIp::Anonymize, IpAddr::V6(ip)) => {
            let [first, second, third, ..] = ip.segments();
            Some(format!("{first:x}:{second:x}:{third:x}:0000:0000:0000:0000:0000"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_as_configured() {
        let ip = |text: &str| literal(text).unwrap();
        assert_eq!(shown_ip(ip("203.0.113.9"), CaptureIp::Full).unwrap(), "203.0.113.9");
        assert_eq!(shown_ip(ip("203.0.113.9"), CaptureIp::Anonymize).unwrap(), "203.0.113.0");
        assert_eq!(shown_ip(ip("2001:db8:1::7"), CaptureIp::Anonymize).unwrap(), "2001:db8:1:0000:0000:0000:0000:0000");
        assert_eq!(shown_ip(ip("203.0.113.9"), CaptureIp::Off), None);
        assert_eq!(ip("::ffff:10.1.2.3"), ip("10.1.2.3"));
        assert_eq!(literal("localhost"), None);
    }

    #[test]
    fn only_addresses_of_the_internet_are_global() {
        for text in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.0.1",
            "169.254.1.1",
            "100.64.0.1",
            "::1",
            "fe80::1",
            "fd00::1",
        ] {
            assert!(!is_global(&literal(text).unwrap()), "{text}");
        }
        assert!(is_global(&literal("203.0.114.9").unwrap()));
        assert!(is_global(&literal("2a00::1").unwrap()));
    }

    #[test]
    fn percent_encoding_is_undone_where_it_is_valid() {
        assert_eq!(decode("a%20b+c%zz%4"), "a b c%zz%4");
        assert_eq!(decode("%ff"), "\u{fffd}");
    }
}
