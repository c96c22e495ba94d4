//! One datagram of the X-Ray daemon's protocol: a header line, and what it is followed by.
//!
//! ```text
//! {"format": "json", "version": 1} LF  a segment document
//!                                   |  T1S base64 of an ExportTraceServiceRequest, of sampled spans
//!                                   |  T1U the same, of spans that were not sampled
//!                                   |  M1  base64 of an ExportMetricsServiceRequest
//! ```
//!
//! Source: <https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-daemon>; the last three are
//! what the exporters of the AWS Distributions for OpenTelemetry send (read 2026-11).

use super::Flaw;

/// What a datagram carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Datagram<'a> {
    /// A segment document, or what should be one.
    Document(&'a [u8]),
    /// OTLP in base64.
    Traces(&'a [u8]),
    /// Spans that the sender's sampler did not choose: sent for figures, not for traces.
    UnsampledTraces(&'a [u8]),
    Metrics(&'a [u8]),
}

/// Longer headers are none: senders' have 29 to 33 bytes.
const HEADER_BYTES_MAX: usize = 256;

impl<'a> Datagram<'a> {
    /// Reads the header and tells what follows.
    pub fn read(datagram: &'a [u8]) -> Result<Self, Flaw> {
        let head = &datagram[..datagram.len().min(HEADER_BYTES_MAX)];
        let end = head.iter().position(|byte| *byte == b'\n').ok_or(Flaw::Header)?;
        if !is_header(&head[..end]) {
            return Err(Flaw::Header);
        }
        let body = datagram[end + 1..].trim_ascii();
        match body {
            [] => Err(Flaw::Empty),
            [b'T', b'1', b'S', traces @ ..] => Ok(Datagram::Traces(traces)),
            [b'T', b'1', b'U', traces @ ..] => Ok(Datagram::UnsampledTraces(traces)),
            [b'M', b'1', metrics @ ..] => Ok(Datagram::Metrics(metrics)),
            // What the first of these exporters sent, before there was a word for unsampled.
            [b'T', b'1', traces @ ..] => Ok(Datagram::Traces(traces)),
            _ => Ok(Datagram::Document(body)),
        }
    }
}

fn is_header(line: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Header<'a> {
        #[serde(borrow)]
        format: std::borrow::Cow<'a, str>,
        version: u64,
    }
    // What nearly all of them are.
    if line == br#"{"format":"json","version":1}"# || line == br#"{"format": "json", "version": 1}"# {
        return true;
    }
    serde_json::from_slice::<Header<'_>>(line)
        .is_ok_and(|header| header.format.eq_ignore_ascii_case("json") && header.version == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_body_is_told_by_its_start() {
        let cases: [(&[u8], Result<Datagram<'_>, Flaw>); 12] = [
            (b"{\"format\":\"json\",\"version\":1}\n{}", Ok(Datagram::Document(b"{}"))),
            (b"{\"format\": \"json\", \"version\": 1}\n{}\n", Ok(Datagram::Document(b"{}"))),
            (b"{\"version\" :1, \"format\":\"JSON\"}\r\n[]", Ok(Datagram::Document(b"[]"))),
            (b"{\"format\":\"json\",\"version\":1}\nT1Sabc", Ok(Datagram::Traces(b"abc"))),
            (b"{\"format\":\"json\",\"version\":1}\nT1Uabc", Ok(Datagram::UnsampledTraces(b"abc"))),
            (b"{\"format\":\"json\",\"version\":1}\nT1abc", Ok(Datagram::Traces(b"abc"))),
            (b"{\"format\":\"json\",\"version\":1}\nM1abc", Ok(Datagram::Metrics(b"abc"))),
            (b"{\"format\":\"json\",\"version\":1}\n \n", Err(Flaw::Empty)),
            (b"{\"format\":\"json\",\"version\":2}\n{}", Err(Flaw::Header)),
            (b"{\"format\":\"xml\",\"version\":1}\n{}", Err(Flaw::Header)),
            (b"{\"format\":\"json\",\"version\":1}{}", Err(Flaw::Header)),
            (b"", Err(Flaw::Header)),
        ];
        for (datagram, expected) in cases {
            assert_eq!(Datagram::read(datagram), expected, "{}", String::from_utf8_lossy(datagram));
        }
    }
}
