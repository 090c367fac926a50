//! The thresholds.

use super::{
    super::verdict::{Bound, Verdict},
    contender::Kind,
    sample::{Sample, Samples},
    scenario::Scenario,
};

/// The least part of the bare ring's bytes a second.
const RATIO_MIN: f64 = 0.7;
/// The least multiple of the best peer's bytes a second.
const PEER_RATIO_MIN: f64 = 2.0;
/// The largest part of the best peer's CPU time for as many bytes.
const PEER_CPU_MAX: f64 = 0.333;
/// Clients that are busy for this part of the time are the limit: what the server could do, its share of its CPU tells.
const CLIENTS_LIMIT: f64 = 0.95;
/// How far p99 may be from p50 where a thousand read.
const TAIL_MAX: f64 = 3.0;
/// The longest that a transfer takes over a bad network, p50, in seconds.
const LOSSY_MAX: f64 = 1.0;

/// All thresholds for which something was measured.
pub(super) fn verdicts(samples: &Samples) -> Vec<Verdict> {
    let of = |scenario| Some((scenario, samples.median(scenario, Kind::Daemon)?));
    Scenario::ALL.into_iter().filter_map(of).flat_map(|(scenario, daemon)| at(scenario, &daemon, samples)).collect()
}

fn at(scenario: Scenario, daemon: &Sample, samples: &Samples) -> Vec<Verdict> {
    let verdict = |what: &str, unit, measured, bound, decimals| Verdict {
        what: format!("{scenario}: {what}"),
        unit,
        measured,
        bound,
        decimals,
    };
    let mut verdicts = Vec::new();
    if scenario.is_lasting() {
        if let Some(ring) = samples.median(scenario, Kind::BareRing) {
            let ratio = daemon.rate / ring.rate;
            verdicts.push(verdict("MB/s, of the bare ring's", "", ratio, Bound::AtLeast(RATIO_MIN), 2));
            if daemon.clients.max(ring.clients) >= CLIENTS_LIMIT {
                let ratio = ring.cpu / daemon.cpu;
                let what = "the clients are the limit; MB/s of a whole CPU, of the bare ring's";
                verdicts.push(verdict(what, "", ratio, Bound::AtLeast(RATIO_MIN), 2));
            }
        }
        let peers = Kind::ALL.into_iter().filter(|kind| kind.is_peer());
        let peers: Vec<_> = peers.filter_map(|kind| samples.median(scenario, kind)).collect();
        if let Some(best) = peers.iter().map(|peer| peer.rate).reduce(f64::max) {
            let ratio = daemon.rate / best;
            verdicts.push(verdict("MB/s, times the best peer's", "", ratio, Bound::AtLeast(PEER_RATIO_MIN), 2));
        }
        if let Some(best) = peers.iter().map(|peer| peer.cpu).reduce(f64::min) {
            let ratio = daemon.cpu / best;
            verdicts.push(verdict("CPU s/GB, of the best peer's", "", ratio, Bound::AtMost(PEER_CPU_MAX), 3));
        }
    }
    if scenario.is_for_a_thousand() {
        let tail = daemon.p99.div_duration_f64(daemon.p50);
        #[expect(clippy::cast_precision_loss, reason = "some thousands")]
        let failed = daemon.failed as f64;
        verdicts.push(verdict("transfers that failed", "", failed, Bound::AtMost(0.0), 0));
        verdicts.push(verdict("p99, times p50", "", tail, Bound::AtMost(TAIL_MAX), 2));
    }
    if scenario.is_lossy() {
        let median = daemon.p50.as_secs_f64();
        verdicts.push(verdict("a transfer's time, p50", " s", median, Bound::AtMost(LOSSY_MAX), 3));
    }
    verdicts
}
