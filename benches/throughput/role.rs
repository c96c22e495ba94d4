//! What the helper processes have in common: how they are named, serve, tell their address and end.
//!
//! The benchmark starts itself again with `role:NAME` as the first argument, so that each part is a process of its own
//! and its CPU can be told apart. A role prints `listening ADDRESS` once it is ready and ends when its standard input
//! does, that is with its parent, however that ended.

use std::convert::Infallible;
use std::io::Read as _;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;

pub const ROLE_PREFIX: &str = "role:";
pub const READY_PREFIX: &str = "listening ";

pub type Body = BoxBody<Bytes, Infallible>;
pub type Answer = Response<Body>;

/// Runs a role on one thread until it is done or the parent goes away.
pub fn run<F: Future<Output = anyhow::Result<()>>>(role: F) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    end_with_parent();
    runtime.block_on(role)
}

/// Serves HTTP/1.1 and HTTP/2 on a free local port; returns only with an error.
pub async fn serve<F, R>(answer: F) -> anyhow::Result<()>
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + 'static,
    R: Future<Output = Answer> + Send + 'static,
{
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    println!("{READY_PREFIX}{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let answer = answer.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let answer = answer(request);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            // A peer that is killed at the end of a round breaks its connections; that is no event here.
            let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn end_with_parent() {
    std::thread::spawn(|| {
        let mut byte = [0];
        while std::io::stdin().read(&mut byte).is_ok_and(|count| count > 0) {}
        std::process::exit(0);
    });
}
