//! The gateway's own counters, its metrics as Prometheus text, and its log.

pub mod log;
pub mod metrics;
pub mod receiver;
