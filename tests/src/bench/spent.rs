//! What a process has spent, as the kernel tells.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result};
use rustix::{io::Errno, process::Pid};

/// What the scheduler counts for a thread (`Documentation/scheduler/sched-stats.rst`).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spent {
    /// Time on a CPU, what the kernel did in interrupts meanwhile included.
    pub(super) executed: Duration,
    /// Time in which it could have run, had nobody else been on the CPU.
    pub(super) waited: Duration,
}

impl Spent {
    /// What was spent since `before`.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            executed: self.executed.saturating_sub(before.executed),
            waited: self.waited.saturating_sub(before.waited),
        }
    }

    /// What the calling thread has spent.
    pub(super) fn by_this_thread() -> Result<Self> {
        Self::read(Path::new("/proc/thread-self/schedstat"))?.context("the calling thread runs")
    }

    /// What all threads of a process that still run have spent.
    pub(super) fn by_process(pid: Pid) -> Result<Self> {
        let tasks = format!("/proc/{}/task", pid.as_raw_nonzero());
        let mut total = Self::default();
        for task in fs::read_dir(&tasks).with_context(|| format!("cannot read {tasks}"))? {
            if let Some(spent) = Self::read(&task?.path().join("schedstat"))? {
                total.executed += spent.executed;
                total.waited += spent.waited;
            }
        }
        Ok(total)
    }

    /// `None` where the thread has ended while it was looked for.
    fn read(file: &Path) -> Result<Option<Self>> {
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::NOENT | Errno::SRCH)) => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
        };
        let mut numbers = text.split_whitespace().map_while(|number| number.parse().ok()).map(Duration::from_nanos);
        let spent = numbers.next().zip(numbers.next()).map(|(executed, waited)| Self { executed, waited });
        Ok(Some(spent.with_context(|| format!("{} holds {text}", file.display()))?))
    }
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
    use std::thread;

    use rustix::process::getpid;

    use super::*;

    #[test]
    fn this_process_has_spent_something() {
        // The kernel counts when a thread leaves its CPU, or at the next tick.
        thread::sleep(Duration::from_millis(1));
        let (thread, process) = (Spent::by_this_thread().unwrap(), Spent::by_process(getpid()).unwrap());
        assert!(Duration::ZERO < thread.executed && thread.executed <= process.executed);
        assert!((100..10_000_000).contains(&memory_peak(getpid()).unwrap()));
    }
}
