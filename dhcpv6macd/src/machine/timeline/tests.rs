use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::event::{Protocol, TransferState};

/// A machine at its seconds, and what was told of it.
struct Rack {
    timeline: Timeline,
    told: Vec<Event>,
    begun: Instant,
    /// How many parts of files it has loaded.
    parts: u64,
}

impl Rack {
    fn new() -> Self {
        let begun = Instant::now();
        let mut told = Vec::new();
        let now = Moment { instant: begun, time: Timestamp::UNIX_EPOCH };
        Self { timeline: Timeline::new(now, &mut |event| told.push(event)), told, begun, parts: 0 }
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
        self.load_file("boot.efi", seconds, protocol, begun, state, mebibytes);
    }

    fn load_file(
        &mut self,
        file_name: &str,
        seconds: u64,
        protocol: Protocol,
        begun: u64,
        state: TransferState,
        mebibytes: u64,
    ) {
        let begun = self.at(begun).instant;
        let (sent, total, is_over) = (mebibytes << 20, 100 << 20, matches!(state, Complete | Error));
        let error = (state == Error).then_some("cut off");
        self.progress(seconds, &Progress { protocol, file_name, begun, state, is_over, sent, total, error });
    }

    fn progress(&mut self, seconds: u64, progress: &Progress<'_>) {
        let now = self.at(seconds);
        self.timeline.progress(progress, now, &mut |event| self.told.push(event));
    }

    /// Loads this MiB of a file that is read as a disk is.
    fn load_part(&mut self, seconds: u64, file_name: &str, mebibyte: u64) {
        self.parts += 1;
        let begun = self.at(seconds).instant + Duration::from_nanos(self.parts);
        let (protocol, total, error) = (Http, 100 << 20, None);
        for (state, is_over, place) in [(Init, false, mebibyte), (Sending, true, mebibyte + 1)] {
            let sent = place << 20;
            self.progress(seconds, &Progress { protocol, file_name, begun, state, is_over, sent, total, error });
        }
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
        self.told.iter().map(|event| [event.kind.name(), if event.is_repeated { "+" } else { "" }].concat()).collect()
    }

    fn kept(&self) -> Vec<&'static str> {
        self.timeline.events().map(|event| event.kind.name()).collect()
    }

    /// The last transfer that was told of: its file, and how it is.
    fn transfer(&self) -> (&str, TransferState) {
        match self.told.last().and_then(|event| event.detail.as_deref()) {
            Some(Detail::Transfer(transfer)) => (&transfer.file_name, transfer.state),
            other => panic!("{other:?}"),
        }
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
fn what_ends_does_not_hide_what_goes_on() {
    let mut rack = Rack::new();
    rack.step(1, Step::PointIpxeToHttpBoot);
    rack.load(2, Http, 2, Init, 0);
    rack.load_file("initrd", 3, Http, 3, Init, 0);
    rack.load_file("initrd", 4, Http, 3, Error, 1);
    assert_eq!(rack.transfer(), ("boot.efi", Init), "it has the last word");
    for second in 5..60 {
        rack.load(second, Http, 2, Sending, second);
        rack.look(second);
    }
    assert!(!rack.timeline.is_stalled());
    rack.load_file("initrd", 60, Http, 60, Init, 0);
    rack.load_file("initrd", 61, Http, 60, Complete, 100);
    assert_eq!(rack.transfer(), ("boot.efi", Sending));
    rack.look(71);
    assert_eq!(rack.reason(), "GET at 59 %, no byte for 10 s");
    rack.load(72, Http, 2, Complete, 100);
    rack.look(371);
    assert!(!rack.timeline.is_stalled());
    rack.look(372);
    assert_eq!(rack.reason(), "file loaded, no operating system for 5 min");
}

#[test]
fn the_failure_of_what_is_on_its_way_besides_is_no_news() {
    let mut rack = Rack::new();
    rack.step(1, Step::HttpBoot);
    rack.load(2, Http, 2, Sending, 10);
    rack.load(4, Http, 4, Init, 0);
    let told = rack.told.len();
    rack.load(5, Http, 4, Error, 0);
    assert_eq!(rack.told.len(), told, "{:?}", rack.told());
    rack.load(14, Http, 2, Sending, 11);
    rack.look(23);
    assert!(!rack.timeline.is_stalled());
    rack.load(24, Http, 2, Error, 11);
    assert_eq!(rack.transfer(), ("boot.efi", Error));
}

#[test]
fn two_are_followed_and_of_more_it_is_seen_that_they_move() {
    let mut rack = Rack::new();
    rack.step(1, Step::HttpBoot);
    let files = ["one", "two", "three", "four"];
    for (file, begun) in files.into_iter().zip(2..) {
        rack.load_file(file, begun, Http, begun, Init, 0);
    }
    for second in 10..60 {
        rack.load_file("one", second, Http, 2, Sending, second);
        rack.look(second);
    }
    assert!(!rack.timeline.is_stalled());
    assert_eq!(rack.transfer(), ("four", Init));
    rack.load_file("four", 60, Http, 5, Complete, 100);
    rack.load_file("one", 61, Http, 2, Sending, 60);
    assert_eq!(rack.transfer(), ("one", Sending), "there is room for it");
}

#[test]
fn parts_of_a_file_are_one_step_and_told_once_a_second() {
    let mut rack = Rack::new();
    rack.step(1, Step::PointIpxeToHttpBoot);
    for second in 2..100 {
        for _ in 0..50 {
            rack.load_part(second, "disk", 7);
            rack.load_part(second, "other", 3);
        }
    }
    assert_eq!(rack.kept(), ["init", "jump_to", "point_ipxe_to_http_boot", "http_fetch_uki", "http_fetch_uki"]);
    assert!(rack.told.len() < 98 * 5, "{}", rack.told.len());
    rack.look(110);
    assert!(!rack.timeline.is_stalled(), "a disk is read when something is wanted of it");
    rack.look(399);
    assert_eq!(rack.reason(), "part of a file loaded, no operating system for 5 min");
}

#[test]
fn what_is_loaded_in_parts_is_told_at_its_marks_and_its_end() {
    let mut rack = Rack::new();
    rack.step(1, Step::HttpBoot);
    (0..99).for_each(|mebibyte| rack.load_part(2, "disk", mebibyte));
    rack.load_file("disk", 2, Http, 2, Complete, 100);
    let told = rack.told.split_off(3);
    assert_eq!(told.len(), 2 + 19 + 1, "its begin, its marks, and its end: {told:?}");
}

#[test]
fn a_file_that_failed_is_kept_when_it_is_asked_for_again_and_others_after_it_are_not() {
    let mut rack = Rack::new();
    rack.step(1, Step::PointPxeToIpxeOverTftp);
    for second in 2..9 {
        rack.load(second, Tftp, second, Init, 0);
        rack.load(second, Tftp, second, Error, 1);
    }
    rack.load(9, Tftp, 9, Init, 0);
    rack.load(9, Tftp, 9, Complete, 100);
    rack.load_file("grubx64.efi", 10, Tftp, 10, Init, 0);
    rack.load_file("grubx64.efi", 10, Tftp, 10, Complete, 100);
    let [serve, served] = ["serve_ipxe_over_tftp", "served_ipxe_over_tftp"];
    assert_eq!(rack.kept()[3..], [serve, serve, served, serve, served]);
    let states = rack.timeline.events().filter_map(|event| match event.detail.as_deref() {
        Some(Detail::Transfer(transfer)) => Some(transfer.state),
        _ => None,
    });
    assert_eq!(states.collect::<Vec<_>>(), [Error, Init, Complete, Init, Complete]);
}

#[test]
fn what_a_running_system_loads_is_no_step_of_a_boot() {
    let mut rack = Rack::new();
    rack.step(1, Step::HttpBoot);
    rack.load(2, Http, 2, Complete, 100);
    rack.step(3, Step::OsInit);
    let booted = rack.kept();
    for (number, begun) in (0..100).zip((10..).step_by(10)) {
        let file = ["root.img", "ignition.json"][number % 2];
        rack.load_file(file, begun, Http, begun, Init, 0);
        rack.load_file(file, begun + 1, Http, begun, if number == 50 { Error } else { Complete }, 100);
        rack.look(begun + 9);
    }
    rack.look(10_000);
    assert_eq!(rack.kept(), [&booted[..], &["fyi"]].concat(), "one remark for all");
    assert_eq!((rack.timeline.step(), rack.timeline.is_stalled()), (Step::OsInit, false));
    assert_eq!(rack.transfer(), ("ignition.json", Complete));
    assert_eq!(rack.timeline.events().last().unwrap().detail, rack.told.last().unwrap().detail);
    assert_eq!(rack.told()[booted.len()..][..3], ["fyi", "fyi+", "fyi+"]);

    rack.timeline.note("odd", rack.at(10_000), &mut |_| {});
    rack.step(10_001, Step::OsInit);
    rack.load_file("root.img", 10_002, Http, 10_002, Sending, 7);
    assert_eq!(rack.told().last().unwrap(), "fyi+", "its system asks again, and goes on");
    rack.step(10_003, Step::FirmwareInit);
    rack.step(10_004, Step::HttpBoot);
    rack.load(10_005, Http, 10_005, Init, 0);
    assert_eq!(rack.timeline.step(), Step::HttpFetchUki);
    assert_eq!(rack.kept()[booted.len()..], ["fyi", "fyi", "firmware_init", "http_boot", "http_fetch_uki"]);
}

#[test]
fn who_was_only_seen_to_renew_is_in_no_boot() {
    let mut rack = Rack::new();
    rack.load(2, Http, 2, Complete, 100);
    rack.look(1000);
    assert_eq!((rack.kept(), rack.timeline.step()), (vec!["init", "fyi"], Step::Init));
}

#[test]
fn fifty_events_are_kept() {
    let mut rack = Rack::new();
    for second in 0..100 {
        rack.step(second, if second % 2 == 0 { Step::FirmwareInit } else { Step::OsInit });
    }
    assert_eq!((rack.told.len(), rack.kept().len()), (101, EVENTS_MAX));
}

#[test]
fn what_repeats_leaves_the_boot_to_be_seen() {
    let mut rack = Rack::new();
    rack.step(1, Step::FirmwareInit);
    rack.step(2, Step::HttpBoot);
    for second in 3..600 {
        rack.timeline.note("odd", rack.at(second), &mut |event| rack.told.push(event));
    }
    assert_eq!(rack.told.len(), 3 + 10, "once a minute");
    for minute in 10..200 {
        rack.timeline.note("odd", rack.at(60 * minute), &mut |event| rack.told.push(event));
    }
    assert_eq!(rack.kept()[..3], ["init", "firmware_init", "http_boot"]);
    for second in 20_000..20_100 {
        rack.step(second, if second % 2 == 0 { Step::FirmwareInit } else { Step::OsInit });
    }
    let kept = rack.kept();
    let remarks = kept.iter().filter(|name| **name == "fyi").count();
    assert_eq!((kept.len(), remarks, kept.last()), (EVENTS_MAX, 0, Some(&"os_init")));
}

#[test]
fn who_stands_still_until_its_transfer_is_given_up_has_not_moved() {
    let mut rack = Rack::new();
    rack.step(1, Step::FirmwareInit);
    rack.step(2, Step::HttpBoot);
    rack.load(3, Http, 3, Sending, 41);
    rack.look(13);
    rack.load(63, Http, 3, Error, 41);
    rack.look(1000);
    assert_eq!(rack.told()[3..], ["http_fetch_uki", "stalled", "http_fetch_uki+"]);
    rack.load(1001, Http, 1001, Sending, 41);
    assert_eq!(rack.told()[6..], ["resumed", "http_fetch_uki"]);
}
