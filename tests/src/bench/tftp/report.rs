//! What a person is told at the end.

use std::{fmt, mem, time::Duration};

use super::{
    super::verdict::Verdict,
    contender::{Finished, Kind},
    sample::{Sample, Samples},
    scenario::Scenario,
    verdict::verdicts,
};
use crate::table::Table;

/// All that was measured.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) samples: Samples,
    /// Where the daemon took part.
    pub(super) daemon: Option<Finished>,
}

impl Report {
    /// Is every threshold met?
    pub(super) fn is_met(&self) -> bool {
        verdicts(&self.samples).iter().all(Verdict::is_met)
    }

    fn table(&self) -> Table<11> {
        let mut table = Table::new([
            "scenario",
            "contender",
            "MB/s",
            "of the ring",
            "p50",
            "p99",
            "CPU s/GB",
            "server",
            "clients",
            "failed",
            "again",
        ]);
        for scenario in Scenario::ALL {
            let ring = self.samples.median(scenario, Kind::BareRing);
            let mut named = scenario.to_string();
            for kind in Kind::ALL {
                if let Some(sample) = self.samples.median(scenario, kind) {
                    table.row(row(mem::take(&mut named), kind, &sample, ring.as_ref()));
                }
            }
        }
        table
    }
}

fn row(scenario: String, kind: Kind, sample: &Sample, ring: Option<&Sample>) -> [String; 11] {
    [
        scenario,
        kind.to_string(),
        format!("{:.1}", sample.rate / 1e6),
        ring.map_or_else(|| "-".into(), |ring| format!("{:.2}", sample.rate / ring.rate)),
        milliseconds(sample.p50),
        milliseconds(sample.p99),
        format!("{:.2}", sample.cpu),
        format!("{:.0} %", sample.server * 100.0),
        format!("{:.0} %", sample.clients * 100.0),
        format!("{} of {}", sample.failed, sample.failed + sample.transfers),
        sample.retransmissions.to_string(),
    ]
}

/// So long no transfer takes that is waited for.
const ENDLESS: Duration = Duration::from_secs(60);

fn milliseconds(duration: Duration) -> String {
    if duration > ENDLESS { "never".into() } else { format!("{:.1} ms", duration.as_secs_f64() * 1e3) }
}

/// What the columns mean.
const LEGEND: &str = "\
p50, p99     of a transfer, from its request to its last block
CPU s/GB     CPU time of the server with all its threads and children, interrupts that fell into it included
server       the part of its CPU that the server had
clients      the part of the time for which the clients had something to do: near 100 %, they are the limit, and CPU s/GB is what tells
failed       transfers that failed, or were not at their end after 30 s where every client reads once
again        packets that clients sent again after a second of silence";

/// The part of the time for which the clients may wait for a CPU without a word about it.
const WAITED_MAX: f64 = 0.05;

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "\n{}\n{LEGEND}\n", self.table())?;
        if let Some(daemon) = &self.daemon {
            let counters: Vec<_> = daemon.counters.iter().map(|(name, count)| format!("{name}={count}")).collect();
            let mebibytes = daemon.memory / 1024;
            writeln!(
                formatter,
                "The daemon (datapath: {}, {mebibytes} MiB at its peak) counted: {}\n",
                daemon.datapath,
                counters.join(" ")
            )?;
        }
        let waited = self.samples.waited();
        if waited > WAITED_MAX {
            writeln!(
                formatter,
                "This machine was busy: the clients waited {:.0} % of the time for a CPU that others used. MB/s and p99 are better on an \
                 idle one, and the ratios are surer.\n",
                waited * 100.0
            )?;
        }
        verdicts(&self.samples).iter().try_for_each(|verdict| writeln!(formatter, "{verdict}"))
    }
}
