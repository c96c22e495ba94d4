//! `custom.links`: from an item to its trace in another tool, by templates of the configuration.

use std::borrow::Cow;

use super::node::{Map, Node};
use crate::exporter::rollbar::config::LinksConfig;
use crate::otlp::{SpanId, TraceId};

/// Honeycomb looks at about two hours back where a link has no time range: the range begins this long before the span,
const MARGIN_BEFORE_S: u64 = 5 * 60;
/// and ends this long after it. <https://docs.honeycomb.io/investigate/collaborate/share-trace/> (read 2026-11)
const MARGIN_AFTER_S: u64 = 15 * 60;

/// Longer links are left out: they would not work.
const LINK_BYTES_MAX: usize = 1024;

const PLACEHOLDERS: [&str; 7] =
    ["trace_id", "span_id", "xray_trace_id", "trace_start_ts", "trace_end_ts", "service", "environment"];

/// A placeholder that no link can be made with.
#[derive(Debug, thiserror::Error)]
#[error(
    "link template has an unknown placeholder `{{{0}}}`; known are trace_id, span_id, xray_trace_id, trace_start_ts, trace_end_ts, service, environment"
)]
pub struct UnknownPlaceholder(pub String);

/// What a link points at.
#[derive(Debug, Clone, Copy)]
pub struct Target<'t> {
    pub trace_id: TraceId,
    pub span_id: Option<SpanId>,
    pub start_unix_nano: u64,
    pub end_unix_nano: u64,
    pub service: &'t str,
    pub environment: &'t str,
}

/// Checks the placeholders of every template.
pub fn check(config: &LinksConfig) -> Result<(), UnknownPlaceholder> {
    for template in [&config.honeycomb, &config.xray].into_iter().flatten() {
        let unknown = pieces(template).find_map(|piece| match piece {
            Piece::Placeholder(name) if !PLACEHOLDERS.contains(&name) => Some(name.to_owned()),
            _ => None,
        });
        if let Some(name) = unknown {
            return Err(UnknownPlaceholder(name));
        }
    }
    Ok(())
}

/// Builds `links`; empty where no template is configured.
pub fn links<'a>(config: &LinksConfig, target: Target<'_>) -> Map<'a> {
    let mut links = Map::default();
    for (name, template) in [("honeycomb", &config.honeycomb), ("xray", &config.xray)] {
        if let Some(link) =
            template.as_ref().map(|template| fill(template, target)).filter(|link| link.len() <= LINK_BYTES_MAX)
        {
            links.put(name, Node::text(link));
        }
    }
    links
}

fn fill(template: &str, target: Target<'_>) -> String {
    let mut link = String::with_capacity(template.len() + 64);
    let seconds = |nano: u64| nano / 1_000_000_000;
    for piece in pieces(template) {
        let text: Cow<'_, str> = match piece {
            Piece::Text(text) => Cow::Borrowed(text),
            Piece::Placeholder("trace_id") => target.trace_id.to_string().into(),
            Piece::Placeholder("span_id") => target.span_id.map(|id| id.to_string()).unwrap_or_default().into(),
            Piece::Placeholder("xray_trace_id") => {
                let hex = target.trace_id.to_string();
                format!("1-{}-{}", &hex[..8], &hex[8..]).into()
            }
            Piece::Placeholder("trace_start_ts") => {
                seconds(target.start_unix_nano).saturating_sub(MARGIN_BEFORE_S).to_string().into()
            }
            Piece::Placeholder("trace_end_ts") => (seconds(target.end_unix_nano) + MARGIN_AFTER_S).to_string().into(),
            Piece::Placeholder("service") => encode(target.service).into(),
            Piece::Placeholder("environment") => encode(target.environment).into(),
            Piece::Placeholder(_) => Cow::Borrowed(""),
        };
        link.push_str(&text);
    }
    link
}

enum Piece<'t> {
    Text(&'t str),
    Placeholder(&'t str),
}

/// A template in pieces; a brace without its partner is text.
fn pieces(template: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = template;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some((name, after)) = rest.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            rest = after;
            return Some(Piece::Placeholder(name));
        }
        // A brace at the very beginning is one without a partner.
        let end = rest.char_indices().skip(1).find(|(_, character)| *character == '{').map_or(rest.len(), |(at, _)| at);
        let (text, after) = rest.split_at(end);
        rest = after;
        Some(Piece::Text(text))
    })
}

/// Percent-encodes what may not stand in a path or query.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
            out.push('%');
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_filled_and_an_unknown_placeholder_named() {
        let target = Target {
            trace_id: TraceId([0x5b; 16]),
            span_id: SpanId::parse(&[1; 8]),
            start_unix_nano: 1_000_000_000_000,
            end_unix_nano: 1_001_000_000_000,
            service: "shop api",
            environment: "prod",
        };
        let template =
            "https://x/é/{service}?t={trace_id}&s={span_id}&a={trace_start_ts}&b={trace_end_ts}&x={xray_trace_id}&{";
        let id = "5b".repeat(16);
        let expected =
            format!("https://x/é/shop%20api?t={id}&s={}&a=700&b=1901&x=1-5b5b5b5b-{}&{{", "01".repeat(8), &id[8..]);
        assert_eq!(fill(template, target), expected);
        let bad = LinksConfig { honeycomb: Some("{team}".into()), xray: None };
        assert!(check(&bad).unwrap_err().to_string().contains("`{team}`"));
    }
}
