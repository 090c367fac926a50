//! What a person is told at the end.

use std::{
    io::{self, Write},
    time::Duration,
};

use dhcpv6macd::policy::BaseAddress;

use crate::{
    lab::{Mode, Stopped},
    population::{Outcome, mac_of, oracle::Findings},
    table::Table,
};

/// Most machines that are named one by one.
const NAMED_MAX: usize = 10;

/// What the columns mean.
const LEGEND: &str = "\
time             from the first Solicit to the last Reply
p50, p99         of a machine's four messages
steered, passed  frames that XDP gave to the daemon, and left to the kernel
dropped          frames that the daemon did not answer, each for a counted reason
again            messages that a machine sent again after a second";

/// What happened in one mode.
#[derive(Debug)]
pub(super) struct Report {
    /// How frames reached the daemon, in its own words.
    pub(super) datapath: String,
    pub(super) machines: usize,
    pub(super) outcome: Outcome,
    pub(super) findings: Findings,
    pub(super) stopped: Stopped,
}

impl Report {
    /// Has every machine exactly its address?
    pub(super) fn is_right(&self) -> bool {
        self.findings.right == self.machines && self.outcome.wrong == 0 && self.outcome.unanswered == 0
    }

    /// Frames that the steering program counted under names that begin like this; `None` where there is no such program.
    fn steering(&self, mode: Mode, prefix: &str) -> Option<u64> {
        (mode != Mode::Packet).then(|| self.counted(|name| name.starts_with(prefix)))
    }

    fn counted(&self, wanted: impl Fn(&str) -> bool) -> u64 {
        self.stopped.counters.iter().filter(|(name, _)| wanted(name)).map(|(_, count)| count).sum()
    }
}

/// Writes the table, and who has not got what it should.
pub(super) fn write(
    out: &mut impl Write,
    reports: &[(Mode, Report)],
    base: BaseAddress,
    machines: u32,
) -> io::Result<()> {
    let heading = ["mode", "answered", "time", "p50", "p99", "steered", "passed", "dropped", "again"];
    let mut table = Table::new(heading);
    for (mode, report) in reports {
        let outcome = &report.outcome;
        table.row([
            report.datapath.clone(),
            outcome.exchanges.to_string(),
            time(Some(outcome.elapsed)),
            time(outcome.latency.quantile(500)),
            time(outcome.latency.quantile(990)),
            count(report.steering(*mode, "steer_")),
            count(report.steering(*mode, "pass_")),
            report.counted(|name| name.contains("drop")).to_string(),
            outcome.retransmissions.to_string(),
        ]);
    }
    writeln!(out, "\n{table}\n{LEGEND}\n")?;
    if reports.iter().all(|(_, report)| report.is_right()) {
        let mac = mac_of(machines.saturating_sub(1));
        writeln!(out, "Every machine has exactly its address, as two other decoders read it too.")?;
        return writeln!(out, "The last one, {mac}, has {}.", base.address_of(mac));
    }
    reports.iter().filter(|(_, report)| !report.is_right()).try_for_each(|(mode, report)| complain(out, *mode, report))
}

fn complain(out: &mut impl Write, mode: Mode, report: &Report) -> io::Result<()> {
    let Report { findings, outcome, .. } = report;
    let unanswered = findings.unanswered.iter().map(|mac| (mac, "not answered"));
    let complaints: Vec<_> = findings.wrong.iter().map(|(mac, what)| (mac, what.as_str())).chain(unanswered).collect();
    writeln!(out, "{mode}: {} of {} machines have not exactly their address:", complaints.len(), report.machines)?;
    for (mac, what) in complaints.iter().take(NAMED_MAX) {
        writeln!(out, "   {mac}   {what}")?;
    }
    if complaints.len() > NAMED_MAX {
        writeln!(out, "   and {} more", complaints.len() - NAMED_MAX)?;
    }
    if let Some((mac, fault)) = &outcome.first_wrong {
        writeln!(out, "   {} wrong answers, the first: {mac} {fault}", outcome.wrong)?;
    }
    Ok(())
}

fn time(duration: Option<Duration>) -> String {
    let Some(duration) = duration else { return "-".into() };
    match duration.as_secs_f64() {
        seconds if seconds < 0.1 => format!("{:.1} ms", seconds * 1e3),
        seconds if seconds < 1.0 => format!("{:.0} ms", seconds * 1e3),
        seconds => format!("{seconds:.2} s"),
    }
}

fn count(frames: Option<u64>) -> String {
    frames.map_or_else(|| "-".into(), |frames| frames.to_string())
}
