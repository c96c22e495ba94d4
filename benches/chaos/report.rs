//! What is printed: a line a round, everything known of a violation, a summary.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::check::Findings;
use crate::gateway::log_tail;
use crate::kind::Kind;
use crate::plan::Plan;
use crate::round::Outcome;

/// The sums of all rounds.
#[derive(Default)]
pub struct Summary {
    rounds: u64,
    failed: Vec<u64>,
    sums: Findings,
}

impl Summary {
    /// Prints a round's line, and adds it up.
    pub fn add(&mut self, plan: &Plan, outcome: &Outcome, directory: &Path) {
        let findings = &outcome.findings;
        let verdict = if findings.violations.is_empty() { "ok" } else { "VIOLATED" };
        println!(
            "round {:>3}  seed {}  {:.1} s  {verdict}  {}",
            self.rounds + 1,
            plan.seed,
            outcome.took.as_secs_f64(),
            line(findings)
        );
        if !findings.violations.is_empty() {
            print!("{plan}");
            for violation in &findings.violations {
                println!("  ✗ {violation}");
            }
            for kind in Kind::ALL {
                println!("  answers of {}: {:?}", kind.name(), findings.answers[kind as usize]);
            }
            print_remains(directory);
        }
        self.rounds += 1;
        if !findings.violations.is_empty() {
            self.failed.push(plan.seed);
        }
        self.add_up(findings);
    }

    /// Notes a round that could not be run to its end.
    pub fn add_broken(&mut self, plan: &Plan, problem: &anyhow::Error, directory: &Path) {
        self.rounds += 1;
        self.failed.push(plan.seed);
        println!("round {:>3}  seed {}  DID NOT END: {problem:#}", self.rounds, plan.seed);
        print!("{plan}");
        print_remains(directory);
    }

    fn add_up(&mut self, findings: &Findings) {
        let sums = &mut self.sums;
        sums.acknowledged += findings.acknowledged;
        sums.unknown += findings.unknown;
        sums.refused += findings.refused;
        sums.kills += findings.kills;
        sums.stops += findings.stops;
        sums.reloads += findings.reloads;
        sums.scrapes += findings.scrapes;
        sums.recovery_max = sums.recovery_max.max(findings.recovery_max);
        for index in 0..Kind::ALL.len() {
            sums.delivered[index] += findings.delivered[index];
            sums.dropped[index] += findings.dropped[index];
            merge(&mut sums.duplicates[index], &findings.duplicates[index]);
            merge(&mut sums.answers[index], &findings.answers[index]);
        }
    }

    /// Prints the sums; whether all promises were kept.
    pub fn print(&self, took: Duration) -> bool {
        println!("\n{} rounds in {:.0} s: {}", self.rounds, took.as_secs_f64(), line(&self.sums));
        for kind in Kind::ALL {
            println!(
                "  {}: {} delivered, {} refused for good, duplicates {:?}, answers {:?}",
                kind.name(),
                self.sums.delivered[kind as usize],
                self.sums.dropped[kind as usize],
                self.sums.duplicates[kind as usize],
                self.sums.answers[kind as usize]
            );
        }
        if self.failed.is_empty() {
            println!("  every promise was kept");
        } else {
            println!(
                "  VIOLATED in {} rounds; again with --rounds 1 --seed one of {:?}",
                self.failed.len(),
                self.failed
            );
        }
        self.failed.is_empty()
    }
}

fn print_remains(directory: &Path) {
    println!("  kept: {}\n  end of its log:\n{}", directory.display(), log_tail(directory));
}

fn line(findings: &Findings) -> String {
    let duplicates: Vec<u64> = findings.duplicates.iter().map(|causes| causes.values().sum()).collect();
    format!(
        "{} kills, {} stops, {} files; {} spans acknowledged, {} unknown, {} refused; delivered {:?}, dropped {:?}, \
         duplicates {duplicates:?}; {} scrapes; slowest recovery {} ms",
        findings.kills,
        findings.stops,
        findings.reloads,
        findings.acknowledged,
        findings.unknown,
        findings.refused,
        findings.delivered,
        findings.dropped,
        findings.scrapes,
        findings.recovery_max.as_millis()
    )
}

fn merge(into: &mut BTreeMap<&'static str, u64>, from: &BTreeMap<&'static str, u64>) {
    for (word, count) in from {
        *into.entry(word).or_default() += count;
    }
}
