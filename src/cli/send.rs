//! `send`: telemetry to a gateway, to see it work.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, bail};
use http_body_util::BodyExt;

use super::{block_on, input, sample};
use crate::otlp::{Batch, Signal, json};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The base URL, as in OTEL_EXPORTER_OTLP_ENDPOINT.
    #[arg(long, default_value = "http://127.0.0.1:4318", value_name = "URL")]
    to: String,
    #[arg(long, value_enum, default_value = "http/protobuf")]
    protocol: Protocol,
    /// What the inputs hold, where it cannot be told from them.
    #[arg(long, value_parser = super::explain::parse_signal)]
    signal: Option<Signal>,
    /// OTLP as .json (also JSON lines) or .pb, or - for standard input. Without one: a sample of now.
    inputs: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Protocol {
    Grpc,
    #[value(name = "http/protobuf")]
    HttpProtobuf,
    #[value(name = "http/json")]
    HttpJson,
}

const TIMEOUT: Duration = Duration::from_secs(10);

pub fn send(arguments: &Arguments) -> anyhow::Result<()> {
    let batches = input::read_all(&arguments.inputs, arguments.signal, sample::Moment::Now)?;
    block_on(async {
        let mut client = reqwest::Client::builder().timeout(TIMEOUT).no_proxy();
        if arguments.protocol == Protocol::Grpc {
            client = client.http2_prior_knowledge();
        }
        let client = client.build()?;
        for batch in &batches {
            let base = arguments.to.trim_end_matches('/');
            let answer = match arguments.protocol {
                Protocol::Grpc => post_grpc(&client, base, batch).await,
                protocol => post_http(&client, base, batch, protocol).await,
            };
            let answer = answer.with_context(|| format!("{} to {base}", batch.signal))?;
            println!("{}: {} sent to {base}: {answer}", batch.signal, count(batch));
            std::io::stdout().flush()?;
        }
        Ok(())
    })
}

fn count(batch: &Batch) -> String {
    format!("{} {}{}", batch.weight, batch.signal.item_name(), if batch.weight == 1 { "" } else { "s" })
}

async fn post_http(client: &reqwest::Client, base: &str, batch: &Batch, protocol: Protocol) -> anyhow::Result<String> {
    let post = client.post(format!("{base}/v1/{}", batch.signal));
    let post = if protocol == Protocol::HttpJson {
        let mut text = String::new();
        json::write(batch.signal, &batch.body, &mut text);
        post.header("content-type", "application/json").body(text)
    } else {
        post.header("content-type", "application/x-protobuf").body(batch.body.clone())
    };
    let response = post.send().await?;
    let status = response.status();
    let body = response.bytes().await?;
    let said = String::from_utf8_lossy(&body);
    if !status.is_success() {
        bail!("{status} {said}");
    }
    Ok(if matches!(&*body, b"" | b"{}") { status.to_string() } else { format!("{status} {said}") })
}

async fn post_grpc(client: &reqwest::Client, base: &str, batch: &Batch) -> anyhow::Result<String> {
    let service = match batch.signal {
        Signal::Traces => "trace.v1.TraceService",
        Signal::Metrics => "metrics.v1.MetricsService",
        Signal::Logs => "logs.v1.LogsService",
    };
    let mut framed = vec![0];
    framed.extend_from_slice(&u32::try_from(batch.body.len()).context("too large for gRPC")?.to_be_bytes());
    framed.extend_from_slice(&batch.body);
    let response = client
        .post(format!("{base}/opentelemetry.proto.collector.{service}/Export"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(framed)
        .send()
        .await?;
    let headers = response.headers().clone();
    let collected = http::Response::from(response).into_body().collect().await?;
    // An error without a message has its status in the headers, everything else in the trailers.
    let find = |name: &str| {
        let trailers = collected.trailers().and_then(|trailers| trailers.get(name));
        trailers.or_else(|| headers.get(name)).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    match find("grpc-status").as_deref() {
        Some("0") => Ok("OK".to_owned()),
        Some(code) => bail!("gRPC status {code}: {}", find("grpc-message").unwrap_or_default()),
        None => bail!("no gRPC answer"),
    }
}
