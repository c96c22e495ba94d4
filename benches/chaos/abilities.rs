//! What the binary at hand can do: an older build is not driven into what it never promised.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::process::Command;

use crate::binary::with_environment;
use crate::draw::Draw;
use crate::gateway::Gateway;
use crate::settings::{Places, Settings};

/// A process that does not know SIGHUP is gone by then.
const HANG_UP_TIME: Duration = Duration::from_millis(300);

/// The best durability that `check` accepts.
pub async fn durability(binary: &Path, directory: &Path) -> anyhow::Result<String> {
    for word in ["disk", "process"] {
        let gateway = probe(binary, directory, word)?;
        let mut command = Command::from(with_environment(std::process::Command::new(binary)));
        command.arg("check").arg("--config").arg(directory.join("gateway.yaml")).kill_on_drop(true);
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().await?;
        drop(gateway);
        if status.success() {
            return Ok(word.to_owned());
        }
    }
    Ok("memory".to_owned())
}

/// Whether SIGHUP means a reload to it, not its end.
pub async fn reloads(binary: &Path, directory: &Path, durability: &str) -> anyhow::Result<bool> {
    let mut gateway = probe(binary, directory, durability)?;
    gateway.spawn()?;
    gateway.wait_ready().await?;
    gateway.hang_up()?;
    let survives = tokio::time::timeout(HANG_UP_TIME, gateway.wait_end()).await.is_err();
    if survives {
        gateway.stop().await?;
    }
    Ok(survives)
}

/// A gateway with vendors that nobody plays.
fn probe(binary: &Path, directory: &Path, durability: &str) -> anyhow::Result<Gateway> {
    let gateway = Gateway::new(binary.to_owned(), directory.to_owned(), Arc::default())?;
    let places = Places {
        otlp: gateway.otlp.address,
        admin: gateway.admin.address,
        vendors: [gateway.otlp.address; 3],
        journal: &gateway.journal(),
        durability,
    };
    gateway.write_by_rename(&Settings::draw(&mut Draw::new(0)).yaml(&places))?;
    Ok(gateway)
}
