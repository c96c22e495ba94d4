//! `telemetry_gateway::otlp` against its oracle: what `prost` and `opentelemetry-proto` make of the same bytes.
//!
//! Requests of all three signals come from [`generate`]; [`request`] lets one test speak of any of them.

mod check;
mod damage;
mod generate;
mod json;
mod json_rules;
mod request;
mod select;
mod semconv;
mod views;
mod walk;
