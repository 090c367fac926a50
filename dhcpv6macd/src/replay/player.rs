//! Plays a capture to the core, frame by frame.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use dhcpv6macd_ebpf::{Frame as _, PassReason, Verdict, classify, header::EthernetHeader};
use jiff::{SignedDuration, Timestamp};

use super::{
    Outputs, Record, ReplayError,
    line::{Asked, Elapsed, Found, Line, Outcome},
};
use crate::{
    event::Change,
    machine::{MACHINES_MAX, Machines, Moment, StallLimits},
    respond::{Observation, Responder, Site},
    run::totals::Totals,
    wire::MacAddr,
};

/// No answer is longer: Ethernet header and packet.
const FRAME_MAX: usize = 1514;

/// The core, and where its answers go.
pub(super) struct Player<'p, 'o> {
    site: &'p Site,
    responder: Responder,
    machines: Machines,
    /// What the first timestamp is for the machines' histories.
    origin: Instant,
    first: Option<Duration>,
    frames: u64,
    /// What was counted beside what the responder counts.
    totals: Totals,
    outputs: Outputs<'o>,
}

impl<'p, 'o> Player<'p, 'o> {
    pub(super) fn new(site: &'p Site, outputs: Outputs<'o>) -> Self {
        Self {
            site,
            responder: Responder::default(),
            machines: Machines::new(MACHINES_MAX, site.policy.base_address, StallLimits::default()),
            origin: Instant::now(),
            first: None,
            frames: 0,
            totals: Totals::default(),
            outputs,
        }
    }

    /// Plays a frame.
    pub(super) fn frame(&mut self, record: &Record<'_>) -> Result<(), ReplayError> {
        self.frames += 1;
        let first = *self.first.get_or_insert(record.time);
        let (outcome, seen) = match self.passed(record) {
            Some(outcome) => (outcome, None),
            None => self.answered(record)?,
        };
        let line = Line {
            number: self.frames,
            elapsed: Elapsed { first, now: record.time },
            who: seen.map(|seen| seen.mac).or_else(|| ethernet_source(record)),
            asked: Asked::of(record.bytes),
            outcome,
        };
        writeln!(self.outputs.lines, "{line}")?;
        seen.map_or(Ok(()), |seen| self.observe(&seen, record.time, first))
    }

    /// What becomes of a frame that the steering program would leave to the kernel, and of one that is not all there.
    fn passed(&mut self, record: &Record<'_>) -> Option<Outcome<'static>> {
        let (name, outcome) = match (record.foreign_link_type, classify(record.bytes, &self.site.local)) {
            (Some(link_type), _) => ("not_ethernet", Some(Outcome::ForeignLinkType(link_type))),
            (None, Verdict::Steer(_) | Verdict::Pass(PassReason::Truncated)) if record.is_cut() => {
                let (captured, length) = (record.bytes.len(), record.length);
                ("frame_cut", Some(Outcome::Cut { captured, length }))
            }
            (None, verdict @ Verdict::Pass(_)) => (verdict.name(), Some(Outcome::Named(verdict.name()))),
            (None, verdict @ Verdict::Steer(_)) => (verdict.name(), None),
        };
        self.totals.add(name, 1);
        outcome
    }

    /// What becomes of a frame of ours, and whom it was from where it is answered.
    fn answered<'a>(&mut self, record: &Record<'a>) -> Result<(Outcome<'a>, Option<Observation<'a>>), ReplayError>
    where
        'p: 'a,
    {
        let mut buffer = [0; FRAME_MAX];
        let answered = match self.responder.frame(record.bytes, self.site, &mut buffer) {
            Ok(answered) => answered,
            Err(reason) => return Ok((Outcome::Named(reason.name()), None)),
        };
        if let (Some(replies), Some(frame)) = (&mut self.outputs.replies, buffer.get(..answered.length)) {
            replies.write(record.time, frame).map_err(ReplayError::Replies)?;
        }
        let seen = answered.reply.observation();
        Ok((Outcome::Answered(answered.reply.into()), Some(seen)))
    }

    /// Tells what the machines' histories make of it.
    fn observe(&mut self, seen: &Observation<'_>, time: Duration, first: Duration) -> Result<(), ReplayError> {
        let instant = self.origin.checked_add(time.saturating_sub(first)).unwrap_or(self.origin);
        let now = Moment { instant, time: timestamp(time) };
        let Outputs { lines, events, .. } = &mut self.outputs;
        let mut written = Ok(());
        let mut tell = |change: Change| {
            if let (Some(events), Ok(())) = (&mut *events, &written) {
                written = change.write(events);
            }
        };
        for finding in self.machines.message(seen, now, &mut tell) {
            self.totals.add(finding.name(), 1);
            writeln!(lines, "{}", Found { mac: seen.mac, finding: &finding })?;
        }
        written.map_err(ReplayError::Events)
    }

    /// The sum.
    pub(super) fn finish(mut self) -> Result<(), ReplayError> {
        for (name, count) in self.responder.counters().each() {
            self.totals.add(name, count);
        }
        self.totals.add("machine_forgotten", self.machines.forgotten());
        let Outputs { mut lines, replies, events } = self.outputs;
        writeln!(lines, "{}", format!("frames={} {}", self.frames, self.totals).trim_end())?;
        lines.flush()?;
        events.map_or(Ok(()), |mut events| events.flush()).map_err(ReplayError::Events)?;
        replies.map_or(Ok(()), |replies| replies.finish().map_err(ReplayError::Replies))
    }
}

/// A time since 1970; one beyond what can be told is the end of that.
fn timestamp(time: Duration) -> Timestamp {
    SignedDuration::try_from(time).and_then(Timestamp::from_duration).unwrap_or(Timestamp::MAX)
}

fn ethernet_source(record: &Record<'_>) -> Option<MacAddr> {
    let ethernet: Option<&EthernetHeader> = record.bytes.view(0);
    ethernet.filter(|_| record.foreign_link_type.is_none()).map(|ethernet| MacAddr(ethernet.source))
}
