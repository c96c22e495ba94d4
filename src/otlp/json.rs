//! OTLP/JSON, read into protobuf and written from it, by the table of [`super::schema`].
//!
//! The writer keeps to the specification: lowerCamelCase, hex ids, integers for enums, strings for 64-bit numbers,
//! base64 with padding. The reader also takes what real SDKs have been seen to send and counts it ([`Leniency`]):
//!
//! | kind   | specification           | also read                                                      |
//! |--------|-------------------------|----------------------------------------------------------------|
//! | key    | lowerCamelCase          | snake_case, `instrumentationLibrary…`                          |
//! | id     | hex of either case      | base64, a list of bytes                                        |
//! | enum   | integer                 | name, integer in a string                                      |
//! | number | string or number by kind| the other form, integral floats, `"true"` for a bool           |
//!
//! `null` is absence, unknown keys are ignored at every depth. An id that is none of these becomes an id of the wrong
//! length, so that the check at the door refuses that one item.
//! Source: <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding> (read 2026-11).

mod read;
mod write;

pub use read::{JsonError, Leniency, Transcoded, read, read_within};
pub use write::{write, write_message};
