//! What is known of each machine. One owner, the control plane; time is an argument.
//!
//! * [`timeline`]: the steps of its boot. [`transfer`]: the files that it loads. [`stall`]: where it stands still.
//! * [`radar`]: do two machines have its MAC?
//! * [`census`]: how many machines are where.

mod census;
mod finding;
mod radar;
mod stall;
mod timeline;
mod transfer;

use std::{collections::HashMap, net::Ipv6Addr, time::Instant};

use jiff::{SignedDuration, Timestamp};

pub use self::{
    census::Census,
    finding::{ConflictSign, Finding},
    stall::StallLimits,
    timeline::EVENTS_MAX,
    transfer::Progress,
};
use self::{radar::Radar, stall::Answer, timeline::Timeline};
use crate::{
    event::{Change, Event, Step},
    policy::{BaseAddress, BootStage},
    respond::Observation,
    wire::{MacAddr, dhcpv6::MessageType},
};

/// The most machines that are known at a time, unless the operator says otherwise.
pub const MACHINES_MAX: usize = 65_536;

/// A moment, by the clock that only goes forward, and by the one on the wall.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// To tell how long something takes.
    pub instant: Instant,
    /// To tell when it was.
    pub time: Timestamp,
}

impl Moment {
    /// The same for one that is a little earlier.
    #[must_use]
    pub fn at(self, instant: Instant) -> Self {
        let ago = SignedDuration::try_from(self.instant.saturating_duration_since(instant)).unwrap_or_default();
        Self { instant, time: self.time.checked_sub(ago).unwrap_or(self.time) }
    }
}

/// Every machine that was seen, as far as there is room: the least recently seen ones go first.
#[derive(Debug)]
pub struct Machines {
    machines: HashMap<MacAddr, Box<Machine>>,
    base_address: BaseAddress,
    limits: StallLimits,
    max: usize,
    forgotten: u64,
    census: Census,
}

#[derive(Debug)]
struct Machine {
    seen: Instant,
    radar: Radar,
    timeline: Timeline,
    /// Was it told of that its DUID holds another MAC?
    is_foreign: bool,
}

/// A machine as it is known, to be shown.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Its MAC.
    pub mac: MacAddr,
    /// Its address.
    pub address: Ipv6Addr,
    timeline: &'a Timeline,
}

impl<'a> Known<'a> {
    /// What is kept of what it went through, oldest first.
    pub fn events(&self) -> impl ExactSizeIterator<Item = &'a Event> + use<'a> {
        self.timeline.events()
    }
}

impl Machines {
    /// Room for so many, none of them known yet.
    #[must_use]
    pub fn new(max: usize, base_address: BaseAddress, limits: StallLimits) -> Self {
        Self {
            machines: HashMap::new(),
            base_address,
            limits,
            max: max.max(1),
            forgotten: 0,
            census: Census::default(),
        }
    }

    /// How many had to go.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// How many are where.
    #[must_use]
    pub const fn census(&self) -> &Census {
        &self.census
    }

    /// How many are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.machines.len()
    }

    /// Is none known?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.machines.is_empty()
    }

    /// All that are known, in no order.
    pub fn all(&self) -> impl Iterator<Item = Known<'_>> {
        self.machines.iter().map(|(mac, machine)| self.known(*mac, machine))
    }

    /// This one, if it is known.
    #[must_use]
    pub fn get(&self, mac: MacAddr) -> Option<Known<'_>> {
        self.machines.get(&mac).map(|machine| self.known(mac, machine))
    }

    fn known<'a>(&self, mac: MacAddr, machine: &'a Machine) -> Known<'a> {
        Known { mac, address: self.base_address.address_of(mac), timeline: &machine.timeline }
    }

    /// A machine has said something: tells what happens, and returns what is odd.
    pub fn message(
        &mut self,
        seen: &Observation<'_>,
        now: Moment,
        tell: &mut dyn FnMut(Change),
    ) -> impl Iterator<Item = Finding> + use<> {
        if self.machines.len() >= self.max && !self.machines.contains_key(&seen.mac) {
            self.make_room();
        }
        let (mac, address) = (seen.mac, self.base_address.address_of(seen.mac));
        let mut tell = |event| tell(Change { mac, address, event });
        let machine = self.machines.entry(mac).or_insert_with(|| {
            let machine = Machine::new(now, &mut tell);
            self.census.enter(&machine.timeline);
            Box::new(machine)
        });
        machine.seen = now.instant;
        self.census.follow(&mut machine.timeline, |timeline| {
            if let Some(step) = step_of(seen) {
                timeline.step_to(step, now, &mut tell);
            }
            if let Some(answer) = answer_to(seen) {
                timeline.answered(answer, now, &mut tell);
            }
        });
        let findings = [machine.conflict(seen, now.instant), machine.foreign_mac(seen)];
        for finding in findings.iter().flatten() {
            machine.timeline.note(&finding.to_string(), now, &mut tell);
        }
        findings.into_iter().flatten()
    }

    /// A file that a machine loads has come further. Who loads one and was never seen is no machine.
    pub fn progress(&mut self, mac: MacAddr, progress: &Progress<'_>, now: Moment, tell: &mut dyn FnMut(Change)) {
        let address = self.base_address.address_of(mac);
        let Some(machine) = self.machines.get_mut(&mac) else { return };
        machine.seen = now.instant;
        let tell = &mut |event| tell(Change { mac, address, event });
        self.census.follow(&mut machine.timeline, |timeline| timeline.progress(progress, now, tell));
    }

    /// Looks which machines stand still.
    pub fn look(&mut self, now: Moment, tell: &mut dyn FnMut(Change)) {
        for (&mac, machine) in &mut self.machines {
            let address = self.base_address.address_of(mac);
            let tell = &mut |event| tell(Change { mac, address, event });
            self.census.follow(&mut machine.timeline, |timeline| timeline.look(&self.limits, now, tell));
        }
    }

    /// Forgets the sixteenth that was not seen for the longest time, so that there is room for many before it is looked for again.
    fn make_room(&mut self) {
        let mut seen: Vec<_> = self.machines.values().map(|machine| machine.seen).collect();
        let most = self.max / 16;
        let (_, &mut limit, _) = seen.select_nth_unstable(most);
        // Many may have been seen at the very same instant.
        let mut left = most + 1;
        self.machines.retain(|_, machine| {
            let goes = left > 0 && machine.seen <= limit;
            if goes {
                left -= 1;
                self.census.leave(&machine.timeline);
            }
            !goes
        });
        self.forgotten += (most + 1 - left) as u64;
    }
}

impl Machine {
    fn new(now: Moment, tell: &mut dyn FnMut(Event)) -> Self {
        let timeline = Timeline::new(now, tell);
        Self { seen: now.instant, radar: Radar::default(), timeline, is_foreign: false }
    }

    fn conflict(&mut self, seen: &Observation<'_>, now: Instant) -> Option<Finding> {
        let client_id = seen.client_id;
        let alternating = self.radar.sweep(seen.stage, client_id, now);
        let (sign, other) = if seen.kind == MessageType::Decline {
            (ConflictSign::Declined, self.radar.other_than(client_id))
        } else {
            (ConflictSign::Alternating, alternating?)
        };
        Some(Finding::MacConflict { sign, client_id: client_id.into(), other })
    }

    fn foreign_mac(&mut self, seen: &Observation<'_>) -> Option<Finding> {
        let mac = seen.foreign_mac().filter(|_| !self.is_foreign)?;
        self.is_foreign = true;
        Some(Finding::ForeignMac(mac))
    }
}

/// The step of a boot that a message is, if it is one. Nothing follows from a Release in mid-boot, which firmware's IP stack sends when
/// PXE takes over; and who renews has been where it is for long.
const fn step_of(seen: &Observation<'_>) -> Option<Step> {
    use MessageType::{Confirm, InformationRequest, Request, Solicit};
    let is_told = seen.is_told_boot_file;
    match (seen.stage, seen.kind) {
        (BootStage::Ipxe, Request | InformationRequest) if is_told => Some(Step::PointIpxeToHttpBoot),
        (BootStage::HttpBoot, Request) if is_told => Some(Step::HttpBoot),
        (BootStage::Pxe, Request) if is_told => Some(Step::PointPxeToIpxeOverTftp),
        (BootStage::HttpBoot | BootStage::Pxe, Solicit) => Some(Step::FirmwareInit),
        (BootStage::Other, Solicit | InformationRequest) if seen.is_firmware => Some(Step::FirmwareInit),
        (BootStage::Other, Solicit | Request | Confirm | InformationRequest) if !seen.is_firmware => Some(Step::OsInit),
        _ => None,
    }
}

/// What firmware, or iPXE, was answered, where that is not what the step says.
const fn answer_to(seen: &Observation<'_>) -> Option<Answer> {
    use MessageType::{InformationRequest, Request, Solicit};
    match (seen.stage, seen.kind, seen.is_told_boot_file) {
        _ if !seen.is_firmware => None,
        (BootStage::Other, Solicit, _) | (_, Solicit, true) => Some(Answer::Offer),
        (_, Solicit, false) => Some(Answer::EmptyOffer),
        (BootStage::Other, Request | InformationRequest, _) => Some(Answer::Configuration),
        (_, Request | InformationRequest, false) => Some(Answer::NothingToBoot),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        event::{Detail, Protocol, TransferState},
        policy::BootStage,
    };

    const MAC: MacAddr = MacAddr([0x52, 0x54, 0, 0, 0, 1]);
    const ONE: &[u8] = b"\0\x04the-first-uuid--";
    const OTHER: &[u8] = b"\0\x04the-other-uuid--";

    fn seen(mac: MacAddr, stage: BootStage, client_id: &[u8]) -> Observation<'_> {
        let is_firmware = stage != BootStage::Other;
        let transaction = [1, 2, 3];
        Observation {
            mac,
            kind: MessageType::Solicit,
            stage,
            client_id,
            transaction,
            is_told_boot_file: false,
            is_firmware,
        }
    }

    fn machines(max: usize) -> Machines {
        Machines::new(max, "2001:db8::".parse().unwrap(), StallLimits::default())
    }

    /// What is found when this is seen.
    fn observe(machines: &mut Machines, seen: &Observation<'_>, instant: Instant) -> Vec<Finding> {
        let now = Moment { instant, time: Timestamp::UNIX_EPOCH };
        machines.message(seen, now, &mut |_| {}).collect()
    }

    /// What is found when these are seen, a second apart.
    fn found(sequence: &[(BootStage, &[u8])]) -> Vec<Finding> {
        let mut machines = machines(10);
        let start = Instant::now();
        let observe_at = |(second, (stage, duid)): (u64, &(BootStage, &[u8]))| {
            observe(&mut machines, &seen(MAC, *stage, duid), start + Duration::from_secs(second))
        };
        (0..).zip(sequence).flat_map(observe_at).collect()
    }

    /// Why a machine stands still that has asked for these, a second apart, and was told a boot file or not; and for how long it may.
    fn standstill(sequence: &[(BootStage, MessageType, bool)]) -> (u64, String) {
        let mut machines = machines(1);
        let start = Instant::now();
        let at = |second| Moment { instant: start + Duration::from_secs(second), time: Timestamp::UNIX_EPOCH };
        for (second, &(stage, kind, is_told_boot_file)) in (0..).zip(sequence) {
            let seen = Observation { kind, is_told_boot_file, is_firmware: true, ..seen(MAC, stage, ONE) };
            machines.message(&seen, at(second), &mut |_| {}).for_each(drop);
        }
        let mut reason = None;
        for second in sequence.len() as u64.. {
            machines.look(at(second), &mut |change| reason = change.event.detail);
            if let Some(Detail::Reason { reason }) = reason.as_deref() {
                return (second + 1 - sequence.len() as u64, reason.to_string());
            }
        }
        unreachable!("nobody may stand still for ever");
    }

    #[test]
    fn what_firmware_was_answered_is_what_it_is_waited_for_after() {
        use BootStage::{HttpBoot, Ipxe, Other, Pxe};
        use MessageType::{InformationRequest, Release, Request, Solicit};
        let nothing_to_boot = "has its address, was told nothing to boot for";
        let unasked = "was answered, asked for nothing to boot, no operating system for 5 min".to_owned();
        let pxe = [(Pxe, Solicit, true), (Pxe, Request, true)];
        assert_eq!(standstill(&pxe[..1]), (10, "Advertise sent, no Request for 10 s".to_owned()));
        assert_eq!(
            standstill(&[(HttpBoot, Solicit, false)]),
            (10, "Advertise sent without a boot file, no Request for 10 s".to_owned())
        );
        assert_eq!(
            standstill(&[(Pxe, Solicit, false), (Pxe, Request, false)]),
            (10, format!("{nothing_to_boot} 10 s"))
        );
        assert_eq!(standstill(&[(Other, InformationRequest, false)]), (300, unasked.clone()));
        let network = [(Other, Solicit, false), (Other, Request, false), (Other, Release, false)];
        assert_eq!(standstill(&network[..2]), (300, unasked));
        // Firmware's own network comes and goes beside PXE.
        let beside = [network[0], pxe[0], pxe[1], network[1], network[2]];
        assert_eq!(standstill(&beside).1, "told where iPXE is, no message from it for 60 s");
        // iPXE's messages are signs of life, whatever they bring.
        let solicit = [pxe[0], pxe[1], (Ipxe, Solicit, false), (Ipxe, Solicit, true)];
        assert_eq!(standstill(&solicit), (30, "Advertise sent, no Request for 30 s".to_owned()));
        let request = [pxe[0], pxe[1], (Ipxe, Solicit, false), (Ipxe, Request, false)];
        assert_eq!(standstill(&request), (30, format!("{nothing_to_boot} 30 s")));
        let boots = [pxe[0], pxe[1], (Ipxe, Solicit, true), (Ipxe, Request, true)];
        assert_eq!(standstill(&boots).1, "boot URL sent, no operating system for 5 min");
    }

    #[test]
    fn two_duids_that_take_turns_are_two_machines() {
        let conflict =
            Finding::MacConflict { sign: ConflictSign::Alternating, client_id: ONE.into(), other: OTHER.into() };
        assert_eq!(found(&[(BootStage::Pxe, ONE), (BootStage::Pxe, OTHER), (BootStage::Pxe, ONE)]), [conflict]);
    }

    #[test]
    fn a_machine_has_another_duid_in_each_stage_and_a_new_one_after_an_install() {
        use BootStage::{Ipxe, Other, Pxe};
        let boot =
            [(Pxe, ONE), (Ipxe, OTHER), (Other, b"\0\x02system"), (Pxe, ONE), (Ipxe, OTHER), (Other, b"\0\x02anew--")];
        assert_eq!(found(&boot), []);
    }

    #[test]
    fn turns_that_are_far_apart_are_none() {
        let mut machines = machines(10);
        let start = Instant::now();
        for (second, duid) in [(0, ONE), (1000, OTHER), (2000, ONE)] {
            let now = start + Duration::from_secs(second);
            assert_eq!(observe(&mut machines, &seen(MAC, BootStage::Pxe, duid), now), []);
        }
    }

    #[test]
    fn a_decline_is_a_conflict_with_whoever_was_there_before() {
        let mut machines = machines(10);
        let now = Instant::now();
        assert_eq!(observe(&mut machines, &seen(MAC, BootStage::Other, ONE), now), []);
        let decline = Observation { kind: MessageType::Decline, ..seen(MAC, BootStage::Other, OTHER) };
        let conflict =
            Finding::MacConflict { sign: ConflictSign::Declined, client_id: OTHER.into(), other: ONE.into() };
        assert_eq!(observe(&mut machines, &decline, now), [conflict]);
    }

    #[test]
    fn a_duid_of_another_mac_is_told_of_once() {
        let dock = b"\0\x03\0\x01\x02\0\0\0\0\x99";
        let finding = Finding::ForeignMac(MacAddr([2, 0, 0, 0, 0, 0x99]));
        assert_eq!(found(&[(BootStage::Other, dock), (BootStage::Other, dock)]), [finding]);
        assert_eq!(found(&[(BootStage::Other, &[&b"\0\x03\0\x01"[..], &MAC.0].concat())]), []);
    }

    #[test]
    fn of_those_that_were_seen_at_once_no_more_go_than_must() {
        let mut machines = machines(32);
        let now = Instant::now();
        for number in 0..33_u8 {
            assert_eq!(observe(&mut machines, &seen(MacAddr([2, 0, 0, 0, 0, number]), BootStage::Pxe, ONE), now), []);
        }
        assert_eq!((machines.machines.len(), machines.forgotten()), (30, 3));
    }

    /// The same as the census, by looking at all.
    fn counted(machines: &Machines) -> Census {
        let mut census = Census::default();
        machines.machines.values().for_each(|machine| census.enter(&machine.timeline));
        census
    }

    #[test]
    fn the_census_is_what_looking_at_all_brings() {
        let mut machines = machines(20);
        let begun = Instant::now();
        let stages = [BootStage::Pxe, BootStage::Ipxe, BootStage::Other];
        for number in 0..100_u8 {
            let (mac, instant) = (MacAddr([2, 0, 0, 0, 0, number % 30]), begun + Duration::from_secs(number.into()));
            let now = Moment { instant, time: Timestamp::UNIX_EPOCH };
            observe(&mut machines, &seen(mac, stages[usize::from(number) % 3], ONE), instant);
            let (protocol, state) = (Protocol::Http, TransferState::Sending);
            let (begun, is_over, error) = (instant, false, None);
            let progress = Progress { protocol, file_name: "", begun, state, is_over, sent: 1, total: 2, error };
            if number % 4 == 0 {
                machines.progress(mac, &progress, now, &mut |_| {});
            }
            machines.look(now, &mut |_| {});
            assert_eq!(machines.census(), &counted(&machines));
        }
        assert!(machines.forgotten() > 0 && machines.census().stalled() > 0, "{:?}", machines.census());
        let in_use = machines.census().steps().filter(|(_, count)| *count > 0).count();
        assert!(in_use >= 3, "{:?}", machines.census());
    }

    #[test]
    fn the_least_recently_seen_are_forgotten() {
        let mut machines = machines(8);
        let start = Instant::now();
        for number in 0..100_u8 {
            let now = start + Duration::from_secs(number.into());
            assert_eq!(observe(&mut machines, &seen(MacAddr([2, 0, 0, 0, 0, number]), BootStage::Pxe, ONE), now), []);
            assert!(machines.machines.len() <= 8);
        }
        assert!(machines.machines.contains_key(&MacAddr([2, 0, 0, 0, 0, 99])));
        assert_eq!(machines.forgotten(), 100 - machines.machines.len() as u64);
    }
}
