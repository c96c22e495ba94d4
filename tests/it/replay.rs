//! `replay`: what was refused or is kept, sent to one exporter again.

use crate::support::process::Process;
use crate::support::vendor::Vendor;
use crate::support::{span_names, traces_json};

fn with_vendors(test: impl FnOnce(&Vendor, &Vendor)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let vendors = runtime.block_on(async { (Vendor::start().await, Vendor::start().await) });
    test(&vendors.0, &vendors.1);
}

fn received(vendor: &Vendor) -> Vec<String> {
    vendor.received().iter().flat_map(|request| span_names(&request.body)).collect()
}

fn span(name: &str) -> String {
    traces_json("shop", &[&format!(r#""name":"{name}""#)])
}

fn replay(process: &Process, arguments: &[&str]) -> (i32, String) {
    let output = process.verb(&[&["replay", "--exporter", "otlp"], arguments].concat());
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

fn to(vendor: &Vendor) -> String {
    format!("exporters: {{ otlp: {{ endpoint: '{}', compression: none }} }}\ndefault: [otlp]\n", vendor.url())
}

#[test]
fn a_poisonous_span_is_set_aside_alone_with_its_reason_and_sent_when_the_vendor_takes_it() {
    with_vendors(|vendor, _| {
        for _ in 0..3 {
            vendor.then(400, None, b"bad span");
        }
        let process = Process::start(&to(vendor));
        process.post(&span("poison"));
        let status = process.status_when(|status| status["exporters"]["otlp"]["dropped"]["refused_400"] == 1);
        assert_eq!(status["dead_letters"]["letters"], 1);
        let folder = process.path("data/dead-letters");
        let letter = folder.join(status["dead_letters"]["newest"][0].as_str().expect("it is listed"));
        let letter: serde_json::Value = serde_json::from_slice(&std::fs::read(letter).unwrap()).unwrap();
        assert_eq!((&letter["reason"], &letter["exporter"]), (&"refused_400".into(), &"otlp".into()));
        assert!(letter["message"].as_str().unwrap().contains("bad span"), "{letter:#}");
        assert_eq!(letter["shown"][0]["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"], "poison");
        // Still refused: it stays.
        let (code, text) = replay(&process, &["--dead-letters"]);
        assert!(code == 1 && text.contains("bad span"), "{text}");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        while vendor.received().len() < 3 {
            replay(&process, &["--dead-letters"]);
        }
        let (code, text) = replay(&process, &["--dead-letters"]);
        assert_eq!((code, text.trim()), (0, "otlp: 1 items replayed, 0 not taken"));
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "taken, it is no dead letter any more");
        let (_, text) = replay(&process, &["--dead-letters"]);
        assert_eq!(text.trim(), "otlp: 0 items replayed, 0 not taken");
    });
}

#[test]
fn what_is_kept_of_a_time_is_replayed_once_unless_asked_to_again() {
    with_vendors(|vendor, other| {
        let kept = |vendor: &Vendor| format!("journal: {{ keep: 1h }}\n{}", to(vendor));
        let process = Process::start(&kept(vendor));
        for name in ["a", "b", "c"] {
            process.post(&span(name));
        }
        process.status_when(|status| status["exporters"]["otlp"]["waiting"] == 0);
        // The vendor had lost it all; another one is to have it.
        process.configure(&kept(other));
        process.status_when(|status| status["config"]["reloads"] == 1);
        let (code, text) = replay(&process, &["--from", "1h", "--rate", "1000"]);
        assert_eq!((code, text.trim()), (0, "otlp: 3 items replayed, 0 not taken"));
        assert_eq!(received(other), ["a", "b", "c"]);
        assert!(replay(&process, &[]).1.contains("otlp: 0 items replayed"));
        assert!(replay(&process, &["--again"]).1.contains("otlp: 3 items replayed"));
        assert!(replay(&process, &["--again", "--to", "30m"]).1.contains("otlp: 0 items replayed"));
        assert!(process.verb(&["replay", "--exporter", "oltp"]).status.code() == Some(1));
    });
}

#[test]
fn what_is_still_on_its_way_is_not_replayed() {
    with_vendors(|vendor, other| {
        for _ in 0..1000 {
            vendor.then(503, None, b"down");
        }
        let process = Process::start(&format!("journal: {{ keep: 1h }}\n{}", to(vendor)));
        process.post(&span("waiting"));
        process.status_when(|status| status["exporters"]["otlp"]["failed_requests"].as_u64() > Some(0));
        assert!(replay(&process, &[]).1.contains("otlp: 0 items replayed"));
        assert_eq!(received(other), [""; 0]);
    });
}
