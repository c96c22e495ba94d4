//! The results for people (an aligned table) and for programs (one JSON object a line).

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

use crate::cases::{Case, MORE_US_AIM, MORE_US_BAR, Unit};
use crate::idle::IdleFigures;
use crate::measure::{Measurement, Subject};
use crate::recovery::{self, Recovery};

/// A gateway's measurement and the byte mover's beside it.
#[derive(Debug, Serialize)]
pub struct Pair {
    pub mover: Measurement,
    pub subject: Measurement,
    /// The gateway with its records in memory, where the case is told as the difference to that.
    pub beside: Option<Measurement>,
}

impl Pair {
    pub fn ratio(&self) -> f64 {
        self.subject.us_per_span() / self.mover.us_per_span()
    }

    pub fn problems(&self) -> impl Iterator<Item = &String> {
        let measurements = [Some(&self.mover), self.beside.as_ref(), Some(&self.subject)];
        measurements.into_iter().flatten().flat_map(|measurement| &measurement.problems)
    }
}

/// What a case costs more than the one it is measured beside: medians of the differences, round by round.
#[derive(Debug, Serialize)]
pub struct More {
    pub than: &'static str,
    pub us_per_span: f64,
    pub us_per_span_lowest: f64,
    pub us_per_span_highest: f64,
    pub us_per_request: f64,
    pub ratio: f64,
    pub p50_ms: f64,
}

impl More {
    fn of(than: &'static str, pairs: &[Pair]) -> Self {
        let differences = |of: &dyn Fn(&Measurement, &Pair) -> f64| -> Vec<f64> {
            let both = pairs.iter().filter_map(|pair| Some((pair.beside.as_ref()?, pair)));
            both.map(|(beside, pair)| of(&pair.subject, pair) - of(beside, pair)).collect()
        };
        let us_per_span = differences(&|m, _| m.us_per_span());
        Self {
            than,
            us_per_span_lowest: us_per_span.iter().copied().fold(f64::INFINITY, f64::min),
            us_per_span_highest: us_per_span.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            us_per_span: median(us_per_span),
            us_per_request: median(differences(&|m, _| m.us_per_request())),
            ratio: median(differences(&|m, pair| m.us_per_span() / pair.mover.us_per_span())),
            p50_ms: median(differences(&|m, _| m.load.p50_us as f64 / 1e3)),
        }
    }
}

/// Medians over the pairs of one case.
#[derive(Debug, Serialize)]
pub struct Summary {
    pub case: &'static str,
    pub subject: Subject,
    pub pairs: usize,
    pub spans_per_second: f64,
    pub us_per_span: f64,
    pub user_us_per_span: f64,
    pub system_us_per_span: f64,
    pub us_per_request: f64,
    pub mover_us_per_span: f64,
    pub ratio: f64,
    pub ratio_lowest: f64,
    pub ratio_highest: f64,
    pub more: Option<More>,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// Share of one core that the process under test was busy.
    pub core_percent: f64,
    pub resident_bytes: f64,
    pub resident_peak_bytes: f64,
    pub sink_bytes_per_span: f64,
    pub verdict: &'static str,
    /// Whether every pair delivered exactly what was acknowledged.
    pub exact: bool,
}

impl Summary {
    pub fn of(case: &Case, subject: Subject, pairs: &[Pair]) -> Self {
        let of = |read: &dyn Fn(&Pair) -> f64| median(pairs.iter().map(read).collect());
        let subject_of = |read: &dyn Fn(&Measurement) -> f64| of(&|pair| read(&pair.subject));
        let ratio = of(&Pair::ratio);
        let ratios = pairs.iter().map(Pair::ratio);
        let us_per_request = subject_of(&Measurement::us_per_request);
        let more = case.beside.map(|than| More::of(than, pairs));
        Self {
            case: case.name,
            subject,
            pairs: pairs.len(),
            spans_per_second: subject_of(&|m| m.spans as f64 / m.seconds),
            us_per_span: subject_of(&Measurement::us_per_span),
            user_us_per_span: subject_of(&|m| m.cpu.user / m.spans as f64),
            system_us_per_span: subject_of(&|m| m.cpu.system / m.spans as f64),
            us_per_request,
            mover_us_per_span: of(&|pair| pair.mover.us_per_span()),
            ratio,
            ratio_lowest: ratios.clone().fold(f64::INFINITY, f64::min),
            ratio_highest: ratios.fold(f64::NEG_INFINITY, f64::max),
            p50_ms: subject_of(&|m| m.load.p50_us as f64 / 1e3),
            p99_ms: subject_of(&|m| m.load.p99_us as f64 / 1e3),
            core_percent: subject_of(&|m| m.cpu.total / (m.seconds * 1e6) * 100.0),
            resident_bytes: subject_of(&|m| m.memory.resident_bytes as f64),
            resident_peak_bytes: subject_of(&|m| m.memory.resident_peak_bytes as f64),
            sink_bytes_per_span: subject_of(&|m| m.sink_bytes as f64 / m.spans as f64),
            verdict: match (subject, case.unit) {
                // A limit of the gateway says nothing about the byte mover in its place.
                (Subject::Mover, _) => "-",
                (Subject::Gateway, Unit::Ratio) => verdict(ratio, case.bar, case.aim),
                (Subject::Gateway, Unit::RatioMore) => {
                    verdict(more.as_ref().map_or(f64::NAN, |more| more.ratio), case.bar, case.aim)
                }
                (Subject::Gateway, Unit::UsPerRequest) => verdict(us_per_request, case.bar, case.aim),
            },
            exact: pairs.iter().all(|pair| pair.problems().next().is_none()),
            more,
        }
    }
}

fn verdict(value: f64, bar: f64, aim: f64) -> &'static str {
    match value {
        value if !value.is_finite() => "nothing measured",
        value if value <= aim => "aim met",
        value if value <= bar => "bar met",
        value if value <= bar * 1.5 => "within 1.5 x bar",
        _ => "OVER 1.5 x bar",
    }
}

const COLUMNS: [&str; 18] = [
    "case",
    "spans/s",
    "us/span",
    "user",
    "sys",
    "us/req",
    "mover",
    "ratio",
    "lowest-highest",
    "p50 ms",
    "p99 ms",
    "core %",
    "RSS MiB",
    "peak MiB",
    "sink B/span",
    "pairs",
    "counts",
    "verdict",
];

/// Prints one row a case, columns aligned, and what the durable ones cost more than the same in memory.
pub fn print_table(summaries: &[Summary]) {
    let mib = |bytes: f64| format!("{:.1}", bytes / (1024.0 * 1024.0));
    let mut rows = vec![COLUMNS.map(str::to_owned)];
    rows.extend(summaries.iter().map(|summary| {
        [
            match summary.subject {
                Subject::Gateway => summary.case.to_owned(),
                Subject::Mover => format!("{} (mover)", summary.case),
            },
            format!("{:.0}", summary.spans_per_second),
            format!("{:.3}", summary.us_per_span),
            format!("{:.3}", summary.user_us_per_span),
            format!("{:.3}", summary.system_us_per_span),
            format!("{:.1}", summary.us_per_request),
            format!("{:.3}", summary.mover_us_per_span),
            format!("{:.2}", summary.ratio),
            format!("{:.2}-{:.2}", summary.ratio_lowest, summary.ratio_highest),
            format!("{:.2}", summary.p50_ms),
            format!("{:.2}", summary.p99_ms),
            format!("{:.0}", summary.core_percent),
            mib(summary.resident_bytes),
            mib(summary.resident_peak_bytes),
            format!("{:.0}", summary.sink_bytes_per_span),
            summary.pairs.to_string(),
            if summary.exact { "exact" } else { "NOT EXACT" }.to_owned(),
            summary.verdict.to_owned(),
        ]
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..COLUMNS.len()).map(width).collect();
    println!();
    for row in &rows {
        let cells = row.iter().zip(&widths).enumerate();
        let line: Vec<String> = cells
            .map(
                |(column, (cell, width))| {
                    if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
                },
            )
            .collect();
        println!("{}", line.join("  "));
    }
    for Summary { case, more, .. } in summaries {
        let Some(more) = more else { continue };
        println!(
            "{case} costs more than {}: {:+.3} us/span ({:+.3} to {:+.3}; bar {MORE_US_BAR:+.1}, aim {MORE_US_AIM:+.1}), \
             {:+.1} us/req, ratio {:+.2}, p50 {:+.2} ms",
            more.than,
            more.us_per_span,
            more.us_per_span_lowest,
            more.us_per_span_highest,
            more.us_per_request,
            more.ratio,
            more.p50_ms
        );
    }
}

pub fn print_idle(idle: &IdleFigures) {
    const MIB: f64 = 1024.0 * 1024.0;
    println!(
        "idle: RSS {:.1} MiB (bar 8, aim 6), {:.1} wake-ups/s (2, 1), binary {:.1} MB (14, 10), start to first accepted request {:.1} ms (20, 10)",
        idle.resident_bytes as f64 / MIB,
        idle.wake_ups_per_second,
        idle.binary_bytes as f64 / 1e6,
        idle.start_ms
    );
}

pub fn print_recoveries(recoveries: &[Recovery]) {
    const MIB: f64 = 1024.0 * 1024.0;
    for Recovery { what, files_bytes, telemetry_bytes, records, ready_ms, ready_ms_slowest, memory, .. } in recoveries {
        println!(
            "recovery, {what}: {:.0} MiB in files, {:.0} MiB of telemetry, {records} records: ready after {ready_ms:.0} ms (slowest \
             {ready_ms_slowest:.0}; bar {:.0}), RSS {:.1} MiB then, {:.1} MiB after {} s, peak {:.1} MiB",
            *files_bytes as f64 / MIB,
            *telemetry_bytes as f64 / MIB,
            recovery::READY_MS_BAR,
            memory.at_ready.resident_bytes as f64 / MIB,
            memory.idle.resident_bytes as f64 / MIB,
            recovery::IDLE.as_secs(),
            memory.idle.resident_peak_bytes as f64 / MIB,
        );
    }
}

/// Returns the middle value, the mean of the two middle ones of an even count, NaN of nothing.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => f64::midpoint(values[count / 2 - 1], values[count / 2]),
    }
}

/// A file that gets one JSON object a line: `{"kind": …, "at_unix_s": …, …}`.
pub struct JsonLines {
    file: File,
    at_unix_s: u64,
}

impl JsonLines {
    pub fn create(directory: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(directory)?;
        let at_unix_s = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
        let path = directory.join(format!("throughput-{at_unix_s}.jsonl"));
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        println!("writing {}", path.display());
        Ok(Self { file, at_unix_s })
    }

    pub fn write(&mut self, kind: &str, case: &str, value: &impl Serialize) -> anyhow::Result<()> {
        let line = serde_json::json!({ "kind": kind, "case": case, "at_unix_s": self.at_unix_s, "value": value });
        Ok(writeln!(self.file, "{line}")?)
    }
}
