//! What a person is told at the end.

use std::{
    io::{self, Write},
    time::Duration,
};

use dhcpv6macd::policy::BaseAddress;

use super::boot::Boot;
use crate::{
    lab::Stopped,
    population::mac_of,
    table::{Table, grouped},
};

/// Most faults that are told one by one.
const TOLD_MAX: usize = 10;

/// What the columns mean.
const LEGEND: &str = "\
booted    machines in their operating systems, each step of theirs told in order and once
time      from the first Solicit to the last event
p50, p99  of the four messages of DHCPv6 in a stage
again     messages and packets that a machine sent again after a second
dropped   frames that the daemon did not answer, each for a counted reason, as it says at its end";

/// What happened in one mode.
#[derive(Debug)]
pub(super) struct Report {
    /// How frames reached the daemon, in its own words.
    pub(super) datapath: String,
    pub(super) machines: usize,
    pub(super) boot: Boot,
    /// The daemon's own account, where it has ended.
    pub(super) stopped: Option<Stopped>,
}

impl Report {
    /// Has every machine booted as it should?
    pub(super) fn is_right(&self) -> bool {
        self.boot.booted == self.machines as u64 && self.boot.faults.is_empty()
    }

    /// Frames that were not answered, and why.
    fn drops(&self) -> impl Iterator<Item = (&str, u64)> {
        let counters = self.stopped.iter().flat_map(|stopped| &stopped.counters);
        counters.filter(|(name, _)| name.contains("drop")).map(|(name, count)| (name.as_str(), *count))
    }
}

/// Writes the table, and what is not as it should be.
pub(super) fn write(out: &mut impl Write, reports: &[Report], base: BaseAddress, machines: u32) -> io::Result<()> {
    let mut table =
        Table::new(["mode", "booted", "time", "p50", "p99", "TFTP MB/s", "HTTP MB/s", "events", "again", "dropped"]);
    for report in reports {
        let Boot { booted, asked, tftp, http, events, elapsed, .. } = &report.boot;
        let dropped: u64 = report.drops().map(|(_, count)| count).sum();
        table.row([
            report.datapath.clone(),
            booted.to_string(),
            time(Some(*elapsed)),
            time(asked.latency.quantile(500)),
            time(asked.latency.quantile(990)),
            grouped(tftp.rate() / 1e6),
            grouped(http.rate() / 1e6),
            events.to_string(),
            (asked.retransmissions + tftp.retransmissions).to_string(),
            report.stopped.as_ref().map_or_else(|| "-".into(), |_| dropped.to_string()),
        ]);
    }
    writeln!(out, "\n{table}\n{LEGEND}\n")?;
    if reports.iter().all(Report::is_right) {
        let mac = mac_of(machines.saturating_sub(1));
        writeln!(
            out,
            "Every machine has booted, with exactly its address in each stage, as two other decoders read it too."
        )?;
        return writeln!(out, "The last one, {mac}, has {}.", base.address_of(mac));
    }
    reports.iter().filter(|report| !report.is_right()).try_for_each(|report| complain(out, report))
}

fn complain(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let Report { datapath, machines, boot, .. } = report;
    writeln!(out, "{datapath}: {} of {machines} machines have booted:", boot.booted)?;
    for (name, count) in report.drops() {
        writeln!(out, "   {name}={count}")?;
    }
    for fault in boot.faults.iter().take(TOLD_MAX) {
        writeln!(out, "   {fault}")?;
    }
    if boot.faults.len() > TOLD_MAX {
        writeln!(out, "   and {} more", boot.faults.len() - TOLD_MAX)?;
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
