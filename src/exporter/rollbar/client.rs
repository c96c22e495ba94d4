//! One POST an item to Rollbar's API.

use std::time::{Duration, SystemTime};

use flate2::Compression as Level;
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::exporter::contract::{Outcome, Request};
use crate::exporter::http::{AnswerDeadline, LazyClient, no_answer, retry_after, status_message};
use crate::exporter::pace::Pace;

/// Smaller bodies go plain: a compressor is a third of a MiB to set up, which costs more than sending a few packets.
const COMPRESS_BYTES_MIN: usize = 8 * 1024;

/// How long a token rests after 429 when Rollbar does not say, and at most: a user may raise the limit at any time.
/// <https://github.com/rollbar/rollbar.js> caps at the same minute.
const RATE_LIMIT_DELAY: Duration = Duration::from_secs(30);
const RATE_LIMIT_DELAY_MAX: Duration = Duration::from_mins(1);

/// What to do about a status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Accepted,
    Unauthorized,
    TooLarge,
    Refused(&'static str),
    RateLimited,
    Retry,
}

/// <https://docs.rollbar.com/reference/getting-started-1> (read 2026-11). Other codes: 5xx is retried, the rest refused.
const VERDICTS: [(u16, Verdict); 9] = [
    (200, Verdict::Accepted),
    (400, Verdict::Refused("refused_400")),
    (401, Verdict::Unauthorized),
    (403, Verdict::Unauthorized),
    (404, Verdict::Unauthorized), // a wrong URL: nothing is lost while a person mends the configuration
    (408, Verdict::Retry),
    (413, Verdict::TooLarge),
    (422, Verdict::Refused("refused_422")),
    (429, Verdict::RateLimited),
];

fn verdict(status: u16) -> Verdict {
    VERDICTS.iter().find(|(code, _)| *code == status).map_or(
        match status {
            201..300 => Verdict::Accepted,
            300..400 => Verdict::Unauthorized, // not followed: it would carry the token elsewhere
            500.. => Verdict::Retry,
            _ => Verdict::Refused("refused_4xx"),
        },
        |(_, verdict)| *verdict,
    )
}

/// Whether bodies are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    None,
    #[default]
    Gzip,
}

/// A client for one token.
#[derive(Debug)]
pub(super) struct Client {
    http: LazyClient,
    url: String,
    token: HeaderValue,
    compression: Compression,
    timeout: Duration,
}

impl Client {
    pub(super) fn new(endpoint: &str, token: HeaderValue, compression: Compression, pace: Pace) -> Self {
        let http = LazyClient::new(pace.concurrency);
        Client { http, url: item_url(endpoint), token, compression, timeout: pace.timeout }
    }

    /// Asks whether the API is there. The token cannot be tried without making an item.
    pub(super) async fn ping(&self) -> Outcome {
        let url = self.url.strip_suffix("item/").map_or_else(|| self.url.clone(), |base| format!("{base}status/ping"));
        let http = match self.http.get().await {
            Ok(http) => http,
            Err(outcome) => return outcome,
        };
        match http.get(url).send().await {
            Ok(response) => {
                let (status, headers) = (response.status().as_u16(), response.headers().clone());
                read(status, &headers, &AnswerDeadline::new(self.timeout).read(response).await)
            }
            Err(error) => no_answer(error),
        }
    }

    pub(super) async fn post(&self, request: Request<'_>) -> Outcome {
        let Some(item) = request.pieces.first() else { return Outcome::Accepted { except: Vec::new() } };
        // Making the client the first time is part of the attempt.
        let deadline = AnswerDeadline::new(self.timeout);
        let http = match self.http.get().await {
            Ok(http) => http,
            Err(outcome) => return outcome,
        };
        let mut post = http
            .post(&self.url)
            .header(HeaderName::from_static("x-rollbar-access-token"), self.token.clone())
            .header(CONTENT_TYPE, "application/json");
        let compressed = match self.compression {
            Compression::Gzip if item.bytes.len() >= COMPRESS_BYTES_MIN => gzip(&item.bytes),
            _ => None,
        };
        post = match compressed {
            Some(compressed) => post.header(CONTENT_ENCODING, "gzip").body(compressed),
            None => post.body(item.bytes.clone()),
        };
        match post.send().await {
            Ok(response) => {
                let (status, headers) = (response.status().as_u16(), response.headers().clone());
                let answer = deadline.read(response).await;
                read(status, &headers, &answer)
            }
            Err(error) => no_answer(error),
        }
    }
}

/// The URL of the item API: a path that ends in `item` is final, else it is appended, as the SDKs differ.
fn item_url(endpoint: &str) -> String {
    let endpoint = endpoint.trim_end_matches('/');
    match endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest).split_once('/') {
        None => format!("{endpoint}/api/1/item/"),
        Some((_, path)) if path == "item" || path.ends_with("/item") => format!("{endpoint}/"),
        Some(_) => format!("{endpoint}/item/"),
    }
}

fn gzip(plain: &[u8]) -> Option<Vec<u8>> {
    use std::io::Write;
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 3), Level::fast());
    encoder.write_all(plain).ok()?;
    encoder.finish().ok()
}

fn read(status: u16, headers: &HeaderMap, answer: &[u8]) -> Outcome {
    let message = || {
        let text = serde_json::from_slice::<serde_json::Value>(answer)
            .ok()
            .and_then(|answer| Some(answer["message"].as_str()?.to_owned()))
            .unwrap_or_else(|| String::from_utf8_lossy(answer).chars().take(200).collect());
        status_message(status, &text)
    };
    match verdict(status) {
        Verdict::Accepted => Outcome::Accepted { except: Vec::new() },
        Verdict::Unauthorized => Outcome::Unauthorized { message: message() },
        Verdict::TooLarge => Outcome::TooLarge { message: message() },
        Verdict::Refused(reason) => Outcome::Refused { reason, message: message() },
        Verdict::Retry => Outcome::Retry { after: retry_after(headers, SystemTime::now()), message: message() },
        Verdict::RateLimited => {
            let remaining = headers
                .get("x-rate-limit-remaining-seconds")
                .and_then(|value| value.to_str().ok()?.trim().parse().ok())
                .map(Duration::from_secs);
            let after = remaining.or_else(|| retry_after(headers, SystemTime::now())).unwrap_or(RATE_LIMIT_DELAY);
            Outcome::Retry { after: Some(after.min(RATE_LIMIT_DELAY_MAX)), message: message() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_may_be_a_host_a_base_or_the_whole_url() {
        for (endpoint, expected) in [
            ("https://api.rollbar.com", "https://api.rollbar.com/api/1/item/"),
            ("https://api.rollbar.com/", "https://api.rollbar.com/api/1/item/"),
            ("https://api.rollbar.com/api/1/", "https://api.rollbar.com/api/1/item/"),
            ("https://api.rollbar.com/api/1/item/", "https://api.rollbar.com/api/1/item/"),
            ("http://relay:8080/rollbar/item", "http://relay:8080/rollbar/item/"),
        ] {
            assert_eq!(item_url(endpoint), expected);
        }
    }

    #[test]
    fn every_row_of_the_table_is_what_the_lookup_gives() {
        for (status, expected) in VERDICTS {
            assert_eq!(verdict(status), expected, "{status}");
        }
        assert_eq!(verdict(503), Verdict::Retry);
        assert_eq!(verdict(302), Verdict::Unauthorized);
        assert_eq!(verdict(418), Verdict::Refused("refused_4xx"));
    }

    #[test]
    fn a_rate_limit_is_waited_out_but_never_longer_than_a_minute() {
        let wait = |header: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header, value.parse().unwrap());
            match read(429, &headers, b"{\"err\":1,\"message\":\"limit\"}") {
                Outcome::Retry { after, message } => (after.unwrap().as_secs(), message),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(wait("x-rate-limit-remaining-seconds", "7"), (7, "429: limit".to_owned()));
        assert_eq!(wait("x-rate-limit-remaining-seconds", "7000").0, 60);
        assert_eq!(wait("retry-after", "9").0, 9);
        assert_eq!(wait("x-other", "9").0, 30);
    }
}
