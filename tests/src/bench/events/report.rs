//! What a person is told at the end.

use std::{fmt, time::Duration};

use super::{
    super::{median, verdict::Verdict},
    Audience, Sample,
    verdict::verdicts,
};
use crate::table::{Table, grouped};

/// What is made of an audience's rounds: medians, and sums of what was lost.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Medians {
    /// Machines a second.
    pub(super) pace: f64,
    /// Events a second that each subscriber heard.
    pub(super) events: f64,
    pub(super) lost: u64,
    pub(super) doubled: u64,
    pub(super) delay_p50: Duration,
    pub(super) delay_p99: Duration,
    pub(super) p50: Duration,
    pub(super) p99: Duration,
    /// The part of one CPU that the daemon used.
    pub(super) cpu: f64,
    /// MiB.
    pub(super) memory: f64,
    /// The part of the time in which the machines waited for a CPU.
    pub(super) waited: f64,
}

impl Medians {
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
    fn of(rounds: &[&Sample]) -> Option<Self> {
        let heard = || rounds.iter().filter_map(|round| round.heard.as_ref());
        let latency =
            |per_mille| median(rounds, |round| round.outcome.latency.quantile(per_mille).unwrap_or(Duration::MAX));
        let all: Vec<_> = heard().collect();
        Some(Self {
            pace: median(rounds, |round| round.outcome.rate())?,
            events: median(rounds, |round| {
                let events = round.heard.as_ref().map_or(0, |heard| heard.steps + heard.others);
                events as f64 / round.outcome.elapsed.as_secs_f64()
            })?,
            lost: heard().map(|heard| heard.lost).sum(),
            doubled: heard().map(|heard| heard.doubled).sum(),
            delay_p50: median(&all, |heard| heard.delay_p50).unwrap_or_default(),
            delay_p99: median(&all, |heard| heard.delay_p99).unwrap_or_default(),
            p50: latency(500)?,
            p99: latency(990)?,
            cpu: median(rounds, |round| round.spent.executed.div_duration_f64(round.outcome.elapsed))?,
            memory: median(rounds, |round| round.memory as f64 / 1024.0)?,
            waited: median(rounds, |round| round.machines.waited.div_duration_f64(round.outcome.elapsed))?,
        })
    }
}

/// All that was measured.
pub(super) struct Report {
    pub(super) samples: Vec<(Audience, Sample)>,
    pub(super) pace: u32,
}

impl Report {
    fn medians(&self) -> Vec<(Audience, Medians)> {
        let mut audiences: Vec<_> = self.samples.iter().map(|(audience, _)| *audience).collect();
        audiences.sort_unstable();
        audiences.dedup();
        let rounds = |audience| self.samples.iter().filter(move |(of, _)| *of == audience).map(|(_, sample)| sample);
        let of = |audience| Some((audience, Medians::of(&rounds(audience).collect::<Vec<_>>())?));
        audiences.into_iter().filter_map(of).collect()
    }

    fn verdicts(&self) -> Vec<Verdict> {
        verdicts(self.pace, &self.medians())
    }

    /// Is every threshold met?
    pub(super) fn is_met(&self) -> bool {
        self.verdicts().iter().all(Verdict::is_met)
    }

    fn table(medians: &[(Audience, Medians)]) -> Table<11> {
        let mut table = Table::new([
            "subscribers",
            "machines/s",
            "events/s",
            "lost",
            "twice",
            "late p50",
            "late p99",
            "exchange p50",
            "p99",
            "CPU",
            "memory",
        ]);
        for (audience, medians) in medians {
            let heard = |cell: String| if *audience == Audience::NOBODY { "-".to_owned() } else { cell };
            table.row([
                audience.to_string(),
                grouped(medians.pace),
                heard(grouped(medians.events)),
                heard(medians.lost.to_string()),
                heard(medians.doubled.to_string()),
                heard(milliseconds(medians.delay_p50, 0)),
                heard(milliseconds(medians.delay_p99, 0)),
                milliseconds(medians.p50, 3),
                milliseconds(medians.p99, 3),
                format!("{:.0} %", medians.cpu * 100.0),
                format!("{:.0} MiB", medians.memory),
            ]);
        }
        table
    }
}

fn milliseconds(duration: Duration, decimals: usize) -> String {
    format!("{:.decimals$} ms", duration.as_secs_f64() * 1e3)
}

/// What the columns mean.
const LEGEND: &str = "\
events/s       that every subscriber hears
lost, twice    over all subscribers that read, and all rounds
late           from when the daemon saw a machine's message until a subscriber has read of it
exchange       from a machine's Solicit to its Reply
CPU            of one CPU, the daemon with all its threads, interrupts that fell into them included
memory         resident, at its peak";

/// The part of the time for which the machines may wait for a CPU without a word about it.
const WAITED_MAX: f64 = 0.02;

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let medians = self.medians();
        writeln!(formatter, "\n{}\n{LEGEND}\n", Self::table(&medians))?;
        for (audience, _) in &medians {
            let last = self.samples.iter().rev().find(|(of, _)| of == audience);
            let Some((_, sample)) = last else { continue };
            let counters: Vec<_> = sample.counters.iter().map(|(name, count)| format!("{name}={count}")).collect();
            writeln!(formatter, "{audience}: the last daemon counted: {}", counters.join(" "))?;
            if let Some(heard) = sample.heard.as_ref().filter(|heard| heard.apart > 0) {
                writeln!(formatter, "{audience}: {} were told anew or cut off, {} cut off", heard.apart, heard.ended)?;
            }
        }
        writeln!(formatter)?;
        if let Some((_, medians)) = medians.iter().find(|(_, medians)| medians.waited > WAITED_MAX) {
            writeln!(
                formatter,
                "This machine was busy: the machines waited {:.0} % of the time for a CPU that others used.\n",
                medians.waited * 100.0
            )?;
        }
        self.verdicts().iter().try_for_each(|verdict| writeln!(formatter, "{verdict}"))
    }
}
