//! What a person is told at the end.

use std::{
    io::{self, Write},
    time::Duration,
};

use dhcpv6macd::policy::BaseAddress;

use super::Mode;
use crate::{
    lab::Stopped,
    population::{Outcome, mac_of, oracle::Findings},
    table::Table,
};

/// Most machines that are named one by one.
const NAMED_MAX: usize = 10;

/// What happened in one mode.
#[derive(Debug)]
pub(super) struct Report {
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
    fn frames(&self, mode: Mode, prefix: &str) -> Option<u64> {
        let counters = self.stopped.counters.iter().filter(|(name, _)| name.starts_with(prefix));
        (mode != Mode::Packet).then(|| counters.map(|(_, count)| count).sum())
    }
}

/// Writes the table, and who has not got what it should.
pub(super) fn write(
    out: &mut impl Write,
    reports: &[(Mode, Report)],
    base: BaseAddress,
    machines: u32,
) -> io::Result<()> {
    let heading = ["mode", "machines", "answered", "time", "p50", "p99", "steered", "passed", "asked again"];
    let mut table = Table::new(heading);
    for (mode, report) in reports {
        let outcome = &report.outcome;
        table.row([
            mode.to_string(),
            report.machines.to_string(),
            outcome.exchanges.to_string(),
            milliseconds(Some(outcome.elapsed)),
            milliseconds(outcome.latency.quantile(500)),
            milliseconds(outcome.latency.quantile(990)),
            count(report.frames(*mode, "steer_")),
            count(report.frames(*mode, "pass_")),
            outcome.retransmissions.to_string(),
        ]);
    }
    writeln!(out, "\n{table}")?;
    writeln!(
        out,
        "time: first Solicit to last Reply; p50, p99: a machine's four messages; steered, passed: frames, by XDP."
    )?;
    writeln!(out)?;
    if reports.iter().all(|(_, report)| report.is_right()) {
        let last = mac_of(machines.saturating_sub(1));
        return writeln!(
            out,
            "Every machine has exactly its address, up to {last} with {}, as two other decoders read the answers.",
            base.address_of(last)
        );
    }
    reports.iter().filter(|(_, report)| !report.is_right()).try_for_each(|(mode, report)| complain(out, *mode, report))
}

fn complain(out: &mut impl Write, mode: Mode, report: &Report) -> io::Result<()> {
    let Report { findings, outcome, .. } = report;
    writeln!(out, "{mode}: {} of {} machines have not exactly their address:", findings.wrong.len(), report.machines)?;
    for (mac, what) in findings.wrong.iter().take(NAMED_MAX) {
        writeln!(out, "   {mac}   {what}")?;
    }
    if findings.wrong.len() > NAMED_MAX {
        writeln!(out, "   and {} more", findings.wrong.len() - NAMED_MAX)?;
    }
    if let Some((mac, fault)) = &outcome.first_wrong {
        writeln!(out, "   {} wrong answers, the first: {mac} {fault}", outcome.wrong)?;
    }
    Ok(())
}

fn milliseconds(duration: Option<Duration>) -> String {
    duration.map_or_else(|| "-".into(), |duration| format!("{:.1} ms", duration.as_secs_f64() * 1e3))
}

fn count(frames: Option<u64>) -> String {
    frames.map_or_else(|| "-".into(), |frames| frames.to_string())
}
