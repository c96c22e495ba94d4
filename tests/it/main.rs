//! The one integration crate: it mirrors `src`, and drives the library as its callers do.

mod config;
mod delivery;
mod destinations;
mod durability;
mod explain;
mod floors;
mod gateway;
mod journal;
mod otlp;
mod receiver;
mod reload;
mod replay;
mod rollbar_convert;
mod router;
mod stacktrace;
mod support;
mod vendors;
mod xray_convert;
