//! What a person is told at the end.

use std::{fmt, mem, time::Duration};

use super::{
    super::{
        median,
        spent::Spent,
        verdict::{Bound, Verdict},
    },
    Scenario,
    contender::Kind,
};
use crate::table::Table;

/// One round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// From the first request to the last byte.
    pub(super) elapsed: Duration,
    /// Bytes of all files.
    pub(super) bytes: u64,
    /// CPU time of the server.
    pub(super) server: Duration,
    /// What the clients have spent.
    pub(super) client: Spent,
}

/// What is made of rounds.
#[derive(Clone, Copy, Debug)]
struct Medians {
    /// Bytes a second.
    rate: f64,
    /// CPU seconds of the server for 10^9 bytes.
    cpu: f64,
    /// Parts of the time that server and clients were on their CPUs.
    server: f64,
    client: f64,
}

/// All that was measured.
pub(super) struct Report {
    pub(super) samples: Vec<(Scenario, Kind, Sample)>,
}

#[expect(clippy::cast_precision_loss, reason = "some gigabytes")]
fn bytes(sample: &Sample) -> f64 {
    sample.bytes as f64
}

impl Report {
    fn medians(&self, scenario: Scenario, kind: Kind) -> Option<Medians> {
        let rounds: Vec<_> = self.samples.iter().filter(|(of, by, _)| (*of, *by) == (scenario, kind)).collect();
        let median = |value: fn(&Sample) -> f64| median(&rounds, |(_, _, sample)| value(sample));
        Some(Medians {
            rate: median(|sample| bytes(sample) / sample.elapsed.as_secs_f64())?,
            cpu: median(|sample| sample.server.as_secs_f64() / bytes(sample) * 1e9)?,
            server: median(|sample| sample.server.div_duration_f64(sample.elapsed))?,
            client: median(|sample| sample.client.executed.div_duration_f64(sample.elapsed))?,
        })
    }

    fn verdicts(&self) -> Vec<Verdict> {
        let compare = |scenario| {
            let [daemon, nginx, again] = Kind::ALL.map(|kind| self.medians(scenario, kind));
            Some(beside(scenario, &daemon?, &nginx?, &again?))
        };
        Scenario::ALL.into_iter().filter_map(compare).flatten().collect()
    }

    /// Is every threshold met?
    pub(super) fn is_met(&self) -> bool {
        self.verdicts().iter().all(Verdict::is_met)
    }

    fn table(&self) -> Table<6> {
        let mut table = Table::new(["scenario", "contender", "MB/s", "CPU s/GB", "server", "clients"]);
        for scenario in Scenario::ALL {
            let mut named = scenario.to_string();
            for kind in Kind::ALL {
                let Some(medians) = self.medians(scenario, kind) else { continue };
                table.row([
                    mem::take(&mut named),
                    kind.to_string(),
                    format!("{:.0}", medians.rate / 1e6),
                    format!("{:.3}", medians.cpu),
                    format!("{:.0} %", medians.server * 100.0),
                    format!("{:.0} %", medians.client * 100.0),
                ]);
            }
        }
        table
    }
}

/// The daemon beside the middle of both nginxes.
fn beside(scenario: Scenario, daemon: &Medians, nginx: &Medians, again: &Medians) -> [Verdict; 2] {
    let verdict = Verdict::about(scenario);
    let ratio = |of: fn(&Medians) -> f64| of(daemon) / f64::midpoint(of(nginx), of(again));
    [
        verdict("MB/s, of nginx's", "", ratio(|medians| medians.rate), Bound::AtLeast(1.0), 2),
        verdict("CPU s/GB, of nginx's", "", ratio(|medians| medians.cpu), Bound::AtMost(1.0), 2),
    ]
}

/// The part of the time for which the clients may wait for a CPU without a word about it.
const WAITED_MAX: f64 = 0.05;

/// What the columns mean.
const LEGEND: &str = "\
CPU s/GB     CPU time of the server with all its threads and children, interrupts that fell into it included
server       the part of the time that the server was on its CPU
clients      the same of the clients: near 100 %, they are the limit, and CPU s/GB is what tells
nginx again  another nginx, alike in everything: by what the two differ, nothing is told of the daemon, which is compared with their middle";

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "\n{}\n{LEGEND}\n", self.table())?;
        let waited = median(&self.samples, |(_, _, sample)| sample.client.waited.div_duration_f64(sample.elapsed));
        if let Some(waited) = waited.filter(|waited| *waited > WAITED_MAX) {
            writeln!(
                formatter,
                "This machine was busy: the clients waited {:.0} % of the time for a CPU that others used. MB/s says little; CPU s/GB does.\n",
                waited * 100.0
            )?;
        }
        self.verdicts().iter().try_for_each(|verdict| writeln!(formatter, "{verdict}"))
    }
}
