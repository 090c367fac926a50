//! What a person is told at the end.

use std::{fmt, mem, time::Duration};

use super::{
    super::verdict::Verdict,
    contender::{Finished, Kind},
    sample::{Sample, Samples},
    verdict::verdicts,
};
use crate::table::{Table, grouped};

/// All that was measured.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) samples: Samples,
    pub(super) daemon: Finished,
}

impl Report {
    fn verdicts(&self) -> Vec<Verdict> {
        verdicts(&self.samples, self.daemon.memory)
    }

    /// Is every threshold met?
    pub(super) fn is_met(&self) -> bool {
        self.verdicts().iter().all(Verdict::is_met)
    }

    fn table(&self) -> Table<9> {
        let heading = ["window", "contender", "exchanges/s", "of the echo", "p50", "p99", "one answer", "CPU", "lost"];
        let mut table = Table::new(heading);
        for window in self.samples.windows() {
            let echo = self.samples.median(window, Kind::BareEcho);
            let mut named = window.to_string();
            for kind in Kind::ALL {
                if let Some(sample) = self.samples.median(window, kind) {
                    table.row(row(mem::take(&mut named), kind, &sample, echo.as_ref()));
                }
            }
        }
        table
    }
}

fn row(window: String, kind: Kind, sample: &Sample, echo: Option<&Sample>) -> [String; 9] {
    [
        window,
        kind.to_string(),
        grouped(sample.rate),
        echo.map_or_else(|| "-".into(), |echo| format!("{:.2}", sample.rate / echo.rate)),
        milliseconds(sample.p50),
        milliseconds(sample.p99),
        milliseconds(sample.answer),
        format!("{:.2} µs", sample.cpu),
        sample.lost.to_string(),
    ]
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.3} ms", duration.as_secs_f64() * 1e3)
}

/// What the columns mean.
const LEGEND: &str = "\
p50, p99     of an exchange: its four messages
one answer   from a question to its answer, p50
CPU          time of the server's threads for an exchange, interrupts that fell into it included
lost         messages that went unanswered for a second, in all rounds";

/// The part of the time for which a server or the client may wait for a CPU without a word about it.
const WAITED_MAX: f64 = 0.05;

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "\n{}\n{LEGEND}\n", self.table())?;
        writeln!(formatter, "Two other decoders have read the answers to {} machines: all right.", self.daemon.right)?;
        let counters: Vec<_> = self.daemon.counters.iter().map(|(name, count)| format!("{name}={count}")).collect();
        writeln!(formatter, "The daemon (datapath: {}) counted: {}\n", self.daemon.datapath, counters.join(" "))?;
        let (server, client) = self.samples.waited();
        if server.max(client) > WAITED_MAX {
            writeln!(
                formatter,
                "This machine was busy: the servers waited {:.0} % of the time for a CPU that others used, the client {:.0} %. \
                 Exchanges a second and p99 are better on an idle one, and the ratio is surer.\n",
                server * 100.0,
                client * 100.0
            )?;
        }
        self.verdicts().iter().try_for_each(|verdict| writeln!(formatter, "{verdict}"))
    }
}
