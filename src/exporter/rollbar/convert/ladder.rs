//! The size ladder: what goes first when an item is larger than allowed, the cheapest information before the rest.
//!
//! | Step         | What goes                                                             |
//! |--------------|-----------------------------------------------------------------------|
//! | `resource`   | the copy of the resource                                              |
//! | `causes`     | frames of causes beyond the 30 oldest and 30 newest                   |
//! | `frames`     | frames of all beyond those                                            |
//! | `stack`      | the raw text of the stack                                             |
//! | `text_…`     | texts beyond 1024, 512, 256 characters                                |
//! | `request`    | body, form and headers of the request                                 |
//! | `chain`      | all of the chain but first and last                                   |
//! | `minimal`    | all frames but the oldest and the newest, texts beyond 255 characters |
//! | `failsafe`   | everything but what names the occurrence                              |
//!
//! What names it is never touched: uuid, title, fingerprint, environment, class, ids, links. Steps that a native SDK takes
//! and their order: rollbar.js, rollbar-gem and rollbar-java `truncation` (read 2026-11).

use super::node::{Map, Node, cut_chars};

/// Frames kept at either end by the steps `causes` and `frames`.
const FRAMES_KEPT: usize = 30;

/// Members whose texts are never cut.
const PROTECTED: [&str; 11] = [
    "title",
    "uuid",
    "fingerprint",
    "class",
    "environment",
    "level",
    "code_version",
    "trace_id",
    "span_id",
    "links",
    "attributes",
];

/// A step: its name, and what it does to `data`.
type Step = (&'static str, fn(&mut Map<'_>));

const STEPS: [Step; 10] = [
    ("resource", |data| {
        drop_custom(data, "resource");
    }),
    ("causes", |data| {
        each_trace(data, |depth, trace| {
            if depth > 0 {
                keep_ends(trace, FRAMES_KEPT);
            }
        });
    }),
    ("frames", |data| each_trace(data, |_, trace| keep_ends(trace, FRAMES_KEPT))),
    ("stack", |data| {
        if let Some(otel) = data.map_mut("custom").and_then(|custom| custom.map_mut("otel")) {
            otel.remove("stacktrace");
        }
    }),
    ("text_1024", |data| cut_texts(data, 1024)),
    ("text_512", |data| cut_texts(data, 512)),
    ("text_256", |data| cut_texts(data, 256)),
    ("request", |data| {
        if let Some(request) = data.map_mut("request") {
            for key in ["body", "POST", "headers"] {
                request.remove(key);
            }
        }
    }),
    ("chain", |data| {
        if let Some(chain) =
            data.map_mut("body").and_then(|body| body.get_mut("trace_chain")).and_then(Node::as_list_mut)
            && chain.len() > 2
        {
            chain.drain(1..chain.len() - 1);
        }
    }),
    ("minimal", |data| {
        each_trace(data, |_, trace| keep_ends(trace, 1));
        cut_texts(data, 255);
    }),
];

/// Writes `{"data":…}` within so many bytes.
pub fn write(mut data: Map<'_>, bytes_max: usize) -> Vec<u8> {
    let whole = envelope(&data);
    if whole.len() <= bytes_max {
        return whole;
    }
    let original = whole.len();
    let mut taken: Vec<&'static str> = Vec::new();
    for (name, step) in STEPS {
        step(&mut data);
        taken.push(name);
        note(&mut data, &taken, original);
        let shorter = envelope(&data);
        if shorter.len() <= bytes_max {
            return finish(data, shorter, bytes_max);
        }
    }
    taken.push("failsafe");
    let mut failsafe = failsafe(&data);
    note(&mut failsafe, &taken, original);
    let out = envelope(&failsafe);
    if out.len() <= bytes_max {
        return finish(failsafe, out, bytes_max);
    }
    // What names it may be written by others at any length, in characters that JSON writes as six bytes.
    for key in ["custom", "notifier", "title", "platform", "language"] {
        failsafe.remove(key);
    }
    envelope(&failsafe)
}

fn envelope(data: &Map<'_>) -> Vec<u8> {
    let mut out = String::with_capacity(4096);
    out.push_str("{\"data\":");
    data.write(&mut out);
    out.push('}');
    out.into_bytes()
}

/// Adds the final size to the note where there is room for it.
fn finish(mut data: Map<'_>, written: Vec<u8>, bytes_max: usize) -> Vec<u8> {
    let diagnostic = data.map_mut("notifier").and_then(|notifier| notifier.map_mut("diagnostic"));
    if let Some(truncation) = diagnostic.and_then(|diagnostic| diagnostic.map_mut("truncation")) {
        let key = "final_bytes";
        let room = "\"final_bytes\":,".len();
        let bare = written.len() + room;
        // Its own digits count too.
        let digits = (bare + 7).to_string().len();
        truncation.put(key, Node::Int((bare + digits) as i64));
        let out = envelope(&data);
        if out.len() <= bytes_max {
            return out;
        }
    }
    written
}

/// Tells in `notifier.diagnostic.truncation` which steps were taken.
fn note(data: &mut Map<'_>, steps: &[&'static str], original: usize) {
    let Some(notifier) = data.map_mut("notifier") else { return };
    if !notifier.has("diagnostic") {
        notifier.put("diagnostic", Node::Map(Map::default()));
    }
    let Some(diagnostic) = notifier.map_mut("diagnostic") else { return };
    diagnostic.remove("truncation");
    let mut truncation = Map::default();
    truncation.put("steps", Node::List(steps.iter().map(|step| Node::text(*step)).collect()));
    truncation.put("original_bytes", Node::Int(original as i64));
    diagnostic.put("truncation", Node::Map(truncation));
}

fn drop_custom(data: &mut Map<'_>, key: &str) {
    if let Some(custom) = data.map_mut("custom") {
        custom.remove(key);
    }
}

/// Shows each trace of the body with its place in the chain.
fn each_trace(data: &mut Map<'_>, each: impl Fn(usize, &mut Map<'_>)) {
    let Some(body) = data.map_mut("body") else { return };
    if let Some(trace) = body.map_mut("trace") {
        each(0, trace);
    }
    if let Some(chain) = body.get_mut("trace_chain").and_then(Node::as_list_mut) {
        for (depth, trace) in chain.iter_mut().enumerate() {
            if let Some(trace) = trace.as_map_mut() {
                each(depth, trace);
            }
        }
    }
}

fn keep_ends(trace: &mut Map<'_>, kept: usize) {
    if let Some(frames) = trace.get_mut("frames").and_then(Node::as_list_mut)
        && frames.len() > 2 * kept
    {
        frames.drain(kept..frames.len() - kept);
    }
}

/// Cuts every text that is not protected, with `...` at its end.
fn cut_texts(map: &mut Map<'_>, chars_max: usize) {
    for (key, node) in &mut map.0 {
        if !PROTECTED.contains(&&**key) {
            cut_node(node, chars_max);
        }
    }
}

fn cut_node(node: &mut Node<'_>, chars_max: usize) {
    match node {
        Node::Text(text) if text.len() > chars_max => {
            let short = cut_chars(&**text, chars_max - 3);
            if short.len() + 3 < text.len() {
                *text = format!("{short}...").into();
            }
        }
        Node::List(list) => list.iter_mut().for_each(|node| cut_node(node, chars_max)),
        Node::Map(map) => cut_texts(map, chars_max),
        _ => {}
    }
}

/// A message that tells of an occurrence which could not be sent.
fn failsafe<'a>(data: &Map<'a>) -> Map<'a> {
    let mut out = Map::default();
    for key in ["environment", "level", "timestamp", "uuid", "platform", "language", "fingerprint"] {
        if let Some(node) = data.get(key) {
            out.put(key, node.clone());
        }
    }
    let title = data.get("title").and_then(Node::as_text).map(str::to_owned).or_else(|| headline(data));
    let title = title.unwrap_or_else(|| "an occurrence".to_owned());
    let mut message = Map::default();
    message.put("body", Node::text(format!("{}: too large to be sent whole", cut_chars(&*title, 120))));
    let mut body = Map::default();
    body.put("message", Node::Map(message));
    out.put("title", Node::text(cut_chars(title, 120).into_owned()));
    out.put("body", Node::Map(body));
    if let Some(Node::Map(custom)) = data.get("custom")
        && let Some(links) = custom.get("links")
    {
        let mut kept = Map::default();
        kept.put("links", links.clone());
        out.put("custom", Node::Map(kept));
    }
    if let Some(Node::Map(notifier)) = data.get("notifier") {
        let mut kept = Map::default();
        for key in ["name", "version"] {
            if let Some(node) = notifier.get(key) {
                kept.put(key, node.clone());
            }
        }
        out.put("notifier", Node::Map(kept));
    }
    out
}

/// The class of the exception that surfaced.
fn headline(data: &Map<'_>) -> Option<String> {
    let Some(Node::Map(body)) = data.get("body") else { return None };
    let trace = match (body.get("trace"), body.get("trace_chain")) {
        (Some(trace), _) => trace,
        (None, Some(Node::List(chain))) => chain.first()?,
        _ => return None,
    };
    let Node::Map(trace) = trace else { return None };
    let Some(Node::Map(exception)) = trace.get("exception") else { return None };
    exception.get("class").and_then(Node::as_text).map(str::to_owned)
}
