//! The binary: reads the command line, does what it says, tells how it went.

use std::process::ExitCode;

use telemetry_gateway::cli;

fn main() -> ExitCode {
    cli::run(cli::arguments())
}
