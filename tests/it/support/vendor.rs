//! A vendor on a free port: keeps every request, answers as it is told.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// What is answered: status, one header, body.
pub type Answer = (u16, Option<(&'static str, String)>, Vec<u8>);

/// The stand-in.
#[derive(Clone)]
pub struct Vendor {
    pub address: SocketAddr,
    received: Arc<watch::Sender<Vec<Received>>>,
    answers: Arc<Mutex<VecDeque<Answer>>>,
}

impl Vendor {
    /// Starts one; after the scripted answers it gives 200 with the body `{}`.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let vendor = Vendor {
            address: listener.local_addr().unwrap(),
            received: Arc::new(watch::Sender::new(Vec::new())),
            answers: Arc::default(),
        };
        let serving = vendor.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let vendor = serving.clone();
                tokio::spawn(async move {
                    let service = hyper::service::service_fn(move |request| vendor.clone().answer(request));
                    let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        vendor
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Scripts the next answer.
    pub fn then(&self, status: u16, header: Option<(&'static str, &str)>, body: &[u8]) {
        let header = header.map(|(name, value)| (name, value.to_owned()));
        self.answers.lock().unwrap().push_back((status, header, body.to_vec()));
    }

    /// Waits until so many requests came, and gives all there are.
    pub async fn wait_for(&self, count: usize) -> Vec<Received> {
        let mut received = self.received.subscribe();
        let waited = received.wait_for(|received| received.len() >= count);
        tokio::time::timeout(std::time::Duration::from_secs(20), waited)
            .await
            .expect("requests in time")
            .unwrap()
            .clone()
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.borrow().clone()
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let path = parts.uri.path().to_owned();
        let scripted = self.answers.lock().unwrap().pop_front();
        let (status, header, answer) = scripted.unwrap_or((200, None, b"{}".to_vec()));
        self.received.send_modify(|received| received.push(Received { path, headers: parts.headers, body }));
        let mut response = Response::builder().status(status).header("content-type", "application/json");
        if let Some((name, value)) = header {
            response = response.header(name, value);
        }
        Ok(response.body(Full::new(answer.into())).unwrap())
    }
}
