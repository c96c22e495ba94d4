//! What the exporters that speak HTTP share: a client, the wait a vendor asks for, and answers read within a bound.

use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, RETRY_AFTER, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::contract::Outcome;
use crate::stdx::fault::Fault;
use crate::stdx::located::Located;

/// How much of an answer is read; OTLP names 4 MiB as the limit, and no vendor's answer we act on is near it.
pub const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// How long an answer's body may take once its status is known: the status decides, the body only adds detail.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long establishing a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection is kept for the next request.
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);

/// An exporter's own client: its pool and its limits are nobody else's.
///
/// Made at the first request. Reading the authorities that TLS trusts takes milliseconds and a MiB for each client, which
/// neither the start nor an exporter that never sends (one in preview, a destination of errors only) should cost.
#[derive(Debug)]
pub struct LazyClient {
    connections_max: usize,
    client: OnceCell<reqwest::Client>,
}

impl LazyClient {
    pub fn new(connections_max: usize) -> Self {
        LazyClient { connections_max, client: OnceCell::new() }
    }

    /// The client; an error where it cannot be made, such as trusted authorities that cannot be read.
    pub async fn get(&self) -> Result<&reqwest::Client, Outcome> {
        let retry = |message| Outcome::Retry { after: None, message };
        let connections_max = self.connections_max;
        let make = async || {
            let made = tokio::task::spawn_blocking(move || client(connections_max)).await;
            made.map_err(|error| retry(error.to_string()))?
                .map_err(|error| retry(format!("cannot make a client: {error}")))
        };
        self.client.get_or_try_init(make).await
    }
}

fn client(connections_max: usize) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .user_agent(concat!("telemetry-gateway/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_max_idle_per_host(connections_max)
        .pool_idle_timeout(IDLE_TIMEOUT)
        // A redirect would carry the key to a host that the configuration does not name.
        .redirect(reqwest::redirect::Policy::none())
        .build()
}

/// Turns an error before any answer into words that hold no URL: a URL can hold credentials.
pub fn no_answer(error: reqwest::Error) -> Outcome {
    let what = if error.is_connect() {
        "cannot connect"
    } else if error.is_timeout() {
        "timed out"
    } else {
        "connection failed"
    };
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    Outcome::Retry { after: None, message: format!("{what}: {cause}") }
}

/// When the body of an answer must be there: soon after its status, and before the attempt as a whole runs out of time.
///
/// An attempt that is cut off counts as never answered and is made again. After a 2xx that would store everything twice.
#[derive(Debug, Clone, Copy)]
pub struct AnswerDeadline {
    attempt_end: Instant,
}

impl AnswerDeadline {
    /// For an attempt that begins now and is given up after `timeout`.
    pub fn new(timeout: Duration) -> Self {
        AnswerDeadline { attempt_end: Instant::now() + timeout.mul_f64(0.95) } // the rest is for reading the verdict
    }

    /// Reads an answer's body up to the bounds of size and time; what is missing then does not matter to anybody.
    pub async fn read(self, mut response: reqwest::Response) -> Bytes {
        let deadline = self.attempt_end.min(Instant::now() + ANSWER_TIMEOUT);
        let mut body = BytesMut::new();
        while let Ok(Ok(Some(chunk))) = tokio::time::timeout_at(deadline, response.chunk()).await {
            let room = ANSWER_BYTES_MAX - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if body.len() == ANSWER_BYTES_MAX {
                break;
            }
        }
        body.freeze()
    }
}

/// `404: nothing is served at this URL: page not found`: the status, what it means where that is no matter of
/// credentials though everything is kept as if it were one, and the vendor's words.
pub fn status_message(status: u16, text: &str) -> String {
    let meaning = match status {
        404 => "nothing is served at this URL",
        300..400 => "redirects are not followed",
        _ => return format!("{status}: {text}"),
    };
    let separator = if text.is_empty() { "" } else { ": " };
    format!("{status}: {meaning}{separator}{text}")
}

/// Checks that a text is an http or https URL with a host, and one that paths can be appended to.
pub fn check_endpoint(url: &Located<String>) -> Option<Fault> {
    let fault = |what: &str| Fault::at(url.place, format!("`{}` {what}", url.value));
    match reqwest::Url::parse(&url.value) {
        Ok(parsed) if matches!(parsed.scheme(), "http" | "https") && parsed.has_host() => {
            let end = match (parsed.query(), parsed.fragment()) {
                (Some(_), _) => "has a query, behind which no path can stand",
                (None, Some(_)) => "has a fragment, which is never sent",
                (None, None) => return None,
            };
            Some(fault(end).hint("keep only what stands before `?` and `#`; keys belong into headers"))
        }
        _ => Some(fault("is no http or https URL").hint("for example https://host:4318")),
    }
}

/// Headers that the exporters write themselves: a second value of them would contradict the first.
const OWN_HEADERS: [HeaderName; 6] =
    [CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LENGTH, HOST, TRANSFER_ENCODING, CONNECTION];

/// Whether a header must not be set by configuration, because the exporter or HTTP itself does.
pub fn is_own_header(name: &HeaderName) -> bool {
    OWN_HEADERS.contains(name)
}

/// The wait a vendor asks for, in seconds or as a date; `None` for what is neither, negative or already past.
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    parse_retry_after(headers.get(RETRY_AFTER)?.to_str().ok()?, now)
}

/// Reads the value of a `Retry-After` header.
pub fn parse_retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let date = jiff::fmt::rfc2822::parse(value).ok()?;
    SystemTime::from(date.timestamp()).duration_since(now).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_read_as_seconds_or_date_and_garbage_is_none() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_445_412_470);
        let read = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, value.parse().unwrap());
            retry_after(&headers, now)
        };
        assert_eq!(read("3"), Some(Duration::from_secs(3)));
        assert_eq!(read("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::from_secs(10)));
        assert_eq!(read("Wed, 21 Oct 2015 07:27:00 GMT"), None);
        assert_eq!(read("-3"), None);
        assert_eq!(read("soon"), None);
        assert_eq!(read("1e9"), None);
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn a_message_says_first_what_a_status_means_that_is_no_matter_of_credentials() {
        assert_eq!(status_message(404, "no page"), "404: nothing is served at this URL: no page");
        assert_eq!(status_message(302, ""), "302: redirects are not followed");
        assert_eq!(status_message(401, "unknown key"), "401: unknown key");
    }

    #[test]
    fn an_endpoint_is_a_url_that_a_path_can_be_appended_to() {
        let fault = |url: &str| check_endpoint(&Located::nowhere(url.to_owned())).map(|fault| fault.message);
        for url in ["http://localhost:4318", "https://host/base/", "http://[::1]:4318"] {
            assert_eq!(fault(url), None, "{url}");
        }
        assert!(fault("localhost:4318").unwrap().contains("no http or https URL"));
        assert!(fault("ftp://host").unwrap().contains("no http or https URL"));
        assert!(fault("https://host/?key=1").unwrap().contains("query"));
        assert!(fault("https://host/#part").unwrap().contains("fragment"));
    }

    #[test]
    fn headers_that_the_exporter_writes_are_its_own() {
        for name in OWN_HEADERS {
            assert!(is_own_header(&name), "{name}");
        }
        assert!(!is_own_header(&http::header::AUTHORIZATION));
    }
}
