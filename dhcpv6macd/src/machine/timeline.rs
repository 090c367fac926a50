//! A machine's boot, step by step.

use std::{collections::VecDeque, time::Instant};

use super::{
    Moment,
    stall::{StallLimits, Standstill},
};
use crate::event::{Detail, Event, EventKind, MARK, Protocol, Step, Transfer, TransferState};

/// Events of a machine that are kept.
pub const EVENTS_MAX: usize = 50;

/// What a machine went through, as far as it is kept, and where it is now.
#[derive(Debug)]
pub(super) struct Timeline {
    events: VecDeque<Event>,
    step: Step,
    /// When it took that, or said so again.
    stepped: Instant,
    /// When it moved last.
    moved: Instant,
    is_stalled: bool,
    transfer: Option<Current>,
}

/// The transfer that a machine has begun last: what becomes of older ones is no news.
#[derive(Clone, Copy, Debug)]
struct Current {
    begun: Instant,
    /// How many [marks](MARK) have been told of.
    marks: u64,
    sent: u64,
    total: u64,
    protocol: Protocol,
    state: TransferState,
}

/// What happened to a file that a machine loads.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// How it goes.
    pub protocol: Protocol,
    /// Its name.
    pub file_name: &'a str,
    /// When it was asked for, which tells a machine's transfers apart.
    pub begun: Instant,
    /// How it is going.
    pub state: TransferState,
    /// Bytes that have gone.
    pub sent: u64,
    /// Bytes that there are.
    pub total: u64,
    /// Why it has ended before its end.
    pub error: Option<&'a str>,
}

/// Does a step follow from the last one? What does not is a jump.
const fn follows(last: Step, next: Step) -> bool {
    match last {
        Step::Init => matches!(next, Step::FirmwareInit | Step::OsInit),
        Step::FirmwareInit => matches!(next, Step::HttpBoot | Step::PointPxeToIpxeOverTftp | Step::OsInit),
        Step::PointPxeToIpxeOverTftp => matches!(next, Step::ServeIpxeOverTftp | Step::PointIpxeToHttpBoot),
        // Who asks as iPXE has loaded it, though its last acknowledgement may have got lost.
        Step::ServeIpxeOverTftp => matches!(next, Step::ServedIpxeOverTftp | Step::PointIpxeToHttpBoot),
        Step::ServedIpxeOverTftp => matches!(next, Step::PointIpxeToHttpBoot),
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
            transfer: None,
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
        self.transfer = None;
        self.stepped = now.instant;
        self.take(step, None, self.step == step, now, tell);
    }

    /// A file that it loads has come further, or to its end.
    pub(super) fn progress(&mut self, progress: &Progress<'_>, now: Moment, tell: &mut dyn FnMut(Event)) {
        let before = self.transfer.filter(|transfer| transfer.begun == progress.begun);
        let is_newer = self.transfer.is_none_or(|transfer| transfer.begun < progress.begun);
        // What is left of a transfer that the machine has given up, or has gone on from, is no news.
        if before.is_none() && (!is_newer || progress.begun < self.stepped) {
            return;
        }
        let marks = progress.sent / MARK;
        let is_news = before.is_none_or(|before| before.marks < marks || before.state != progress.state);
        let Progress { begun, sent, total, protocol, state, .. } = *progress;
        self.transfer = Some(Current { begun, marks, sent, total, protocol, state });
        let step = step_of(progress);
        if is_news {
            self.take(step, Some(detail(progress)), before.is_some() && self.step == step, now, tell);
        } else {
            self.move_on(now, tell);
        }
    }

    /// Something odd was found about it.
    pub(super) fn note(&mut self, message: &str, now: Moment, tell: &mut dyn FnMut(Event)) {
        self.keep(EventKind::Fyi, Some(Detail::Message { message: message.into() }), now, tell);
    }

    /// Looks whether it stands still.
    pub(super) fn look(&mut self, limits: &StallLimits, now: Moment, tell: &mut dyn FnMut(Event)) {
        if self.is_stalled {
            return;
        }
        let for_so_long = now.instant.saturating_duration_since(self.moved);
        let transfer = self.transfer.map(|current| (current.protocol, current.state, current.sent, current.total));
        if let Some(reason) = limits.reason(&Standstill { step: self.step, transfer, for_so_long }) {
            self.is_stalled = true;
            self.keep(EventKind::Stalled, Some(Detail::Reason { reason: reason.into() }), now, tell);
        }
    }

    fn take(
        &mut self,
        step: Step,
        detail: Option<Detail>,
        is_repeated: bool,
        now: Moment,
        tell: &mut dyn FnMut(Event),
    ) {
        self.move_on(now, tell);
        if is_repeated {
            return self.repeat(detail, now, tell);
        }
        if !follows(self.step, step) {
            self.keep(EventKind::JumpTo, None, now, tell);
        }
        (self.step, self.stepped) = (step, now.instant);
        self.keep(EventKind::Step(step), detail, now, tell);
    }

    fn move_on(&mut self, now: Moment, tell: &mut dyn FnMut(Event)) {
        self.moved = now.instant;
        if std::mem::take(&mut self.is_stalled) {
            self.keep(EventKind::Resumed, None, now, tell);
        }
    }

    /// Tells of the same step again. Of a transfer it is kept how far it has come.
    fn repeat(&mut self, detail: Option<Detail>, now: Moment, tell: &mut dyn FnMut(Event)) {
        let kind = EventKind::Step(self.step);
        let detail = detail.map(Box::new);
        if let (Some(detail), Some(kept)) = (&detail, self.events.iter_mut().rev().find(|event| event.kind == kind)) {
            kept.detail = Some(detail.clone());
        }
        tell(Event { kind, time: now.time, is_repeated: true, detail });
    }

    fn keep(&mut self, kind: EventKind, detail: Option<Detail>, now: Moment, tell: &mut dyn FnMut(Event)) {
        let event = Event { kind, time: now.time, is_repeated: false, detail: detail.map(Box::new) };
        if self.events.len() >= EVENTS_MAX {
            self.events.pop_front();
        }
        self.events.push_back(event.clone());
        tell(event);
    }
}

const fn step_of(progress: &Progress<'_>) -> Step {
    match (progress.protocol, progress.state) {
        (Protocol::Tftp, TransferState::Complete) => Step::ServedIpxeOverTftp,
        (Protocol::Tftp, TransferState::Init | TransferState::Sending | TransferState::Error) => {
            Step::ServeIpxeOverTftp
        }
        (Protocol::Http | Protocol::Https, _) => Step::HttpFetchUki,
    }
}

fn detail(progress: &Progress<'_>) -> Detail {
    let Progress { protocol, file_name, state, sent, total, error, .. } = *progress;
    Detail::Transfer(Transfer {
        protocol,
        file_name: file_name.into(),
        state,
        sent_bytes: sent,
        total_bytes: total,
        error: error.map(Into::into),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;

    /// A machine at its seconds, and what was told of it.
    struct Rack {
        timeline: Timeline,
        told: Vec<Event>,
        begun: Instant,
    }

    impl Rack {
        fn new() -> Self {
            let begun = Instant::now();
            let mut told = Vec::new();
            let now = Moment { instant: begun, time: Timestamp::UNIX_EPOCH };
            Self { timeline: Timeline::new(now, &mut |event| told.push(event)), told, begun }
        }

        fn at(&self, seconds: u64) -> Moment {
            let time = Timestamp::from_second(i64::try_from(seconds).unwrap()).unwrap();
            Moment { instant: self.begun + Duration::from_secs(seconds), time }
        }

        fn step(&mut self, seconds: u64, step: Step) {
            let now = self.at(seconds);
            self.timeline.step_to(step, now, &mut |event| self.told.push(event));
        }

        /// A file of 100 MiB, asked for at its second.
        fn load(&mut self, seconds: u64, protocol: Protocol, begun: u64, state: TransferState, mebibytes: u64) {
            let (now, begun) = (self.at(seconds), self.at(begun).instant);
            let error = (state == Error).then_some("cut off");
            let (sent, total, file_name) = (mebibytes << 20, 100 << 20, "boot.efi");
            let progress = Progress { protocol, file_name, begun, state, sent, total, error };
            self.timeline.progress(&progress, now, &mut |event| self.told.push(event));
        }

        fn look(&mut self, seconds: u64) {
            let mut limits = StallLimits::default();
            (limits.serves_ipxe, limits.serves_boot_files) = (true, true);
            self.look_by(&limits, seconds);
        }

        fn look_by(&mut self, limits: &StallLimits, seconds: u64) {
            let now = self.at(seconds);
            self.timeline.look(limits, now, &mut |event| self.told.push(event));
        }

        /// Names of what was told, with a mark on what is not kept.
        fn told(&self) -> Vec<String> {
            self.told
                .iter()
                .map(|event| [event.kind.name(), if event.is_repeated { "+" } else { "" }].concat())
                .collect()
        }

        fn kept(&self) -> Vec<&'static str> {
            self.timeline.events().map(|event| event.kind.name()).collect()
        }

        fn reason(&self) -> &str {
            match self.told.last().and_then(|event| event.detail.as_deref()) {
                Some(Detail::Reason { reason }) => reason,
                other => panic!("{other:?}"),
            }
        }
    }

    use Protocol::{Http, Tftp};
    use TransferState::{Complete, Error, Init, Sending};

    #[test]
    fn a_boot_goes_step_by_step() {
        let mut rack = Rack::new();
        rack.step(1, Step::FirmwareInit);
        rack.step(2, Step::PointPxeToIpxeOverTftp);
        rack.load(3, Tftp, 3, Init, 0);
        rack.load(4, Tftp, 3, Complete, 100);
        rack.step(5, Step::PointIpxeToHttpBoot);
        rack.load(6, Http, 6, Init, 0);
        rack.load(7, Http, 6, Sending, 6);
        rack.load(8, Http, 6, Sending, 7);
        rack.load(9, Http, 6, Complete, 100);
        rack.step(10, Step::OsInit);
        let boot = Step::ALL.map(Step::name).into_iter().filter(|name| *name != "http_boot").collect::<Vec<_>>();
        assert_eq!(rack.kept(), boot);
        let mut told = boot.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        // 5 MiB are worth telling, one more is not, and the end is.
        told.splice(7..7, ["http_fetch_uki+".to_owned(), "http_fetch_uki+".to_owned()]);
        assert_eq!(rack.told(), told);
        let fetched = rack.timeline.events().nth(6).unwrap();
        assert!(matches!(fetched.detail.as_deref(), Some(Detail::Transfer(transfer)) if transfer.state == Complete));
    }

    #[test]
    fn what_does_not_follow_is_a_jump_and_what_repeats_is_not_kept() {
        let mut rack = Rack::new();
        rack.step(1, Step::OsInit);
        rack.step(2, Step::OsInit);
        rack.step(3, Step::PointIpxeToHttpBoot);
        assert_eq!(rack.told(), ["init", "os_init", "os_init+", "jump_to", "point_ipxe_to_http_boot"]);
        assert_eq!(rack.kept(), ["init", "os_init", "jump_to", "point_ipxe_to_http_boot"]);
    }

    #[test]
    fn what_another_server_gives_is_no_jump() {
        let mut rack = Rack::new();
        let steps = [Step::FirmwareInit, Step::HttpBoot, Step::PointIpxeToHttpBoot, Step::OsInit];
        for (second, step) in (1..).zip(steps.into_iter().chain([Step::FirmwareInit, Step::HttpBoot, Step::OsInit])) {
            rack.step(second, step);
        }
        assert!(!rack.kept().contains(&"jump_to"), "{:?}", rack.kept());
    }

    #[test]
    fn the_end_of_an_old_transfer_is_no_news() {
        let mut rack = Rack::new();
        rack.step(1, Step::FirmwareInit);
        rack.step(2, Step::PointPxeToIpxeOverTftp);
        rack.load(3, Tftp, 3, Init, 0);
        rack.load(5, Tftp, 5, Init, 0);
        let told = rack.told.len();
        rack.load(6, Tftp, 3, Error, 0);
        rack.load(6, Tftp, 3, Complete, 100);
        assert_eq!(rack.told.len(), told, "{:?}", rack.told());
        rack.load(7, Tftp, 5, Complete, 100);
        rack.step(8, Step::PointIpxeToHttpBoot);
        rack.step(9, Step::OsInit);
        rack.load(20, Tftp, 5, Error, 10);
        rack.load(21, Tftp, 3, Error, 10);
        assert_eq!(rack.kept().last(), Some(&"os_init"));
    }

    #[test]
    fn who_stands_still_is_told_of_once_and_why_and_when_it_moves_again() {
        let mut rack = Rack::new();
        rack.look(1000);
        rack.step(1000, Step::FirmwareInit);
        rack.look(1009);
        assert_eq!(rack.told(), ["init", "firmware_init"]);
        rack.look(1010);
        rack.look(1100);
        assert_eq!(rack.reason(), "Advertise sent, no Request for 10 s");
        rack.step(1200, Step::HttpBoot);
        assert_eq!(rack.told()[2..], ["stalled", "resumed", "http_boot"]);
        rack.load(1201, Http, 1201, Sending, 41);
        rack.look(1211);
        assert_eq!(rack.reason(), "GET at 41 %, no byte for 10 s");
        rack.load(1212, Http, 1201, Sending, 42);
        assert_eq!(rack.told().last().unwrap(), "resumed", "a mebibyte is a sign of life");
        rack.load(1213, Http, 1201, Error, 42);
        rack.look(1223);
        assert_eq!(rack.reason(), "GET failed, nothing more for 10 s");
        rack.load(1224, Http, 1224, Sending, 1);
        rack.load(1225, Http, 1224, Complete, 100);
        rack.look(1524);
        assert!(!rack.timeline.is_stalled());
        rack.look(1525);
        assert_eq!(rack.reason(), "file loaded, no operating system for 5 min");
        rack.step(1600, Step::OsInit);
        rack.look(100_000);
        assert!(!rack.timeline.is_stalled());
    }

    #[test]
    fn who_loads_from_another_server_has_longer() {
        let elsewhere = StallLimits::default();
        for (step, limit, reason) in [
            (Step::PointPxeToIpxeOverTftp, 60, "told where iPXE is, no message from it for 60 s"),
            (Step::HttpBoot, 300, "boot URL sent, no operating system for 5 min"),
            (Step::PointIpxeToHttpBoot, 300, "boot URL sent, no operating system for 5 min"),
        ] {
            let mut rack = Rack::new();
            rack.step(0, step);
            rack.look_by(&elsewhere, limit - 1);
            assert!(!rack.timeline.is_stalled(), "{step:?}");
            rack.look_by(&elsewhere, limit);
            assert_eq!(rack.reason(), reason);
        }
    }

    #[test]
    fn fifty_events_are_kept() {
        let mut rack = Rack::new();
        for second in 0..100 {
            rack.step(second, if second % 2 == 0 { Step::FirmwareInit } else { Step::OsInit });
        }
        assert_eq!((rack.told.len(), rack.kept().len()), (101, EVENTS_MAX));
    }
}
