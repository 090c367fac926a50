//! What a server has spent with all its processes, those that have ended included: a control group for it alone.

use std::{fs, io, path::PathBuf, thread, time::Duration};

use anyhow::{Context as _, Result};
use rustix::{io::Errno, process::Pid};

/// How often it is tried to remove a group whose processes are just ending.
const REMOVAL_TRIES: u32 = 100;
const REMOVAL_PAUSE: Duration = Duration::from_millis(5);

/// A group of version 2 (`Documentation/admin-guide/cgroup-v2.rst`), gone on drop with all that is still in it: a server's children may
/// outlive it.
#[derive(Debug)]
pub(super) struct Account {
    directory: PathBuf,
}

impl Account {
    /// A group for a process, whom it has started, and all that they will start.
    pub(super) fn of(pid: Pid) -> Result<Self> {
        let pid = pid.as_raw_nonzero();
        let directory = mounted()?.join(format!("dhcpv6macd-bench-{pid}"));
        fs::create_dir(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
        let account = Self { directory };
        account.enter(&pid.to_string())?;
        Ok(account)
    }

    /// Takes a process in, and whom it has started by now. Whom it will start is in its group.
    fn enter(&self, pid: &str) -> Result<()> {
        let file = self.directory.join("cgroup.procs");
        match fs::write(&file, pid) {
            // It has ended.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::SRCH) => return Ok(()),
            written => written.with_context(|| format!("cannot write to {}", file.display()))?,
        }
        let children = format!("/proc/{pid}/task/{pid}/children");
        match fs::read_to_string(&children) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            read => {
                let read = read.with_context(|| format!("cannot read {children}"))?;
                read.split_whitespace().try_for_each(|child| self.enter(child))
            }
        }
    }

    /// CPU time since the group was made.
    pub(super) fn executed(&self) -> Result<Duration> {
        let file = self.directory.join("cpu.stat");
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let microseconds = text.lines().find_map(|line| line.strip_prefix("usage_usec "));
        let microseconds = microseconds.with_context(|| format!("no usage_usec in {}", file.display()))?;
        Ok(Duration::from_micros(microseconds.parse().with_context(|| format!("{} says {text}", file.display()))?))
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        // Where the kernel knows no such file (before 5.14), they end by themselves some time.
        drop(fs::write(self.directory.join("cgroup.kill"), "1"));
        for _ in 0..REMOVAL_TRIES {
            match fs::remove_dir(&self.directory) {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => thread::sleep(REMOVAL_PAUSE),
                // Who has made it may remove it.
                _ => return,
            }
        }
    }
}

/// Where the groups are.
fn mounted() -> Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").context("cannot read what is mounted")?;
    let groups = mounts.lines().map(|line| line.split(' ')).find_map(|mut words| {
        let (place, kind) = (words.nth(1)?, words.next()?);
        (kind == "cgroup2").then(|| place.into())
    });
    groups.context("no cgroup2 is mounted: CPU time cannot be told")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_child_that_has_ended_is_paid_for() {
        let work = "(timeout 1 sh -c 'while :; do :; done'); sleep 60";
        let mut process = Command::new("sh").args(["-c", work]).spawn().unwrap();
        // It has a child by then.
        thread::sleep(Duration::from_millis(100));
        let account = Account::of(Pid::from_child(&process)).unwrap();
        thread::sleep(Duration::from_millis(1500));
        assert!(account.executed().unwrap() > Duration::from_millis(50));
        let directory = account.directory.clone();
        drop(account);
        assert!(!directory.exists());
        assert!(!process.wait().unwrap().success(), "killed with the group");
    }
}
