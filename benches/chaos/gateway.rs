//! [`Gateway`]: the built binary in its directory: started, killed, stopped, reloaded, started again.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::binary::with_environment;
use crate::http_get::http_get;
use crate::lives::{End, Lives};
use crate::port::Port;
use crate::settings::Settings;

const LOG: &str = "gateway.log";
const START_TIME_MAX: Duration = Duration::from_secs(10);
/// There is no signal from another process's socket to wait for: it is asked again and again.
const LOOK_EVERY: Duration = Duration::from_millis(1);
const LOG_LINES_SHOWN: usize = 30;
/// What a stop may take beyond its grace time: half a second is promised, the rest is for slow machines.
const STOP_SLACK: Duration = Duration::from_secs(2);

/// Everything that stays the same from one process to the next.
pub struct Gateway {
    binary: PathBuf,
    directory: PathBuf,
    pub otlp: Port,
    pub admin: Port,
    pub lives: Arc<Lives>,
    child: Option<Child>,
}

impl Gateway {
    pub fn new(binary: PathBuf, directory: PathBuf, lives: Arc<Lives>) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&directory)?;
        Ok(Self { binary, directory, otlp: Port::hold()?, admin: Port::hold()?, lives, child: None })
    }

    fn config(&self) -> PathBuf {
        self.directory.join("gateway.yaml")
    }

    pub fn journal(&self) -> PathBuf {
        self.directory.join("journal")
    }

    /// Writes gateway.yaml into a file beside it and renames that, as careful editors do.
    pub fn write_by_rename(&self, text: &str) -> anyhow::Result<()> {
        let beside = self.directory.join("gateway.yaml.new");
        std::fs::write(&beside, text)?;
        Ok(std::fs::rename(beside, self.config())?)
    }

    /// Writes over gateway.yaml, as careless ones do: for a moment it is empty.
    pub fn write_in_place(&self, text: &str) -> anyhow::Result<()> {
        Ok(std::fs::write(self.config(), text)?)
    }

    /// Starts a process; it may not be ready yet.
    pub fn spawn(&mut self) -> anyhow::Result<()> {
        let log = File::options().create(true).append(true).open(self.directory.join(LOG))?;
        let mut command = Command::from(with_environment(std::process::Command::new(&self.binary)));
        command.arg("run").arg("--config").arg(self.config()).current_dir(&self.directory).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.lives.begin();
        self.child = Some(command.spawn().with_context(|| format!("cannot start {}", self.binary.display()))?);
        Ok(())
    }

    /// Waits until the process accepts telemetry.
    pub async fn wait_ready(&mut self) -> anyhow::Result<()> {
        let (otlp, admin) = (self.otlp.address, self.admin.address);
        let ready = async {
            loop {
                if let Some(status) = self.child.as_mut().context("no process")?.try_wait()? {
                    anyhow::bail!("it ended with {status}");
                }
                if TcpStream::connect(otlp).await.is_ok()
                    && http_get(admin, "/readyz").await.is_ok_and(|(status, _)| status == 200)
                {
                    return Ok(());
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        match tokio::time::timeout(START_TIME_MAX, ready).await {
            Ok(ready) => ready.context("the gateway did not start")?,
            Err(_) => anyhow::bail!("the gateway is not ready after {START_TIME_MAX:?}"),
        }
        self.lives.ready();
        Ok(())
    }

    pub fn pid(&self) -> anyhow::Result<u32> {
        self.child.as_ref().and_then(Child::id).context("no process")
    }

    /// Says that the process has ended by itself, which it never may.
    pub fn check_alive(&mut self) -> anyhow::Result<()> {
        match self.child.as_mut().map(Child::try_wait) {
            Some(Ok(Some(status))) => anyhow::bail!("the gateway ended by itself with {status}"),
            _ => Ok(()),
        }
    }

    /// Waits until the process ends, for whatever reason.
    pub async fn wait_end(&mut self) {
        if let Some(child) = &mut self.child {
            // An error means that there is none any more.
            let _ = child.wait().await;
        }
    }

    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.check_alive()?;
        self.lives.ending(End::Kill);
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        self.lives.ended();
        Ok(())
    }

    /// Stops it as an orchestrator does; an error where that takes too long or does not end with 0.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        self.check_alive()?;
        self.lives.ending(End::Stop);
        self.signal(Signal::TERM)?;
        let mut child = self.child.take().context("no process")?;
        let bound = Settings::STOP_GRACE + STOP_SLACK;
        let ended = tokio::time::timeout(bound, child.wait()).await;
        self.lives.ended();
        let status: ExitStatus =
            ended.with_context(|| format!("SIGTERM did not end the gateway within {bound:?}"))??;
        anyhow::ensure!(status.success(), "SIGTERM ended the gateway with {status}");
        Ok(())
    }

    /// Asks for a reload.
    pub fn hang_up(&mut self) -> anyhow::Result<()> {
        self.check_alive()?;
        self.signal(Signal::HUP)
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let id = self.child.as_ref().and_then(Child::id).context("no process to send a signal to")?;
        let pid = i32::try_from(id).ok().and_then(Pid::from_raw).context("no process id")?;
        Ok(kill_process(pid, signal)?)
    }
}

/// The end of what all processes of a directory printed, for people.
pub fn log_tail(directory: &Path) -> String {
    let text = std::fs::read_to_string(directory.join(LOG)).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
}
