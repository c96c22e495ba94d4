//! Which core each process may use: the one under test has a core for itself, the others share another.
//!
//! Two processes on one core wait for each other, and their caches are cold in turn; the measured cost then depends on the
//! load generator. With fewer than two cores, without `taskset`, or with `--no-pin`, nothing is pinned.

use std::ffi::OsStr;
use std::process::Command;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    UnderTest,
    Helper,
}

#[derive(Clone, Copy, Debug)]
pub struct Pinning {
    cores: Option<(usize, usize)>,
}

impl Pinning {
    pub const OFF: Self = Self { cores: None };

    /// Takes the last two cores that this process may use; core 0 has the most interrupts to serve.
    pub fn detect() -> Self {
        let allowed = allowed_cores();
        let cores = match allowed[..] {
            [.., helper, under_test] if taskset_exists() => Some((under_test, helper)),
            _ => None,
        };
        Self { cores }
    }

    /// Returns a command that runs `program` in its place. `taskset` becomes the program, so the process id stays.
    pub fn command(self, place: Place, program: impl AsRef<OsStr>) -> Command {
        let Some((under_test, helper)) = self.cores else {
            return Command::new(program);
        };
        let core = match place {
            Place::UnderTest => under_test,
            Place::Helper => helper,
        };
        let mut command = Command::new("taskset");
        command.args(["-c", &core.to_string()]).arg(program);
        command
    }

    pub fn describe(self) -> String {
        match self.cores {
            Some((under_test, helper)) => {
                format!("process under test on core {under_test}, generator and sink on core {helper}")
            }
            None => "nothing is pinned".to_owned(),
        }
    }
}

/// Reads the cores from `Cpus_allowed_list`, such as `0-3,8`.
fn allowed_cores() -> Vec<usize> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or_default();
    let range = |range: &str| {
        let (first, last) = range.trim().split_once('-').unwrap_or((range.trim(), range.trim()));
        Some(first.parse::<usize>().ok()?..=last.parse::<usize>().ok()?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

fn taskset_exists() -> bool {
    Command::new("taskset").arg("--version").output().is_ok_and(|output| output.status.success())
}
