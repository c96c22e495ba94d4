//! [`HttpRequest`]: one HTTP/1.1 request off a socket. By hand, because a stand-in must be able to stop anywhere.

use std::io::{Error, ErrorKind, Read as _};

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// Above what any exporter sends.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;
const HEAD_BYTES_MAX: usize = 64 * 1024;

#[derive(Debug)]
pub struct HttpRequest {
    pub method: String,
    pub path: String,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    /// Inflated.
    pub body: Vec<u8>,
}

impl HttpRequest {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Reads the next request; `buffer` holds what came behind the one before. None where the peer went away in between.
    pub async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> std::io::Result<Option<Self>> {
        let head_end = loop {
            if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            if buffer.len() > HEAD_BYTES_MAX {
                return Err(broken("a head without end"));
            }
            if stream.read_buf(buffer).await? == 0 {
                return if buffer.is_empty() { Ok(None) } else { Err(ErrorKind::UnexpectedEof.into()) };
            }
        };
        let head =
            String::from_utf8(buffer.drain(..head_end).collect()).map_err(|_| broken("a head that is no text"))?;
        let mut lines = head.lines();
        let mut words = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut request = Self { method, path, headers, body: Vec::new() };
        let body = if request.header("transfer-encoding").is_some() {
            read_chunks(stream, buffer).await?
        } else {
            let length =
                request.header("content-length").map_or(Ok(0), str::parse).map_err(|_| broken("its length"))?;
            read_exactly(stream, buffer, length).await?
        };
        request.body = inflate(request.header("content-encoding"), body)?;
        Ok(Some(request))
    }
}

async fn read_exactly(stream: &mut TcpStream, buffer: &mut Vec<u8>, length: usize) -> std::io::Result<Vec<u8>> {
    if length > BODY_BYTES_MAX {
        return Err(broken("a body above any bound"));
    }
    while buffer.len() < length {
        if stream.read_buf(buffer).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(buffer.drain(..length).collect())
}

async fn read_chunks(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line_end = loop {
            if let Some(at) = buffer.windows(2).position(|window| window == b"\r\n") {
                break at;
            }
            if stream.read_buf(buffer).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        };
        let line: Vec<u8> = buffer.drain(..line_end + 2).collect();
        let length = std::str::from_utf8(&line[..line_end])
            .ok()
            .and_then(|text| usize::from_str_radix(text.split(';').next()?.trim(), 16).ok())
            .ok_or_else(|| broken("a chunk without length"))?;
        let chunk = read_exactly(stream, buffer, length + 2).await?;
        if length == 0 {
            return Ok(body);
        }
        body.extend_from_slice(&chunk[..length]);
        if body.len() > BODY_BYTES_MAX {
            return Err(broken("a body above any bound"));
        }
    }
}

fn inflate(encoding: Option<&str>, body: Vec<u8>) -> std::io::Result<Vec<u8>> {
    match encoding {
        None | Some("identity") => Ok(body),
        Some("gzip") => {
            let mut plain = Vec::new();
            flate2::read::MultiGzDecoder::new(&*body).read_to_end(&mut plain)?;
            Ok(plain)
        }
        Some("zstd") => zstd::stream::decode_all(&*body),
        Some(other) => Err(broken(other)),
    }
}

fn broken(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what.to_owned())
}
