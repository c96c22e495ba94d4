//! The gateway's binary: where it is, and what it may see of the environment.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;

/// Finds the gateway: `GATEWAY` if set, else the binary that cargo built beside this program.
pub fn gateway_binary() -> anyhow::Result<Option<PathBuf>> {
    let Some(given) = std::env::var_os("GATEWAY") else {
        return Ok(option_env!("CARGO_BIN_EXE_telemetry-gateway").map(PathBuf::from));
    };
    // Absolute, because the gateway runs in a folder of its own.
    let path = std::fs::canonicalize(&given).with_context(|| format!("GATEWAY={}", given.display()))?;
    Ok(Some(path))
}

/// Gives credentials that sign but open nothing, and takes away what could send traffic elsewhere.
pub fn with_environment(mut command: Command) -> Command {
    for proxy in ["http_proxy", "https_proxy", "all_proxy"] {
        command.env_remove(proxy).env_remove(proxy.to_uppercase());
    }
    command
        .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
        .env_remove("AWS_SESSION_TOKEN")
        .env_remove("AWS_PROFILE")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command
}
