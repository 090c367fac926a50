//! A machine's boot, step by step.

#[cfg(test)]
mod tests;

use std::{collections::VecDeque, time::Instant};

use jiff::SignedDuration;

use super::{
    Moment,
    stall::{Answer, StallLimits, Standstill},
    transfer::{Heard, Progress, Transfers, step_of},
};
use crate::event::{Detail, Event, EventKind, Step, Transfer};

/// Events of a machine that are kept.
pub const EVENTS_MAX: usize = 50;
/// Those among them that are no steps, so that what repeats leaves the boot to be seen.
const REMARKS_MAX: usize = EVENTS_MAX / 2;
/// How long the same oddity is not told of again.
const AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// What a machine went through, as far as it is kept, and where it is now.
#[derive(Debug)]
pub(super) struct Timeline {
    events: VecDeque<Event>,
    step: Step,
    /// When it took that; where it is a transfer, the last one that is none.
    stepped: Instant,
    /// When it moved last.
    moved: Instant,
    is_stalled: bool,
    /// Since it took its step.
    answer: Option<Answer>,
    transfers: Transfers,
}

/// Does a step follow from the last one? What does not is a jump.
const fn follows(last: Step, next: Step) -> bool {
    match last {
        Step::Init => matches!(next, Step::FirmwareInit | Step::OsInit),
        Step::FirmwareInit => matches!(next, Step::HttpBoot | Step::PointPxeToIpxeOverTftp | Step::OsInit),
        Step::PointPxeToIpxeOverTftp => matches!(next, Step::ServeIpxeOverTftp | Step::PointIpxeToHttpBoot),
        // Who asks as iPXE has loaded it, though its last acknowledgement may have got lost. Who loads asks again for what has failed, and
        // what it has loaded may load more: shim its boot loader, and that a system. So it is with HTTP.
        Step::ServeIpxeOverTftp | Step::ServedIpxeOverTftp => {
            matches!(next, Step::ServeIpxeOverTftp | Step::ServedIpxeOverTftp | Step::PointIpxeToHttpBoot)
        }
        Step::PointIpxeToHttpBoot => matches!(next, Step::HttpFetchUki | Step::OsInit),
        // What UEFI HTTP boot loads may be iPXE; and a boot URL may name another server, whose transfers nobody here sees.
        Step::HttpBoot => matches!(next, Step::HttpFetchUki | Step::OsInit | Step::PointIpxeToHttpBoot),
        Step::HttpFetchUki => matches!(next, Step::HttpFetchUki | Step::OsInit | Step::PointIpxeToHttpBoot),
        Step::OsInit => matches!(next, Step::FirmwareInit),
    }
}

impl Timeline {
    /// A machine is seen for the first time.
    pub(super) fn new(now: Moment, tell: &mut dyn FnMut(Event)) -> Self {
        let mut timeline = Self {
            events: VecDeque::new(),
            step: Step::Init,
            stepped: now.instant,
            moved: now.instant,
            is_stalled: false,
            answer: None,
            transfers: Transfers::default(),
        };
        timeline.keep(EventKind::Step(Step::Init), None, now, tell);
        timeline
    }

    /// What is kept of it, oldest first.
    pub(super) fn events(&self) -> impl ExactSizeIterator<Item = &Event> {
        self.events.iter()
    }

    /// The step that it has taken last.
    pub(super) const fn step(&self) -> Step {
        self.step
    }

    /// Does it stand still for longer than it should?
    pub(super) const fn is_stalled(&self) -> bool {
        self.is_stalled
    }

    /// It has taken a step that is no transfer.
    pub(super) fn step_to(&mut self, step: Step, now: Moment, tell: &mut dyn FnMut(Event)) {
        let is_repeated = self.step == step;
        if !is_repeated {
            self.transfers.clear();
            self.stepped = now.instant;
        }
        self.take(EventKind::Step(step), None, is_repeated, now, tell);
    }

    /// It has asked, and nothing has come of it but this answer.
    pub(super) fn answered(&mut self, answer: Answer, now: Moment, tell: &mut dyn FnMut(Event)) {
        // Firmware's IP stack does what it does beside PXE.
        if answer != Answer::Configuration || self.step == Step::FirmwareInit {
            self.answer = Some(answer);
            self.move_on(now, tell);
        }
    }

    /// A file that it loads has come further, or to its end.
    pub(super) fn progress(&mut self, progress: &Progress<'_>, now: Moment, tell: &mut dyn FnMut(Event)) {
        // What is left of a transfer that the machine has gone on from is no news.
        if progress.begun < self.stepped {
            return;
        }
        match self.transfers.take(progress, now.instant) {
            Heard::Nothing => {}
            Heard::Life => self.move_on(now, tell),
            Heard::News { transfer, is_more, goes_on } => {
                self.load(transfer, is_more, now, tell);
                // It has the last word, so that whoever looks sees what the machine does.
                if let Some(transfer) = goes_on {
                    self.load(transfer, true, now, tell);
                }
            }
        }
    }

    /// Something odd was found about it.
    pub(super) fn note(&mut self, message: &str, now: Moment, tell: &mut dyn FnMut(Event)) {
        let detail = Detail::Message { message: message.into() };
        let is_same = |event: &&Event| event.kind == EventKind::Fyi && event.detail.as_deref() == Some(&detail);
        let last = self.events.iter().rev().find(is_same);
        if last.is_none_or(|last| now.time.duration_since(last.time) >= AGAIN) {
            self.keep(EventKind::Fyi, Some(detail), now, tell);
        }
    }

    /// Looks whether it stands still.
    pub(super) fn look(&mut self, limits: &StallLimits, now: Moment, tell: &mut dyn FnMut(Event)) {
        if self.is_stalled {
            return;
        }
        let for_so_long = now.instant.saturating_duration_since(self.moved);
        let (step, answer, transfer) = (self.step, self.answer, self.transfers.awaited());
        if let Some(reason) = limits.reason(&Standstill { step, answer, transfer, for_so_long }) {
            self.is_stalled = true;
            self.keep(EventKind::Stalled, Some(Detail::Reason { reason: reason.into() }), now, tell);
        }
    }

    /// A file is on its way. While its system runs, or where nothing is known but that it renews, that is no step of a boot: one remark is
    /// kept, of the file that it loads last.
    fn load(&mut self, transfer: Transfer, is_more: bool, now: Moment, tell: &mut dyn FnMut(Event)) {
        let step = step_of(&transfer);
        let (kind, is_repeated) = if matches!(self.step, Step::Init | Step::OsInit) {
            (EventKind::Fyi, self.has_loaded_since())
        } else {
            (EventKind::Step(step), is_more && self.step == step)
        };
        self.take(kind, Some(Detail::Transfer(transfer)), is_repeated, now, tell);
    }

    /// Has it loaded something since its last step, which was none?
    fn has_loaded_since(&self) -> bool {
        let mut since = self.events.iter().rev().take_while(|event| !matches!(event.kind, EventKind::Step(_)));
        since.any(Event::is_transfer)
    }

    fn take(
        &mut self,
        kind: EventKind,
        detail: Option<Detail>,
        is_repeated: bool,
        now: Moment,
        tell: &mut dyn FnMut(Event),
    ) {
        self.answer = None;
        // Who stands still has not moved where its transfer ends for that.
        if !(self.is_stalled && detail.as_ref().is_some_and(Detail::is_failure)) {
            self.move_on(now, tell);
        }
        if is_repeated {
            return self.repeat(kind, detail, now, tell);
        }
        if let EventKind::Step(step) = kind {
            if !follows(self.step, step) {
                self.keep(EventKind::JumpTo, None, now, tell);
            }
            self.step = step;
        }
        self.keep(kind, detail, now, tell);
    }

    fn move_on(&mut self, now: Moment, tell: &mut dyn FnMut(Event)) {
        self.moved = now.instant;
        if std::mem::take(&mut self.is_stalled) {
            self.keep(EventKind::Resumed, None, now, tell);
        }
    }

    /// Tells of the same again. Of a transfer it is kept how far it has come.
    fn repeat(&mut self, kind: EventKind, detail: Option<Detail>, now: Moment, tell: &mut dyn FnMut(Event)) {
        let detail = detail.map(Box::new);
        let kept = self.events.iter_mut().rev().find(|event| event.kind == kind && event.is_transfer());
        if let (Some(detail), Some(kept)) = (&detail, kept) {
            kept.detail = Some(detail.clone());
        }
        tell(Event { kind, time: now.time, is_repeated: true, detail });
    }

    fn keep(&mut self, kind: EventKind, detail: Option<Detail>, now: Moment, tell: &mut dyn FnMut(Event)) {
        let event = Event { kind, time: now.time, is_repeated: false, detail: detail.map(Box::new) };
        if self.events.len() >= EVENTS_MAX {
            self.forget();
        }
        self.events.push_back(event.clone());
        tell(event);
    }

    /// Forgets the oldest event, or the oldest remark where there are too many.
    fn forget(&mut self) {
        let mut remarks = self.events.iter().enumerate().filter(|(_, event)| is_remark(event));
        let oldest = remarks.next().filter(|_| remarks.count() >= REMARKS_MAX);
        let index = oldest.map_or(0, |(index, _)| index);
        self.events.remove(index);
    }
}

const fn is_remark(event: &Event) -> bool {
    matches!(event.kind, EventKind::Fyi | EventKind::Stalled | EventKind::Resumed)
}
