//! `explain`: the same functions that run, printing instead of sending.

use std::collections::BTreeMap;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value as Json;

use super::{block_on, input, load, sample};
use crate::exporter::contract::{Encoded, Exporter};
use crate::exporter::pace::Preview;
use crate::otlp::{Batch, Item, Kept, Part, Signal};
use crate::router::{Explained, ExporterSet, Router};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The configuration.
    #[arg(long, short, env = "TELEMETRY_GATEWAY_CONFIG", default_value = "gateway.yaml", value_name = "FILE")]
    config: PathBuf,
    /// How the answer is written: for people, or one JSON object a line and item.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Output,
    /// What the inputs hold, where it cannot be told from them.
    #[arg(long, value_parser = parse_signal)]
    signal: Option<Signal>,
    /// OTLP as .json (also JSON lines) or .pb, or - for standard input. Without one: a sample.
    inputs: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    Text,
    Json,
}

pub fn parse_signal(text: &str) -> Result<Signal, String> {
    Signal::ALL.into_iter().find(|signal| signal.name() == text).ok_or_else(|| "traces, metrics or logs".to_owned())
}

/// What is said of one item.
#[derive(Serialize)]
struct Explanation<'a> {
    signal: &'static str,
    service: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span_id: Option<String>,
    routes: Vec<Route>,
    exporters: BTreeMap<&'a str, Fate>,
}

#[derive(Serialize)]
struct Route {
    name: String,
    matched: bool,
    because: String,
}

/// What becomes of an item at one exporter.
#[derive(Serialize)]
struct Fate {
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Json::is_null")]
    payload: Json,
}

struct Destination {
    name: String,
    kind: &'static str,
    exporter: Arc<dyn Exporter>,
    preview: bool,
}

pub fn explain(arguments: &Arguments) -> anyhow::Result<()> {
    let (config, router) = load(&arguments.config)?;
    if arguments.inputs.is_empty() {
        eprintln!(
            "no input: explaining a sample (a trace with a failed checkout, a health check, a log record, a metric)"
        );
    }
    let batches = input::read_all(&arguments.inputs, arguments.signal, sample::Moment::Fixed)?;
    block_on(async {
        let mut destinations = Vec::new();
        for named in &config.gateway.exporters {
            let exporter = named.config.build().await?;
            let preview = match named.config.preview() {
                Preview::On => true,
                Preview::Off => false,
                Preview::Auto => !exporter.has_credentials().await,
            };
            destinations.push(Destination {
                name: named.name.value.clone(),
                kind: named.config.kind(),
                exporter,
                preview,
            });
        }
        if batches.iter().all(|batch| batch.items == 0) {
            eprintln!("no items in the inputs");
        }
        let mut out = BufWriter::new(std::io::stdout().lock());
        let said = batches
            .iter()
            .try_for_each(|batch| explain_batch(batch, &router, &destinations, arguments.output, &mut out))
            .and_then(|()| out.flush());
        match said {
            // Whoever reads has seen enough: `explain | head`.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            said => Ok(said?),
        }
    })
}

fn explain_batch(
    batch: &Batch,
    router: &Router,
    destinations: &[Destination],
    output: Output,
    out: &mut impl Write,
) -> std::io::Result<()> {
    let mut explained = router.explain(batch).into_iter();
    let mut done = Ok(());
    Part::whole(batch.clone()).walk(|visit| {
        let Some((routes, exporters)) = explained.next() else { return };
        if done.is_err() {
            return;
        }
        let item = Item::parse(batch.signal, visit.message);
        let (trace_id, span_id) = match &item {
            Item::Span(span) => (span.trace_id, span.span_id),
            Item::Log(log) => (log.trace_id, log.span_id),
            Item::Metric(_) => (None, None),
        };
        let explanation = Explanation {
            signal: batch.signal.name(),
            service: visit.group.resource.service_name(),
            name: item.name(),
            trace_id: trace_id.map(|id| id.to_string()),
            span_id: span_id.map(|id| id.to_string()),
            routes: routes.into_iter().map(Route::from).collect(),
            exporters: fates(batch, visit.index, exporters, destinations),
        };
        done = match output {
            Output::Text => write_text(&explanation, &item, out),
            Output::Json => serde_json::to_writer(&mut *out, &explanation)
                .map_err(std::io::Error::from)
                .and_then(|()| writeln!(out)),
        };
    });
    done
}

impl From<Explained> for Route {
    fn from(explained: Explained) -> Self {
        Route { name: explained.route, matched: explained.matched, because: explained.because }
    }
}

/// Encodes one item for every exporter that it goes to.
fn fates<'a>(
    batch: &Batch,
    index: usize,
    exporters: ExporterSet,
    destinations: &'a [Destination],
) -> BTreeMap<&'a str, Fate> {
    let alone = Part {
        batch: batch.clone(),
        kept: if batch.items == 1 {
            Kept::All
        } else {
            Kept::Some((0..batch.items as usize).map(|at| at == index).collect())
        },
    };
    destinations
        .iter()
        .enumerate()
        .filter(|(at, _)| exporters.contains(*at))
        .map(|(_, destination)| (destination.name.as_str(), fate(&alone, destination)))
        .collect()
}

fn fate(part: &Part, destination: &Destination) -> Fate {
    let signal = part.batch.signal;
    if !destination.exporter.takes(signal) {
        return Fate { action: "drop", reason: Some("unsupported_signal"), payload: Json::Null };
    }
    let Encoded { pieces, refused } = destination.exporter.encode(part);
    if pieces.is_empty() {
        return Fate { action: "drop", reason: refused.first().map(|refused| refused.reason), payload: Json::Null };
    }
    let mut shown = pieces.iter().map(|piece| destination.exporter.show(signal, piece));
    // X-Ray may make two documents of a span; every other vendor gets one thing an item, of which the first is shown.
    let payload =
        if destination.kind == "xray" { Json::Array(shown.collect()) } else { shown.next().unwrap_or_default() };
    Fate { action: if destination.preview { "preview" } else { "send" }, reason: None, payload }
}

fn write_text(explanation: &Explanation<'_>, item: &Item<'_>, out: &mut impl Write) -> std::io::Result<()> {
    let what = match item {
        Item::Span(span) => format!("span {} ({})", span.name, span.kind.name()),
        Item::Log(log) => format!("log record {:?}", log.body.to_text().chars().take(60).collect::<String>()),
        Item::Metric(metric) => format!("metric {} ({})", metric.name, metric.kind.name()),
    };
    writeln!(out, "{what} of service {}", if explanation.service.is_empty() { "(none)" } else { explanation.service })?;
    if let (Some(trace_id), Some(span_id)) = (&explanation.trace_id, &explanation.span_id) {
        writeln!(out, "  trace {trace_id} span {span_id}")?;
    }
    let width = explanation.routes.iter().map(|route| route.name.len()).max().unwrap_or_default();
    for route in &explanation.routes {
        let verdict = if route.matched { "takes it" } else { "no" };
        writeln!(out, "  {:width$}  {verdict:8}  {}", route.name, route.because)?;
    }
    if explanation.exporters.is_empty() {
        writeln!(out, "  → nowhere")?;
    }
    for (name, fate) in &explanation.exporters {
        match fate.reason {
            Some(reason) => writeln!(out, "  → {name}: {} ({reason})", fate.action)?,
            None => writeln!(out, "  → {name}: {}", fate.action)?,
        }
        if !fate.payload.is_null() {
            let payload = serde_json::to_string_pretty(&fate.payload).unwrap_or_default();
            payload.lines().try_for_each(|line| writeln!(out, "      {line}"))?;
        }
    }
    writeln!(out)
}
