//! The binary's verbs, run as a user runs them.

use std::process::{Command, Output};

use serde_json::Value;

fn run(arguments: &[&str], config: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.yaml");
    std::fs::write(&path, config).unwrap();
    Command::new(env!("CARGO_BIN_EXE_telemetry-gateway"))
        .args(arguments)
        .env("TELEMETRY_GATEWAY_CONFIG", &path)
        .env_remove("RUST_LOG")
        .output()
        .unwrap()
}

const CONFIG: &str = "
exporters:
  honeycomb: { api_key: hcaik_topsecret, preview: true }
  xray: { region: us-east-1, preview: true }
  rollbar: { access_token: topsecret }
routes:
  - name: health checks
    when: { attributes: { url.path: /health } }
    to: []
  - name: errors
    when: { any: [ { status: error }, { severity: { at_least: error } }, { exception: true } ] }
    to: [rollbar]
    continue: true
  - name: metrics and logs
    when: { signal: [metrics, logs] }
    to: [honeycomb]
default: [honeycomb, xray]
";

#[test]
fn explain_gives_one_json_object_for_each_item_of_the_sample() {
    let output = run(&["explain", "--output", "json"], CONFIG);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!text.contains("topsecret"));
    let items: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(items.len(), 6);
    let failed = &items[0];
    assert_eq!((failed["signal"].as_str(), failed["service"].as_str()), (Some("traces"), Some("shop")));
    let routes: Vec<_> = failed["routes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|route| (route["name"].as_str().unwrap(), route["matched"].as_bool().unwrap()))
        .collect();
    assert_eq!(routes, [("health checks", false), ("errors", true), ("metrics and logs", false), ("default", true)]);
    let exporters = &failed["exporters"];
    assert_eq!(exporters["honeycomb"]["action"], "preview");
    assert_eq!(
        exporters["honeycomb"]["payload"]["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().len(),
        1
    );
    assert_eq!(exporters["xray"]["action"], "preview");
    assert_eq!(exporters["xray"]["payload"][0]["name"], "shop");
    assert_eq!(exporters["xray"]["payload"][0]["fault"], true);
    assert_eq!(exporters["rollbar"]["action"], "send");
    assert_eq!(exporters["rollbar"]["payload"]["body"]["trace_chain"][0]["exception"]["class"], "PaymentError");
    assert_eq!(items[3]["exporters"], serde_json::json!({}), "a health check goes nowhere");
    assert_eq!(items[5]["signal"], "metrics");
}

#[test]
fn explain_reads_files_and_json_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("two.jsonl");
    let line = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"hello"}}]}]}]}"#;
    std::fs::write(&path, format!("{line}\n{line}\n")).unwrap();
    let output = run(&["explain", "--output", "json", path.to_str().unwrap()], CONFIG);
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 2);
    let output = run(&["explain", "/nowhere.json"], CONFIG);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nowhere.json"));
}

#[test]
fn explain_reads_what_editors_and_deep_values_make_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let explain = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let output = run(&["explain", "--output", "json", path.to_str().unwrap()], CONFIG);
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap().lines().count(), said)
    };
    let log = |body: &str| format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{body}}}]}}]}}]}}"#);
    let hello = log(r#"{"stringValue":"hello"}"#);
    assert_eq!(explain("bom.json", format!("\u{feff}{hello}").as_bytes()), (0, 1, String::new()));
    let deep = log(&format!("{}{{}}{}", r#"{"arrayValue":{"values":["#.repeat(90), "]}}".repeat(90)));
    assert_eq!(explain("deep.json", deep.as_bytes()), (0, 1, String::new()));
    assert_eq!(explain("none.json", br#"{"resourceLogs":[]}"#), (0, 0, "no items in the inputs\n".to_owned()));
    let large = folder.path().join("large.pb");
    std::fs::File::create(&large).unwrap().set_len((64 << 20) + 1).unwrap();
    let output = run(&["explain", large.to_str().unwrap()], CONFIG);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("has more than 67108864 bytes"));
    for (name, text, words) in [
        ("list.json", "[]", "request 1: no resourceSpans"),
        ("cut.json", r#"{"resourceLogs":["#, "no JSON: EOF while parsing"),
        (
            "second.json",
            &format!("{hello}\n{}", log("5")),
            "request 2: no OTLP/JSON logs request: body: 5 does not fit at",
        ),
        ("text.pb", "hello", "neither OTLP/JSON nor"),
    ] {
        let (code, _, said) = explain(name, text.as_bytes());
        assert!(code == 1 && said.contains(words) && said.contains(name), "{name}: {said}");
        assert_eq!(said.matches("does not fit").count(), words.matches("does not fit").count(), "said once: {said}");
    }
}

#[test]
fn explain_ends_quietly_when_nobody_reads_on() {
    for output in ["text", "json"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.yaml");
        std::fs::write(&path, CONFIG).unwrap();
        let mut explain = Command::new(env!("CARGO_BIN_EXE_telemetry-gateway"))
            .args(["explain", "--output", output, "--config", path.to_str().unwrap()])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(explain.stdout.take());
        let ended = explain.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success() && !said.contains("panicked"), "{said}");
    }
}

#[test]
fn explain_for_people_names_routes_reasons_and_destinations() {
    let output = run(&["explain"], CONFIG);
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "span POST /checkout/<int:cart> (server) of service shop",
        "takes it",
        "status is `error`: holds",
        "→ rollbar: send",
        "→ nowhere",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn check_says_what_is_fine_and_what_is_not() {
    let output = run(&["check"], CONFIG);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("is fine: 3 exporters, 3 routes"));
    let output = run(&["check"], &CONFIG.replace("[rollbar]", "[rolbar]"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("exporter `rolbar` is not defined") && said.contains("did you mean `rollbar`?"), "{said}");
}

#[test]
fn a_wrong_file_starts_nothing_and_says_why() {
    let output = run(&["run"], "exporters: {}\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("default"));
    let missing = Command::new(env!("CARGO_BIN_EXE_telemetry-gateway"))
        .args(["run", "--config", "/nowhere.yaml"])
        .output()
        .unwrap();
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("cannot read /nowhere.yaml"));
}
