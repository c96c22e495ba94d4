//! Small things every floor may use and the standard library does not have.
//!
//! Nothing here knows of telemetry, YAML, files, the network or async. What serves one module only lives beside it.

pub mod backoff;
pub mod bit_set;
pub mod fault;
pub mod located;
pub mod nearest;
pub mod secret;
pub mod units;
