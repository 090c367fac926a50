//! The way of a frame through the responder takes no memory from the heap, whatever the frame.
#![cfg(test)]

use dhcpv6macd::respond::Responder;
use dhcpv6macd_tests::golden::{known_frames, site};

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
fn an_allocation_would_be_seen() {
    let measured = allocation_counter::measure(|| drop(std::hint::black_box(vec![0_u8; 100])));
    assert_eq!((measured.count_total, measured.bytes_total), (1, 100));
}
