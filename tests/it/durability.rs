//! What a 200 means, from outside: the binary is killed, stopped and started again on its directory.

use crate::support::process::Process;
use crate::support::vendor::Vendor;
use crate::support::{span_names, traces_json};

/// Nobody listens there.
const DEAD: &str = "http://127.0.0.1:9";

/// One exporter, uncompressed, that asks again quickly.
fn to(url: &str) -> String {
    format!(
        "exporters: {{ otlp: {{ endpoint: '{url}', compression: none, retry: {{ initial: 20ms, max: 50ms }} }} }}\ndefault: [otlp]\n"
    )
}

fn span(name: &str) -> String {
    traces_json("shop", &[&format!(r#""name":"{name}""#)])
}

/// The names of all spans that a vendor has been sent.
fn received(vendor: &Vendor) -> Vec<String> {
    vendor.received().iter().flat_map(|request| span_names(&request.body)).collect()
}

/// Runs a test with a runtime for the vendors, and the process beside it.
fn with_vendor(test: impl FnOnce(Vendor)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let vendor = runtime.block_on(Vendor::start());
    test(vendor);
}

#[test]
fn check_106_what_was_answered_before_kill_9_is_delivered_after_it() {
    with_vendor(|vendor| {
        for durability in ["disk", "process"] {
            let journal = format!("journal: {{ durability: {durability} }}\n");
            let process = Process::start(&(journal.clone() + &to(DEAD)));
            for number in 0..20 {
                process.post(&span(&format!("{durability} {number}")));
            }
            process.configure(&(journal + &to(&vendor.url())));
            let process = process.kill_and_restart();
            process.status_when(|status| status["exporters"]["otlp"]["waiting"] == 0);
            let mut names = received(&vendor);
            names.retain(|name| name.starts_with(durability));
            assert_eq!(
                names,
                (0..20).map(|number| format!("{durability} {number}")).collect::<Vec<_>>(),
                "once, in order"
            );
        }
    });
}

#[test]
fn what_was_delivered_before_kill_9_is_not_delivered_again() {
    with_vendor(|vendor| {
        let process = Process::start(&to(&vendor.url()));
        for number in 0..10 {
            process.post(&span(&format!("{number}")));
            process.status_when(|status| status["exporters"]["otlp"]["waiting"] == 0);
        }
        let process = process.kill_and_restart();
        process.post(&span("last"));
        process.status_when(|status| status["exporters"]["otlp"]["delivered"] == 1);
        assert_eq!(received(&vendor).len(), 11);
    });
}

#[test]
fn check_107_a_journal_that_cannot_be_written_refuses_and_is_not_ready_until_it_can() {
    // Small files, so that the next one is soon needed.
    let mut process = Process::start(&format!("journal: {{ max_bytes: 1MiB }}\n{}", to(DEAD)));
    let (journal, away) = (process.path("data/journal"), process.path("away"));
    std::fs::rename(&journal, &away).unwrap();
    std::fs::write(&journal, "no directory").unwrap();
    let long = span(&"x".repeat(20_000));
    let refused = (0..20).map(|_| process.try_post(&long)).find(|answer| answer.status != 200).expect("one is refused");
    assert_eq!(refused.status, 503);
    assert!(refused.text.to_lowercase().contains("retry-after:"), "{}", refused.text);
    assert_eq!((process.get("/readyz").status, process.get("/livez").status), (503, 200));
    process.wait_for("the journal cannot be written");
    let status = process.get("/status").json();
    assert!(status["journal"]["unwritable"].is_string(), "{status:#}");
    std::fs::remove_file(&journal).unwrap();
    std::fs::rename(&away, &journal).unwrap();
    process.status_when(|status| status["ready"] == true);
    process.post(&span("again"));
}

#[test]
fn check_112_a_stop_leaves_on_disk_what_it_cannot_deliver_and_exits_with_0() {
    with_vendor(|vendor| {
        let stop = "stop: { grace: 300ms }\n";
        let mut process = Process::start(&(stop.to_owned() + &to(DEAD)));
        for number in 0..5 {
            process.post(&span(&format!("{number}")));
        }
        process.terminate();
        process.wait_for("kept for the next start");
        assert_eq!(process.end().0, Some(0));
        process.configure(&(stop.to_owned() + &to(&vendor.url())));
        let process = process.restart();
        let status = process.status_when(|status| status["exporters"]["otlp"]["waiting"] == 0);
        assert_eq!((&status["exporters"]["otlp"]["accepted"], received(&vendor).len()), (&5.into(), 5));
    });
}

#[test]
fn check_113_the_books_balance_after_a_restart_and_count_what_was_found() {
    let process = Process::start(&to(DEAD));
    for _ in 0..3 {
        process.post(&traces_json("shop", &["", ""]));
    }
    let process = process.kill_and_restart();
    process.post(&traces_json("shop", &[""]));
    let books = process.get("/status").json()["exporters"]["otlp"].clone();
    assert_eq!((&books["accepted"], &books["delivered"], &books["waiting"]), (&7.into(), &0.into(), &7.into()));
}

#[test]
fn a_second_gateway_on_the_same_directory_is_told_so() {
    let process = Process::start(&to(DEAD));
    let second = process.verb(&["run"]);
    assert_eq!(second.status.code(), Some(1));
    let message = String::from_utf8(second.stderr).unwrap();
    assert!(message.contains("in use by another process"), "{message}");
}
