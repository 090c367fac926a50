//! The real daemon.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal};
use serde_json::Value;

use super::{Ended, Host, Process};

/// How long the daemon may take to serve, on a machine that is busy with something else.
const START_LIMIT: Duration = Duration::from_secs(10);
/// How long it may take to stop before it is killed. That it takes no longer than a second is for a test to see.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// The daemon while it serves. Killed on drop.
#[derive(Debug)]
pub struct Daemon {
    process: Process,
    serving: String,
}

/// A daemon that was told to stop.
#[derive(Clone, Debug)]
pub struct Stopped {
    /// What it counted, by name; counters that are zero are not there.
    pub counters: BTreeMap<String, u64>,
    /// From the signal to its end.
    pub took: Duration,
    /// Its exit status and its whole log.
    pub ended: Ended,
}

impl Stopped {
    /// A counter; zero where there is none of that name.
    #[must_use]
    pub fn counter(&self, name: &str) -> u64 {
        self.counters.get(name).copied().unwrap_or(0)
    }
}

impl Daemon {
    /// The daemon's command: the binary that the environment names in `DHCPV6MACD`, or that of the workspace's release build.
    ///
    /// # Errors
    ///
    /// Where there is none.
    pub fn command(arguments: &[&str]) -> Result<Command> {
        let binary = env::var_os("DHCPV6MACD").map_or_else(built, PathBuf::from);
        ensure!(
            binary.is_file(),
            "there is no {}: build it with `cargo xtask build`, or name another in DHCPV6MACD",
            binary.display()
        );
        let mut command = Command::new(binary);
        command.args(arguments).args(["--log-format", "json"]);
        Ok(command)
    }

    /// Starts the daemon on a host and waits until it serves.
    ///
    /// # Errors
    ///
    /// Where it does not, with all that it said.
    pub fn start(host: &Host, arguments: &[&str]) -> Result<Self> {
        let process = host.start(&Self::command(arguments)?)?;
        let is_serving = |line: &str| field(line, "message").as_deref() == Some("serving");
        let serving = process.wait_for(START_LIMIT, is_serving).context("does not serve")?;
        Ok(Self { process, serving })
    }

    /// A field of the line in which it says that it serves, such as `datapath`.
    ///
    /// # Errors
    ///
    /// Where it says nothing of the kind.
    pub fn says(&self, name: &str) -> Result<String> {
        field(&self.serving, name).with_context(|| format!("no {name} in {}", self.serving))
    }

    /// Runs a daemon that is expected to refuse, and returns how it did. That it refused is for the caller to see.
    ///
    /// # Errors
    ///
    /// Where it still runs after ten seconds, with all that it said.
    pub fn refusal(host: &Host, arguments: &[&str]) -> Result<Ended> {
        host.execute(&Self::command(arguments)?, START_LIMIT)
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    ///
    /// Where it still runs after ten seconds, with all that it said.
    pub fn wait(self) -> Result<Ended> {
        self.process.wait(STOP_LIMIT)
    }

    /// Its process: signals, process number, log.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Its process number.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.process.pid()
    }

    /// Stops it by SIGTERM.
    ///
    /// # Errors
    ///
    /// Where it does not end well, or does not say what it counted.
    pub fn stop(self) -> Result<Stopped> {
        self.stop_by(Signal::TERM)
    }

    /// Stops it by a signal.
    ///
    /// # Errors
    ///
    /// Where it does not end well, or does not say what it counted.
    pub fn stop_by(self, signal: Signal) -> Result<Stopped> {
        let asked = Instant::now();
        self.process.signal(signal)?;
        let ended = self.process.wait(STOP_LIMIT)?;
        let took = asked.elapsed();
        ensure!(ended.status.success(), "the daemon ended with {}: {}", ended.status, ended.output.trim_end());
        let counters = ended.output.lines().rev().find_map(counters_in);
        let counters = counters.with_context(|| format!("no counters in the daemon's log: {}", ended.output))??;
        Ok(Stopped { counters, took, ended })
    }

    /// Ends it by SIGKILL.
    ///
    /// # Errors
    ///
    /// Where it does not end even so.
    pub fn kill(self) -> Result<Ended> {
        self.process.signal(Signal::KILL)?;
        self.process.wait(STOP_LIMIT)
    }
}

fn built() -> PathBuf {
    target().join("release/dhcpv6macd")
}

/// The workspace's target directory.
pub(crate) fn target() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), |target| workspace.join(target))
}

/// A field of a line of the log, such as `message`.
fn field(line: &str, name: &str) -> Option<String> {
    Some(serde_json::from_str::<Value>(line).ok()?.get(name)?.as_str()?.to_owned())
}

/// The counters of the line that a daemon ends with; `None` where this is another line.
fn counters_in(line: &str) -> Option<Result<BTreeMap<String, u64>>> {
    let counters = field(line, "counters").filter(|_| field(line, "message").as_deref() == Some("stopped"))?;
    let counter = |word: &str| {
        let (name, count) = word.split_once('=').with_context(|| format!("no counter: {word}"))?;
        Ok((name.to_owned(), count.parse().with_context(|| format!("no counter: {word}"))?))
    };
    Some(counters.split_whitespace().filter(|word| *word != "none").map(counter).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_read() {
        let line = r#"{"level":"INFO","message":"stopped","counters":"receive_solicit=3 send_reply=2"}"#;
        let counters = counters_in(line).unwrap().unwrap();
        assert_eq!(counters, BTreeMap::from([("receive_solicit".into(), 3), ("send_reply".into(), 2)]));
        assert!(counters_in(&line.replace("=3", "=x")).unwrap().is_err());
        assert!(counters_in(&line.replace("stopped", "serving")).is_none());
        assert!(counters_in("error: nothing of the kind").is_none());
    }
}
