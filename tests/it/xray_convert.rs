//! Spans into segment documents: each rule's fixture, the published schema, sizes, and hostile spans.
//!
//! A fixture is `NAME.otlp.json` (a request in OTLP/JSON), `NAME.config.json` where the default is not meant, and
//! `NAME.documents.json`, which `UPDATE=1` rewrites.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use telemetry_gateway::exporter::xray::config::{Config, DOCUMENT_BYTES_MAX, IndexConfig};
use telemetry_gateway::exporter::xray::convert::{Converter, Facts, ResourceFacts, plain};
use telemetry_gateway::otlp::wire::{put_bytes, put_varint};
use telemetry_gateway::otlp::{Signal, Span, groups, json as otlp_json};

/// A span's document as it goes into a request, and read back.
#[derive(Debug, PartialEq)]
struct Made {
    written: Vec<u8>,
    read: Value,
    id: String,
}

fn convert(config: &Config, request: &[u8]) -> Vec<Made> {
    let converter = Converter::new(config);
    let mut made = Vec::new();
    let mut facts = Facts::default();
    for group in groups(request) {
        let resource = ResourceFacts::new(&group.resource);
        for scope in group.scopes() {
            for message in scope.items() {
                let (mut out, mut documents) = (b"in front".to_vec(), Vec::new());
                converter.span(&resource, &scope.scope, &Span::parse(message), &mut facts, &mut out, &mut documents);
                let refused = Converter::refusal(&Span::parse(message)).is_some();
                assert_eq!(documents.is_empty(), refused, "a span makes a document, or is refused by name");
                for document in documents {
                    let written = out[document.range].to_vec();
                    made.push(Made { read: plain(&written), written, id: document.id.to_string() });
                }
            }
        }
    }
    made
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/xray")
}

fn names() -> Vec<String> {
    let names = fs::read_dir(fixtures()).unwrap().filter_map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        name.strip_suffix(".otlp.json").map(str::to_owned)
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    assert!(!names.is_empty());
    names
}

fn of_fixture(name: &str) -> (Config, Vec<u8>) {
    let request = fs::read(fixtures().join(format!("{name}.otlp.json"))).unwrap();
    let config = fixtures().join(format!("{name}.config.json"));
    let config =
        if config.exists() { serde_json::from_slice(&fs::read(config).unwrap()).unwrap() } else { Config::default() };
    (config, otlp_json::read(Signal::Traces, &request).unwrap().body)
}

#[test]
fn every_fixture_makes_its_documents() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut different = Vec::new();
    for name in names() {
        let (config, request) = of_fixture(&name);
        let made: Vec<Value> = convert(&config, &request).into_iter().map(|made| made.read).collect();
        let text = serde_json::to_string_pretty(&made).unwrap() + "\n";
        let path = fixtures().join(format!("{name}.documents.json"));
        if update {
            fs::write(path, text).unwrap();
        } else if fs::read_to_string(path).unwrap_or_default() != text {
            different.push(format!("{name}: {text}"));
        }
    }
    assert!(different.is_empty(), "run with UPDATE=1 and read the diff:\n{}", different.join("\n"));
}

#[test]
fn every_fixture_keeps_the_rules_of_the_format() {
    for name in names() {
        let (config, request) = of_fixture(&name);
        for made in convert(&config, &request) {
            assert_eq!(problems(&made.read, config.limits.max_annotations), Vec::<String>::new(), "{name}");
            assert_eq!(made.read["id"], made.id.as_str());
        }
    }
}

/// What our own reading of the format has against a document.
fn problems(document: &Value, annotations_max: usize) -> Vec<String> {
    let mut found = Vec::new();
    let mut check = |holds: bool, what: &str| {
        if !holds {
            found.push(format!("{what}: {document}"));
        }
    };
    let text = |name: &str| document[name].as_str().unwrap_or_default();
    let is_hex = |text: &str, digits: usize| {
        text.len() == digits && text.bytes().all(|byte| b"0123456789abcdef".contains(&byte))
    };
    let trace_id: Vec<&str> = text("trace_id").split('-').collect();
    check(trace_id.len() == 3 && trace_id[0] == "1" && is_hex(trace_id[1], 8) && is_hex(trace_id[2], 24), "trace_id");
    check(is_hex(text("id"), 16), "id");
    check(document.get("parent_id").is_none_or(|id| id.as_str().is_some_and(|id| is_hex(id, 16))), "parent_id");
    check(text("parent_id") != text("id"), "parent is itself");
    let name = text("name");
    check((1..=200).contains(&name.chars().count()) && name.trim() == name, "length of name");
    check(name.chars().all(is_of_a_name), "characters of name");
    let (start, end) = (document["start_time"].as_f64(), document["end_time"].as_f64());
    check(start.is_some(), "start_time");
    check(end.is_some() != (document["in_progress"] == json!(true)), "end_time or in_progress");
    check(end.is_none() || end >= start, "end before start");
    match document.get("type") {
        None => check(document.get("parent_id").is_none() || document.get("trace_id").is_some(), "segment"),
        Some(kind) => check(kind == "subsegment" && document.get("parent_id").is_some(), "subsegment"),
    }
    check(document.get("namespace").is_none_or(|namespace| namespace == "aws" || namespace == "remote"), "namespace");
    for mark in ["error", "throttle", "fault"] {
        check(document.get(mark).is_none_or(|mark| mark == &json!(true)), "mark");
    }
    check(document.get("throttle").is_none() || document.get("error").is_some(), "throttle without error");
    let empty = Map::new();
    let annotations = document["annotations"].as_object().unwrap_or(&empty);
    check(annotations.len() <= annotations_max, "number of annotations");
    for (name, value) in annotations {
        let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.';
        check((1..=500).contains(&name.len()) && name.bytes().all(is_fit), "name of an annotation");
        let is_fit =
            value.is_boolean() || value.is_number() || value.as_str().is_some_and(|text| text.chars().count() <= 1000);
        check(is_fit, "value of an annotation");
    }
    if let Some(metadata) = document.get("metadata") {
        let is_fit = |metadata: &Map<String, Value>| !metadata.is_empty() && metadata.values().all(Value::is_object);
        check(metadata.as_object().is_some_and(is_fit), "metadata");
    }
    let mut ids = HashSet::new();
    for exception in document["cause"]["exceptions"].as_array().into_iter().flatten() {
        let id = exception["id"].as_str().unwrap_or_default();
        check(is_hex(id, 16) && ids.insert(id), "id of an exception");
        for frame in exception["stack"].as_array().into_iter().flatten() {
            check(
                frame.as_object().is_some_and(|frame| frame.contains_key("label") || frame.contains_key("path")),
                "frame",
            );
        }
    }
    check(document["user"].as_str().is_none_or(|user| user.chars().count() <= 250), "user");
    check(document["links"].as_array().is_none_or(|links| (1..=100).contains(&links.len())), "links");
    check(!has_null(&document["aws"]) && !has_null(&document["http"]) && !has_null(&document["sql"]), "null");
    found
}

/// Letters, numbers and separators as far as the standard library knows them, without marks of composition.
fn is_of_a_name(character: char) -> bool {
    "_.:/%&#=+-@ ".contains(character)
        || character.is_alphanumeric() && !('\u{300}'..='\u{36f}').contains(&character) && character <= '\u{ffff}'
        || character.is_whitespace() && !character.is_control()
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.values().any(|value| value.is_null() || has_null(value)),
        Value::Array(list) => list.iter().any(|value| value.is_null() || has_null(value)),
        _ => false,
    }
}

#[test]
fn our_reading_of_the_format_agrees_with_known_documents() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/xray/contrib-testdata");
    if !folder.exists() {
        println!("skipped: {} is not here", folder.display());
        return;
    }
    let cases = [
        ("indepSubsegment.txt", true),
        ("indepSubsegmentWithSql.txt", true),
        ("serverSample.txt", true),
        ("minInProgress.txt", true),
        ("indepSubsegmentWithLocalNamespace.txt", false),
        ("segmentValidationFailed.txt", false),
    ];
    for (file, expected) in cases {
        let document: Value = serde_json::from_slice(&fs::read(folder.join(file)).unwrap()).unwrap();
        assert_eq!(problems(&document, 50).is_empty(), expected, "{file}");
    }
}

#[test]
fn every_fixture_keeps_the_published_schema() {
    let path = "../shared/data/xray/xray-segmentdocument-schema-v1.0.0.json";
    let Ok(text) = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)) else {
        println!("skipped: {path} is not here");
        return;
    };
    // The service takes dots in the names of annotations; the schema is older than that.
    let text = String::from_utf8(text).unwrap().replace("[a-zA-Z0-9_]{1,500}", "[a-zA-Z0-9_.]{1,500}");
    let schema: Value = serde_json::from_str(&text).unwrap();
    for name in names() {
        let (mut config, request) = of_fixture(&name);
        config.limits.http_string = config.limits.http_string.min(250);
        for made in convert(&config, &request) {
            let rule = match made.read.get("type") {
                None => &schema,
                Some(_) => &schema["definitions"]["subsegment"],
            };
            if let Err(problem) = conforms(&schema, rule, &made.read) {
                panic!("{name}: {problem}: {}", made.read);
            }
        }
    }
}

/// As much of JSON Schema as the published one uses.
fn conforms(root: &Value, rule: &Value, value: &Value) -> Result<(), String> {
    if let Some(target) = rule["$ref"].as_str() {
        return conforms(root, root.pointer(target.trim_start_matches('#')).unwrap(), value);
    }
    if let Some(any) = rule["oneOf"].as_array() {
        let fitting = any.iter().filter(|rule| conforms(root, rule, value).is_ok()).count();
        return if fitting == 1 { Ok(()) } else { Err(format!("{fitting} of oneOf")) };
    }
    let is_a = |kind: &Value| match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        other => panic!("the schema has a type {other}"),
    };
    match &rule["type"] {
        Value::Null => {}
        Value::Array(kinds) if kinds.iter().any(is_a) => {}
        kind @ Value::String(_) if is_a(kind) => {}
        kind => return Err(format!("{value} is no {kind}")),
    }
    if let Some(text) = value.as_str() {
        let length = text.chars().count() as u64;
        let bounds = rule["minLength"].as_u64().unwrap_or(0)..=rule["maxLength"].as_u64().unwrap_or(u64::MAX);
        if !bounds.contains(&length) {
            return Err(format!("{text} has {length} characters"));
        }
        if let Some(pattern) = rule["pattern"].as_str()
            && !regex::Regex::new(pattern).unwrap().is_match(text)
        {
            return Err(format!("{text} does not match"));
        }
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        if rule["items"].is_object() {
            conforms(root, &rule["items"], item).map_err(|problem| format!("[{index}] {problem}"))?;
        }
    }
    let Some(members) = value.as_object() else { return Ok(()) };
    for required in rule["required"].as_array().into_iter().flatten() {
        if !members.contains_key(required.as_str().unwrap()) {
            return Err(format!("{required} is missing"));
        }
    }
    for (name, member) in members {
        let patterns = rule["patternProperties"].as_object().into_iter().flatten();
        let mut rules: Vec<&Value> = patterns
            .filter(|(pattern, _)| regex::Regex::new(pattern).unwrap().is_match(name))
            .map(|(_, rule)| rule)
            .collect();
        rules.extend(rule["properties"].get(name));
        match &rule["additionalProperties"] {
            Value::Bool(false) if rules.is_empty() => return Err(format!("{name} is not allowed")),
            other @ Value::Object(_) if rules.is_empty() => rules.push(other),
            _ => {}
        }
        for rule in rules {
            conforms(root, rule, member).map_err(|problem| format!("{name}: {problem}"))?;
        }
    }
    Ok(())
}

// -- spans made by hand, byte by byte

#[derive(Debug, Clone)]
enum Any {
    Text(String),
    /// A string that is no UTF-8.
    Broken(Vec<u8>),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(Vec<u8>),
    List(Vec<Any>),
    Map(Vec<(String, Any)>),
    Empty,
}

type Attributes = Vec<(String, Any)>;

fn value(any: &Any) -> Vec<u8> {
    let mut out = Vec::new();
    match any {
        Any::Text(text) => put_bytes(&mut out, 1, text.as_bytes()),
        Any::Broken(bytes) => put_bytes(&mut out, 1, bytes),
        Any::Bool(flag) => out.extend([0x10, u8::from(*flag)]),
        Any::Int(number) => {
            out.push(0x18);
            put_varint(&mut out, *number as u64);
        }
        Any::Double(number) => {
            out.push(0x21);
            out.extend(number.to_le_bytes());
        }
        Any::List(list) => {
            let mut inner = Vec::new();
            for any in list {
                put_bytes(&mut inner, 1, &value(any));
            }
            put_bytes(&mut out, 5, &inner);
        }
        Any::Map(map) => {
            let mut inner = Vec::new();
            put_attributes(&mut inner, 1, map);
            put_bytes(&mut out, 6, &inner);
        }
        Any::Bytes(bytes) => put_bytes(&mut out, 7, bytes),
        Any::Empty => {}
    }
    out
}

fn put_attributes(out: &mut Vec<u8>, field: u32, attributes: &[(String, Any)]) {
    for (name, any) in attributes {
        let mut pair = Vec::new();
        put_bytes(&mut pair, 1, name.as_bytes());
        put_bytes(&mut pair, 2, &value(any));
        put_bytes(out, field, &pair);
    }
}

#[derive(Debug, Clone, Default)]
struct Spec {
    kind: u8,
    has_parent: bool,
    times: (u64, u64),
    name: String,
    attributes: Attributes,
    events: Vec<(String, Attributes)>,
    links: Vec<Attributes>,
    status: (u8, String),
    resource: Attributes,
}

impl Spec {
    fn request(&self) -> Vec<u8> {
        let mut span = Vec::new();
        put_bytes(&mut span, 1, &[7; 16]);
        put_bytes(&mut span, 2, &[8; 8]);
        if self.has_parent {
            put_bytes(&mut span, 4, &[9; 8]);
        }
        put_bytes(&mut span, 5, self.name.as_bytes());
        span.extend([0x30, self.kind]);
        for (tag, time) in [(0x39, self.times.0), (0x41, self.times.1)] {
            span.push(tag);
            span.extend(time.to_le_bytes());
        }
        put_attributes(&mut span, 9, &self.attributes);
        for (name, attributes) in &self.events {
            let mut event = Vec::new();
            put_bytes(&mut event, 2, name.as_bytes());
            put_attributes(&mut event, 3, attributes);
            put_bytes(&mut span, 11, &event);
        }
        for attributes in &self.links {
            let mut link = Vec::new();
            put_bytes(&mut link, 1, &[5; 16]);
            put_bytes(&mut link, 2, &[6; 8]);
            put_attributes(&mut link, 4, attributes);
            put_bytes(&mut span, 13, &link);
        }
        let mut status = Vec::new();
        put_bytes(&mut status, 2, self.status.1.as_bytes());
        status.extend([0x18, self.status.0]);
        put_bytes(&mut span, 15, &status);
        let (mut resource, mut scope, mut group, mut request) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        put_attributes(&mut resource, 1, &self.resource);
        put_bytes(&mut scope, 2, &span);
        put_bytes(&mut group, 1, &resource);
        put_bytes(&mut group, 2, &scope);
        put_bytes(&mut request, 1, &group);
        request
    }
}

fn plain_spec() -> Spec {
    Spec {
        kind: 2,
        times: (1_700_000_000_000_000_000, 1_700_000_000_500_000_000),
        name: "a".to_owned(),
        ..Spec::default()
    }
}

fn check_any(config: &Config, request: &[u8]) -> Vec<Made> {
    let made = convert(config, request);
    assert_eq!(made, convert(config, request), "the same span makes the same bytes");
    for one in &made {
        let text = String::from_utf8(one.written.clone()).expect("a document is text");
        let outer: String = serde_json::from_str(&format!("\"{text}\"")).expect("a document is the inside of a string");
        assert!(outer.len() <= DOCUMENT_BYTES_MAX, "{} bytes", outer.len());
        let mut reader = serde_json::Deserializer::from_str(&outer);
        let read: Value = serde::Deserialize::deserialize(&mut reader).expect("a document is JSON of common depth");
        assert_eq!(read, one.read);
        assert_eq!(problems(&read, config.limits.max_annotations), Vec::<String>::new());
    }
    let ids: BTreeSet<&str> = made.iter().map(|made| made.id.as_str()).collect();
    assert_eq!(ids.len(), made.len(), "each document has an id of its own");
    made
}

fn steps(document: &Value) -> Vec<&str> {
    document["metadata"]["otel"]["truncated"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn text(length: usize) -> Any {
    Any::Text("é\"\n".repeat(length / 4))
}

#[test]
fn what_is_too_large_is_shortened_step_by_step() {
    let many =
        |count: usize, length| (0..count).map(|index| (format!("key{index}"), text(length))).collect::<Attributes>();
    let exception = |length| vec![("exception.message".to_owned(), text(length))];
    let cases = [
        (Spec { events: (0..60).map(|_| ("e".to_owned(), many(1, 2000))).collect(), ..plain_spec() }, "events"),
        (Spec { attributes: many(1, 70_000), ..plain_spec() }, "strings"),
        (Spec { events: vec![("exception".to_owned(), exception(90_000))], ..plain_spec() }, "texts"),
        (Spec { status: (2, "x".repeat(80_000)), ..plain_spec() }, "texts"),
        (Spec { attributes: many(100, 900), ..plain_spec() }, "values"),
        (Spec { resource: many(100, 900), ..plain_spec() }, "values"),
        (Spec { attributes: many(9000, 4), ..plain_spec() }, "minimal"),
        (Spec { attributes: vec![("k".repeat(100_000), Any::Empty)], ..plain_spec() }, "strings"),
        (Spec { attributes: vec![("bytes".to_owned(), Any::Bytes(vec![1; 200_000]))], ..plain_spec() }, "strings"),
        (Spec { resource: vec![("service.name".to_owned(), text(200_000))], ..plain_spec() }, ""),
    ];
    for (spec, expected) in cases {
        let made = check_any(&Config::default(), &spec.request());
        let done = steps(&made[0].read);
        assert_eq!(done.last().copied().unwrap_or_default(), expected, "{done:?}");
    }
}

#[test]
fn annotations_that_are_too_large_are_cut() {
    let attributes = (0..50).map(|index| (format!("key{index}"), Any::Text("é".repeat(1000)))).collect();
    let config = Config { index: IndexConfig { all: true, ..IndexConfig::default() }, ..Config::default() };
    let made = check_any(&config, &Spec { attributes, ..plain_spec() }.request());
    assert_eq!(steps(&made[0].read).last(), Some(&"annotations"));
    assert_eq!(made[0].read["annotations"]["key7"], "é".repeat(250));
}

#[test]
fn stacks_are_shortened_before_anything_is_lost_of_the_span() {
    let frames: Vec<String> =
        (0..2000).map(|line| format!("  File \"/app/module.py\", line {line}, in f{line}\n")).collect();
    let frames = frames.concat();
    let stack = format!("Traceback (most recent call last):\n{frames}ValueError: x\n");
    let event =
        |stack: &str| ("exception".to_owned(), vec![("exception.stacktrace".to_owned(), Any::Text(stack.to_owned()))]);
    let mut config = Config::default();
    config.limits.stack_frames = 2000;
    let spec = Spec { events: vec![event(&stack)], resource: python(), ..plain_spec() };
    let made = check_any(&config, &spec.request());
    assert_eq!(steps(&made[0].read), ["events", "stacks"]);
    let exception = &made[0].read["cause"]["exceptions"][0];
    assert_eq!(exception["stack"].as_array().unwrap().len(), 30);
    assert_eq!(exception["truncated"], 1970);
    assert_eq!(exception["stack"][0]["label"], "f1999");
    assert_eq!(exception["stack"][29]["label"], "f0");
}

fn python() -> Attributes {
    vec![("telemetry.sdk.language".to_owned(), Any::Text("python".to_owned()))]
}

#[test]
fn deep_values_do_not_break_a_reader() {
    let deep = (0..1000).fold(Any::Bool(true), |inner, _| Any::List(vec![inner]));
    let attributes = vec![("deep".to_owned(), deep)];
    check_any(&Config::default(), &Spec { attributes, ..plain_spec() }.request());
    let nested = format!("{{\"a\":{}1{}}}", "[".repeat(5000), "]".repeat(5000));
    let attributes = vec![("aws.xray.metadata.ns".to_owned(), Any::Text(nested.clone()))];
    let made = check_any(&Config::default(), &Spec { attributes, ..plain_spec() }.request());
    assert_eq!(made[0].read["metadata"]["default"]["aws.xray.metadata.ns"], nested);
}

#[test]
fn a_span_of_absurdly_many_attributes_takes_no_absurd_time() {
    let many =
        |name: &dyn Fn(usize) -> String, any: &Any| (0..30_000).map(|index| (name(index), any.clone())).collect();
    let list = Any::List((0..30_000).map(|index| Any::Text(format!("otel.resource.{index}"))).collect());
    let json = Any::Text(format!("{{{}\"x\":1}}", "\"a\":1,".repeat(5000)));
    let cases: [Attributes; 6] = [
        many(&|index| format!("key{index}"), &Any::Bool(true)),
        many(&|_| "key".to_owned(), &Any::Bool(true)),
        many(&|_| "http.method".to_owned(), &Any::Text("GET".to_owned())),
        many(&|index| format!("aws.xray.metadata.{index}"), &Any::Text("{}".to_owned())),
        many(&|index| if index % 2 == 0 { "aws.xray.metadata.Default".to_owned() } else { index.to_string() }, &json),
        vec![("aws.xray.annotations".to_owned(), list)],
    ];
    let all = Config { index: IndexConfig { all: true, ..IndexConfig::default() }, ..Config::default() };
    for (number, attributes) in cases.into_iter().enumerate() {
        let request = Spec { attributes: attributes.clone(), resource: attributes, ..plain_spec() }.request();
        for config in [&Config::default(), &all] {
            let started = Instant::now();
            check_any(config, &request);
            // Linear is far below a second even without optimisation; quadratic is minutes.
            assert!(started.elapsed() < Duration::from_secs(20), "case {number}: {:?}", started.elapsed());
        }
    }
}

#[test]
fn an_exception_event_of_every_language_reaches_the_cause() {
    let stacks = [
        (
            "python",
            "Traceback (most recent call last):\n  File \"/a.py\", line 3, in f\n    g()\nValueError: x\n",
            "f",
            3,
        ),
        ("java", "a.B: x\n\tat a.C.run(C.java:7)\n", "a.C.run", 7),
        ("nodejs", "Error: x\n    at run (/app/a.js:5:9)\n", "run", 5),
        ("ruby", "/app/a.rb:4:in `run': x (RuntimeError)\n\tfrom /app/b.rb:9:in `main'\n", "run", 4),
    ];
    for (language, stack, label, line) in stacks {
        let attributes = vec![("exception.stacktrace".to_owned(), Any::Text(stack.to_owned()))];
        let resource = vec![("telemetry.sdk.language".to_owned(), Any::Text(language.to_owned()))];
        let spec = Spec { events: vec![("exception".to_owned(), attributes)], resource, ..plain_spec() };
        let made = check_any(&Config::default(), &spec.request());
        let frame = &made[0].read["cause"]["exceptions"][0]["stack"][0];
        assert_eq!((frame["label"].as_str(), frame["line"].as_u64()), (Some(label), Some(line)), "{language}: {frame}");
    }
}

/// Names that conversion looks at, and some it does not.
const NAMES: &[&str] = &[
    "http.method",
    "http.url",
    "url.full",
    "http.target",
    "http.host",
    "server.address",
    "server.port",
    "url.path",
    "url.query",
    "http.status_code",
    "http.response.status_code",
    "client.address",
    "net.peer.ip",
    "network.peer.address",
    "db.system",
    "db.system.name",
    "db.statement",
    "db.namespace",
    "db.connection_string",
    "db.user",
    "rpc.system",
    "rpc.service",
    "rpc.method",
    "rpc.status_code",
    "aws.service",
    "aws.operation",
    "aws.dynamodb.table_names",
    "aws.remote.service",
    "aws.local.service",
    "aws.span.kind",
    "aws.xray.annotations",
    "aws.xray.metadata.ns",
    "aws.xray.metadata.default",
    "aws.xray.inprogress",
    "aws.xray.traced",
    "aws.remote.resource.type",
    "aws.remote.resource.identifier",
    "enduser.id",
    "user.id",
    "peer.service",
    "messaging.destination.name",
    "messaging.system",
    "error.type",
    "exception.type",
    "exception.message",
    "exception.stacktrace",
    "aws.xray.exception.id",
    "service.name",
    "cloud.platform",
    "cloud.provider",
    "host.id",
    "telemetry.sdk.name",
    "telemetry.sdk.language",
    "aws.log.group.names",
    "container.image.tags",
    "order.id",
    "a-b",
    "a_b",
];

/// Texts that some rule is about.
const TEXTS: &[&str] = &[
    "GET",
    "_OTHER",
    "LOCAL_ROOT",
    "aws-api",
    "AWS::S3",
    "postgresql",
    "redis",
    "AWS::SQS::Queue",
    "aws_ecs",
    "aws",
    "python",
    "",
    "https://u:p@h/x?sig=1&a",
    "http://",
    "::1",
    "10.0.0.1",
    "{}",
    "{\"a\":{\"b\":[1]}}",
    "i-0123456789abcdef0",
    "\u{301}\u{301}",
    "00000000000000aa",
    "404",
    "NOT_FOUND",
    "a&b&",
    "unknown_service:x",
    "[\\\"]",
    "jdbc:x://u:p@h?password=1",
    "😀",
    "Traceback (most recent call last):\n  File \"a\", line 1, in b\nKeyError: 'x'",
];

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(TEXTS).prop_map(str::to_owned),
        2 => any::<String>(),
        1 => "[\\x00-\\x7f]{0,40}",
        1 => (any::<char>(), 0..3000usize).prop_map(|(character, count)| character.to_string().repeat(count)),
    ]
}

fn any_value() -> impl Strategy<Value = Any> {
    let leaf = prop_oneof![
        6 => any_text().prop_map(Any::Text),
        1 => prop::collection::vec(any::<u8>(), 0..20).prop_map(Any::Broken),
        1 => any::<bool>().prop_map(Any::Bool),
        2 => prop_oneof![any::<i64>(), 0..600i64].prop_map(Any::Int),
        1 => any::<f64>().prop_map(Any::Double),
        1 => prop::collection::vec(any::<u8>(), 0..20).prop_map(Any::Bytes),
        1 => Just(Any::Empty),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Any::List),
            prop::collection::vec((any_text(), inner), 0..4).prop_map(Any::Map),
        ]
    })
}

fn any_attributes(most: usize) -> impl Strategy<Value = Attributes> {
    let name = prop_oneof![8 => prop::sample::select(NAMES).prop_map(str::to_owned), 2 => any_text()];
    prop::collection::vec((name, any_value()), 0..most)
}

fn any_spec() -> impl Strategy<Value = Spec> {
    let event = (prop_oneof![Just("exception".to_owned()), any_text()], any_attributes(6));
    let time = prop_oneof![Just(0), any::<u64>(), 1_700_000_000_000_000_000..1_700_000_000_999_999_999u64];
    (
        (0..7u8, any::<bool>(), (time.clone(), time), any_text()),
        any_attributes(90),
        prop::collection::vec(event, 0..6),
        prop::collection::vec(any_attributes(3), 0..4),
        (0..3u8, any_text()),
        any_attributes(12),
    )
        .prop_map(|((kind, has_parent, times, name), attributes, events, links, status, resource)| Spec {
            kind,
            has_parent,
            times,
            name,
            attributes,
            events,
            links,
            status,
            resource,
        })
}

fn any_config() -> impl Strategy<Value = Config> {
    let configs = [
        json!({}),
        json!({"index": {"all": true}}),
        json!({"index": {"attributes": ["*", "otel.resource.*"], "join_arrays": true}, "limits": {"document_bytes": 1}}),
        json!({"metadata_otel": false, "events": "drop", "partial_spans": "complete", "local_root_split": "off"}),
        json!({"limits": {"max_annotations": 0, "http_string": 0, "stack_frames": 0, "exceptions": 1, "events": 0}, "index": {"all": true}}),
        json!({"name_invalid_chars": "underscore", "name_include_port": true, "sql_url": "span_name", "strict_contrib_status": true}),
    ];
    prop::sample::select(configs.map(|config| serde_json::from_value::<Config>(config).unwrap()).to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_span_makes_documents_that_x_ray_can_take(spec in any_spec(), config in any_config()) {
        check_any(&config, &spec.request());
    }

    #[test]
    fn any_bytes_make_no_panic(spec in any_spec(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let mut request = spec.request();
        let at = at.index(request.len());
        request[at] = byte;
        request.truncate(cut.index(request.len()) + 1);
        check_any(&Config::default(), &request);
    }
}
