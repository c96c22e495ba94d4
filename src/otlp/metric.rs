//! A metric, borrowed from the batch: enough to route and to count it; the points themselves pass through as bytes.
//!
//! Source: `opentelemetry/proto/metrics/v1/metrics.proto` of opentelemetry-proto 1.10.

use super::value::Attributes;
use super::wire::{Fields, Repeated};

/// What kind of points a metric has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MetricKind {
    #[default]
    Unset,
    Gauge,
    Sum,
    Histogram,
    ExponentialHistogram,
    Summary,
}

impl MetricKind {
    /// Every kind with the name that rules and logs use.
    pub const NAMES: [(&'static str, MetricKind); 6] = [
        ("unset", MetricKind::Unset),
        ("gauge", MetricKind::Gauge),
        ("sum", MetricKind::Sum),
        ("histogram", MetricKind::Histogram),
        ("exponential_histogram", MetricKind::ExponentialHistogram),
        ("summary", MetricKind::Summary),
    ];

    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize].0
    }

    /// The number of the field that holds a data point's attributes; it differs by kind.
    fn point_attributes_field(self) -> u32 {
        match self {
            MetricKind::Histogram => 9,
            MetricKind::ExponentialHistogram => 1,
            _ => 7,
        }
    }
}

/// A metric.
#[derive(Debug, Clone, Copy, Default)]
pub struct Metric<'a> {
    pub name: &'a str,
    pub description: &'a str,
    pub unit: &'a str,
    pub kind: MetricKind,
    points: Repeated<'a>,
}

impl<'a> Metric<'a> {
    /// Reads a `Metric` message; what is malformed ends the reading and leaves defaults.
    pub fn parse(message: &'a [u8]) -> Self {
        let mut metric = Metric::default();
        for (number, wire) in Fields::new(message) {
            let kind = match number {
                1 => {
                    metric.name = wire.text();
                    continue;
                }
                2 => {
                    metric.description = wire.text();
                    continue;
                }
                3 => {
                    metric.unit = wire.text();
                    continue;
                }
                5 => MetricKind::Gauge,
                7 => MetricKind::Sum,
                9 => MetricKind::Histogram,
                10 => MetricKind::ExponentialHistogram,
                11 => MetricKind::Summary,
                _ => continue,
            };
            metric.kind = kind;
            metric.points = Repeated::new(wire.bytes(), 1);
        }
        metric
    }

    /// How many data points it has: the unit in which metrics are counted everywhere.
    pub fn point_count(&self) -> usize {
        self.points.iter().count()
    }

    /// The attributes of each data point.
    pub fn point_attributes(&self) -> impl Iterator<Item = Attributes<'a>> + use<'a> {
        let field = self.kind.point_attributes_field();
        self.points.iter().map(move |point| Attributes(Repeated::new(point, field)))
    }
}
