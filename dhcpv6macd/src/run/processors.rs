//! Which processor a machine has, by what it said in DHCPv6: known to every worker, as TFTP may come to another one.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crate::wire::{MacAddr, dhcpv6::Processor};

/// Machines that are remembered; of two that share a place the last one. 512 KiB.
const PLACES: usize = 1 << 16;

/// Every machine's processor, as far as there is room.
#[derive(Clone)]
pub(super) struct Processors(Arc<[AtomicU64]>);

impl Processors {
    pub(super) fn new() -> Self {
        Self((0..PLACES).map(|_| AtomicU64::new(0)).collect())
    }

    /// A machine has said what it is.
    pub(super) fn note(&self, mac: MacAddr, processor: Processor) {
        let entry = entry(mac, processor);
        // Others read the same cache line: it is written when there is news.
        if let Some(place) = self.place(mac).filter(|place| place.load(Ordering::Relaxed) != entry) {
            place.store(entry, Ordering::Relaxed);
        }
    }

    /// What a machine has said last.
    pub(super) fn of(&self, mac: MacAddr) -> Option<Processor> {
        let noted = self.place(mac)?.load(Ordering::Relaxed);
        Processor::ALL.into_iter().find(|processor| entry(mac, *processor) == noted)
    }

    fn place(&self, mac: MacAddr) -> Option<&AtomicU64> {
        // Machines of one batch differ in the last bytes; multiplied, these are in the first bits (Knuth 6.4).
        let hash = number(mac).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - PLACES.ilog2());
        self.0.get(usize::try_from(hash).ok()?)
    }
}

/// MAC and processor in one word, so that both are always of the same machine; never 0.
fn entry(mac: MacAddr, processor: Processor) -> u64 {
    number(mac) << 16 | (processor as u64 + 1)
}

fn number(mac: MacAddr) -> u64 {
    let [a, b, c, d, e, f] = mac.0;
    u64::from_be_bytes([0, 0, a, b, c, d, e, f])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_machine_said_last_is_known() {
        let processors = Processors::new();
        let mac = MacAddr([0x52, 0x54, 0, 0, 0, 1]);
        assert_eq!(processors.of(mac), None);
        for processor in Processor::ALL {
            processors.note(mac, processor);
            assert_eq!(processors.of(mac), Some(processor));
        }
        assert_eq!(processors.of(MacAddr([0x52, 0x54, 0, 0, 0, 2])), None);
    }

    #[test]
    fn the_machines_of_a_room_have_places_of_their_own() {
        let processors = Processors::new();
        let macs: Vec<_> =
            (0..2000_u16).map(|number| number.to_be_bytes()).map(|[a, b]| MacAddr([2, 0, 0, 0, a, b])).collect();
        macs.iter().for_each(|mac| processors.note(*mac, Processor::Arm64));
        let known = macs.iter().filter(|mac| processors.of(**mac).is_some()).count();
        assert!(known > 1900, "{known}");
    }
}
