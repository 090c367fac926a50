//! The benches: the real daemon beside what its rings can do at best, and beside others, in turns of one run.

mod account;
pub mod dhcpv6;
pub mod events;
pub mod http;
mod link;
mod spent;
pub mod tftp;
mod verdict;

use std::{
    cmp::Ordering,
    env, fs,
    io::{self, Write as _},
    process::Command,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};

use crate::lab::{Host, Process};

/// How long a process of this program may take to start.
const START_LIMIT: Duration = Duration::from_secs(10);
/// What it says when it takes frames.
const READY: &str = "ready";

/// This very program as a contender, once it takes frames.
fn own_process(host: &Host, arguments: &[&str]) -> Result<Process> {
    let mut command = Command::new(env::current_exe().context("where this program is")?);
    command.args(arguments);
    let process = host.start(&command)?;
    process.wait_for(START_LIMIT, |line| line.trim_end() == READY)?;
    Ok(process)
}

/// Who started this waits for the line; when it is gone, so is this.
fn say_ready() {
    drop(writeln!(io::stdout(), "{READY}"));
}

/// The last CPU; the servers' first worker is on the first.
fn client_cpu() -> usize {
    thread::available_parallelism().map_or(0, |count| count.get() - 1)
}

/// The kernel's release.
fn kernel() -> Result<String> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").context("cannot read the kernel's release")?;
    Ok(release.trim().to_owned())
}

/// How long a round may last.
fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.01..=3600.0).contains(&seconds) { Ok(seconds) } else { Err("not from 0.01 to 3600".to_owned()) }
}

/// The one in the middle; of an even number the lower one.
fn median<S, T: PartialOrd>(rounds: &[S], value: impl Fn(&S) -> T) -> Option<T> {
    let mut values: Vec<_> = rounds.iter().map(value).collect();
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal));
    let middle = values.len().checked_sub(1)? / 2;
    values.into_iter().nth(middle)
}
