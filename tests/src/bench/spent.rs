//! What a process has spent, as the kernel tells.

use std::{fs, io, time::Duration};

use anyhow::{Context as _, Result};
use rustix::{io::Errno, process::Pid};

/// CPU time of all threads of a process that still run, to the nanosecond: what they executed, and what the kernel did in
/// interrupts meanwhile (`/proc/<pid>/task/<tid>/schedstat`, `Documentation/scheduler/sched-stats.rst`).
pub(super) fn cpu_time(pid: Pid) -> Result<Duration> {
    let tasks = format!("/proc/{}/task", pid.as_raw_nonzero());
    let mut total = Duration::ZERO;
    for task in fs::read_dir(&tasks).with_context(|| format!("cannot read {tasks}"))? {
        let file = task?.path().join("schedstat");
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            // A thread may end while it is looked for.
            Err(error)
                if error.kind() == io::ErrorKind::NotFound || Errno::from_io_error(&error) == Some(Errno::SRCH) =>
            {
                continue;
            }
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
        };
        let executed = text.split_whitespace().next().context("an empty schedstat")?;
        total += Duration::from_nanos(executed.parse().with_context(|| format!("{} holds {text}", file.display()))?);
    }
    Ok(total)
}

/// The most memory that a process has had resident, in KiB (`VmHWM`, `proc_pid_status(5)`).
pub(super) fn memory_peak(pid: Pid) -> Result<u64> {
    let file = format!("/proc/{}/status", pid.as_raw_nonzero());
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
    let peak =
        text.lines().find_map(|line| line.strip_prefix("VmHWM:")).with_context(|| format!("no VmHWM in {file}"))?;
    peak.trim().trim_end_matches(" kB").parse().with_context(|| format!("{file} says {peak}"))
}

#[cfg(test)]
mod tests {
    use rustix::process::getpid;

    use super::*;

    #[test]
    fn this_process_has_spent_something() {
        assert!(cpu_time(getpid()).unwrap() > Duration::ZERO);
        assert!((100..10_000_000).contains(&memory_peak(getpid()).unwrap()));
    }
}
