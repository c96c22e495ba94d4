//! [`Kind`]: the three vendors: how each reads a request, and how it says what it made of it.

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde::Deserialize;

use crate::http_request::HttpRequest;
use crate::key::{Key, Mark};
use crate::request::PAD_ATTRIBUTE;

/// AWS refuses more with "Exceeding maximum segment count: 50".
const XRAY_DOCUMENTS_MAX: usize = 50;

#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum Kind {
    Honeycomb,
    Xray,
    Rollbar,
}

/// What a vendor in good health makes of a request.
#[derive(Debug)]
pub struct Verdict {
    pub taken: Vec<Key>,
    /// For good; what else is not taken is asked for again.
    pub refused: Vec<Key>,
    pub status: u16,
    pub body: Vec<u8>,
    /// For the statistics.
    pub word: &'static str,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Honeycomb, Self::Xray, Self::Rollbar];

    /// The exporter's name in gateway.yaml.
    pub fn name(self) -> &'static str {
        match self {
            Self::Honeycomb => "honeycomb",
            Self::Xray => "xray",
            Self::Rollbar => "rollbar",
        }
    }

    pub fn content_type(self) -> &'static str {
        if self == Self::Honeycomb { "application/x-protobuf" } else { "application/json" }
    }

    /// Who is in a request; an error is something that no gateway must send.
    pub fn read(self, request: &HttpRequest) -> Result<Vec<Key>, String> {
        let path = match self {
            Self::Honeycomb => "/v1/traces",
            Self::Xray => "/TraceSegments",
            Self::Rollbar => "/api/1/item/",
        };
        if (request.method.as_str(), request.path.as_str()) != ("POST", path) {
            return Err(format!("{} {} is served by nobody", request.method, request.path));
        }
        let keys = match self {
            Self::Honeycomb => read_otlp(&request.body),
            Self::Xray => read_documents(&request.body, request.header("authorization").unwrap_or_default()),
            Self::Rollbar => read_item(&request.body),
        }?;
        match keys.iter().find(|key| !key.goes_to(self)) {
            Some(key) => Err(format!("`{}` has no route to {}", key.name(), self.name())),
            None => Ok(keys),
        }
    }

    /// The verdict on what a request holds, by the marks alone.
    pub fn judge(self, keys: &[Key]) -> Verdict {
        let poison = |mark: Mark| keys.iter().any(|key| key.mark() == mark);
        let whole = |status: u16, word: &'static str| {
            // Only a span that stands alone is refused itself; its neighbours are to be sent without it.
            let refused = if let [key] = keys { vec![*key] } else { Vec::new() };
            Verdict { taken: Vec::new(), refused, status, body: self.error(word, "poison"), word }
        };
        let (refused, taken): (Vec<Key>, Vec<Key>) = keys.iter().partition(|key| key.is_refused_by(self));
        match self {
            Self::Honeycomb if poison(Mark::Honeycomb400) => whole(400, "400"),
            Self::Xray if poison(Mark::Xray400) => whole(400, "InvalidRequestException"),
            Self::Rollbar if poison(Mark::Rollbar400) => whole(400, "400"),
            Self::Rollbar if poison(Mark::Rollbar413) => whole(413, "413"),
            Self::Rollbar if poison(Mark::Rollbar422) => whole(422, "422"),
            Self::Honeycomb => {
                let partial_success = (!refused.is_empty()).then(|| ExportTracePartialSuccess {
                    rejected_spans: refused.len() as i64,
                    error_message: "poison".to_owned(),
                });
                let body = ExportTraceServiceResponse { partial_success }.encode_to_vec();
                Verdict {
                    word: if refused.is_empty() { "200" } else { "200 partial" },
                    taken,
                    refused,
                    status: 200,
                    body,
                }
            }
            Self::Xray => {
                let body = unprocessed(&refused, "InvalidSegment");
                Verdict {
                    word: if refused.is_empty() { "200" } else { "200 partial" },
                    taken,
                    refused,
                    status: 200,
                    body,
                }
            }
            Self::Rollbar => {
                let body = br#"{"err":0,"result":{"id":null}}"#.to_vec();
                Verdict { taken, refused, status: 200, body, word: "200" }
            }
        }
    }

    /// The body of an answer that is no success.
    pub fn error(self, code: &str, text: &str) -> Vec<u8> {
        match self {
            Self::Honeycomb => [&[0x12, text.len() as u8], text.as_bytes()].concat(), // google.rpc.Status.message
            Self::Xray => serde_json::json!({ "__type": code, "Message": text }).to_string().into_bytes(),
            Self::Rollbar => serde_json::json!({ "err": 1, "message": text }).to_string().into_bytes(),
        }
    }
}

/// X-Ray's verdict when it is short of breath: every second document is to be sent again.
pub fn judge_unprocessed(keys: &[Key], code: &str) -> Verdict {
    let (late, now): (Vec<Key>, Vec<Key>) = keys.iter().partition(|key| key.number().is_multiple_of(2));
    Verdict { taken: now, refused: Vec::new(), status: 200, body: unprocessed(&late, code), word: "200 unprocessed" }
}

fn unprocessed(keys: &[Key], code: &str) -> Vec<u8> {
    let entry = |key: &Key| {
        let id = format!("{:016x}", u64::from_be_bytes(key.bytes()));
        serde_json::json!({ "Id": id, "ErrorCode": code, "Message": "not processed" })
    };
    let entries: Vec<_> = keys.iter().map(entry).collect();
    serde_json::json!({ "UnprocessedTraceSegments": entries }).to_string().into_bytes()
}

fn read_otlp(body: &[u8]) -> Result<Vec<Key>, String> {
    let request = ExportTraceServiceRequest::decode(body).map_err(|error| format!("not OTLP: {error}"))?;
    let scopes = request.resource_spans.into_iter().flat_map(|group| group.scope_spans);
    scopes.flat_map(|group| group.spans).map(|span| read_span(&span)).collect()
}

/// A span must come as it was sent.
fn read_span(span: &Span) -> Result<Key, String> {
    let key = Key::from_bytes(&span.span_id).ok_or_else(|| format!("span id {:x?} is nobody's", span.span_id))?;
    let pad = span.attributes.iter().find(|attribute| attribute.key == PAD_ATTRIBUTE).and_then(|attribute| {
        match attribute.value.as_ref()?.value.as_ref()? {
            Value::StringValue(text) => Some(text.as_str()),
            _ => None,
        }
    });
    if span.name == key.name() && pad == Some(key.pad().as_str()) {
        Ok(key)
    } else {
        Err(format!("`{}` arrived changed: {span:?}", key.name()))
    }
}

#[derive(Deserialize)]
struct PutTraceSegments {
    #[serde(rename = "TraceSegmentDocuments")]
    documents: Vec<String>,
}

#[derive(Deserialize)]
struct Document {
    id: String,
}

fn read_documents(body: &[u8], authorization: &str) -> Result<Vec<Key>, String> {
    if !authorization.starts_with("AWS4-HMAC-SHA256 Credential=") {
        return Err("PutTraceSegments is not signed".to_owned());
    }
    let put: PutTraceSegments = serde_json::from_slice(body).map_err(|error| format!("PutTraceSegments: {error}"))?;
    if put.documents.len() > XRAY_DOCUMENTS_MAX {
        return Err(format!("exceeding maximum segment count: {}", put.documents.len()));
    }
    let read = |text: &String| {
        let document: Document = serde_json::from_str(text).map_err(|error| format!("segment document: {error}"))?;
        Key::from_hex(&document.id).ok_or_else(|| format!("segment id {} is nobody's", document.id))
    };
    put.documents.iter().map(read).collect()
}

fn read_item(body: &[u8]) -> Result<Vec<Key>, String> {
    let item: serde_json::Value = serde_json::from_slice(body).map_err(|error| format!("item: {error}"))?;
    let id = item["data"]["custom"]["otel"]["span_id"].as_str().unwrap_or_default();
    Key::from_hex(id).map(|key| vec![key]).ok_or_else(|| format!("an item of nobody's span `{id}`"))
}
