//! The way of a frame through the responder, and of a block to a TFTP client, takes no memory from the heap, whatever the frame; and a machine
//! that is remembered takes little.
#![cfg(test)]

use std::time::Instant;

use dhcpv6macd::{
    datapath::{Flushed, Transmit},
    machine::{Machines, Moment, StallLimits},
    policy::BootStage,
    respond::{Observation, Responder},
    wire::{MacAddr, dhcpv6::MessageType},
};
use dhcpv6macd_tests::{
    golden::{known_frames, site},
    transfers::Transfers,
};

/// Times that every frame is answered.
const ROUNDS: usize = 10;

#[test]
fn nothing_is_allocated_per_frame() {
    let frames = known_frames().unwrap();
    let site = site();
    let mut responder = Responder::default();
    let mut reply = [0; 1514];
    let (mut answered, mut dropped) = (0, 0);
    let measured = allocation_counter::measure(|| {
        for frame in (0..ROUNDS).flat_map(|_| &frames) {
            match responder.frame(frame, &site, &mut reply) {
                Ok(_) => answered += 1,
                Err(_) => dropped += 1,
            }
        }
    });
    assert_eq!(measured.count_total, 0, "{measured:?}");
    assert!(answered >= 50 * ROUNDS && dropped >= 100 * ROUNDS, "{answered} answered, {dropped} dropped");
}

#[test]
fn nothing_is_allocated_per_block() {
    const BLOCKS: u16 = 1000;
    let file = vec![0; usize::from(BLOCKS) * 512];
    let mut server = Transfers::new(file);
    assert!(server.answer(1000, b"\0\x01file\0octet\0").0.is_ok());
    let frames: Vec<_> =
        (1..BLOCKS).map(|block| Transfers::frame(1000, &[&[0, 4][..], &block.to_be_bytes()].concat())).collect();
    let mut transmit = Slot([0; 1514], 0);
    let measured = allocation_counter::measure(|| {
        frames.iter().try_for_each(|frame| server.take(frame, &mut transmit)).unwrap();
    });
    assert_eq!((measured.count_total, transmit.1), (0, usize::from(BLOCKS) - 1), "{measured:?}");
}

/// Room for one frame after the other, and how many there were.
struct Slot([u8; 1514], usize);

impl Transmit for Slot {
    fn has_room(&self, _: usize) -> bool {
        true
    }

    fn transmit(&mut self, fill: impl FnOnce(&mut [u8]) -> Option<usize>) {
        self.1 += usize::from(fill(&mut self.0).is_some());
    }

    fn flush(&mut self) -> Flushed {
        Flushed::default()
    }
}

#[test]
fn a_machine_that_has_not_booted_yet_takes_a_kibibyte_at_most() {
    const MACHINES: u16 = 1000;
    let now = Moment { instant: Instant::now(), time: jiff::Timestamp::UNIX_EPOCH };
    let mut kept = None;
    let measured = allocation_counter::measure(|| {
        let mut machines = Machines::new(MACHINES.into(), "2001:db8::".parse().unwrap(), StallLimits::default());
        for number in 0..MACHINES {
            let [high, low] = number.to_be_bytes();
            for kind in [MessageType::Solicit, MessageType::Request] {
                let seen = Observation {
                    mac: MacAddr([2, 0, 0, 0, high, low]),
                    kind,
                    stage: BootStage::Pxe,
                    client_id: b"\0\x04a-uuid-of-16-byte",
                    transaction: [0, 0, 1],
                    is_told_boot_file: true,
                    is_firmware: true,
                };
                assert_eq!(machines.message(&seen, now, &mut |_| {}).count(), 0);
            }
        }
        kept = Some(machines);
    });
    assert_eq!(kept.map(|machines| machines.len()), Some(MACHINES.into()));
    let each = measured.bytes_current / i64::from(MACHINES);
    assert!((200..=1024).contains(&each), "{each} bytes each: {measured:?}");
}

#[test]
fn an_allocation_would_be_seen() {
    let measured = allocation_counter::measure(|| drop(std::hint::black_box(vec![0_u8; 100])));
    assert_eq!((measured.count_total, measured.bytes_total), (1, 100));
}
