//! `check`: all problems of the configuration; with `--probe`, what each vendor says.

use std::path::Path;

use super::{block_on, load};
use crate::config::Config;
use crate::exporter::contract::Outcome;
use crate::exporter::pace::Preview;

pub fn check(path: &Path, probe: bool) -> anyhow::Result<()> {
    let (config, _) = load(path)?;
    let file = path.display().to_string();
    for unset in &config.tolerated {
        println!("note: {}", unset.line(&file));
    }
    for named in &config.gateway.exporters {
        match named.config.preview() {
            Preview::On => println!("note: exporter `{}` is in preview: it shows, it sends nothing", named.name),
            Preview::Auto => println!("note: exporter `{}` sends if it finds credentials, else shows", named.name),
            Preview::Off => {}
        }
    }
    let (exporters, routes) = (config.gateway.exporters.len(), config.router.routes.len());
    println!("{file} is fine: {exporters} exporters, {routes} routes and a default");
    if probe { block_on(ask_vendors(&config)) } else { Ok(()) }
}

/// Sends each vendor a request without telemetry: address, TLS and credentials are tried, nothing is stored.
async fn ask_vendors(config: &Config) -> anyhow::Result<()> {
    let mut failed = 0;
    for named in &config.gateway.exporters {
        let name = &named.name;
        if named.config.preview() == Preview::On {
            println!("{name}: not asked, it is in preview");
            continue;
        }
        let exporter = named.config.build().await?;
        let asked = tokio::time::timeout(named.config.pace().timeout, exporter.probe()).await;
        let problem = match asked {
            Ok(Outcome::Accepted { .. } | Outcome::AcceptedLess { .. }) => {
                println!("{name}: fine");
                continue;
            }
            Ok(Outcome::Unauthorized { message }) => format!("refuses the credentials or the path: {message}"),
            Ok(Outcome::Retry { message, .. }) => format!("cannot be reached or is busy: {message}"),
            Ok(Outcome::TooLarge { message } | Outcome::Refused { message, .. }) => format!("refuses: {message}"),
            Err(_) => format!("gave no answer within {:?}", named.config.pace().timeout),
        };
        println!("{name}: {problem}");
        failed += 1;
    }
    anyhow::ensure!(failed == 0, "{failed} of {} exporters cannot send", config.gateway.exporters.len());
    Ok(())
}
