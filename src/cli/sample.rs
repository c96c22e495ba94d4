//! Telemetry to try things with: a shop whose checkout fails, a health check, a log record, a metric.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::input::of_json;
use crate::otlp::Batch;
use crate::stdx::backoff::random;

/// When the sample happened, and with which ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The same every time.
    Fixed,
    /// Just now, with new ids.
    Now,
}

const TEMPLATES: [&str; 3] =
    [include_str!("sample/traces.json"), include_str!("sample/logs.json"), include_str!("sample/metrics.json")];

/// 2026-01-01T00:00:00Z, in hours since 1970.
const FIXED_MOMENT: Duration = Duration::from_hours(490_896);

/// The sample, one batch a signal.
pub fn batches(moment: Moment) -> anyhow::Result<Vec<Batch>> {
    let (at, ids) = match moment {
        Moment::Fixed => (FIXED_MOMENT, "5b8efff798038103d269b633813fc60c".to_owned()),
        Moment::Now => (SystemTime::now().duration_since(UNIX_EPOCH)?, new_ids()),
    };
    // X-Ray's console dates a trace by the first eight digits of its id.
    let trace_id = format!("{:08x}{}", at.as_secs(), &ids[8..]);
    TEMPLATES.iter().map(|template| of_json(&fill(template, at, &trace_id, &ids[..12]), None)).collect()
}

/// 32 hex digits by chance.
fn new_ids() -> String {
    let digits = || format!("{:08x}", (random() * f64::from(u32::MAX)) as u32);
    [digits(), digits(), digits(), digits()].concat()
}

/// Puts in the ids, and for `@+12@` the moment twelve milliseconds later.
fn fill(template: &str, at: Duration, trace_id: &str, span_prefix: &str) -> String {
    let mut out = String::with_capacity(template.len() + 512);
    let mut parts = template.split('@');
    out.push_str(parts.next().unwrap_or_default());
    while let (Some(mark), Some(text)) = (parts.next(), parts.next()) {
        match mark {
            "trace" => out.push_str(trace_id),
            "span" => out.push_str(span_prefix),
            offset => {
                let offset_ms = offset.trim_start_matches('+').parse().unwrap_or_default();
                out.push_str(&(at + Duration::from_millis(offset_ms)).as_nanos().to_string());
            }
        }
        out.push_str(text);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_passes_the_door_whole() {
        for moment in [Moment::Fixed, Moment::Now] {
            let batches = batches(moment).unwrap();
            let items: Vec<u32> = batches.iter().map(|batch| batch.items).collect();
            assert_eq!(items, [4, 1, 1]);
        }
    }
}
