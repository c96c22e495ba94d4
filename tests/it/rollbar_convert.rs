//! Rollbar items from telemetry: a fixture per rule, what Rollbar's own SDKs sent for the same errors, secrets, sizes, and bytes
//! that are no telemetry.
//!
//! A fixture is `NAME.json` (`signal`, `config`, `kept`, and `input` as OTLP/JSON) beside `NAME.expected.json`; `UPDATE=1` rewrites
//! what is expected.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde_json::{Value, json};
use telemetry_gateway::exporter::rollbar::Config;
use telemetry_gateway::exporter::rollbar::convert::{Converted, Converter};
use telemetry_gateway::otlp::{Batch, Kept, Part, Signal, groups, json as otlp_json};

const LEVELS: [&str; 5] = ["critical", "error", "warning", "info", "debug"];

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read_json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn part_of(signal: Signal, body: Vec<u8>) -> Part {
    let items = groups(&body)
        .flat_map(|group| group.scopes().collect::<Vec<_>>())
        .map(|scope| scope.items().count())
        .sum::<usize>();
    let items = items as u32;
    Part::whole(Batch { signal, body: body.into(), original: None, items, weight: items, received_at: UNIX_EPOCH })
}

fn part_of_json(signal: Signal, input: &Value) -> Part {
    part_of(signal, otlp_json::read(signal, input.to_string().as_bytes()).unwrap().body)
}

/// The one way in: converts, and holds every item to Rollbar's rules and every span to one account.
fn check(config: &Value, part: &Part) -> Converted {
    let config: Config = serde_json::from_value(config.clone()).unwrap();
    let converter = Converter::new(&config).unwrap();
    let converted = converter.convert(part);
    let again = converter.convert(part);
    assert_eq!(converted.items, again.items, "the same part gives the same bytes");
    let settled: u32 = converted.items.iter().map(|item| item.weight).sum();
    let refused: u32 = converted.refused.iter().map(|skipped| skipped.weight).sum();
    assert_eq!(settled + refused, part.weight(), "every span is accounted for once: {:?}", converted.refused);
    for item in &converted.items {
        assert!(item.body.len() <= config.max_payload_bytes, "{} bytes", item.body.len());
        let body: Value = serde_json::from_slice(&item.body).unwrap();
        check_payload(&body);
        assert_eq!(body["data"]["uuid"], item.uuid);
        assert_eq!(body["data"]["level"], item.level);
        assert!(item.title.chars().count() <= 200 && !item.title.is_empty());
    }
    converted
}

fn data_of(converted: &Converted) -> Vec<Value> {
    let data = |body: &Vec<u8>| serde_json::from_slice::<Value>(body).unwrap()["data"].take();
    converted.items.iter().map(|item| data(&item.body)).collect()
}

/// What Rollbar demands of a payload: required members, types, lengths.
fn check_payload(payload: &Value) {
    assert_eq!(payload.as_object().unwrap().len(), 1, "the token goes into a header");
    let data = &payload["data"];
    let text = |value: &Value, chars_max: usize, what: &str| {
        if !value.is_null() {
            let text = value.as_str().unwrap_or_else(|| panic!("{what} is no text: {value}"));
            assert!(!text.is_empty() && text.chars().count() <= chars_max, "{what}: {text}");
        }
    };
    assert!(data["environment"].is_string());
    for (key, chars_max) in
        [("environment", 255), ("code_version", 40), ("platform", 255), ("language", 255), ("framework", 255)]
    {
        text(&data[key], chars_max, key);
    }
    for (key, chars_max) in [("context", 255), ("fingerprint", 40), ("title", 255), ("uuid", 36)] {
        text(&data[key], chars_max, key);
    }
    assert!(LEVELS.contains(&data["level"].as_str().unwrap()));
    assert!(data["timestamp"].is_null() || data["timestamp"].is_u64());
    assert!(!["browser", "android", "ios", "flash", "client"].contains(&data["platform"].as_str().unwrap_or_default()));
    for (key, value) in data.as_object().unwrap() {
        assert!(!value.is_null(), "`{key}` is null");
    }
    for row in data["attributes"].as_array().unwrap_or(&Vec::new()) {
        assert!(row["key"].is_string() && row["value"].is_string(), "{row}");
    }
    for key in ["request", "person", "server", "custom", "notifier"] {
        assert!(data[key].is_null() || data[key].is_object(), "{key}");
    }
    if data["person"].is_object() {
        assert!(data["person"]["id"].is_string());
        text(&data["person"]["id"], 40, "person.id");
    }
    for (key, value) in data["request"]["headers"].as_object().unwrap_or(&serde_json::Map::new()) {
        assert!(value.is_string(), "header {key}");
    }
    let body = data["body"].as_object().unwrap();
    assert_eq!(body.len(), 1, "exactly one kind of body: {:?}", body.keys());
    let traces = match (body.get("trace"), body.get("trace_chain")) {
        (Some(trace), None) => vec![trace.clone()],
        (None, Some(chain)) => chain.as_array().unwrap().clone(),
        (None, None) => {
            text(&body["message"]["body"], usize::MAX, "message.body");
            assert!(body["message"]["body"].is_string());
            return;
        }
        both => panic!("{both:?}"),
    };
    assert!(!traces.is_empty());
    for trace in traces {
        text(&trace["exception"]["class"], 255, "class");
        assert!(trace["exception"]["class"].is_string());
        for key in ["message", "description"] {
            assert!(trace["exception"][key].is_null() || trace["exception"][key].is_string(), "{key}");
        }
        for frame in trace["frames"].as_array().unwrap() {
            text(&frame["filename"], usize::MAX, "filename");
            assert!(frame["filename"].is_string(), "a frame without a file: {frame}");
            for key in ["lineno", "colno"] {
                assert!(frame[key].is_null() || frame[key].is_i64(), "{frame}");
            }
        }
    }
}

#[test]
fn every_fixture_gives_what_is_expected() {
    let mut names: Vec<PathBuf> = fs::read_dir(repository("tests/fixtures/rollbar"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(".json") && !path.to_string_lossy().ends_with(".expected.json"))
        .collect();
    names.sort();
    assert!(names.len() >= 20, "the fixtures are there");
    let mut wrong = Vec::new();
    for path in names {
        let fixture = read_json(&path);
        let signal = Signal::ALL.into_iter().find(|signal| fixture["signal"] == signal.name()).unwrap();
        let mut part = part_of_json(signal, &fixture["input"]);
        if let Some(flags) = fixture["kept"].as_array() {
            part.kept = Kept::Some(flags.iter().map(|flag| flag.as_bool().unwrap()).collect());
        }
        let converted = check(&fixture["config"], &part);
        let mut data = data_of(&converted);
        for data in &mut data {
            assert_eq!(data["notifier"]["version"], env!("CARGO_PKG_VERSION"));
            data["notifier"]["version"] = json!("VERSION");
        }
        let items: Vec<Value> = converted
            .items
            .iter()
            .zip(data)
            .map(|(item, data)| json!({"weight": item.weight, "title": item.title, "data": data}))
            .collect();
        let refused: Vec<Value> = converted
            .refused
            .iter()
            .map(|skipped| json!({"weight": skipped.weight, "reason": skipped.reason}))
            .collect();
        let actual = json!({"items": items, "refused": refused});
        let expected_path = path.with_extension("expected.json");
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&expected_path, serde_json::to_string_pretty(&actual).unwrap() + "\n").unwrap();
        } else if read_json(&expected_path) != actual {
            wrong.push(format!("{}: {actual:#}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

// -- against Rollbar's own SDKs

const GOLDEN: &str = "../shared/data/rollbar/golden-pairs";

/// What a native item and ours may differ in, by case; the reasons stand beside.
struct Difference {
    case: &'static str,
    /// Members of the comparison that are not compared.
    except: &'static [&'static str],
    /// Why they cannot be equal.
    because: &'static str,
}

#[rustfmt::skip]
const DIFFERENCES: &[Difference] = &[
    Difference { case: "go-deep-call",             except: &["chain"],              because: "rollbar-go takes its own stack: newest first, with runtime.goexit; OpenTelemetry's starts at RecordError" },
    Difference { case: "go-wrapped",               except: &["chain"],              because: "as go-deep-call; and the text does not hold wrapped errors" },
    Difference { case: "node-aggregate",           except: &["message", "count"],   because: "rollbar.js gives the message of the first of the errors, and the errors as chain; V8's stack holds none of them" },
    Difference { case: "node-cause",               except: &["count"],              because: "V8's stack does not hold the cause" },
    Difference { case: "node-string",              except: &["chain"],              because: "rollbar.js sends a thrown string as a message" },
    Difference { case: "php-simple",               except: &["directories"],        because: "OpenTelemetry's PHP text has base names only" },
    Difference { case: "python-suppressed-context", except: &["count"],             because: "pyrollbar follows a context that `from None` suppressed; the text hides it" },
];

/// The comparable part of a trace: class, message, and file, line, column and method of each frame.
fn comparable(trace: &Value, except: &[&str]) -> Value {
    let frames = trace["frames"].as_array().unwrap().iter().map(|frame| {
        let mut file = frame["filename"].as_str().unwrap_or_default();
        if except.contains(&"directories") {
            file = file.rsplit('/').next().unwrap();
        }
        json!([file, frame["lineno"], frame["colno"], frame["method"], frame["class_name"]])
    });
    let message = if except.contains(&"message") { &Value::Null } else { &trace["exception"]["message"] };
    json!({"class": trace["exception"]["class"], "message": message, "frames": frames.collect::<Vec<_>>()})
}

fn chain_of(data: &Value) -> Vec<Value> {
    match (&data["body"]["trace"], &data["body"]["trace_chain"]) {
        (Value::Null, Value::Array(chain)) => chain.clone(),
        (trace, Value::Null) if !trace.is_null() => vec![trace.clone()],
        _ => Vec::new(),
    }
}

fn compare(case: &str, native: &Value, ours: &Value, has_request: bool) {
    let difference = DIFFERENCES.iter().find(|difference| difference.case == case);
    let except = difference.map_or(&[][..], |difference| difference.except);
    let because = difference.map_or("", |difference| difference.because);
    if !except.contains(&"chain") {
        let kind =
            |data: &Value| data["body"].as_object().unwrap().keys().find(|key| key.starts_with("trace")).cloned();
        let (mut theirs, mut mine) = (chain_of(native), chain_of(ours));
        if except.contains(&"count") {
            theirs.truncate(1);
            mine.truncate(1);
        } else {
            assert_eq!(kind(native), kind(ours), "{case}: trace or trace_chain");
        }
        let list = |chain: &[Value]| chain.iter().map(|trace| comparable(trace, except)).collect::<Vec<_>>();
        assert_eq!(list(&mine), list(&theirs), "{case} ({because})");
    }
    assert_eq!(ours["environment"], native["environment"], "{case}");
    assert_eq!(ours["code_version"], native["code_version"], "{case}");
    assert_eq!(ours["level"], native["level"], "{case}");
    if has_request {
        assert_eq!(ours["context"], native["context"], "{case}");
        assert_eq!(ours["request"]["method"], native["request"]["method"], "{case}");
        // The two runs listened on different ports.
        let path = |data: &Value| {
            let url = data["request"]["url"].as_str().unwrap().split_once("://").unwrap().1.to_owned();
            url[url.find('/').unwrap()..].split('?').next().unwrap().to_owned()
        };
        assert_eq!(path(ours), path(native), "{case}");
    }
}

#[test]
fn an_exception_is_what_rollbars_own_sdk_sends() {
    let folder = repository(GOLDEN);
    if !folder.exists() {
        println!("skipped: {GOLDEN} is not here");
        return;
    }
    let mut compared = 0;
    let mut names: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    for case in names.iter().filter_map(|name| name.strip_suffix(".rollbar.json")) {
        let native = read_json(&folder.join(format!("{case}.rollbar.json")))["body"]["data"].take();
        if chain_of(&native).is_empty() && case != "node-string" {
            continue; // python-log-message: see below
        }
        for (signal, kind) in [(Signal::Traces, "traces"), (Signal::Logs, "logs")] {
            let path = folder.join(format!("{case}.otlp-{kind}.json"));
            if !path.exists() {
                continue;
            }
            let part = part_of_json(signal, &read_json(&path));
            let converted = check(&json!({}), &part);
            let protobuf = fs::read(folder.join(format!("{case}.otlp-{kind}.pb"))).unwrap();
            let by_protobuf = check(&json!({}), &part_of(signal, protobuf));
            assert_eq!(
                converted.items.iter().map(|item| &item.uuid).collect::<Vec<_>>(),
                by_protobuf.items.iter().map(|item| &item.uuid).collect::<Vec<_>>(),
                "{case}"
            );
            let exceptions: Vec<Value> =
                data_of(&converted).into_iter().filter(|data| !chain_of(data).is_empty()).collect();
            assert_eq!(
                exceptions.len(),
                1,
                "{case} {kind}: one error, one item: {:?}",
                converted.items.iter().map(|item| &item.title).collect::<Vec<_>>()
            );
            compare(case, &native, &exceptions[0], signal == Signal::Traces);
            compared += 1;
        }
        let event = folder.join(format!("{case}.otel-event.json"));
        if event.exists() {
            let attributes = read_json(&event)["attributes"].take();
            let language = case.split('-').next().unwrap();
            let part = part_of_json(Signal::Traces, &one_event(language, &attributes));
            let converted = check(&json!({}), &part);
            assert_eq!(converted.items.len(), 1, "{case}");
            compare(case, &native, &data_of(&converted)[0], false);
            compared += 1;
        }
    }
    assert!(compared >= 21, "{compared}");
}

/// A failed server span with one exception event.
fn one_event(language: &str, attributes: &Value) -> Value {
    let keyed = |object: &Value| {
        let member = |(key, value): (&String, &Value)| json!({"key": key, "value": {"stringValue": value}});
        object.as_object().unwrap().iter().map(member).collect::<Vec<_>>()
    };
    let resource = json!({"telemetry.sdk.language": language, "service.name": "shop", "service.version": "2.4.1", "deployment.environment.name": "staging"});
    json!({"resourceSpans": [{"resource": {"attributes": keyed(&resource)}, "scopeSpans": [{"scope": {"name": "t"}, "spans": [{
        "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": "work", "kind": 2,
        "startTimeUnixNano": "1795342342000000000", "endTimeUnixNano": "1795342343000000000", "status": {"code": 2},
        "events": [{"name": "exception", "timeUnixNano": "1795342342500000000", "attributes": keyed(attributes)}],
    }]}]}]})
}

#[test]
fn a_span_event_and_its_log_record_are_one_occurrence() {
    let folder = repository(GOLDEN);
    if !folder.exists() {
        println!("skipped: {GOLDEN} is not here");
        return;
    }
    for case in ["python-cause", "python-post-form", "python-syntax"] {
        let uuid = |signal, kind: &str| {
            let part = part_of_json(signal, &read_json(&folder.join(format!("{case}.otlp-{kind}.json"))));
            let converted = check(&json!({}), &part);
            converted.items[0].uuid.clone()
        };
        assert_eq!(uuid(Signal::Traces, "traces"), uuid(Signal::Logs, "logs"), "{case}");
    }
}

#[test]
fn a_log_message_is_what_rollbars_own_sdk_sends() {
    let folder = repository(GOLDEN);
    if !folder.exists() {
        println!("skipped: {GOLDEN} is not here");
        return;
    }
    let native = read_json(&folder.join("python-log-message.rollbar.json"));
    let part = part_of_json(Signal::Logs, &read_json(&folder.join("python-log-message.otlp-logs.json")));
    let converted = check(&json!({}), &part);
    assert_eq!(converted.items.len(), 1);
    let data = &data_of(&converted)[0];
    assert_eq!(data["body"]["message"]["body"], native["body"]["data"]["body"]["message"]["body"]);
    assert_eq!(data["level"], native["body"]["data"]["level"]);
}

#[test]
fn one_error_recorded_on_four_spans_is_one_item() {
    let path = repository("../shared/data/rollbar/dedupe-cases/python-nested-spans.json");
    if !path.exists() {
        println!("skipped: {} is not here", path.display());
        return;
    }
    let case = read_json(&path);
    let keyed = |object: &Value| {
        let member = |(key, value): (&String, &Value)| json!({"key": key, "value": {"stringValue": value}});
        object.as_object().unwrap().iter().map(member).collect::<Vec<_>>()
    };
    let spans = case["spans_in_end_order"].as_array().unwrap().iter().map(|span| {
        let events = span["events"].as_array().unwrap().iter().map(|event| {
            json!({"name": event["name"], "timeUnixNano": event["time"].to_string(), "attributes": keyed(&event["attributes"])})
        });
        json!({
            "traceId": span["trace_id"], "spanId": span["span_id"], "parentSpanId": span["parent"].as_str().unwrap_or_default(),
            "name": span["span"], "kind": 1, "startTimeUnixNano": "1", "endTimeUnixNano": "2",
            "status": {"code": 2, "message": span["status"][1]}, "events": events.collect::<Vec<_>>(),
        })
    });
    let resource = json!({"attributes": keyed(&json!({"telemetry.sdk.language": "python"}))});
    let input =
        json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans.collect::<Vec<_>>()}]}]});
    let converted = check(&json!({}), &part_of_json(Signal::Traces, &input));
    assert_eq!(converted.items.len(), 1, "{:?}", converted.items.iter().map(|item| &item.title).collect::<Vec<_>>());
    assert_eq!(converted.items[0].weight, 4);
    let data = &data_of(&converted)[0];
    assert_eq!(data["custom"]["otel"]["span.name"], case["expected"]["representative_span"]);
    let classes: Vec<_> = chain_of(data).iter().map(|trace| trace["exception"]["class"].clone()).collect();
    assert_eq!(Value::from(classes), case["expected"]["chain"]);
    assert_eq!(data["custom"]["otel"]["also_recorded_on"].as_array().unwrap().len(), 3);
}

// -- secrets

/// The text that no item may hold, in every place where telemetry can carry it.
const SECRET: &str = "hunter2";

#[test]
fn no_secret_leaves_by_any_door() {
    let jwt = "eyJhbGciOiJIUzI1NiJ9.aHVudGVyMg.aHVudGVyMg";
    let texts = [
        "password=hunter2".to_owned(),
        "DB_PASSWORD: hunter2".to_owned(),
        r#"{"apiKey": "hunter2", "n": 1}"#.to_owned(),
        r#"{\"client_secret\":\"hunter2\"}"#.to_owned(),
        ":token=>\"hunter2\"".to_owned(),
        "Authorization: Digest hunter2, hunter2".to_owned(),
        "Cookie: a=hunter2; b=hunter2".to_owned(),
        "Bearer hunter2".to_owned(),
        "Basic dXNlcjpodW50ZXIy".to_owned(),
        jwt.to_owned(),
        "AKIAIOSFODNN7EXAMPLE".to_owned(),
        "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----".to_owned(),
        "postgres://ada:hunter2@db/x".to_owned(),
        "https://s3/x?X-Amz-Signature=hunter2&X-Amz-Credential=hunter2".to_owned(),
        "user[password]=hunter2".to_owned(),
        "next=%2Fa%3Ftoken%3Dhunter2".to_owned(),
        "iban hunter2: PIN-hunter2".to_owned(),
    ];
    let config = json!({
        "scrub": {"fields": ["+iban"], "headers": ["x-tenant"], "patterns": ["\\bPIN-\\w+", "iban \\w+"]},
        "capture_argv": true, "capture_body": true, "keep_raw": "always", "parity": "rich", "person": ["id", "username", "email"],
        "min_severity": "trace", "error_spans": "all",
    });
    let leaks = |part: &Part, what: &str| {
        let converted = check(&config, part);
        assert!(!converted.items.is_empty(), "{what} makes items");
        for item in &converted.items {
            let body = String::from_utf8(item.body.clone()).unwrap();
            let said = format!("{body}\n{}", item.title).to_lowercase();
            for secret in [SECRET, "dXNlcjpodW50ZXIy", "aHVudGVyMg", "AKIAIOSFODNN7EXAMPLE"] {
                assert!(!said.contains(&secret.to_lowercase()), "{what}: {said}");
            }
        }
    };
    for text in &texts {
        let stack = format!(
            "Traceback (most recent call last):\n  File \"/srv/a.py\", line 15, in parse\n    call({text:?})\nValueError: inner {text}\n\nThe above exception was the direct cause of the following exception:\n\nTraceback (most recent call last):\n  File \"/srv/a.py\", line 16, in load\n    raise\nOrderError: outer {text}\na note {text}\nnot a frame {text}\n"
        );
        let value = |text: &str| json!({"stringValue": text});
        let attribute = |key: &str, text: &str| json!({"key": key, "value": value(text)});
        let doors = [
            "shop.note",
            "http.route",
            "url.full",
            "url.query",
            "http.target",
            "http.request.method",
            "client.address",
            "user.id",
            "user.name",
            "user.email",
            "user.roles",
            "session.id",
            "error.type",
            "code.function.name",
            "code.file.path",
            "thread.name",
            "http.request.header.x-note",
            "http.response.header.x-note",
            "http.request.param.x",
            "http.request.body.content",
            "exception.escaped",
            "rpc.method",
            "server.address",
            "http.host",
            "user_agent.original",
        ];
        let mut attributes: Vec<Value> = doors.iter().map(|key| attribute(key, text)).collect();
        attributes.push(attribute(text, "a key"));
        attributes.push(json!({"key": "deep", "value": {"kvlistValue": {"values": [
            {"key": "list", "value": {"arrayValue": {"values": [value(text)]}}}, {"key": text, "value": value(text)},
        ]}}}));
        let resource: Vec<Value> = [
            "service.name",
            "service.version",
            "deployment.environment.name",
            "host.name",
            "os.type",
            "process.working_directory",
            "vcs.ref.head.name",
            "process.runtime.version",
            "telemetry.sdk.language",
            "k8s.pod.name",
        ]
        .iter()
        .map(|key| attribute(key, text))
        .chain([json!({"key": "process.command_args", "value": {"arrayValue": {"values": [value(text)]}}})])
        .collect();
        let exception = json!([
            attribute("exception.type", text),
            attribute("exception.message", &format!("outer {text}")),
            attribute("exception.stacktrace", &stack),
            attribute("exception.note", text),
        ]);
        let span = json!({"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": text, "kind": 2, "attributes": attributes, "status": {"code": 2, "message": text}});
        let mut with_event = span.clone();
        with_event["events"] = json!([{"name": text, "timeUnixNano": "5", "attributes": exception}]);
        for (what, span) in [("event", with_event), ("status", span)] {
            for resource in [&resource[..], &[attribute("telemetry.sdk.language", "python")][..]] {
                let input = json!({"resourceSpans": [{"resource": {"attributes": resource}, "scopeSpans": [{"scope": {"name": text, "version": text}, "spans": [span]}]}]});
                leaks(&part_of_json(Signal::Traces, &input), &format!("{what} {text}"));
            }
        }
        let mut both = attributes.clone();
        both.extend(exception.as_array().unwrap().iter().cloned());
        let template = attribute("{OriginalFormat}", text);
        for (what, attributes, body) in [
            ("exception log", both, value(text)),
            ("log", vec![], value(text)),
            ("template", vec![template], value(text)),
            ("stack in a log", vec![], value(&stack)),
            (
                "structured log",
                attributes,
                json!({"kvlistValue": {"values": [{"key": "a", "value": value(text)}, {"key": "password", "value": value(SECRET)}]}}),
            ),
        ] {
            let record = json!({"severityNumber": 17, "severityText": text, "eventName": text, "body": body, "attributes": attributes});
            let input = json!({"resourceLogs": [{"resource": {"attributes": resource}, "scopeLogs": [{"scope": {"name": text}, "logRecords": [record]}]}]});
            leaks(&part_of_json(Signal::Logs, &input), &format!("{what} {text}"));
        }
    }
    // Keys alone, whose values look harmless.
    let keys = [
        "password",
        "http.request.header.authorization",
        "http.request.header.x-tenant",
        "http.request.header.cookie",
        "http.response.header.set-cookie",
        "http.request.header.x_api_key",
        "stripeApiKey",
        "iban",
        "form[token]",
    ];
    let attributes: Vec<Value> = keys.iter().map(|key| json!({"key": key, "value": {"stringValue": SECRET}})).collect();
    let span = json!({"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": "n", "kind": 2, "attributes": attributes, "status": {"code": 2}});
    leaks(&part_of_json(Signal::Traces, &json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})), "keys");
}

// -- sizes

#[test]
fn every_item_fits_and_keeps_what_names_it() {
    let frame = |line: usize| format!("\tat com.acme.{}.run(Cart{line}.java:{line})\n", "deep".repeat(20));
    let frames: String = (0..3000).map(frame).collect();
    let cause = |cause: usize| {
        let why = "why ".repeat(500);
        ["Caused by: com.acme.Cause", &cause.to_string(), ": ", &why, "\n", frames.get(..20_000).unwrap()].concat()
    };
    let causes: String = (0..40).map(cause).collect();
    let stack = format!("com.acme.Broken: it broke\n{frames}{causes}");
    let mut attributes =
        json!({"exception.type": "com.acme.Broken", "exception.message": "it broke", "exception.stacktrace": stack});
    for number in 0..200 {
        attributes[format!("note.{number}")] = json!("\u{1}€\"".repeat(3000));
    }
    let part = part_of_json(Signal::Traces, &one_event("java", &attributes));
    let mut uuids = Vec::new();
    for bytes in [4096, 5000, 8192, 16_384, 32_768, 65_536, 131_072, 262_144, 524_288, 1_048_576] {
        let config =
            json!({"max_payload_bytes": bytes, "keep_raw": "always", "links": {"xray": "https://x/{xray_trace_id}"}});
        let converted = check(&config, &part);
        let data = &data_of(&converted)[0];
        uuids.push(data["uuid"].clone());
        assert_eq!(data["environment"], "staging");
        assert_eq!(data["custom"]["links"]["xray"], "https://x/1-5b8efff7-98038103d269b633813fc60c", "{bytes}");
        let truncation = &data["notifier"]["diagnostic"]["truncation"];
        assert_eq!(truncation["steps"][0], "resource", "{bytes}");
        assert!(truncation["original_bytes"].as_u64().unwrap() > 1_048_576);
        if let Some(written) = truncation["final_bytes"].as_u64() {
            assert_eq!(written, converted.items[0].body.len() as u64);
        }
        let text = data.to_string();
        assert!(text.contains("com.acme.Broken"), "{bytes}: {text}");
    }
    uuids.dedup();
    assert_eq!(uuids.len(), 1, "the uuid does not depend on what was cut");
}

#[test]
fn names_of_any_length_still_fit_the_smallest_item() {
    let long = "\u{1}😀\"".repeat(40_000);
    let resource: Vec<Value> = [
        "service.name",
        "deployment.environment.name",
        "os.type",
        "telemetry.sdk.language",
        "host.name",
        "service.version",
    ]
    .iter()
    .map(|key| json!({"key": key, "value": {"stringValue": long}}))
    .collect();
    let span = json!({"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": long, "kind": 2,
        "attributes": [{"key": long, "value": {"stringValue": long}}, {"key": "session.id", "value": {"stringValue": long}}], "status": {"code": 2, "message": long},
        "events": [{"name": long, "attributes": [{"key": "exception.type", "value": {"stringValue": long}}]}]});
    let input = json!({"resourceSpans": [{"resource": {"attributes": resource}, "scopeSpans": [{"scope": {"name": long}, "spans": [span]}]}]});
    let links = json!({"xray": "https://x/{service}"});
    check(&json!({"max_payload_bytes": 4096, "links": links}), &part_of_json(Signal::Traces, &input));
}

// -- bytes that are no telemetry

#[test]
fn no_bytes_break_it() {
    let mut inputs: Vec<(Signal, Vec<u8>)> = Vec::new();
    for entry in fs::read_dir(repository("tests/fixtures/rollbar")).unwrap() {
        let path = entry.unwrap().path();
        if !path.to_string_lossy().ends_with(".expected.json") {
            let fixture = read_json(&path);
            let signal = Signal::ALL.into_iter().find(|signal| fixture["signal"] == signal.name()).unwrap();
            inputs.push((signal, otlp_json::read(signal, fixture["input"].to_string().as_bytes()).unwrap().body));
        }
    }
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below.max(1) as u64) as usize
    };
    for round in 0..40 {
        for (signal, body) in &inputs {
            let mut body = body.clone();
            for _ in 0..=round % 8 {
                let at = random(body.len());
                body[at] = random(256) as u8;
            }
            body.truncate(body.len() - random(body.len()) * usize::from(round % 3 == 0));
            check(&json!({"min_severity": "trace", "error_spans": "all"}), &part_of(*signal, body));
        }
    }
}

#[test]
fn values_nested_without_end_are_cut_off() {
    let mut value = vec![0x0a, 1, b'x']; // string_value "x"
    for _ in 0..20_000 {
        let mut list = Vec::new();
        put_field(&mut list, 1, &value);
        value = Vec::new();
        put_field(&mut value, 5, &list);
    }
    let mut attribute = Vec::new();
    put_field(&mut attribute, 1, b"deep");
    put_field(&mut attribute, 2, &value);
    let mut span = Vec::new();
    put_field(&mut span, 9, &attribute);
    put_field(&mut span, 15, &[0x18, 2]);
    let mut body = Vec::new();
    let mut scope = Vec::new();
    put_field(&mut scope, 2, &span);
    let mut group = Vec::new();
    put_field(&mut group, 2, &scope);
    put_field(&mut body, 1, &group);
    assert_eq!(check(&json!({}), &part_of(Signal::Traces, body)).items.len(), 1);
}

fn put_field(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    telemetry_gateway::otlp::wire::put_bytes(out, number, bytes);
}

#[test]
fn a_configuration_that_cannot_work_is_named() {
    let refused = |config: Value| {
        let config: Config = serde_json::from_value(config).unwrap();
        Converter::new(&config).unwrap_err().to_string()
    };
    assert!(refused(json!({"scrub": {"patterns": ["("]}})).contains("`(`"));
    assert!(refused(json!({"levels": {"[": "error"}})).contains("`[`"));
    assert!(refused(json!({"links": {"xray": "{team}"}})).contains("`{team}`"));
    assert!(refused(json!({"max_payload_bytes": 100})).contains("from 4096 to 1048576"));
    assert!(serde_json::from_value::<Config>(json!({"enviroment": "x"})).is_err());
}

#[test]
fn adversarial_texts_cost_no_more_than_their_length() {
    // Quadratic work on these would take minutes.
    for unit in ["://", "password=,,,,", "-----BEGIN ", "eyJ", "Bearer ", "a=", "[", "\\\"", "%3D", "Basic ", "token:'"]
    {
        let text = unit.repeat(100_000 / unit.len());
        let attributes = json!({"exception.type": "E", "exception.message": text, "exception.stacktrace": text});
        let started = std::time::Instant::now();
        check(&json!({"keep_raw": "always"}), &part_of_json(Signal::Traces, &one_event("python", &attributes)));
        assert!(started.elapsed().as_secs() < 20, "{unit}: {:?}", started.elapsed());
    }
}
