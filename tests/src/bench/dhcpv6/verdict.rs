//! The thresholds, and whether they are met.

use std::time::Duration;

use super::{
    super::verdict::{Bound, Verdict},
    contender::Kind,
    sample::{Sample, Samples},
};

/// At a window from here on the thresholds for a busy server hold.
const BUSY_WINDOW: u32 = 64;
/// The window at which the tails are compared.
const TAIL_WINDOW: u32 = 64;
/// The least part of the bare echo's exchanges.
const RATIO_MIN: f64 = 0.7;
/// The fewest exchanges in a second.
const RATE_MIN: f64 = 100_000.0;
/// The most CPU time for an exchange, in microseconds.
const CPU_MAX: f64 = 7.0;
/// The most by which the daemon's p99 is behind the bare echo's, in milliseconds.
const TAIL_MAX: f64 = 0.5;
/// The most resident memory, in MiB.
const MEMORY_MAX: f64 = 64.0;
/// The longest that a lone client waits for an answer, in milliseconds.
const LONE_MAX: f64 = 0.3;

/// All thresholds for which something was measured; `memory` of the daemon is in KiB.
pub(super) fn verdicts(samples: &Samples, memory: u64) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for window in samples.windows() {
        let both = [Kind::BareEcho, Kind::Daemon].map(|kind| samples.median(window, kind));
        if let [Some(echo), Some(daemon)] = both {
            verdicts.extend(at_window(window, &echo, &daemon));
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let mebibytes = memory as f64 / 1024.0;
    verdicts.push(Verdict {
        what: "resident memory, at its peak".into(),
        unit: " MiB",
        measured: mebibytes,
        bound: Bound::AtMost(MEMORY_MAX),
        decimals: 1,
    });
    verdicts
}

fn at_window(window: u32, echo: &Sample, daemon: &Sample) -> Vec<Verdict> {
    let verdict = Verdict::about(format!("window {window}"));
    let mut verdicts = Vec::new();
    if window == 1 {
        let answer = milliseconds(daemon.answer);
        verdicts.push(verdict("a lone client's wait for an answer, p50", " ms", answer, Bound::AtMost(LONE_MAX), 3));
    }
    if window >= BUSY_WINDOW {
        let ratio = daemon.rate / echo.rate;
        verdicts.push(verdict("exchanges, of the bare echo's", "", ratio, Bound::AtLeast(RATIO_MIN), 2));
        verdicts.push(verdict("exchanges a second", "", daemon.rate, Bound::AtLeast(RATE_MIN), 0));
        verdicts.push(verdict("daemon's CPU time for an exchange", " µs", daemon.cpu, Bound::AtMost(CPU_MAX), 2));
    }
    if window == TAIL_WINDOW {
        let behind = milliseconds(daemon.p99) - milliseconds(echo.p99);
        verdicts.push(verdict("p99 behind the bare echo's", " ms", behind, Bound::AtMost(TAIL_MAX), 3));
    }
    verdicts
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::{super::sample::tests::sample, *};

    fn lines(echo: f64, daemon: f64) -> Vec<String> {
        let mut samples = Samples::default();
        for window in [1, 64] {
            samples.add(window, Kind::BareEcho, sample(echo));
            samples.add(window, Kind::Daemon, sample(daemon));
        }
        verdicts(&samples, 64 * 1024 + 103).iter().map(Verdict::to_string).collect()
    }

    #[test]
    fn what_is_met_and_what_is_missed_is_said() {
        assert_eq!(
            lines(150_000.0, 99_000.0),
            [
                "met     window 1: a lone client's wait for an answer, p50: 0.100 ms, at most 0.300 ms",
                "MISSED  window 64: exchanges, of the bare echo's: 0.66, at least 0.70",
                "MISSED  window 64: exchanges a second: 99 000, at least 100 000",
                "met     window 64: daemon's CPU time for an exchange: 5.00 µs, at most 7.00 µs",
                "met     window 64: p99 behind the bare echo's: 0.000 ms, at most 0.500 ms",
                "MISSED  resident memory, at its peak: 64.1 MiB, at most 64.0 MiB",
            ]
        );
        assert!(lines(100_000.0, 100_000.0).iter().take(5).all(|line| line.starts_with("met")));
    }
}
