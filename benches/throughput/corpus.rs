//! The requests that are sent: a pool of distinct 64-span OTLP trace requests, built once before any clock runs.
//!
//! Each request is what a Flask service exports: eight traces of eight spans (a server span, two internal ones, three
//! database and two HTTP calls) in three scopes under one resource, about 640 bytes a span, attributes by the stable
//! semantic conventions. One span in fifty failed: status error and an exception event with a 20-frame Python trace.
//! Ids and times are drawn from a fixed seed and the present second, because X-Ray refuses trace ids of long ago.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use bytes::{BufMut as _, Bytes, BytesMut};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{
    ResourceSpans, ScopeSpans, Span, Status, span::Event, span::SpanKind, status::StatusCode,
};
use prost::Message as _;

use crate::draw::Draw;
use crate::wire::{Encoding, Protocol};

pub const SPANS_PER_REQUEST: u64 = 64;
const POOL_REQUESTS: u64 = 256;
const TRACES_PER_REQUEST: usize = 8;
pub const EXCEPTION_EVERY: u64 = 50;
const STACK_FRAMES: usize = 20;

/// One request as it goes over the wire, and what a sink should count for it.
pub struct Prepared {
    /// The HTTP body; for gRPC with its 5-byte frame header.
    pub body: Bytes,
    /// Spans with an exception event, hence Rollbar items.
    pub exceptions: u64,
    /// Bytes of the protobuf message before any compression.
    pub message_bytes: u64,
}

/// Builds the pool in the form that `protocol` and `encoding` put on the wire.
pub fn build(protocol: Protocol, encoding: Encoding) -> anyhow::Result<Vec<Prepared>> {
    let now_ns = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_nanos() as u64;
    // The same pool in every run, with ids that do not compress.
    let mut draw = Draw::new(0x5eed);
    (0..POOL_REQUESTS)
        .map(|index| {
            let (request, exceptions) = request(index, now_ns, &mut draw);
            let message = request.encode_to_vec();
            Ok(Prepared { exceptions, message_bytes: message.len() as u64, body: frame(message, protocol, encoding)? })
        })
        .collect()
}

fn frame(message: Vec<u8>, protocol: Protocol, encoding: Encoding) -> anyhow::Result<Bytes> {
    let message = match encoding {
        Encoding::Identity => message,
        Encoding::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
            encoder.write_all(&message)?;
            encoder.finish()?
        }
    };
    Ok(match protocol {
        Protocol::Http => Bytes::from(message),
        Protocol::Grpc => {
            let mut framed = BytesMut::with_capacity(message.len() + 5);
            framed.put_u8(u8::from(encoding == Encoding::Gzip));
            framed.put_u32(u32::try_from(message.len())?);
            framed.put_slice(&message);
            framed.freeze()
        }
    })
}

fn request(index: u64, now_ns: u64, draw: &mut Draw) -> (ExportTraceServiceRequest, u64) {
    let mut scopes: [Vec<Span>; 3] = Default::default();
    let mut exceptions = 0;
    for trace in 0..TRACES_PER_REQUEST {
        let mut trace_id = draw.bytes(16);
        trace_id[..4].copy_from_slice(&((now_ns / 1_000_000_000) as u32).to_be_bytes());
        let root_id = draw.bytes(8);
        let start_ns = now_ns - 50_000_000 + draw.below(10_000_000);
        for (position, shape) in SHAPES.iter().enumerate() {
            let number = index * SPANS_PER_REQUEST + (trace * SHAPES.len() + position) as u64;
            let failed = number % EXCEPTION_EVERY == EXCEPTION_EVERY - 1;
            exceptions += u64::from(failed);
            let offset_ns = position as u64 * 1_500_000;
            let mut span = Span {
                trace_id: trace_id.clone(),
                span_id: if position == 0 { root_id.clone() } else { draw.bytes(8) },
                parent_span_id: if position == 0 { Vec::new() } else { root_id.clone() },
                flags: 0x101,
                start_time_unix_nano: start_ns + offset_ns,
                end_time_unix_nano: start_ns + offset_ns + 900_000 + draw.below(400_000),
                ..Span::default()
            };
            shape.fill(&mut span, failed, draw);
            if failed {
                fail(&mut span, draw);
            }
            scopes[shape.scope()].push(span);
        }
    }
    let scope_spans = SCOPES
        .iter()
        .zip(scopes)
        .map(|((name, version), spans)| ScopeSpans {
            scope: Some(InstrumentationScope {
                name: (*name).to_owned(),
                version: (*version).to_owned(),
                ..InstrumentationScope::default()
            }),
            spans,
            ..ScopeSpans::default()
        })
        .collect();
    let resource_spans = ResourceSpans { resource: Some(resource(index)), scope_spans, ..ResourceSpans::default() };
    let request = ExportTraceServiceRequest { resource_spans: vec![resource_spans] };
    (request, exceptions)
}

/// Name and version of the scopes; the position is what [`Shape::scope`] returns.
const SCOPES: [(&str, &str); 3] = [
    ("opentelemetry.instrumentation.flask", "0.60b1"),
    ("opentelemetry.instrumentation.requests", "0.60b1"),
    ("opentelemetry.instrumentation.sqlalchemy", "0.60b1"),
];

#[derive(Clone, Copy)]
enum Shape {
    Server,
    Internal,
    Database,
    HttpClient,
}

const SHAPES: [Shape; 8] = [
    Shape::Server,
    Shape::Internal,
    Shape::Database,
    Shape::Database,
    Shape::HttpClient,
    Shape::Internal,
    Shape::Database,
    Shape::HttpClient,
];

impl Shape {
    fn scope(self) -> usize {
        match self {
            Self::Server | Self::Internal => 0,
            Self::HttpClient => 1,
            Self::Database => 2,
        }
    }

    fn fill(self, span: &mut Span, failed: bool, draw: &mut Draw) {
        let order = 100_000 + draw.below(900_000);
        match self {
            Self::Server => {
                span.name = String::from("GET /api/v1/orders/<int:order_id>");
                span.kind = SpanKind::Server as i32;
                span.attributes = vec![
                    text("http.request.method", "GET"),
                    text("http.route", "/api/v1/orders/<int:order_id>"),
                    text("url.scheme", "https"),
                    text("url.path", &format!("/api/v1/orders/{order}")),
                    text("url.query", &format!("expand=lines,customer&page={}", draw.below(40))),
                    number("http.response.status_code", if failed { 500 } else { 200 }),
                    text("network.protocol.version", "1.1"),
                    text("server.address", "orders.shop.example.com"),
                    number("server.port", 443),
                    text("client.address", &format!("203.0.113.{}", draw.below(256))),
                    number("client.port", 1024 + draw.below(60_000)),
                    text("network.peer.address", &format!("10.0.3.{}", draw.below(256))),
                    text(
                        "user_agent.original",
                        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                    ),
                    text("enduser.id", &format!("customer-{}", draw.below(50_000))),
                ];
            }
            Self::Internal => {
                span.name = String::from("orders.service.price_order");
                span.kind = SpanKind::Internal as i32;
                span.attributes = vec![
                    text("code.function.name", "shop.orders.service.OrderService.price_order"),
                    text("code.file.path", "/srv/app/shop/orders/service.py"),
                    number("code.line.number", 40 + draw.below(400)),
                    text("thread.name", "ThreadPoolExecutor-0_3"),
                    number("thread.id", 139_872_000_000_000 + draw.below(1_000_000)),
                    text("app.order.id", &order.to_string()),
                    text("app.order.currency", "EUR"),
                    text("app.tenant", &format!("tenant-{:04}", draw.below(400))),
                    number("app.order.lines", 1 + draw.below(20)),
                    flag("app.cache.hit", draw.below(2) == 0),
                    text("app.feature.flags", "new-pricing,eu-vat,async-mail,loyalty-points-v2"),
                    text("app.request.id", &hex(&draw.bytes(16))),
                ];
            }
            Self::Database => {
                span.name = String::from("SELECT shop.order_lines");
                span.kind = SpanKind::Client as i32;
                span.attributes = vec![
                    text("db.system.name", "postgresql"),
                    text("db.namespace", "shop"),
                    text("db.operation.name", "SELECT"),
                    text("db.collection.name", "order_lines"),
                    text(
                        "db.query.text",
                        "SELECT order_lines.id, order_lines.sku, order_lines.quantity, order_lines.unit_price FROM order_lines \
                         JOIN orders ON orders.id = order_lines.order_id WHERE orders.id = %(order_id)s ORDER BY order_lines.id",
                    ),
                    text("server.address", "orders-db.internal.example.com"),
                    number("server.port", 5432),
                    text("network.peer.address", &format!("10.0.7.{}", draw.below(256))),
                    number("db.response.returned_rows", draw.below(64)),
                ];
            }
            Self::HttpClient => {
                span.name = String::from("POST");
                span.kind = SpanKind::Client as i32;
                span.attributes = vec![
                    text("http.request.method", "POST"),
                    text(
                        "url.full",
                        &format!(
                            "https://payments.internal.example.com/v2/authorisations/{order}?idempotency-key={}",
                            hex(&draw.bytes(16))
                        ),
                    ),
                    text("server.address", "payments.internal.example.com"),
                    number("server.port", 443),
                    text("network.protocol.name", "http"),
                    text("network.protocol.version", "1.1"),
                    number("http.response.status_code", 201),
                    number("http.request.body.size", 200 + draw.below(900)),
                    number("http.response.body.size", 90 + draw.below(400)),
                    text("user_agent.original", "python-requests/2.32.5"),
                    text("peer.service", "payments"),
                ];
            }
        }
    }
}

fn fail(span: &mut Span, draw: &mut Draw) {
    let message = format!("order {} has no price for sku SKU-{:06}", draw.below(1_000_000), draw.below(1_000_000));
    span.status = Some(Status { code: StatusCode::Error as i32, message: format!("PriceMissing: {message}") });
    span.events.push(Event {
        time_unix_nano: span.end_time_unix_nano - 10_000,
        name: "exception".to_owned(),
        attributes: vec![
            text("exception.type", "shop.pricing.errors.PriceMissing"),
            text("exception.message", &message),
            text("exception.stacktrace", &stack_trace(&message, draw)),
            text("exception.escaped", "False"),
        ],
        ..Event::default()
    });
}

fn stack_trace(message: &str, draw: &mut Draw) -> String {
    const MODULES: [(&str, &str, &str); 5] = [
        (
            "/usr/local/lib/python3.13/site-packages/flask/app.py",
            "dispatch_request",
            "return self.ensure_sync(self.view_functions[rule.endpoint])(**view_args)",
        ),
        (
            "/srv/app/shop/orders/views.py",
            "show_order",
            "priced = service.price_order(order, currency=request.args.get(\"currency\"))",
        ),
        ("/srv/app/shop/orders/service.py", "price_order", "lines = [self._price_line(line) for line in order.lines]"),
        ("/srv/app/shop/pricing/engine.py", "_price_line", "return self.book.price(line.sku) * line.quantity"),
        ("/srv/app/shop/pricing/book.py", "price", "raise PriceMissing(order_id, sku)"),
    ];
    let mut trace = String::from("Traceback (most recent call last):\n");
    for depth in 0..STACK_FRAMES {
        let (file, function, source) = MODULES[depth * MODULES.len() / STACK_FRAMES];
        let line = 20 + draw.below(900);
        let _ = writeln!(trace, "  File \"{file}\", line {line}, in {function}\n    {source}");
    }
    let _ = writeln!(trace, "shop.pricing.errors.PriceMissing: {message}");
    trace
}

fn resource(index: u64) -> Resource {
    let host = index % 8;
    Resource {
        attributes: vec![
            text("service.name", "orders"),
            text("service.namespace", "shop"),
            text("service.version", "2025.11.3"),
            text("service.instance.id", &format!("orders-7c9d8b6f5-{host:05}")),
            text("deployment.environment.name", "production"),
            text("telemetry.sdk.language", "python"),
            text("telemetry.sdk.name", "opentelemetry"),
            text("telemetry.sdk.version", "1.39.1"),
            text("host.name", &format!("ip-10-0-3-{host}.ec2.internal")),
            text("process.runtime.name", "cpython"),
            number("process.pid", 7 + host),
        ],
        ..Resource::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

fn number(key: &str, value: u64) -> KeyValue {
    attribute(key, Value::IntValue(value.cast_signed()))
}

fn flag(key: &str, value: bool) -> KeyValue {
    attribute(key, Value::BoolValue(value))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
