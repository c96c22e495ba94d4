//! A whole gateway on free ports, configured by YAML, in this process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use telemetry_gateway::admin::Admin;
use telemetry_gateway::config::Config;
use telemetry_gateway::gateway::{Deliveries, Gateway, Status};
use telemetry_gateway::receiver::Receiver;
use tokio_util::sync::CancellationToken;

/// The running gateway.
pub struct Stage {
    pub gateway: Arc<Gateway>,
    /// Of the two OTLP listeners; both serve both protocols.
    pub otlp: Vec<SocketAddr>,
    pub admin: SocketAddr,
    pub http: reqwest::Client,
    deliveries: Deliveries,
    stop: CancellationToken,
    receiving: tokio::task::JoinHandle<()>,
}

/// Puts `exporters`, `routes`, `default` and what else is wanted under listeners on free ports.
pub fn yaml(rest: &str) -> String {
    format!(
        "admin: {{ listen: \"127.0.0.1:0\" }}\nreceivers:\n  otlp:\n    listen: [\"127.0.0.1:0\", \"127.0.0.1:0\"]\n{rest}"
    )
}

/// With the journal in memory unless a test says otherwise: the default would write into the folder that the tests run in.
fn in_memory(yaml: &str) -> String {
    match yaml {
        _ if yaml.contains("durability:") => yaml.to_owned(),
        _ if yaml.contains("journal: {") => yaml.replace("journal: {", "journal: { durability: memory,"),
        _ => format!("journal: {{ durability: memory }}\n{yaml}"),
    }
}

impl Stage {
    pub async fn start(rest: &str) -> Self {
        Stage::start_with(&yaml(rest)).await
    }

    /// Starts with all of the YAML given.
    pub async fn start_with(yaml: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (config, router) =
            Config::parse("gateway.yaml", in_memory(yaml), &|_| None).unwrap_or_else(|problems| panic!("{problems}"));
        let gateway = Arc::new(Gateway::new(&config.gateway, router).await.unwrap());
        let receiver = Receiver::bind(&config.receivers.otlp, Arc::clone(&gateway)).await.unwrap();
        let admin = Admin::bind(&config.admin, Arc::clone(&gateway)).await.unwrap();
        let stop = CancellationToken::new();
        let (otlp, admin_address) = (receiver.addresses(), admin.address().unwrap());
        let deliveries = gateway.start();
        let receiving = tokio::spawn(receiver.run(stop.clone()));
        tokio::spawn(admin.run(stop.clone()));
        gateway.set_ready(true);
        Stage { gateway, otlp, admin: admin_address, http: reqwest::Client::new(), deliveries, stop, receiving }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.otlp[1])
    }

    /// Posts to the OTLP listener that is known for HTTP.
    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: impl Into<reqwest::Body>) -> Answered {
        let mut post = self.http.post(self.url(path)).body(body);
        for (name, value) in headers {
            post = post.header(*name, *value);
        }
        Answered::of(post.send().await.unwrap()).await
    }

    pub async fn get_admin(&self, path: &str) -> Answered {
        Answered::of(self.http.get(format!("http://{}{path}", self.admin)).send().await.unwrap()).await
    }

    pub fn status(&self) -> Status {
        self.gateway.status()
    }

    /// Stops as the binary does, and gives the last status.
    pub async fn stop(mut self, grace: Duration) -> Status {
        let deadline = tokio::time::Instant::now() + grace;
        self.gateway.set_ready(false);
        self.stop.cancel();
        match tokio::time::timeout(grace / 3, &mut self.receiving).await {
            Ok(ended) => ended.unwrap(),
            Err(_) => self.receiving.abort(),
        }
        self.deliveries.drain(deadline.saturating_duration_since(tokio::time::Instant::now())).await;
        self.gateway.status()
    }
}

/// An answer, read.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: bytes::Bytes,
}

impl Answered {
    async fn of(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answered { status, headers, body: response.bytes().await.unwrap() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}
