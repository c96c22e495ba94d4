//! `health`: asks the running gateway's `/readyz`.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::{block_on, load};

const TIMEOUT: Duration = Duration::from_secs(3);

pub fn health(path: &Path) -> anyhow::Result<()> {
    let (config, _) = load(path)?;
    let mut address: SocketAddr = config.admin.listen.value.parse()?;
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { [127, 0, 0, 1].into() } else { std::net::Ipv6Addr::LOCALHOST.into() });
    }
    block_on(async move {
        let client = reqwest::Client::builder().timeout(TIMEOUT).no_proxy().build()?;
        let status = client.get(format!("http://{address}/readyz")).send().await?.status();
        anyhow::ensure!(status.is_success(), "not ready: {status}");
        println!("ready");
        Ok(())
    })
}
