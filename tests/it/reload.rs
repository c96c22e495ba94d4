//! A changed `gateway.yaml` while the binary runs.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::process::Process;
use crate::support::vendor::Vendor;
use crate::support::{span_names, traces_json};

const DEAD: &str = "http://127.0.0.1:9";

fn exporter(name: &str, url: &str) -> String {
    format!("  otlp/{name}: {{ endpoint: '{url}', compression: none, retry: {{ initial: 20ms, max: 50ms }} }}\n")
}

fn yaml(exporters: &[(&str, &str)], default: &str) -> String {
    let exporters: String = exporters.iter().map(|(name, url)| exporter(name, url)).collect();
    format!("exporters:\n{exporters}default: [{default}]\n")
}

fn span(name: &str) -> String {
    traces_json("shop", &[&format!(r#""name":"{name}""#)])
}

fn received(vendor: &Vendor) -> Vec<String> {
    vendor.received().iter().flat_map(|request| span_names(&request.body)).collect()
}

fn with_vendors(test: impl FnOnce(&Vendor, &Vendor)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let vendors = runtime.block_on(async { (Vendor::start().await, Vendor::start().await) });
    test(&vendors.0, &vendors.1);
}

fn is_settled(exporter: &'static str) -> impl Fn(&serde_json::Value) -> bool {
    move |status| status["exporters"][exporter]["waiting"] == 0
}

#[test]
fn check_165_a_broken_file_changes_nothing_and_is_told_everywhere() {
    with_vendors(|vendor, _| {
        let good = yaml(&[("a", &vendor.url())], "otlp/a");
        let mut process = Process::start(&good);
        process.configure(&good.replace("default: [otlp/a]", "default: [otlp/b]"));
        process.wait_for("what was in force stays in force");
        let status = process.status_when(|status| status["config"]["failed_reloads"] == 1);
        let error = status["config"]["last_error"].as_str().unwrap();
        assert!(error.contains("exporter `otlp/b` is not defined") && error.contains("did you mean"), "{error}");
        assert!(process.get("/metrics").text.contains("telemetry_gateway_config_valid 0\n"));
        assert_eq!(process.verb(&["check"]).status.code(), Some(1));
        process.post(&span("still"));
        process.status_when(is_settled("otlp/a"));
        assert_eq!(received(vendor), ["still"]);
        // Mended, it counts again.
        process.configure(&format!("{good}# mended\n"));
        process.signal("-HUP");
        let status = process.status_when(|status| status["config"]["reloads"] == 1);
        assert!(status["config"]["last_error"].is_null());
        assert!(process.get("/metrics").text.contains("telemetry_gateway_config_valid 1\n"));
    });
}

#[test]
fn check_166_a_new_exporter_comes_without_a_connection_lost_and_what_is_queued_stays_queued() {
    with_vendors(|old, new| {
        let mut process = Process::start(&yaml(&[("a", DEAD)], "otlp/a"));
        process.post(&span("queued"));
        // A connection that was there before, and is used after.
        let mut kept = TcpStream::connect(process.otlp).unwrap();
        process.configure(&yaml(&[("b", &new.url()), ("a", DEAD)], "otlp/a, otlp/b"));
        process.wait_for("the configuration is in force");
        let body = span("both");
        let length = body.len();
        write!(kept, "POST /v1/traces HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        kept.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        process.status_when(is_settled("otlp/b"));
        assert_eq!(received(new), ["both"], "it starts now");
        // The dead one is mended: what was queued for it goes, once.
        process.configure(&yaml(&[("b", &new.url()), ("a", &old.url())], "otlp/a, otlp/b"));
        let status = process.status_when(is_settled("otlp/a"));
        assert_eq!(received(old), ["queued", "both"]);
        let books = &status["exporters"]["otlp/a"];
        assert_eq!((&books["accepted"], &books["delivered"]), (&2.into(), &2.into()));
        assert_eq!(received(new), ["both"], "who did not change notices nothing");
    });
}

/// Check 149 of the specification: a new key lets the backlog go.
#[test]
fn check_149_who_was_not_let_in_sends_its_backlog_with_a_new_key() {
    with_vendors(|vendor, _| {
        vendor.then(401, None, b"unknown key");
        let honeycomb = |key: &str| {
            format!(
                "exporters: {{ honeycomb: {{ api_key: {key}, endpoint: '{}', compression: none }} }}\ndefault: [honeycomb]\n",
                vendor.url()
            )
        };
        let process = Process::start(&honeycomb("wrong"));
        process.post(&span("kept"));
        process.status_when(|status| status["exporters"]["honeycomb"]["state"] == "unauthorized");
        process.configure(&honeycomb("right"));
        process.status_when(is_settled("honeycomb"));
        let requests = vendor.received();
        let keys: Vec<_> = requests.iter().map(|request| request.header("x-honeycomb-team").unwrap()).collect();
        assert_eq!(keys, ["wrong", "right"]);
    });
}

#[test]
fn an_exporter_that_is_taken_out_lets_go_of_what_waited_for_it_and_says_so() {
    with_vendors(|vendor, _| {
        let mut process = Process::start(&yaml(&[("a", DEAD), ("b", &vendor.url())], "otlp/a, otlp/b"));
        process.post(&span("one"));
        process.configure(&yaml(&[("b", &vendor.url())], "otlp/b"));
        let line = process.wait_for("no longer defined");
        assert!(line.contains("items=1") && line.contains("otlp/a"), "{line}");
        process.status_when(|status| status["journal"]["records"] == 0);
        process.post(&span("two"));
        process.status_when(is_settled("otlp/b"));
        assert_eq!(received(vendor), ["one", "two"]);
    });
}

/// Each record goes where the rules said when its client was answered, even when it is read from a file after they changed.
#[test]
fn what_is_queued_goes_where_the_rules_said_when_it_was_accepted() {
    with_vendors(|first, second| {
        let rules = |url: &str, to: &str| {
            format!(
                "journal: {{ memory_max_bytes: 1MiB }}
exporters:\n{}{}routes:\n  - {{ name: red, when: {{ attributes: {{ color: red }} }}, to: [otlp/{to}] }}\ndefault: []\n",
                exporter("a", url),
                exporter("b", &second.url())
            )
        };
        let red = r#","attributes":[{"key":"color","value":{"stringValue":"red"}}]"#;
        let mut process = Process::start(&rules(DEAD, "a"));
        // More than is held in memory.
        let padding = "x".repeat(100_000);
        for number in 0..20 {
            let spans = [format!(r#""name":"{number}"{red}"#), format!(r#""name":"blue {padding}""#)];
            process.post(&traces_json("shop", &[&spans[0], &spans[1]]));
        }
        process.configure(&rules(&first.url(), "b"));
        process.wait_for("the configuration is in force");
        process.post(&traces_json("shop", &[&format!(r#""name":"after"{red}"#)]));
        process.status_when(|status| is_settled("otlp/a")(status) && is_settled("otlp/b")(status));
        assert_eq!(received(first), (0..20).map(|number| number.to_string()).collect::<Vec<_>>());
        assert_eq!(received(second), ["after"]);
    });
}

#[test]
fn what_takes_effect_at_a_start_only_is_named() {
    with_vendors(|vendor, _| {
        let rest = yaml(&[("a", &vendor.url())], "otlp/a");
        let mut process = Process::start(&rest);
        process.configure(&format!("{rest}journal: {{ max_bytes: 2GiB }}\nstop: {{ grace: 9s }}\n"));
        process.wait_for("take effect when the gateway is started again");
        let status = process.status_when(|status| status["config"]["reloads"] == 1);
        assert_eq!(status["config"]["restart_needed"], serde_json::json!(["journal", "stop"]));
    });
}

#[test]
fn a_file_that_is_touched_and_not_changed_is_no_reload() {
    with_vendors(|vendor, _| {
        let rest = yaml(&[("a", &vendor.url())], "otlp/a");
        let mut process = Process::start(&rest);
        process.configure(&format!("# a comment\n{rest}"));
        // Long enough for the watch, which tells within a fifth of a second.
        std::thread::sleep(Duration::from_millis(600));
        assert_eq!(process.get("/status").json()["config"]["reloads"], 0);
        process.signal("-HUP");
        process.wait_for("the configuration is in force");
    });
}
