//! How telemetry travels in a case: the protocol and the encoding of bodies, and the few names both sides must agree on.

use std::str::FromStr;

pub const OTLP_HTTP_PATH: &str = "/v1/traces";
/// Service and method of the OTLP trace service.
/// Source: <https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/collector/trace/v1/trace_service.proto>.
pub const OTLP_GRPC_PATH: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
pub const CONTENT_TYPE_PROTOBUF: &str = "application/x-protobuf";
pub const CONTENT_TYPE_GRPC: &str = "application/grpc";
pub const CONTENT_TYPE_JSON: &str = "application/json";
pub const GRPC_FRAME_HEADER_BYTES: usize = 5;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// OTLP/HTTP with protobuf over HTTP/1.1.
    Http,
    /// OTLP/gRPC over HTTP/2 with prior knowledge.
    Grpc,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    Identity,
    Gzip,
}

impl Protocol {
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Grpc => "grpc",
        }
    }
}

impl Encoding {
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "none",
            Self::Gzip => "gzip",
        }
    }
}

impl FromStr for Protocol {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "http" => Ok(Self::Http),
            "grpc" => Ok(Self::Grpc),
            _ => anyhow::bail!("`{name}` is no protocol: http or grpc"),
        }
    }
}

impl FromStr for Encoding {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "none" => Ok(Self::Identity),
            "gzip" => Ok(Self::Gzip),
            _ => anyhow::bail!("`{name}` is no encoding: none or gzip"),
        }
    }
}
