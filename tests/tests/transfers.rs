#![cfg(test)]
//! The server against a client that reads, over a network that loses, doubles and reorders; time is made up.

use std::time::Duration;

use bytes::Bytes;
use dhcpv6macd::{
    datapath::{Flushed, Transmit},
    respond::Reason,
    tftp::{Failure, Found, Happening},
    wire::tftp::DATA_HEADER,
};
use dhcpv6macd_tests::transfers::{SESSIONS_MAX, Transfers};
use proptest::prelude::*;

fn request(options: &str) -> Vec<u8> {
    format!("\0\x01file\0octet\0{}", options.replace(' ', "\0")).into_bytes()
}

fn acknowledgement(block: u16) -> Vec<u8> {
    [&[0, 4][..], &block.to_be_bytes()].concat()
}

fn data(block: u16, bytes: &[u8]) -> Vec<u8> {
    [&[0, 3][..], &block.to_be_bytes(), bytes].concat()
}

/// A client that reads: blocks in order, an acknowledgement at the end of each window, and one for each block behind a gap.
struct Reader {
    window: u64,
    block_size: usize,
    blocks: u64,
    in_window: u64,
    file: Vec<u8>,
    is_complete: bool,
}

impl Reader {
    fn new(block_size: usize, window: u64) -> Self {
        Self { window, block_size, blocks: 0, in_window: 0, file: Vec::new(), is_complete: false }
    }

    fn hear(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        if packet[1] == 6 {
            return (self.blocks == 0).then(|| acknowledgement(0));
        }
        assert_eq!(packet[1], 3, "{packet:?}");
        let number = u16::from_be_bytes([packet[2], packet[3]]);
        #[expect(clippy::cast_possible_truncation, reason = "that is how numbers go round")]
        let last = self.blocks as u16;
        if number != last.wrapping_add(1) {
            self.in_window = 0;
            return Some(acknowledgement(last));
        }
        self.blocks += 1;
        self.in_window += 1;
        self.file.extend(&packet[DATA_HEADER..]);
        self.is_complete = packet.len() < DATA_HEADER + self.block_size;
        if self.is_complete || self.in_window == self.window {
            self.in_window = 0;
            return Some(acknowledgement(number));
        }
        None
    }
}

/// What a network does to packets.
#[derive(Clone, Copy, Debug, Default)]
struct Network {
    loss: f64,
    doubling: f64,
    swapping: f64,
}

impl Network {
    fn carry(self, packets: Vec<Vec<u8>>, random: &mut fastrand::Rng) -> Vec<Vec<u8>> {
        let mut carried = Vec::new();
        for packet in packets {
            if random.f64() < self.loss {
                continue;
            }
            if random.f64() < self.doubling {
                carried.push(packet.clone());
            }
            carried.push(packet);
            let end = carried.len();
            if end > 1 && random.f64() < self.swapping {
                carried.swap(end - 1, end - 2);
            }
        }
        carried
    }
}

/// Reads a file over a network, and says how many frames the server has sent.
fn transfer(file: &[u8], options: &str, mut reader: Reader, network: Network, seed: u64) -> u64 {
    let mut server = Transfers::new(file.to_vec());
    let mut random = fastrand::Rng::with_seed(seed);
    let mut frames = 0;
    let mut to_server = vec![request(options)];
    for _ in 0..1_000_000 {
        server.now += Duration::from_micros(50);
        let mut from_server = Vec::new();
        for packet in network.carry(std::mem::take(&mut to_server), &mut random) {
            from_server.extend(server.say(1000, &packet));
        }
        if from_server.is_empty() {
            if reader.is_complete {
                break;
            }
            // The client asks again too, as long as it has heard nothing.
            from_server = server.wait().unwrap_or_default();
            if from_server.is_empty() {
                assert!(reader.blocks == 0, "given up at block {}", reader.blocks);
                to_server.push(request(options));
            }
        }
        frames += from_server.len() as u64;
        let heard = network.carry(from_server, &mut random);
        to_server.extend(heard.iter().filter_map(|packet| reader.hear(packet)));
        if reader.is_complete && to_server.is_empty() {
            break;
        }
    }
    assert!(reader.is_complete, "block {}", reader.blocks);
    assert!(reader.file == file, "other bytes");
    frames
}

fn bytes(length: usize) -> Vec<u8> {
    (0..251).cycle().take(length).collect()
}

#[test]
fn a_file_goes_out_in_lock_step_byte_for_byte() {
    let mut server = Transfers::new(b"0123456789".to_vec());
    let (taken, sent) = server.answer(1000, &request("tsize 0 blksize 8 "));
    assert_eq!((taken, sent), (Ok(()), vec![b"\0\x06tsize\x0010\0blksize\x008\0".to_vec()]));
    assert_eq!(server.say(1000, &acknowledgement(0)), [data(1, b"01234567")]);
    assert_eq!(server.say(1000, &acknowledgement(1)), [data(2, b"89")]);
    assert_eq!(server.say(1000, &acknowledgement(1)), [[0_u8; 0]; 0], "a second time");
    assert_eq!(server.say(1000, &acknowledgement(2)), [[0_u8; 0]; 0]);
    assert_eq!(server.told, [Happening::Requested, Happening::Sending { sent: 0 }, Happening::Complete]);
    assert_eq!(server.answer(1000, &acknowledgement(2)).0, Err(Reason::TftpNoSession.into()));
    assert_eq!(server.wait(), None, "and nothing is left to do");
}

#[test]
fn who_asks_for_nothing_is_told_nothing() {
    let mut server = Transfers::new(bytes(513));
    assert_eq!(server.say(1000, &request("")), [data(1, &bytes(512))]);
    assert_eq!(server.say(1000, &acknowledgement(1)), [data(2, &bytes(513)[512..])]);
}

#[test]
fn what_is_not_served_is_refused_at_once() {
    let mut server = Transfers::new(Vec::new());
    for (packet, code, counter) in [
        (&b"\0\x01autoexec.ipxe\0octet\0"[..], 1, "tftp_refuse_missing"),
        (b"\0\x01\0octet\0", 1, "tftp_refuse_name"),
        (b"\0\x01file\0mail\0", 4, "tftp_refuse_mode"),
        (b"\0\x02file\0octet\0", 2, "tftp_refuse_write"),
    ] {
        let (taken, sent) = server.answer(1000, packet);
        assert_eq!((taken, &sent[0][..4]), (Ok(()), &[0, 5, 0, code][..]), "{counter}");
        assert_eq!(server.counter(counter), 1);
    }
    assert_eq!(server.answer(1000, b"\0\x05\0\x01no").0, Err(Reason::TftpNoSession.into()), "no error is answered");
    assert_eq!(server.answer(1000, b"\0\x03\0\x01").0, Err(Reason::ForClients.into()));
    assert_eq!(server.told, []);
}

#[test]
fn a_size_probe_is_no_transfer() {
    let mut server = Transfers::new(bytes(100));
    server.say(1000, &request("tsize 0 blksize 1228 windowsize 4 "));
    assert_eq!(server.answer(1000, b"\0\x05\0\x08no need\0"), (Ok(()), vec![]));
    assert_eq!(server.told, [Happening::Requested, Happening::SizeProbe]);
    assert_eq!(server.wait(), None);
}

#[test]
fn a_client_that_falls_silent_is_given_up_after_five_more_tries() {
    let mut server = Transfers::new(bytes(10_000));
    let begun = server.now;
    server.say(1000, &request("blksize 512 "));
    server.now += Duration::from_millis(1);
    server.say(1000, &acknowledgement(0));
    server.say(1000, &acknowledgement(1));
    let again = std::iter::from_fn(|| server.wait()).collect::<Vec<_>>();
    assert_eq!(again, vec![[data(2, &bytes(1024)[512..])]; 5]);
    assert!(server.now - begun > Duration::from_secs(5), "{:?}", server.now - begun);
    assert_eq!(
        server.told,
        [
            Happening::Requested,
            Happening::Sending { sent: 0 },
            Happening::Failed { sent: 512, failure: Failure::Silence }
        ]
    );
}

#[test]
fn a_lost_last_acknowledgement_costs_nothing() {
    let mut server = Transfers::new(bytes(600));
    server.say(1000, &request(""));
    server.say(1000, &acknowledgement(1));
    assert_eq!(std::iter::from_fn(|| server.wait()).count(), 5);
    assert_eq!(server.told, [Happening::Requested, Happening::Sending { sent: 512 }, Happening::Complete]);
}

#[test]
fn who_never_said_a_word_has_not_read_it() {
    let mut server = Transfers::new(bytes(100));
    server.say(1000, &request(""));
    while server.wait().is_some() {}
    let silence = Happening::Failed { sent: 0, failure: Failure::Silence };
    assert_eq!(server.told, [Happening::Requested, silence]);
}

#[test]
fn another_machine_ends_no_session_that_it_knows_of() {
    let mut server = Transfers::new(bytes(10_000));
    server.say(1000, &request("blksize 8 "));
    for packet in [&b"\0\x05\0\0enough\0"[..], &acknowledgement(0), &request("")] {
        let mut frame = Transfers::frame(1000, packet);
        frame[11] ^= 1;
        assert_eq!(server.take(&frame, &mut NoRoom), Err(Reason::TftpOtherMac.into()), "{packet:?}");
    }
    assert_eq!(server.say(1000, &acknowledgement(0)), [data(1, &bytes(8))]);
}

#[test]
fn behind_a_gap_the_window_is_sent_again_once_a_round_trip() {
    let mut server = Transfers::new(bytes(100_000));
    server.say(1000, &request("blksize 100 windowsize 8 "));
    server.now += Duration::from_millis(2);
    assert_eq!(server.say(1000, &acknowledgement(0)).len(), 8);
    server.now += Duration::from_millis(2);
    // Block 3 is lost: the client says so once for each of the five behind it.
    let again: Vec<_> = (0..5).map(|_| server.say(1000, &acknowledgement(2)).len()).collect();
    assert_eq!(again, [8, 0, 0, 0, 0]);
    assert_eq!((server.counter("tftp_resent"), server.counter("tftp_duplicate_acknowledgement")), (6, 4));
    server.now += Duration::from_millis(2);
    assert_eq!(server.say(1000, &acknowledgement(10)).len(), 8);
}

#[test]
fn a_lost_answer_makes_no_later_loss_dearer() {
    let mut server = Transfers::new(bytes(100_000));
    server.say(1000, &request("blksize 100 windowsize 8 "));
    server.now += Duration::from_millis(300);
    server.say(1000, &request("blksize 100 windowsize 8 "));
    assert_eq!(server.say(1000, &acknowledgement(0)).len(), 8);
    server.now += Duration::from_millis(2);
    assert_eq!(server.say(1000, &acknowledgement(2)).len(), 8, "at once, not after half a second");
    server.now += Duration::from_millis(2);
    assert_eq!(server.say(1000, &acknowledgement(10)).len(), 8);
    server.now += Duration::from_millis(2);
    assert_eq!(server.say(1000, &acknowledgement(12)).len(), 8);
}

/// A ring whose every slot is on its way.
struct NoRoom;

impl Transmit for NoRoom {
    fn has_room(&self, _: usize) -> bool {
        false
    }

    fn transmit(&mut self, _: impl FnOnce(&mut [u8]) -> Option<usize>) {
        panic!("there is no room");
    }

    fn flush(&mut self) -> Flushed {
        Flushed::default()
    }
}

#[test]
fn what_is_to_be_sent_again_and_has_arrived_is_not_sent_again() {
    let mut server = Transfers::new(bytes(100_000));
    server.say(1000, &request("blksize 100 windowsize 16 "));
    server.now += Duration::from_millis(2);
    assert_eq!(server.say(1000, &acknowledgement(0)).len(), 16);
    server.now += Duration::from_millis(2);
    for block in [1, 10] {
        assert_eq!(server.take(&Transfers::frame(1000, &acknowledgement(block)), &mut NoRoom), Ok(()));
    }
    let sent = server.wait().unwrap();
    assert_eq!((sent.len(), &sent[0]), (16, &data(11, &bytes(1100)[1000..])));
}

#[test]
fn a_session_more_than_there_is_room_for_hears_nothing() {
    let mut server = Transfers::new(bytes(10_000));
    for port in 0..SESSIONS_MAX {
        assert_eq!(server.say(1000 + port, &request("")).len(), 1);
    }
    assert_eq!(server.answer(1000 + SESSIONS_MAX, &request("")), (Err(Reason::TftpSessionsFull.into()), vec![]));
    assert_eq!(server.answer(1000, b"\0\x05\0\0enough\0").0, Ok(()));
    assert_eq!(server.say(1000 + SESSIONS_MAX, &request("")).len(), 1);
}

#[test]
fn who_has_taken_nothing_for_a_second_makes_room_and_who_reads_does_not() {
    let mut server = Transfers::new(bytes(10_000));
    server.say(1000, &request("blksize 8 "));
    server.say(1000, &acknowledgement(0));
    server.say(1000, &acknowledgement(1));
    for port in 1..SESSIONS_MAX {
        server.say(1000 + port, &request("blksize 8 "));
        // Whoever forges a request can forge that.
        server.say(1000 + port, &acknowledgement(0));
    }
    server.now += Duration::from_millis(999);
    assert_eq!(server.answer(1004, &request("")).0, Err(Reason::TftpSessionsFull.into()));
    server.now += Duration::from_millis(1);
    for port in 4..7 {
        assert_eq!(server.answer(1000 + port, &request("")).0, Ok(()));
    }
    assert_eq!(server.answer(1007, &request("")).0, Err(Reason::TftpSessionsFull.into()));
    assert_eq!(
        (server.answer(1001, &acknowledgement(0)).0, server.counter("tftp_given_up")),
        (Err(Reason::TftpNoSession.into()), 3)
    );
    assert_eq!(server.answer(1000, &acknowledgement(1)).0, Ok(()));
}

#[test]
fn a_request_that_comes_twice_is_one() {
    let mut server = Transfers::new(bytes(10_000));
    server.say(1000, &request("blksize 8 "));
    assert_eq!(server.say(1000, &request("blksize 8 ")).len(), 1, "the client has not heard the first answer");
    server.say(1000, &acknowledgement(0));
    server.say(1000, &acknowledgement(1));
    assert_eq!(server.say(1000, &request("blksize 8 ")).len(), 0, "the network was slow");
    assert_eq!(server.told, [Happening::Requested, Happening::Sending { sent: 0 }]);
}

#[test]
fn who_asks_for_something_else_or_long_after_begins_anew() {
    let mut server = Transfers::new(bytes(10_000));
    assert_eq!(server.say(1000, &request("tsize 0 ")), [b"\0\x06tsize\x0010000\0"]);
    assert_eq!(server.say(1000, &request("blksize 8 ")), [b"\0\x06blksize\x008\0"], "other options");
    let text = b"\0\x01file\0netascii\0blksize\08\0";
    assert_eq!(server.say(1000, text), [b"\0\x06blksize\x008\0"], "another mode");
    assert_eq!(server.say(1000, &acknowledgement(0)), [data(1, &bytes(8))]);
    assert_eq!(server.say(1000, &acknowledgement(1)).len(), 1);
    server.now += Duration::from_secs(1);
    assert_eq!(server.say(1000, text), [b"\0\x06blksize\x008\0"], "the machine was reset");
    assert_eq!(server.say(1000, &acknowledgement(0)), [data(1, &bytes(8))]);
}

#[test]
fn a_file_that_is_being_looked_for_is_sent_when_it_is_there() {
    let mut server = Transfers::new(Vec::new());
    server.file = Found::Later;
    assert_eq!(server.answer(1000, &request("")), (Ok(()), vec![]));
    assert_eq!(server.answer(1000, &request("")), (Ok(()), vec![]), "still the same");
    server.file = Found::File(Bytes::from_static(b"here"));
    assert_eq!(server.wait(), Some(vec![data(1, b"here")]));
    server.file = Found::Later;
    server.say(1001, &request(""));
    server.file = Found::Missing;
    assert_eq!(server.wait().unwrap()[0][..4], [0, 5, 0, 1]);
}

#[test]
fn block_numbers_go_round() {
    let file = bytes(8 * 70_000 + 3);
    assert_eq!(transfer(&file, "blksize 8 ", Reader::new(8, 1), Network::default(), 1), 70_002);
    assert_eq!(transfer(&file, "blksize 8 windowsize 64 ", Reader::new(8, 64), Network::default(), 1), 70_002);
}

#[test]
fn a_doubled_packet_doubles_nothing_else() {
    let file = bytes(100 * 512);
    let doubling = Network { doubling: 1.0, ..Network::default() };
    assert_eq!(transfer(&file, "", Reader::new(512, 1), doubling, 1), 101 + 1, "but the first block, for the request");
}

proptest! {
    #[test]
    fn a_network_that_loses_doubles_and_reorders_loses_nothing(
        length in 0..60_000_usize, window in 1..20_u64, block_size in 8..1448_usize, seed: u64,
    ) {
        let network = Network { loss: 0.05, doubling: 0.05, swapping: 0.1 };
        let options = format!("blksize {block_size} windowsize {window} ");
        let length = length.min(block_size * 200);
        transfer(&bytes(length), &options, Reader::new(block_size, window), network, seed);
    }

    #[test]
    fn any_packets_leave_a_server_that_serves(packets in proptest::collection::vec(
        (0..3_u16, prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..30),
            (0..12_u16).prop_map(acknowledgement),
            Just(request("blksize 8 windowsize 3 ")),
            Just(b"\0\x05\0\x08".to_vec()),
        ], 0..2000_u64), 0..60)) {
        let mut server = Transfers::new(bytes(50));
        for (port, packet, pause) in packets {
            server.now += Duration::from_millis(pause);
            prop_assert!(server.say(1000 + port, &packet).len() <= 12);
        }
        while server.wait().is_some() {}
        prop_assert_eq!(server.say(2000, &request("")), [data(1, &bytes(50))]);
    }
}
