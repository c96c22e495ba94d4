//! Telemetry from files: OTLP as JSON, as JSON lines, or as protobuf.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use serde_json::value::RawValue;

use super::sample::{self, Moment};
use crate::otlp::check::check;
use crate::otlp::{Batch, Signal, json, select};

/// Files larger than this are no input for a person to look at.
const INPUT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Reads all inputs; without any, the sample of that moment.
pub fn read_all(inputs: &[String], signal: Option<Signal>, sample: Moment) -> anyhow::Result<Vec<Batch>> {
    if inputs.is_empty() {
        return sample::batches(sample);
    }
    let mut batches = Vec::new();
    for input in inputs {
        batches.extend(read(input, signal)?);
    }
    Ok(batches)
}

/// Reads one input; `-` is standard input. A file of JSON lines gives one batch a line.
fn read(input: &str, signal: Option<Signal>) -> anyhow::Result<Vec<Batch>> {
    let mut bytes = Vec::new();
    // One byte more than the bound shows that the input passes it.
    let read = if input == "-" {
        std::io::stdin().lock().take(INPUT_BYTES_MAX + 1).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(input).and_then(|file| file.take(INPUT_BYTES_MAX + 1).read_to_end(&mut bytes))
    };
    read.with_context(|| format!("cannot read {input}"))?;
    ensure!(bytes.len() as u64 <= INPUT_BYTES_MAX, "{input} has more than {INPUT_BYTES_MAX} bytes");
    let extension = Path::new(input).extension();
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    let is_json = first == Some(&b'{') || extension.is_some_and(|extension| extension == "json");
    if extension.is_some_and(|extension| extension == "pb") || !is_json {
        return Ok(vec![of_protobuf(input, Bytes::from(bytes), signal)?]);
    }
    let values = serde_json::Deserializer::from_slice(text).into_iter::<&RawValue>();
    let batches = values.enumerate().map(|(row, value)| {
        let value = value.context("no JSON")?;
        of_json(value.get(), signal).with_context(|| format!("request {}", row + 1))
    });
    batches.collect::<anyhow::Result<Vec<_>>>().with_context(|| input.to_owned())
}

/// Makes a batch of OTLP/JSON text; the signal is in its first key.
pub fn of_json(text: &str, signal: Option<Signal>) -> anyhow::Result<Batch> {
    const KEYS: [(&str, &str, Signal); 3] = [
        ("resourceSpans", "resource_spans", Signal::Traces),
        ("resourceMetrics", "resource_metrics", Signal::Metrics),
        ("resourceLogs", "resource_logs", Signal::Logs),
    ];
    let found = || {
        // The values are passed over, not read: they may nest deeper than serde_json likes.
        let object: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
        KEYS.iter()
            .find(|(camel, snake, _)| object.contains_key(*camel) || object.contains_key(*snake))
            .map(|(_, _, signal)| *signal)
    };
    let signal = signal.or_else(found).context("no resourceSpans, resourceMetrics or resourceLogs in it")?;
    let transcoded = json::read(signal, text.as_bytes())
        .map_err(|error| anyhow::anyhow!("no OTLP/JSON {signal} request: {error}"))?;
    of_body(signal, transcoded.body.into())
}

fn of_protobuf(input: &str, body: Bytes, signal: Option<Signal>) -> anyhow::Result<Batch> {
    let fits = |signal: &Signal| {
        check(*signal, &body).is_ok_and(|census| census.items > 0 && census.rejected.len() < census.items as usize)
    };
    let Some(signal) =
        signal.or_else(|| [Signal::Traces, Signal::Logs, Signal::Metrics].into_iter().find(|signal| fits(signal)))
    else {
        bail!("{input} is neither OTLP/JSON nor an OTLP request in protobuf");
    };
    of_body(signal, body).with_context(|| input.to_owned())
}

fn of_body(signal: Signal, body: Bytes) -> anyhow::Result<Batch> {
    let census =
        check(signal, &body).map_err(|malformed| anyhow::anyhow!("no OTLP {signal} request: it {malformed}"))?;
    for rejected in &census.rejected {
        eprintln!("item {} would be refused at the door: {}", rejected.index, rejected.flaw);
    }
    let items = census.items - census.rejected.len() as u32;
    let weight = census.weight - census.rejected.iter().map(|rejected| rejected.weight).sum::<u32>();
    let mut rejected = census.rejected.iter().map(|rejected| rejected.index).peekable();
    let body = select(&body, |index| rejected.next_if_eq(&index).is_none());
    Ok(Batch { signal, body, original: None, items, weight, received_at: SystemTime::now() })
}
