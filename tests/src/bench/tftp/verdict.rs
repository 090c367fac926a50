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
/// From these parts of the time on, clients and a server have all that they can do.
const CLIENTS_BUSY: f64 = 0.95;
const SERVER_BUSY: f64 = 0.9;
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
    let verdict = Verdict::about(scenario);
    let mut verdicts = Vec::new();
    if scenario.is_lasting() {
        verdicts.extend(beside_others(scenario, daemon, samples));
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

/// The daemon beside the bare ring and beside the best of the others, as far as they took part.
fn beside_others(scenario: Scenario, daemon: &Sample, samples: &Samples) -> Vec<Verdict> {
    // A server that waits for the clients could do more: what a whole CPU does tells.
    let is_limited = daemon.clients >= CLIENTS_BUSY && daemon.server < SERVER_BUSY;
    let (what, rate): (_, fn(&Sample) -> f64) = match is_limited {
        true => ("MB/s of a whole CPU (the clients are the limit)", |sample| sample.cpu.recip()),
        false => ("MB/s", |sample| sample.rate),
    };
    let verdict = Verdict::about(scenario);
    let peers = Kind::ALL.into_iter().filter(|kind| kind.is_peer());
    let peers: Vec<_> = peers.filter_map(|kind| samples.median(scenario, kind)).collect();
    let ring = samples.median(scenario, Kind::BareRing).map(|ring| {
        let ratio = rate(daemon) / rate(&ring);
        verdict(&format!("{what}, of the bare ring's"), "", ratio, Bound::AtLeast(RATIO_MIN), 2)
    });
    let fastest = peers.iter().map(rate).reduce(f64::max).map(|best| {
        let ratio = rate(daemon) / best;
        verdict(&format!("{what}, times the best peer's"), "", ratio, Bound::AtLeast(PEER_RATIO_MIN), 2)
    });
    let thriftiest = peers.iter().map(|peer| peer.cpu).reduce(f64::min).map(|best| {
        let ratio = daemon.cpu / best;
        verdict("CPU s/GB, of the best peer's", "", ratio, Bound::AtMost(PEER_CPU_MAX), 3)
    });
    [ring, fastest, thriftiest].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Megabytes a second, and CPU seconds for 10^9 bytes.
    fn sample(rate: f64, cpu: f64, clients: f64) -> Sample {
        Sample {
            elapsed: Duration::from_secs(2),
            rate: rate * 1e6,
            p50: Duration::from_millis(100),
            p99: Duration::from_millis(350),
            cpu,
            server: 0.9,
            clients,
            waited: 0.0,
            transfers: 100,
            failed: 1,
            retransmissions: 0,
        }
    }

    fn lines(samples: &[(Scenario, Kind, Sample)]) -> Vec<String> {
        let mut all = Samples::default();
        for (scenario, kind, sample) in samples {
            all.add(*scenario, *kind, sample.clone());
        }
        verdicts(&all).iter().map(Verdict::to_string).collect()
    }

    #[test]
    fn the_best_peer_counts_and_the_bare_ring() {
        let at = Scenario::LockStep;
        assert_eq!(
            lines(&[
                (at, Kind::BareRing, sample(500.0, 1.2, 0.9)),
                (at, Kind::Daemon, sample(300.0, 1.5, 0.9)),
                (at, Kind::Dnsmasq, sample(160.0, 5.0, 0.6)),
                (at, Kind::Atftpd, sample(100.0, 4.0, 0.6)),
            ]),
            [
                "MISSED  64 clients, lock-step: MB/s, of the bare ring's: 0.60, at least 0.70",
                "MISSED  64 clients, lock-step: MB/s, times the best peer's: 1.88, at least 2.00",
                "MISSED  64 clients, lock-step: CPU s/GB, of the best peer's: 0.375, at most 0.333",
            ]
        );
    }

    #[test]
    fn where_the_clients_are_the_limit_the_cpu_tells() {
        let waits = Sample { server: 0.7, ..sample(500.0, 1.5, 1.0) };
        let samples = [
            (Scenario::Windows, Kind::BareRing, sample(800.0, 1.2, 1.0)),
            (Scenario::Windows, Kind::Daemon, waits),
            (Scenario::Windows, Kind::Dnsmasq, sample(300.0, 4.5, 0.5)),
        ];
        let what = "64 clients, windows of 16: MB/s of a whole CPU (the clients are the limit)";
        assert_eq!(
            lines(&samples)[..2],
            [
                format!("met     {what}, of the bare ring's: 0.80, at least 0.70"),
                format!("met     {what}, times the best peer's: 3.00, at least 2.00"),
            ]
        );
    }

    #[test]
    fn failures_tails_and_losses_have_their_bounds() {
        let samples = [Scenario::Thousand, Scenario::Loss].map(|at| (at, Kind::Daemon, sample(300.0, 1.5, 0.9)));
        assert_eq!(
            lines(&samples),
            [
                "MISSED  1000 clients, lock-step: transfers that failed: 1, at most 0",
                "MISSED  1000 clients, lock-step: p99, times p50: 3.50, at most 3.00",
                "met     0.5 % loss, lock-step: a transfer's time, p50: 0.100 s, at most 1.000 s",
            ]
        );
    }
}
