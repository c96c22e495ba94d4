//! The command line: one file a verb.

mod check;
mod explain;
mod health;
mod input;
mod reload;
mod replay;
mod run;
mod sample;
mod send;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Config, ConfigError};
use crate::router::Router;

/// Receives OTLP and delivers it to Honeycomb, AWS X-Ray and Rollbar by the rules of gateway.yaml.
#[derive(Debug, Parser)]
#[command(name = "telemetry-gateway", version, args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    config: ConfigArgument,
}

#[derive(Debug, Clone, clap::Args)]
struct ConfigArgument {
    /// The configuration.
    #[arg(long, short, env = "TELEMETRY_GATEWAY_CONFIG", default_value = "gateway.yaml", value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Runs the gateway; also what happens without a verb.
    Run {
        #[command(flatten)]
        config: ConfigArgument,
    },
    /// Checks the configuration and prints all its problems.
    Check {
        #[command(flatten)]
        config: ConfigArgument,
        /// Also asks each vendor whether it would take telemetry.
        #[arg(long)]
        probe: bool,
    },
    /// Says for each item of the inputs which route takes it, why, and what each exporter would send. Sends nothing.
    Explain(explain::Arguments),
    /// Sends the inputs, or a sample, to a gateway.
    Send(send::Arguments),
    /// Sends to one exporter again: what its vendor refused for good, or what the journal still keeps of a time.
    Replay(replay::Arguments),
    /// Asks the running gateway whether it is ready: for health checks of containers.
    Health {
        #[command(flatten)]
        config: ConfigArgument,
    },
}

/// Reads the command line; ends the process on `--help` and on mistakes.
pub fn arguments() -> Arguments {
    Arguments::parse()
}

/// Does what the command line says. The exit code is 0 when it went well, 1 when not, 2 for a wrong command line.
pub fn run(arguments: Arguments) -> ExitCode {
    let done = match arguments.verb.unwrap_or(Verb::Run { config: arguments.config }) {
        Verb::Run { config } => run::run(&config.config),
        Verb::Check { config, probe } => check::check(&config.config, probe),
        Verb::Explain(arguments) => explain::explain(&arguments),
        Verb::Send(arguments) => send::send(&arguments),
        Verb::Replay(arguments) => replay::replay(&arguments),
        Verb::Health { config } => health::health(&config.config),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Problems of the configuration print as they are, with their places; anything else as one sentence.
            match error.downcast_ref::<ConfigError>() {
                Some(ConfigError::Problems(problems)) => eprintln!("{problems}"),
                _ => eprintln!("telemetry-gateway: {error:#}"),
            }
            ExitCode::FAILURE
        }
    }
}

fn load(path: &Path) -> anyhow::Result<(Config, Router)> {
    Ok(Config::load(path)?)
}

/// A runtime for verbs that ask something over the network and end.
fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    install_crypto();
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(future)
}

/// One provider of cryptography for all TLS of the process.
fn install_crypto() {
    // An error says that one is installed already, which is what is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
