//! Rounds, and their medians.

use std::{collections::BTreeMap, time::Duration};

use super::{
    super::{median, spent::Spent},
    contender::Kind,
    scenario::Scenario,
};
use crate::tftp::Outcome;

/// One round of one contender.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) elapsed: Duration,
    /// Bytes of files in a second.
    pub(super) rate: f64,
    /// Of a transfer.
    pub(super) p50: Duration,
    pub(super) p99: Duration,
    /// CPU seconds of the server for 10^9 bytes of files.
    pub(super) cpu: f64,
    /// The part of its CPU that the server had.
    pub(super) server: f64,
    /// The part of the time for which the clients had something to do.
    pub(super) clients: f64,
    /// The part of the time for which the clients waited for a CPU that others used.
    pub(super) waited: f64,
    pub(super) transfers: u64,
    /// Transfers that failed, and those that were still under way where every client had one.
    pub(super) failed: u64,
    /// Packets that clients sent again after a second of silence.
    pub(super) retransmissions: u64,
}

impl Sample {
    pub(super) fn new(outcome: &Outcome, server: Duration, client: Spent, is_lasting: bool) -> Self {
        let quantile = |per_mille| outcome.times.quantile(per_mille).unwrap_or(Duration::MAX);
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
        let bytes = outcome.bytes as f64;
        Self {
            elapsed: outcome.elapsed,
            rate: outcome.rate(),
            p50: quantile(500),
            p99: quantile(990),
            cpu: server.as_secs_f64() * 1e9 / bytes,
            server: server.div_duration_f64(outcome.elapsed),
            clients: outcome.busy(),
            waited: client.waited.div_duration_f64(outcome.elapsed),
            transfers: outcome.transfers,
            failed: outcome.failed + if is_lasting { 0 } else { outcome.unfinished },
            retransmissions: outcome.retransmissions,
        }
    }
}

/// All rounds.
#[derive(Debug, Default)]
pub(super) struct Samples(BTreeMap<(Scenario, Kind), Vec<Sample>>);

impl Samples {
    pub(super) fn add(&mut self, scenario: Scenario, kind: Kind, sample: Sample) {
        self.0.entry((scenario, kind)).or_default().push(sample);
    }

    /// The mean over all rounds of the part in which the clients waited for a CPU that others used.
    pub(super) fn waited(&self) -> f64 {
        let rounds = || self.0.values().flatten();
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
        let count = rounds().count().max(1) as f64;
        rounds().map(|round| round.waited).sum::<f64>() / count
    }

    /// The median of each number over the rounds; what is counted is summed up.
    pub(super) fn median(&self, scenario: Scenario, kind: Kind) -> Option<Sample> {
        let rounds = self.0.get(&(scenario, kind))?;
        Some(Sample {
            elapsed: rounds.iter().map(|round| round.elapsed).sum(),
            rate: median(rounds, |round| round.rate)?,
            p50: median(rounds, |round| round.p50)?,
            p99: median(rounds, |round| round.p99)?,
            cpu: median(rounds, |round| round.cpu)?,
            server: median(rounds, |round| round.server)?,
            clients: median(rounds, |round| round.clients)?,
            waited: median(rounds, |round| round.waited)?,
            transfers: rounds.iter().map(|round| round.transfers).sum(),
            failed: rounds.iter().map(|round| round.failed).sum(),
            retransmissions: rounds.iter().map(|round| round.retransmissions).sum(),
        })
    }
}
