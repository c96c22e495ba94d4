//! A request of any signal as prost reads it: what the tests compare with.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::{DecodeError, Message};
use telemetry_gateway::otlp::Signal;

#[derive(Debug, Clone)]
pub enum Request {
    Traces(ExportTraceServiceRequest),
    Metrics(ExportMetricsServiceRequest),
    Logs(ExportLogsServiceRequest),
}

impl Request {
    pub fn decode(signal: Signal, body: &[u8]) -> Result<Self, DecodeError> {
        Ok(match signal {
            Signal::Traces => Request::Traces(Message::decode(body)?),
            Signal::Metrics => Request::Metrics(Message::decode(body)?),
            Signal::Logs => Request::Logs(Message::decode(body)?),
        })
    }

    pub fn signal(&self) -> Signal {
        match self {
            Request::Traces(_) => Signal::Traces,
            Request::Metrics(_) => Signal::Metrics,
            Request::Logs(_) => Signal::Logs,
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        match self {
            Request::Traces(request) => request.encode_to_vec(),
            Request::Metrics(request) => request.encode_to_vec(),
            Request::Logs(request) => request.encode_to_vec(),
        }
    }

    /// What each item counts for, in order.
    pub fn weights(&self) -> Vec<u32> {
        match self {
            Request::Traces(request) => {
                let scopes = request.resource_spans.iter().flat_map(|group| &group.scope_spans);
                scopes.flat_map(|scope| scope.spans.iter().map(|_| 1)).collect()
            }
            Request::Metrics(request) => {
                let scopes = request.resource_metrics.iter().flat_map(|group| &group.scope_metrics);
                scopes.flat_map(|scope| scope.metrics.iter().map(points)).collect()
            }
            Request::Logs(request) => {
                let scopes = request.resource_logs.iter().flat_map(|group| &group.scope_logs);
                scopes.flat_map(|scope| scope.log_records.iter().map(|_| 1)).collect()
            }
        }
    }

    /// Keeps the items whose index satisfies `keep`, and the envelopes that still hold one.
    pub fn retain(&mut self, keep: impl Fn(usize) -> bool) {
        let mut index = 0;
        let mut next = || {
            index += 1;
            keep(index - 1)
        };
        match self {
            Request::Traces(request) => request.resource_spans.retain_mut(|group| {
                group.scope_spans.retain_mut(|scope| {
                    scope.spans.retain(|_| next());
                    !scope.spans.is_empty()
                });
                !group.scope_spans.is_empty()
            }),
            Request::Metrics(request) => request.resource_metrics.retain_mut(|group| {
                group.scope_metrics.retain_mut(|scope| {
                    scope.metrics.retain(|_| next());
                    !scope.metrics.is_empty()
                });
                !group.scope_metrics.is_empty()
            }),
            Request::Logs(request) => request.resource_logs.retain_mut(|group| {
                group.scope_logs.retain_mut(|scope| {
                    scope.log_records.retain(|_| next());
                    !scope.log_records.is_empty()
                });
                !group.scope_logs.is_empty()
            }),
        }
    }

    /// Adds another request of the same signal.
    pub fn merge(&mut self, other: Request) {
        match (self, other) {
            (Request::Traces(request), Request::Traces(other)) => request.resource_spans.extend(other.resource_spans),
            (Request::Metrics(request), Request::Metrics(other)) => {
                request.resource_metrics.extend(other.resource_metrics);
            }
            (Request::Logs(request), Request::Logs(other)) => request.resource_logs.extend(other.resource_logs),
            (request, other) => panic!("{} cannot take {}", request.signal(), other.signal()),
        }
    }
}

/// How many data points a metric has.
pub fn points(metric: &Metric) -> u32 {
    let points = match &metric.data {
        None => 0,
        Some(Data::Gauge(gauge)) => gauge.data_points.len(),
        Some(Data::Sum(sum)) => sum.data_points.len(),
        Some(Data::Histogram(histogram)) => histogram.data_points.len(),
        Some(Data::ExponentialHistogram(histogram)) => histogram.data_points.len(),
        Some(Data::Summary(summary)) => summary.data_points.len(),
    };
    u32::try_from(points).unwrap()
}
