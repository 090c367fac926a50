//! How far it is: a bar that moves on a terminal, one line at the end anywhere else.

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

/// Characters of the bar.
const WIDTH: u64 = 40;
/// A person sees no more often than this.
const REDRAW_AFTER: Duration = Duration::from_millis(30);

/// A bar with a name in front of it, and how many of what behind it.
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
        _ = write!(out, "\r{}", self.line(done)).and_then(|()| out.flush());
    }

    /// Draws it for the last time.
    ///
    /// # Errors
    ///
    /// Where standard output is gone.
    pub fn finish(&self, done: u64, elapsed: Duration) -> io::Result<()> {
        let start = if self.is_terminal { "\r" } else { "" };
        writeln!(io::stdout(), "{start}{} in {:.3} s", self.line(done), elapsed.as_secs_f64())
    }

    fn line(&self, done: u64) -> String {
        let full = done.min(self.whole) * WIDTH / self.whole.max(1);
        let bar: String = (0..WIDTH).map(|at| if at < full { '█' } else { '░' }).collect();
        let width = self.whole.to_string().len();
        format!("{:12} {bar} {done:>width$}/{} {}", self.name, self.whole, self.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_is_full_when_all_is_done() {
        let progress = Progress::new("native".into(), 200, "answered");
        assert!(progress.line(200).contains(&"█".repeat(40)) && progress.line(0).contains(&"░".repeat(40)));
        assert!(progress.line(100).contains(&format!("{}{} 100/200 answered", "█".repeat(20), "░".repeat(20))));
    }
}
