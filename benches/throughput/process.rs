//! Child processes that end with the benchmark: the roles, and the gateway itself.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::binary::with_environment;
use crate::load::{LoadPlan, LoadResult};
use crate::pinning::{Pinning, Place};
use crate::role::{READY_PREFIX, ROLE_PREFIX};

/// A full journal of an unoptimised build takes its time.
const START_TIME_MAX: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_micros(250);
const LOG_LINES_SHOWN: usize = 20;

/// A child that is killed when this value is dropped.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        // Both fail only if it is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A helper process of this same program; see [`crate::role`].
pub struct Role {
    child: Guard,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Where it listens; none for the load generator.
    address: Option<SocketAddr>,
}

impl Role {
    pub fn sink(pinning: Pinning) -> anyhow::Result<Self> {
        Self::start(pinning, Place::Helper, "sink", None)
    }

    pub fn mover(pinning: Pinning, sink: SocketAddr) -> anyhow::Result<Self> {
        Self::start(pinning, Place::UnderTest, "mover", Some(sink.to_string()))
    }

    pub fn load(pinning: Pinning, plan: &LoadPlan) -> anyhow::Result<Self> {
        Self::start(pinning, Place::Helper, "load", Some(serde_json::to_string(plan)?))
    }

    fn start(pinning: Pinning, place: Place, name: &str, argument: Option<String>) -> anyhow::Result<Self> {
        let mut child = pinning
            .command(place, std::env::current_exe()?)
            .arg(format!("{ROLE_PREFIX}{name}"))
            .args(argument)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let input = child.stdin.take().context("no standard input")?;
        let output = BufReader::new(child.stdout.take().context("no standard output")?);
        let mut role = Self { child: Guard(child), input, output, address: None };
        let line = role.read_line()?;
        let ready =
            line.strip_prefix(READY_PREFIX.trim_end()).with_context(|| format!("{name} did not start: {line}"))?.trim();
        if !ready.is_empty() {
            role.address = Some(ready.parse()?);
        }
        Ok(role)
    }

    pub fn pid(&self) -> u32 {
        self.child.0.id()
    }

    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        self.address.context("this role does not listen")
    }

    /// Lets a load generator run once.
    pub fn run_load(&mut self, duration: Duration) -> anyhow::Result<LoadResult> {
        writeln!(self.input, "run {}", duration.as_secs_f64())?;
        let line = self.read_line()?;
        serde_json::from_str(&line).with_context(|| format!("the load generator answered {line:?}"))
    }

    fn read_line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}

/// The gateway's binary, started with a configuration of the benchmark's.
pub struct Gateway {
    child: Guard,
    pub http: SocketAddr,
    pub grpc: SocketAddr,
    pub admin: SocketAddr,
    log: PathBuf,
    pub started: Instant,
}

impl Gateway {
    /// Starts it in `directory`, emptied, and waits until it accepts connections. `yaml` is given the addresses to
    /// listen on.
    pub fn start(
        command: Command,
        directory: &Path,
        yaml: impl FnOnce([SocketAddr; 3]) -> String,
    ) -> anyhow::Result<Self> {
        if directory.exists() {
            std::fs::remove_dir_all(directory)?;
        }
        std::fs::create_dir_all(directory)?;
        Self::start_again(command, directory, yaml)
    }

    /// Starts it with what another one has left in `directory`.
    pub fn start_again(
        command: Command,
        directory: &Path,
        yaml: impl FnOnce([SocketAddr; 3]) -> String,
    ) -> anyhow::Result<Self> {
        let [http, grpc, admin] = free_addresses()?;
        let config = directory.join("gateway.yaml");
        std::fs::write(&config, yaml([http, grpc, admin]))?;
        let log = directory.join("gateway.log");
        let (stdout, stderr) = (File::create(&log)?, File::options().append(true).open(&log)?);
        let mut command = with_environment(command);
        command.arg("run").arg("--config").arg(&config).current_dir(directory);
        command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        let started = Instant::now();
        let child = Guard(command.spawn().with_context(|| format!("cannot start {command:?}"))?);
        let mut gateway = Self { child, http, grpc, admin, log, started };
        for address in [http, grpc] {
            gateway.wait_until_open(address)?;
        }
        Ok(gateway)
    }

    pub fn pid(&self) -> u32 {
        self.child.0.id()
    }

    /// Returns the end of what it printed, for people.
    pub fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
    }

    fn wait_until_open(&mut self, address: SocketAddr) -> anyhow::Result<()> {
        while TcpStream::connect(address).is_err() {
            if let Some(status) = self.child.0.try_wait()? {
                anyhow::bail!("the gateway ended with {status}:\n{}", self.log_tail());
            }
            anyhow::ensure!(
                self.started.elapsed() < START_TIME_MAX,
                "the gateway does not listen on {address} after {START_TIME_MAX:?}:\n{}",
                self.log_tail()
            );
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }
}

/// Asks the system for ports that are free now; all are held until all are known, so that they differ.
fn free_addresses() -> anyhow::Result<[SocketAddr; 3]> {
    let listener = || TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)));
    let held = [listener()?, listener()?, listener()?];
    Ok([held[0].local_addr()?, held[1].local_addr()?, held[2].local_addr()?])
}
