//! What is known of each machine. One owner, the control plane; time is an argument.

mod radar;

use std::{collections::HashMap, time::Instant};

use self::radar::Radar;
use crate::{
    respond::Observation,
    wire::{MacAddr, dhcpv6::MessageType},
};

/// The most machines that are known at a time.
pub const MACHINES_MAX: usize = 65_536;

/// Every machine that was seen, as far as there is room: the least recently seen ones go first.
#[derive(Debug)]
pub struct Machines {
    machines: HashMap<MacAddr, Machine>,
    max: usize,
    forgotten: u64,
}

#[derive(Debug)]
struct Machine {
    seen: Instant,
    radar: Radar,
    /// Was it told of that its DUID holds another MAC?
    is_foreign: bool,
}

/// What is worth telling of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Two machines seem to have this MAC.
    MacConflict {
        /// What shows it.
        sign: ConflictSign,
        /// The DUID that was seen just now.
        client_id: Box<[u8]>,
        /// The one that was seen before it, if any was.
        other: Box<[u8]>,
    },
    /// The DUID was made from another MAC, such as that of a dongle or a dock.
    ForeignMac(MacAddr),
}

/// What shows that two machines have one MAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictSign {
    /// Two DUIDs take turns within one stage of a boot.
    Alternating,
    /// A machine declined its address: it has found somebody else who uses it (RFC 9915 section 18.2.8).
    Declined,
}

impl Finding {
    /// Name of its counter.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::MacConflict { .. } => "mac_conflict",
            Self::ForeignMac(_) => "duid_of_another_mac",
        }
    }
}

impl Machines {
    /// Room for so many, none of them known yet.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { machines: HashMap::new(), max: max.max(1), forgotten: 0 }
    }

    /// How many had to go.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Takes notice of a machine, and says what is worth telling.
    pub fn observe(&mut self, seen: &Observation<'_>, now: Instant) -> impl Iterator<Item = Finding> + use<> {
        if self.machines.len() >= self.max && !self.machines.contains_key(&seen.mac) {
            self.make_room();
        }
        let machine = self.machines.entry(seen.mac).or_insert_with(|| Machine::new(now));
        machine.seen = now;
        [machine.conflict(seen, now), machine.foreign_mac(seen)].into_iter().flatten()
    }

    /// Forgets the quarter that was not seen for the longest time, so that there is room for many before it is looked for again.
    fn make_room(&mut self) {
        let mut seen: Vec<_> = self.machines.values().map(|machine| machine.seen).collect();
        let quarter = self.max / 4;
        let (_, &mut limit, _) = seen.select_nth_unstable(quarter);
        // Many may have been seen at the very same instant.
        let mut left = quarter + 1;
        self.machines.retain(|_, machine| {
            let goes = left > 0 && machine.seen <= limit;
            left -= usize::from(goes);
            !goes
        });
        self.forgotten += (quarter + 1 - left) as u64;
    }
}

impl Machine {
    fn new(now: Instant) -> Self {
        Self { seen: now, radar: Radar::default(), is_foreign: false }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::policy::BootStage;

    const MAC: MacAddr = MacAddr([0x52, 0x54, 0, 0, 0, 1]);
    const ONE: &[u8] = b"\0\x04the-first-uuid--";
    const OTHER: &[u8] = b"\0\x04the-other-uuid--";

    fn seen(mac: MacAddr, stage: BootStage, client_id: &[u8]) -> Observation<'_> {
        Observation { mac, kind: MessageType::Solicit, stage, client_id }
    }

    /// What is found when these are seen, a second apart.
    fn found(sequence: &[(BootStage, &[u8])]) -> Vec<Finding> {
        let mut machines = Machines::new(10);
        let start = Instant::now();
        let observe = |(second, (stage, duid)): (u64, &(BootStage, &[u8]))| {
            machines.observe(&seen(MAC, *stage, duid), start + Duration::from_secs(second)).collect::<Vec<_>>()
        };
        (0..).zip(sequence).flat_map(observe).collect()
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
        let mut machines = Machines::new(10);
        let start = Instant::now();
        for (second, duid) in [(0, ONE), (1000, OTHER), (2000, ONE)] {
            let now = start + Duration::from_secs(second);
            assert_eq!(machines.observe(&seen(MAC, BootStage::Pxe, duid), now).count(), 0);
        }
    }

    #[test]
    fn a_decline_is_a_conflict_with_whoever_was_there_before() {
        let mut machines = Machines::new(10);
        let now = Instant::now();
        assert_eq!(machines.observe(&seen(MAC, BootStage::Other, ONE), now).count(), 0);
        let decline = Observation { kind: MessageType::Decline, ..seen(MAC, BootStage::Other, OTHER) };
        let conflict =
            Finding::MacConflict { sign: ConflictSign::Declined, client_id: OTHER.into(), other: ONE.into() };
        assert_eq!(machines.observe(&decline, now).collect::<Vec<_>>(), [conflict]);
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
        let mut machines = Machines::new(8);
        let now = Instant::now();
        for number in 0..9_u8 {
            assert_eq!(machines.observe(&seen(MacAddr([2, 0, 0, 0, 0, number]), BootStage::Pxe, ONE), now).count(), 0);
        }
        assert_eq!((machines.machines.len(), machines.forgotten()), (6, 3));
    }

    #[test]
    fn the_least_recently_seen_are_forgotten() {
        let mut machines = Machines::new(8);
        let start = Instant::now();
        for number in 0..100_u8 {
            let now = start + Duration::from_secs(number.into());
            assert_eq!(machines.observe(&seen(MacAddr([2, 0, 0, 0, 0, number]), BootStage::Pxe, ONE), now).count(), 0);
            assert!(machines.machines.len() <= 8);
        }
        assert!(machines.machines.contains_key(&MacAddr([2, 0, 0, 0, 0, 99])));
        assert_eq!(machines.forgotten(), 100 - machines.machines.len() as u64);
    }
}
