//! How far it is: a bar that moves on a terminal, one plain line at the end anywhere else.

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

/// Characters of the bar.
const WIDTH: u64 = 24;
/// A person sees no more often than this.
const REDRAW_AFTER: Duration = Duration::from_millis(30);

/// A bar with a name in front of it, and how many of what behind it; narrow enough for a terminal of 80 columns.
#[derive(Debug)]
pub struct Progress {
    name: String,
    whole: u64,
    what: &'static str,
    drawn: Option<Instant>,
    is_terminal: bool,
}

impl Progress {
    /// Nothing is done of `whole`.
    #[must_use]
    pub fn new(name: String, whole: u64, what: &'static str) -> Self {
        Self { name, whole, what, drawn: None, is_terminal: io::stdout().is_terminal() }
    }

    /// Draws the bar again, if it was not just drawn.
    pub fn show(&mut self, done: u64) {
        let now = Instant::now();
        if !self.is_terminal || self.drawn.is_some_and(|drawn| now.duration_since(drawn) < REDRAW_AFTER) {
            return;
        }
        self.drawn = Some(now);
        let mut out = io::stdout();
        // A terminal that is gone is told by the line at the end.
        _ = write!(out, "\r{}", self.bar(done)).and_then(|()| out.flush());
    }

    /// Draws it for the last time.
    ///
    /// # Errors
    ///
    /// Where standard output is gone.
    pub fn finish(mut self, done: u64, elapsed: Duration) -> io::Result<()> {
        self.drawn = None;
        writeln!(io::stdout(), "{}", self.last_line(done, elapsed))
    }

    fn last_line(&self, done: u64, elapsed: Duration) -> String {
        let elapsed = elapsed.as_secs_f64();
        match self.is_terminal {
            true => format!("\r{} in {elapsed:.3} s", self.bar(done)),
            false => format!("{}: {done} of {} {} in {elapsed:.3} s", self.name, self.whole, self.what),
        }
    }

    fn bar(&self, done: u64) -> String {
        let full = done.min(self.whole) * WIDTH / self.whole.max(1);
        let bar: String = (0..WIDTH).map(|at| if at < full { '█' } else { '░' }).collect();
        let width = self.whole.to_string().len();
        format!("{:12} {bar} {done:>width$}/{} {}", self.name, self.whole, self.what)
    }
}

/// Whatever is told next, such as why it never became whole, is told on a line of its own.
impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            _ = writeln!(io::stdout());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(is_terminal: bool) -> Progress {
        Progress { name: "XDP native".into(), whole: 200, what: "answered", drawn: None, is_terminal }
    }

    #[test]
    fn the_bar_is_full_when_all_is_done() {
        let progress = progress(true);
        assert!(progress.bar(200).contains(&"█".repeat(24)) && progress.bar(0).contains(&"░".repeat(24)));
        assert!(progress.bar(100).contains(&format!("{}{} 100/200 answered", "█".repeat(12), "░".repeat(12))));
    }

    #[test]
    fn where_there_is_no_terminal_the_last_line_is_plain() {
        let line = progress(false).last_line(200, Duration::from_millis(4));
        assert_eq!(line, "XDP native: 200 of 200 answered in 0.004 s");
    }
}
