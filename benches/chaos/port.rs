//! [`Port`]: a loopback port that stays ours while nobody listens on it.

use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpSocket};

const BACKLOG: u32 = 1024;

/// Holds a port by a socket that is bound and never listens: connecting is refused, and no other program is given it.
pub struct Port {
    pub address: SocketAddr,
    _holder: TcpSocket,
}

impl Port {
    pub fn hold() -> anyhow::Result<Self> {
        let holder = bound(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        Ok(Self { address: holder.local_addr()?, _holder: holder })
    }

    pub fn listen(&self) -> anyhow::Result<TcpListener> {
        let listening = bound(self.address).and_then(|socket| Ok(socket.listen(BACKLOG)?));
        listening.with_context(|| format!("cannot listen on {}", self.address))
    }
}

fn bound(address: SocketAddr) -> anyhow::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    // Several sockets may share the address as long as one of them listens at most.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}
