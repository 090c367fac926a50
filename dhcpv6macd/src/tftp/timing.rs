//! How long a client takes, and how long to wait for it (RFC 6298).

use std::time::Duration;

/// Before anything was measured.
pub(super) const FIRST: Duration = Duration::from_millis(500);
/// The least: below it a client's scheduler is measured, not its link.
const LEAST: Duration = Duration::from_millis(20);
/// The longest wait, unless the client asks for a shorter one: with five tries a transfer outlives what a switch needs after its cable was
/// pulled, and the client's own patience (EDK2: six times four seconds).
const LONGEST: Duration = Duration::from_secs(20);
/// How much longer each wait is than the one before it.
const BACKOFF: u32 = 4;

/// The round trip of one client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    /// Smoothed, and its variation.
    measured: Option<(Duration, Duration)>,
    longest: Duration,
}

impl Timing {
    /// Nothing measured yet; no wait will be longer than so many seconds, where the client says so (RFC 2349).
    pub(super) fn new(timeout: Option<u64>) -> Self {
        Self { measured: None, longest: timeout.map_or(LONGEST, |seconds| LONGEST.min(Duration::from_secs(seconds))) }
    }

    /// Takes a round trip of something that was sent once.
    pub(super) fn measure(&mut self, round_trip: Duration) {
        self.measured = Some(match self.measured {
            None => (round_trip, round_trip / 2),
            Some((smoothed, variation)) => {
                ((7 * smoothed + round_trip) / 8, (3 * variation + smoothed.abs_diff(round_trip)) / 4)
            }
        });
    }

    /// A round trip, roughly.
    pub(super) fn round_trip(&self) -> Duration {
        self.measured.map_or(FIRST, |(smoothed, _)| smoothed)
    }

    /// How long to wait for an answer to what was sent so many times already.
    pub(super) fn wait(&self, tries: u32) -> Duration {
        let first = self.measured.map_or(FIRST, |(smoothed, variation)| smoothed + 4 * variation);
        let factor = BACKOFF.saturating_pow(tries);
        first.max(LEAST).saturating_mul(factor).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_from_what_was_measured() {
        let mut timing = Timing::new(None);
        assert_eq!([0, 1, 2, 9].map(|tries| timing.wait(tries).as_millis()), [500, 2000, 8000, 20_000]);
        timing.measure(Duration::from_micros(100));
        assert_eq!([0, 1, 2, 3, 4].map(|tries| timing.wait(tries).as_millis()), [20, 80, 320, 1280, 5120]);
        for _ in 0..100 {
            timing.measure(Duration::from_millis(100));
        }
        assert!((100..110).contains(&timing.wait(0).as_millis()));
        assert_eq!([1, 255].map(|timeout| Timing::new(Some(timeout)).wait(9).as_millis()), [1000, 20_000]);
    }
}
