//! The thresholds, and whether they are met.

use super::{
    super::verdict::{Bound, Verdict},
    Audience,
    report::Medians,
};

/// The most by which an audience may make p99 of exchanges longer.
const TAIL_MAX: f64 = 3.0;
/// The least part of the pace that must be reached.
const PACE_MIN: f64 = 0.99;

/// All thresholds, for every audience.
pub(super) fn verdicts(pace: u32, medians: &[(Audience, Medians)]) -> Vec<Verdict> {
    let alone = medians.iter().find(|(audience, _)| *audience == Audience::NOBODY);
    let Some((_, alone)) = alone else { return Vec::new() };
    medians.iter().flat_map(|(audience, medians)| of(*audience, pace, medians, alone)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn of(audience: Audience, pace: u32, medians: &Medians, alone: &Medians) -> Vec<Verdict> {
    let verdict = Verdict::about(audience);
    let pace = f64::from(pace) * PACE_MIN;
    let mut verdicts = vec![verdict("machines a second", "", medians.pace, Bound::AtLeast(pace), 0)];
    if audience != Audience::NOBODY {
        let ratio = medians.p99.div_duration_f64(alone.p99);
        verdicts.extend([
            verdict("events lost to subscribers that read", "", medians.lost as f64, Bound::AtMost(0.0), 0),
            verdict("events that came twice", "", medians.doubled as f64, Bound::AtMost(0.0), 0),
            verdict("p99 of exchanges, to that without subscribers", "", ratio, Bound::AtMost(TAIL_MAX), 2),
        ]);
    }
    verdicts
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn lines(p99: u64, lost: u64) -> Vec<String> {
        let alone = Medians { pace: 2000.0, p99: Duration::from_micros(300), ..Medians::default() };
        let crowded = Medians { p99: Duration::from_micros(p99), lost, ..alone };
        let medians = [(Audience::NOBODY, alone), (Audience { readers: 1000, deaf: 50 }, crowded)];
        verdicts(2000, &medians).iter().map(Verdict::to_string).collect()
    }

    #[test]
    fn what_is_met_and_what_is_missed_is_said() {
        assert_eq!(
            lines(930, 7),
            [
                "met     nobody: machines a second: 2 000, at least 1 980",
                "met     1000, 50 deaf: machines a second: 2 000, at least 1 980",
                "MISSED  1000, 50 deaf: events lost to subscribers that read: 7, at most 0",
                "met     1000, 50 deaf: events that came twice: 0, at most 0",
                "MISSED  1000, 50 deaf: p99 of exchanges, to that without subscribers: 3.10, at most 3.00",
            ]
        );
        assert!(lines(900, 0).iter().all(|line| line.starts_with("met")));
    }
}
