//! Programs inside a host: what they write is kept, how they end is told, and none outlives this process.

use std::{
    collections::VecDeque,
    ffi::OsStr,
    io::{self, BufRead as _, BufReader, PipeReader},
    process::{Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use dhcpv6macd::datapath::namespace::Namespace;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::OwnedFd,
    io::Errno,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};

/// What a program has written may come a little after its end, or never where a child of its own holds the pipe.
const LAST_WORDS_LIMIT: Duration = Duration::from_millis(500);
/// Most lines that are kept of what a program writes: the last ones.
const LINES_MAX: usize = 10_000;

/// A program that runs. Killed on drop.
#[derive(Debug)]
pub struct Process {
    command: String,
    pid: Pid,
    pidfd: OwnedFd,
    output: Arc<Output>,
    keeper: Option<JoinHandle<io::Result<ExitStatus>>>,
}

/// How a program ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The program and its arguments.
    pub command: String,
    /// Its exit status.
    pub status: ExitStatus,
    /// What it wrote to standard output and standard error, in the order in which it came.
    pub output: String,
}

impl Ended {
    /// What it wrote, if it ended well.
    ///
    /// # Errors
    ///
    /// With what it wrote, if it did not.
    pub fn success(self) -> Result<String> {
        ensure!(self.status.success(), "`{}`: {}: {}", self.command, self.status, self.output.trim_end());
        Ok(self.output)
    }
}

impl Process {
    pub(super) fn start(namespace: Arc<Namespace>, command: &Command) -> Result<Self> {
        let shown = shown(command);
        let (reader, writer) = io::pipe()?;
        let mut kept = tied_to_its_thread(command);
        kept.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
        let (tell, told) = mpsc::sync_channel(1);
        let keeper = thread::Builder::new().name("keeper".into()).spawn(move || keep(&namespace, kept, &tell))?;
        let Ok((pid, pidfd)) = told.recv() else {
            let Ok(Err(error)) = keeper.join() else { bail!("cannot start `{shown}`") };
            return Err(error).with_context(|| format!("cannot start `{shown}`"));
        };
        let output = Arc::new(Output::default());
        let collected = Arc::clone(&output);
        thread::Builder::new().name("output".into()).spawn(move || collected.collect(reader))?;
        Ok(Self { command: shown, pid, pidfd, output, keeper: Some(keeper) })
    }

    /// Its process number.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Sends it a signal; to one that has ended, nothing happens.
    ///
    /// # Errors
    ///
    /// Without the right to.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        match pidfd_send_signal(&self.pidfd, signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("cannot signal `{}`", self.command)),
        }
    }

    /// What it has written so far.
    #[must_use]
    pub fn output(&self) -> String {
        self.output.lock().text()
    }

    /// Waits until it has written a line that `wanted` likes, and returns that line.
    ///
    /// # Errors
    ///
    /// Where it closes its output or `limit` passes before that, with all that it wrote.
    pub fn wait_for(&self, limit: Duration, wanted: impl Fn(&str) -> bool) -> Result<String> {
        self.output.wait_for(limit, wanted).with_context(|| format!("`{}`", self.command))
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    ///
    /// Where that takes longer than `limit`, with all that it wrote; it is killed then.
    pub fn wait(mut self, limit: Duration) -> Result<Ended> {
        let timeout = Timespec::try_from(limit)?;
        if poll(&mut [PollFd::new(&self.pidfd, PollFlags::IN)], Some(&timeout))? == 0 {
            bail!("`{}` still runs after {limit:?}: {}", self.command, self.output().trim_end());
        }
        let status = self.keeper.take().context("a process ends once")?.join();
        let status = status.map_err(|_| anyhow::anyhow!("the keeper of `{}` panicked", self.command))??;
        let output = self.output.last_words();
        Ok(Ended { command: self.command.clone(), status, output })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let Some(keeper) = self.keeper.take() else { return };
        if self.signal(Signal::KILL).is_ok() {
            drop(keeper.join()); // nobody asks for the status of what was killed
        }
    }
}

/// The same command, killed by the kernel when the thread that started it ends.
fn tied_to_its_thread(command: &Command) -> Command {
    let mut tied = Command::new("setpriv");
    tied.args(["--pdeathsig", "KILL", "--"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => tied.env(name, value),
            None => tied.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        tied.current_dir(directory);
    }
    tied
}

/// Starts a command inside the namespace, tells who it is, and stays until it has ended.
fn keep(
    namespace: &Namespace,
    mut command: Command,
    tell: &mpsc::SyncSender<(Pid, OwnedFd)>,
) -> io::Result<ExitStatus> {
    namespace.run(move || {
        let mut child = command.spawn()?;
        drop(command); // and with it our copies of the pipe's end
        let pid = Pid::from_child(&child);
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        tell.send((pid, pidfd)).map_err(io::Error::other)?;
        child.wait()
    })?
}

fn shown(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// What a program has written.
#[derive(Debug, Default)]
struct Output {
    lines: Mutex<Lines>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Lines {
    kept: VecDeque<String>,
    /// Lines that were written, kept or not.
    written: usize,
    is_whole: bool,
}

impl Lines {
    fn text(&self) -> String {
        self.kept.iter().map(String::as_str).collect()
    }
}

impl Output {
    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads to the end of the pipe.
    fn collect(&self, pipe: PipeReader) {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            let mut lines = self.lock();
            if lines.kept.len() == LINES_MAX {
                lines.kept.pop_front();
            }
            lines.kept.push_back(String::from_utf8_lossy(&line).into_owned());
            lines.written += 1;
            self.changed.notify_all();
            line.clear();
        }
        self.lock().is_whole = true;
        self.changed.notify_all();
    }

    fn wait_for(&self, limit: Duration, wanted: impl Fn(&str) -> bool) -> Result<String> {
        let deadline = Instant::now() + limit;
        let mut seen = 0;
        let mut lines = self.lock();
        loop {
            let skip = lines.kept.len().saturating_sub(lines.written - seen);
            if let Some(line) = lines.kept.iter().skip(skip).find(|line| wanted(line)) {
                return Ok(line.clone());
            }
            seen = lines.written;
            let left = deadline.saturating_duration_since(Instant::now());
            ensure!(!lines.is_whole, "ended without the line waited for: {}", lines.text().trim_end());
            ensure!(!left.is_zero(), "nothing of the kind in {limit:?}: {}", lines.text().trim_end());
            lines = self.changed.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// All that was written, as far as it comes in time.
    fn last_words(&self) -> String {
        let lines = self.changed.wait_timeout_while(self.lock(), LAST_WORDS_LIMIT, |lines| !lines.is_whole);
        lines.unwrap_or_else(PoisonError::into_inner).0.text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    fn start(script: &str) -> Process {
        let here = Arc::new(Namespace::current().unwrap());
        Process::start(here, Command::new("sh").args(["-c", script])).unwrap()
    }

    #[test]
    fn a_program_ends_with_its_status_and_its_words() {
        let ended = start("echo out; echo err >&2; exit 3").wait(LIMIT).unwrap();
        assert_eq!((ended.status.code(), ended.output.as_str()), (Some(3), "out\nerr\n"));
        let error = ended.success().unwrap_err().to_string();
        assert!(error.contains("exit 3") && error.contains("err"), "{error}");
    }

    #[test]
    fn a_line_is_waited_for() {
        let process = start("echo one; echo two; exec sleep 60");
        assert_eq!(process.wait_for(LIMIT, |line| line.starts_with("tw")).unwrap(), "two\n");
        let error = process.wait_for(Duration::from_millis(10), |line| line == "three").unwrap_err();
        assert!(format!("{error:#}").contains("one\ntwo"), "{error:#}");
        assert!(process.wait(Duration::from_millis(10)).is_err());
    }

    #[test]
    fn a_program_that_ends_has_no_more_lines() {
        let error = start("echo one").wait_for(LIMIT, |line| line == "two").unwrap_err();
        assert!(format!("{error:#}").contains("ended without"), "{error:#}");
    }

    #[test]
    fn dropped_is_killed() {
        let process = start("exec sleep 60");
        let pidfd = pidfd_open(process.pid(), PidfdFlags::empty()).unwrap();
        drop(process);
        assert_eq!(pidfd_send_signal(&pidfd, Signal::TERM), Err(Errno::SRCH));
    }
}
