//! PutTraceSegments through the AWS SDK: credentials, signing and endpoints are the SDK's business, the body is ours.
//!
//! The SDK would take each document as a string and escape it again. The documents are written escaped, so the body is
//! put together here and handed to the SDK just before it signs. The SDK would also read an answer of any length into
//! memory; what it is given to read ends at a bound.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_xray::config::StalledStreamProtectionConfig;
use aws_sdk_xray::config::http::HttpResponse;
use aws_sdk_xray::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_xray::config::retry::RetryConfig;
use aws_sdk_xray::config::{ConfigBag, Intercept, ProvideCredentials, RuntimeComponents};
use aws_sdk_xray::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_types::body::SdkBody;
use bytes::{Bytes, BytesMut};
use http_body_util::Limited;

use super::Config;
use super::unprocessed;
use super::verdict::of_error;
use crate::exporter::contract::{Outcome, Piece, Request};
use crate::exporter::http::{ANSWER_BYTES_MAX, parse_retry_after, status_message};

const BODY_START: &[u8] = b"{\"TraceSegmentDocuments\":[\"";
const BODY_BETWEEN: &[u8] = b"\",\"";
const BODY_END: &[u8] = b"\"]}";

/// How long the credentials chain may be asked before `preview: auto` decides that there are none.
const CREDENTIALS_TIMEOUT: Duration = Duration::from_secs(3);

/// A client for one region and one identity.
#[derive(Debug)]
pub(super) struct Client {
    sdk: aws_sdk_xray::Client,
    config: SdkConfig,
}

impl Client {
    pub(super) async fn new(config: &Config) -> Self {
        let http =
            aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(http)
            // Delivery retries: two loops around one request would multiply.
            .retry_config(RetryConfig::disabled())
            // Delivery has a timeout for the whole attempt; watching the throughput too would cost 2 % of all its work.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        if let Some(region) = &config.region {
            loader = loader.region(Region::new(region.clone()));
        }
        let mut shared = loader.load().await;
        if let Some(role_arn) = &config.role_arn {
            let mut role = aws_config::sts::AssumeRoleProvider::builder(role_arn)
                .session_name("telemetry-gateway")
                .configure(&shared);
            if let Some(external_id) = &config.external_id {
                role = role.external_id(external_id);
            }
            let provider = aws_sdk_xray::config::SharedCredentialsProvider::new(role.build().await);
            shared = shared.into_builder().credentials_provider(provider).build();
        }
        let mut xray = aws_sdk_xray::config::Builder::from(&shared).interceptor(AnswerLimit);
        if let Some(endpoint) = &config.endpoint {
            xray = xray.endpoint_url(&endpoint.value);
        }
        Client { sdk: aws_sdk_xray::Client::from_conf(xray.build()), config: shared }
    }

    pub(super) async fn has_credentials(&self) -> bool {
        let Some(provider) = self.config.credentials_provider() else { return false };
        matches!(tokio::time::timeout(CREDENTIALS_TIMEOUT, provider.provide_credentials()).await, Ok(Ok(_)))
    }

    pub(super) async fn put(&self, request: Request<'_>) -> Outcome {
        let body = body(request.pieces);
        let length = body.len().to_string();
        let sent = self
            .sdk
            .put_trace_segments()
            // The model demands the list; what it would write is replaced below.
            .set_trace_segment_documents(Some(Vec::new()))
            .customize()
            .mutate_request(move |request| {
                *request.body_mut() = SdkBody::from(body.clone());
                request.headers_mut().insert("content-length", length.clone());
            })
            .send()
            .await;
        match sent {
            Ok(answer) => unprocessed::read(request.pieces, answer.unprocessed_trace_segments()),
            Err(error) => refusal(&error),
        }
    }
}

fn body(pieces: &[Piece]) -> Bytes {
    let documents: usize = pieces.iter().map(|piece| piece.bytes.len() + BODY_BETWEEN.len()).sum();
    if pieces.is_empty() {
        return Bytes::from_static(b"{\"TraceSegmentDocuments\":[]}");
    }
    let mut body = BytesMut::with_capacity(BODY_START.len() + documents + BODY_END.len());
    body.extend_from_slice(BODY_START);
    for (index, piece) in pieces.iter().enumerate() {
        if index > 0 {
            body.extend_from_slice(BODY_BETWEEN);
        }
        body.extend_from_slice(&piece.bytes);
    }
    body.extend_from_slice(BODY_END);
    body.freeze()
}

/// Reads what the SDK makes of anything but a 200.
fn refusal<E>(error: &SdkError<E, HttpResponse>) -> Outcome
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let Some(response) = error.raw_response() else {
        let message = DisplayErrorContext(error).to_string();
        let is_credentials = match error {
            // No credentials, or a role that may not be assumed: a person is needed.
            SdkError::ConstructionFailure(_) => true,
            // A connection that was closed early is "other" too, but of a kind that says so.
            SdkError::DispatchFailure(failure) => failure.is_other() && failure.as_other().is_none(),
            _ => false,
        };
        return if is_credentials {
            Outcome::Unauthorized { message: format!("no credentials found: {message}") }
        } else {
            Outcome::Retry { after: None, message }
        };
    };
    let status = response.status().as_u16();
    let (code, message) = match error {
        SdkError::ServiceError(service) => {
            let (code, text) = (service.err().code(), service.err().message().unwrap_or_default());
            (code.unwrap_or_default(), [code.unwrap_or("-"), text].join(": "))
        }
        // The answer is cut off, too long, or in another language than X-Ray's.
        _ => ("", DisplayErrorContext(error).to_string()),
    };
    let message = status_message(status, &message);
    let after =
        response.headers().get("retry-after").and_then(|value| parse_retry_after(value, std::time::SystemTime::now()));
    of_error(status, code, message, after)
}

/// Ends an answer's body with an error at the bound, before the SDK collects it.
#[derive(Debug)]
struct AnswerLimit;

impl Intercept for AnswerLimit {
    fn name(&self) -> &'static str {
        "AnswerLimit"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _bag: &mut ConfigBag,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let body = context.response_mut().body_mut();
        let whole = std::mem::replace(body, SdkBody::taken());
        *body = SdkBody::from_body_1_x(Limited::new(whole, ANSWER_BYTES_MAX));
        Ok(())
    }
}
