//! Rounds, and their medians.

use std::{collections::BTreeMap, time::Duration};

use super::{
    super::{median, spent::Spent},
    contender::Kind,
};
use crate::population::Outcome;

/// One round of one contender.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) elapsed: Duration,
    /// Exchanges in a second.
    pub(super) rate: f64,
    /// Of an exchange.
    pub(super) p50: Duration,
    pub(super) p99: Duration,
    /// Of one answer.
    pub(super) answer: Duration,
    /// CPU time of the server for an exchange, in microseconds.
    pub(super) cpu: f64,
    /// Messages that went unanswered for a second.
    pub(super) lost: u64,
    /// Parts of the round in which the server's threads, and the client, waited for a CPU that others used.
    pub(super) server_waited: f64,
    pub(super) client_waited: f64,
}

impl Sample {
    pub(super) fn new(outcome: &Outcome, server: Spent, client: Spent) -> Self {
        let quantile = |per_mille| outcome.latency.quantile(per_mille).unwrap_or(Duration::MAX);
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
        let exchanges = outcome.exchanges as f64;
        Self {
            elapsed: outcome.elapsed,
            rate: outcome.rate(),
            p50: quantile(500),
            p99: quantile(990),
            answer: outcome.answers.quantile(500).unwrap_or(Duration::MAX),
            cpu: server.executed.as_secs_f64() * 1e6 / exchanges,
            lost: outcome.retransmissions + outcome.unanswered,
            server_waited: server.waited.div_duration_f64(outcome.elapsed),
            client_waited: client.waited.div_duration_f64(outcome.elapsed),
        }
    }
}

/// All rounds.
#[derive(Debug, Default)]
pub(super) struct Samples(BTreeMap<(u32, Kind), Vec<Sample>>);

impl Samples {
    pub(super) fn add(&mut self, window: u32, kind: Kind, sample: Sample) {
        self.0.entry((window, kind)).or_default().push(sample);
    }

    /// The windows, from the narrowest.
    pub(super) fn windows(&self) -> Vec<u32> {
        let mut windows: Vec<_> = self.0.keys().map(|(window, _)| *window).collect();
        windows.dedup();
        windows
    }

    /// The mean over all rounds of the parts in which servers and client waited for a CPU that others used.
    pub(super) fn waited(&self) -> (f64, f64) {
        let rounds = || self.0.values().flatten();
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
        let count = rounds().count().max(1) as f64;
        let server: f64 = rounds().map(|round| round.server_waited).sum();
        let client: f64 = rounds().map(|round| round.client_waited).sum();
        (server / count, client / count)
    }

    /// The median of each number over the rounds; what was lost is summed up.
    pub(super) fn median(&self, window: u32, kind: Kind) -> Option<Sample> {
        let rounds = self.0.get(&(window, kind))?;
        Some(Sample {
            elapsed: rounds.iter().map(|round| round.elapsed).sum(),
            rate: median(rounds, |round| round.rate)?,
            p50: median(rounds, |round| round.p50)?,
            p99: median(rounds, |round| round.p99)?,
            answer: median(rounds, |round| round.answer)?,
            cpu: median(rounds, |round| round.cpu)?,
            lost: rounds.iter().map(|round| round.lost).sum(),
            server_waited: median(rounds, |round| round.server_waited)?,
            client_waited: median(rounds, |round| round.client_waited)?,
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::bench) fn sample(rate: f64) -> Sample {
        let time = Duration::from_micros(200);
        Sample {
            elapsed: time,
            rate,
            p50: time,
            p99: time,
            answer: time / 2,
            cpu: 5.0,
            lost: 1,
            server_waited: 0.2,
            client_waited: 0.1,
        }
    }

    #[test]
    fn the_median_is_in_the_middle() {
        let mut samples = Samples::default();
        for rate in [3.0, 1.0, 2.0] {
            samples.add(64, Kind::Daemon, sample(rate));
        }
        samples.add(1, Kind::Daemon, sample(7.0));
        let median = samples.median(64, Kind::Daemon).unwrap();
        assert!((median.rate - 2.0).abs() < f64::EPSILON && median.lost == 3);
        assert_eq!(samples.windows(), [1, 64]);
        assert!(samples.median(64, Kind::BareEcho).is_none());
    }
}
