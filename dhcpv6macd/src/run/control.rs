//! The control plane: keeps what is known of the machines, tells whoever watches, and logs what is worth a line.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::{
    task::yield_now,
    time::{Interval, MissedTickBehavior, interval},
};
use tracing::{debug, info, warn};

use super::{
    ServeError,
    meters::Meters,
    metrics::Measured,
    observe::{Observations, Seen},
    shown::Shown,
    totals::Totals,
};
use crate::{
    event::{Change, Protocol, TransferState},
    http::{
        events::feed::{Publisher, Question},
        transfer,
    },
    machine::{Finding, Machines, Moment, Progress},
    respond::Observation,
    tftp::{self, Happening},
    wire::{Hexadecimal, MacAddr},
};

/// How long an observation waits at most: no worker has to wake anybody, and the queue holds what a hall of machines does meanwhile.
const LOOK: Duration = Duration::from_millis(25);
/// How long an event waits at most: nobody notices, and what many hear at once costs a write for each.
const PUBLISH: Duration = Duration::from_millis(50);
/// How often it is looked who stands still.
const LOOK_AT_ALL: Duration = Duration::from_secs(1);
/// How old what was counted may be: who asks all the time is not counted for all the time.
const FRESH: Duration = Duration::from_millis(200);
/// Lines about machines that are logged in a second: who forges MACs should not fill the disk.
const TOLD_MAX: u32 = 20;

/// Whoever keeps the machines' histories.
pub(super) struct Control {
    observations: Observations,
    machines: Machines,
    /// What everybody else counts.
    meters: Meters,
    publisher: Publisher,
    /// What has happened since it was published last.
    changes: Vec<Change>,
    shown: Shown,
    /// What Prometheus has read last, and when that was.
    metrics: Option<(Instant, Bytes)>,
    findings: Totals,
    /// Lines that may still be logged in the second that began then.
    left: (Instant, u32),
}

impl Control {
    pub(super) fn new(observations: Observations, machines: Machines, meters: Meters, publisher: Publisher) -> Self {
        let left = (Instant::now(), TOLD_MAX);
        Self {
            observations,
            machines,
            meters,
            publisher,
            changes: Vec::new(),
            shown: Shown::default(),
            metrics: None,
            findings: Totals::default(),
            left,
        }
    }

    /// Looks at what the workers saw, and answers who asks, for ever.
    pub(super) async fn run(&mut self) -> Infallible {
        let [mut looks, mut publications, mut looks_at_all] = [LOOK, PUBLISH, LOOK_AT_ALL].map(every);
        loop {
            tokio::select! {
                _ = looks.tick() => self.take(now()),
                _ = publications.tick() => self.publish(),
                _ = looks_at_all.tick() => self.look_at_all(now()),
                question = self.publisher.question() => self.answer(question),
                () = yield_now(), if self.shown.is_drawing() => self.draw(),
            }
        }
    }

    /// Takes everything that the workers saw until now.
    fn take(&mut self, now: Moment) {
        for _ in 0..self.observations.len() {
            let Some(sighting) = self.observations.next() else { break };
            let at = now.at(sighting.at);
            match sighting.seen {
                Seen::Message(message) => self.take_message(&message.observation(), at),
                Seen::Transfer(seen) => self.take_transfer(&seen, at),
                Seen::Fetch(seen) => self.take_fetch(&seen, at),
            }
        }
    }

    /// Looks at what nobody tells of.
    fn look_at_all(&mut self, now: Moment) {
        self.machines.look(now, &mut |change| self.changes.push(change));
        self.shown.forget(now.instant);
        if let Err(error) = self.meters.keep_up()
            && self.may_log(now.instant)
        {
            warn!("{error}");
        }
    }

    fn publish(&mut self) {
        self.publisher.publish(&self.changes);
        self.changes.drain(..).for_each(|change| self.shown.change(change.mac));
    }

    /// Who hears this hears next what happens after it, and who has gone meanwhile hears nothing.
    fn answer(&mut self, question: Question) {
        let next = self.keep_up();
        match question {
            Question::Machines(answer) => {
                let publisher = &self.publisher;
                self.shown.ask(answer, next, |next| publisher.keeps(next), Instant::now());
            }
            Question::Machine(mac, answer) => drop(answer.send(Shown::one(&self.machines, mac, next))),
            Question::Counters(answer) => drop(answer.send(self.metrics())),
        }
    }

    /// Draws all machines for a moment.
    fn draw(&mut self) {
        if self.shown.draw(&self.machines) {
            let next = self.keep_up();
            self.shown.finish(&self.machines, next);
        }
    }

    /// Takes and tells everything until now, and returns the number of the next event.
    fn keep_up(&mut self) -> u64 {
        self.take(now());
        self.publish();
        self.publisher.next()
    }

    fn metrics(&mut self) -> Bytes {
        match &self.metrics {
            Some((when, text)) if when.elapsed() < FRESH => text.clone(),
            _ => {
                // A text takes everything.
                let text = Bytes::from(self.measure().text().unwrap_or_default());
                self.metrics = Some((Instant::now(), text.clone()));
                text
            }
        }
    }

    fn measure(&self) -> Measured {
        let mut measured = Measured {
            machines: self.machines.census().clone(),
            subscribers: self.publisher.subscribers(),
            ..self.meters.measure()
        };
        if let Err(error) = self.count(&mut measured.totals) {
            warn!("{error}");
        }
        measured
    }

    fn take_message(&mut self, seen: &Observation<'_>, now: Moment) {
        for finding in self.machines.message(seen, now, &mut |change| self.changes.push(change)) {
            self.findings.add(finding.name(), 1);
            if self.may_log(now.instant) {
                log(seen.mac, &finding);
            }
        }
    }

    fn take_transfer(&mut self, seen: &tftp::Observation, now: Moment) {
        let tftp::Observation { mac, name, total, begun, happening } = *seen;
        debug!(%mac, file = %name, total, ?happening, "TFTP");
        let (state, sent, error) = match happening {
            // It may be a size probe yet.
            Happening::Requested | Happening::SizeProbe => return,
            Happening::Sending { sent: 0 } => (TransferState::Init, 0, None),
            Happening::Sending { sent } => (TransferState::Sending, sent, None),
            Happening::Complete => (TransferState::Complete, total, None),
            Happening::Failed { sent, failure } => (TransferState::Error, sent, Some(failure.to_string())),
        };
        let (protocol, file_name, error) = (Protocol::Tftp, name.file(), error.as_deref());
        let is_over = matches!(state, TransferState::Complete | TransferState::Error);
        let progress = Progress { protocol, file_name, begun, state, is_over, sent, total, error };
        self.take_progress(mac, &progress, now);
    }

    fn take_fetch(&mut self, seen: &transfer::Observation, now: Moment) {
        let transfer::Observation { mac, ref path, protocol, total, begun, happening } = *seen;
        debug!(%mac, file = %path, total, ?protocol, ?happening, "HTTP");
        let (state, sent, error) = match happening {
            transfer::Happening::Begun { sent } => (TransferState::Init, sent, None),
            transfer::Happening::Sending { sent } => (TransferState::Sending, sent, None),
            transfer::Happening::Complete { sent } if sent < total => (TransferState::Sending, sent, None),
            transfer::Happening::Complete { sent } => (TransferState::Complete, sent, None),
            transfer::Happening::Failed { sent, why } => (TransferState::Error, sent, Some(why.to_string())),
        };
        let is_over = matches!(happening, transfer::Happening::Complete { .. } | transfer::Happening::Failed { .. });
        let (file_name, error) = (path, error.as_deref());
        let progress = Progress { protocol, file_name, begun, state, is_over, sent, total, error };
        self.take_progress(mac, &progress, now);
    }

    /// A boot that stands still for want of its file is worth a line.
    fn take_progress(&mut self, mac: MacAddr, progress: &Progress<'_>, now: Moment) {
        let Progress { protocol, file_name, sent, total, error, .. } = *progress;
        if let Some(error) = error.filter(|_| self.may_log(now.instant)) {
            warn!(%mac, file = file_name, sent, total, "a transfer over {protocol} has failed: {error}");
        }
        self.machines.progress(mac, progress, now, &mut |change| self.changes.push(change));
    }

    fn may_log(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.left.0) >= Duration::from_secs(1) {
            self.left = (now, TOLD_MAX);
        }
        let may = self.left.1 > 0;
        if may {
            self.left.1 -= 1;
        } else {
            self.findings.add("finding_not_logged", 1);
        }
        may
    }

    /// Takes what is left, and says what everybody has counted; what cannot be read is left out, and why is said.
    pub(super) fn stop(mut self) -> (Totals, Result<(), ServeError>) {
        self.take(now());
        let mut totals = Totals::default();
        let counted = self.count(&mut totals);
        (totals, counted)
    }

    fn count(&self, totals: &mut Totals) -> Result<(), ServeError> {
        totals.extend(&self.findings);
        totals.add("observation_dropped", self.observations.dropped());
        totals.add("machine_forgotten", self.machines.forgotten());
        totals.add_each(self.publisher.each());
        self.meters.count(totals)
    }
}

/// This moment.
fn now() -> Moment {
    Moment { instant: Instant::now(), time: Timestamp::now() }
}

fn every(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

fn log(mac: MacAddr, finding: &Finding) {
    match finding {
        Finding::MacConflict { client_id, other, .. } => {
            let (client_id, other) = (Hexadecimal(client_id), Hexadecimal(other));
            warn!(%mac, %client_id, %other, "{finding}");
        }
        Finding::ForeignMac(of) => info!(%mac, %of, "{finding}"),
    }
}
