//! The log, on standard error.

use std::{
    io::{self, IsTerminal as _, Stderr, Write},
    os::fd::AsFd,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{retry_on_intr, write},
};
use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// How long a line waits for a reader who is slow. The lines behind one that waited in vain do not wait at all.
const PATIENCE: Duration = Duration::from_millis(100);
/// What a pipe that has room takes at once (`PIPE_BUF`, `pipe(7)`), bytes.
const CHUNK: usize = 4096;

static LINES_LOST: AtomicU64 = AtomicU64::new(0);

/// From here on the log is written as configured. To be called once.
///
/// # Errors
///
/// Where there is a log already.
pub fn start(config: &Config) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let writer = Mutex::new(Lines::to(io::stderr()));
    let log =
        tracing_subscriber::fmt().with_env_filter(EnvFilter::try_new(filter(&config.log_level))?).with_writer(writer);
    // It would tell of a line that cannot be written where it cannot be written, and panic over that.
    let log = log.log_internal_errors(false);
    match config.log_format {
        LogFormat::Human => log.with_ansi(io::stderr().is_terminal()).with_target(false).try_init(),
        LogFormat::Json => log.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init(),
    }
}

/// A level alone is the daemon's own: libraries have much to say below a warning, and nothing that an operator asks for. h2 warns of each odd
/// frame, of which any client may send as many as it likes.
fn filter(level: &str) -> String {
    let is_quiet = ["off", "error", "warn"].iter().any(|quiet| quiet.eq_ignore_ascii_case(level));
    match level {
        filter if filter.contains(['=', ',']) => filter.to_owned(),
        quiet if is_quiet => format!("{quiet},h2=off"),
        level => format!("warn,h2=off,{}={level}", env!("CARGO_CRATE_NAME")),
    }
}

/// Lines of the log that nobody took.
#[must_use]
pub fn lines_lost() -> u64 {
    LINES_LOST.load(Ordering::Relaxed)
}

/// Lines for a reader who may stop reading: nobody is kept waiting by that, neither the interface's changes nor the end.
#[derive(Debug)]
struct Lines<F = Stderr> {
    reader: F,
    /// The last line waited in vain.
    has_stalled: bool,
    /// The last line is there in part.
    is_cut: bool,
}

impl<F: AsFd> Lines<F> {
    const fn to(reader: F) -> Self {
        Self { reader, has_stalled: false, is_cut: false }
    }

    fn put(&mut self, line: &[u8]) -> io::Result<()> {
        if self.is_cut {
            self.put_all(b"\n")?;
        }
        self.put_all(line)
    }

    fn put_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.wait()?;
            let chunk = bytes.get(..CHUNK).unwrap_or(bytes);
            let written = retry_on_intr(|| write(&self.reader, chunk))?;
            bytes = bytes.get(written..).unwrap_or_default();
            self.is_cut = !bytes.is_empty();
        }
        Ok(())
    }

    fn wait(&mut self) -> io::Result<()> {
        let patience = if self.has_stalled { Duration::ZERO } else { PATIENCE };
        let patience = Timespec::try_from(patience).map_err(io::Error::other)?;
        let mut reader = [PollFd::new(&self.reader, PollFlags::OUT)];
        self.has_stalled = retry_on_intr(|| poll(&mut reader, Some(&patience)))? == 0;
        if self.has_stalled { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
    }
}

impl<F: AsFd> Write for Lines<F> {
    /// Takes a whole line. One that is lost is counted.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let put = self.put(line);
        if put.is_err() {
            LINES_LOST.fetch_add(1, Ordering::Relaxed);
        }
        put.map(|()| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_level_alone_is_the_daemons_own() {
        for (level, filtered) in [
            ("debug", "warn,h2=off,dhcpv6macd=debug"),
            ("INFO", "warn,h2=off,dhcpv6macd=INFO"),
            ("off", "off,h2=off"),
            ("ERROR", "ERROR,h2=off"),
            ("warn", "warn,h2=off"),
            ("debug,aya=info", "debug,aya=info"),
            ("aya=debug", "aya=debug"),
        ] {
            assert_eq!(filter(level), filtered);
        }
    }

    #[test]
    fn a_line_that_nobody_takes_is_counted_and_the_next_begins_anew() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut lines = Lines::to(writer);
        let long = [&[b'a'; 100_000][..], b"\n"].concat();
        assert_eq!(lines.write(&long).unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(lines.write(b"lost\n").unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(lines_lost(), 2);
        let mut cut = vec![0; 65_536];
        reader.read_exact(&mut cut).unwrap();
        assert!(cut.iter().all(|byte| *byte == b'a'));
        lines.write_all(b"taken\n").unwrap();
        drop(lines);
        let mut rest = String::new();
        reader.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "\ntaken\n");
    }
}
