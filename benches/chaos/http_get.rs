//! One GET to the admin port, which closes each connection behind its answer.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const TIMEOUT: Duration = Duration::from_secs(5);

/// The status and the body.
pub async fn http_get(address: SocketAddr, path: &str) -> anyhow::Result<(u16, Vec<u8>)> {
    let get = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        anyhow::Ok(answer)
    };
    let answer = tokio::time::timeout(TIMEOUT, get).await.context("no answer from the admin port")??;
    let head_end = answer.windows(4).position(|window| window == b"\r\n\r\n").context("an answer without a head")?;
    let status = std::str::from_utf8(&answer[..head_end])?.split(' ').nth(1).context("no status")?.parse()?;
    Ok((status, answer[head_end + 4..].to_vec()))
}
