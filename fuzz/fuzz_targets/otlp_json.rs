//! Requests in OTLP/JSON: what the reader makes is sound and keeps through writing and reading again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use telemetry_gateway::otlp::check::check;
use telemetry_gateway::otlp::json::{self, Leniency};

mod signal;
#[path = "../../tests/it/otlp/walk.rs"]
mod walk;

fuzz_target!(|input: &[u8]| {
    let Some((signal, text)) = signal::split(input) else { return };
    let Ok(first) = json::read(signal, text) else { return };
    let census = check(signal, &first.body).expect("what the reader makes is sound");
    assert_eq!(census.items as usize, walk::walk(signal, &first.body));
    let mut again = String::new();
    json::write(signal, &first.body, &mut again);
    let second = json::read(signal, again.as_bytes()).expect("what the writer makes can be read");
    assert_eq!(second.leniency, Leniency::default());
    // An id of a wrong length is written as hex, and so comes back as it was.
    assert_eq!(second.body, first.body, "{again}");
});
