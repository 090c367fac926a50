//! The daemon's TFTP server in memory: frames in, frames out, at a time that the test makes up.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use dhcpv6macd::{
    datapath::{Transmit, memory::MemoryTransmit},
    respond::Site,
    tftp::{FileName, Files, Found, Happening, Limits, Observation, RESERVE, Scene, Tftp, Unanswered},
    wire::{Datagram, MacAddr},
};

use crate::golden::{self, Envelope, OUR_ADDRESS};

/// Room for more frames than one packet can ask for.
const ROOM: usize = RESERVE + 512;
/// An Ethernet frame without its check sequence.
const FRAME_MAX: usize = 1514;
/// Headers in front of TFTP.
const PAYLOAD_OFFSET: usize = 62;
/// Sessions that the server has at a time.
pub const SESSIONS_MAX: u16 = 4;
/// The name that the server's file does not have.
pub const MISSING: &str = "autoexec.ipxe";

/// Made once: compiling a template takes longer than a transfer.
static SITE: LazyLock<Site> = LazyLock::new(golden::site);

/// A server that has one file, by any name [but one](MISSING).
#[derive(Debug)]
pub struct Transfers {
    tftp: Tftp,
    /// What is found of its file.
    pub file: Found,
    /// What it has told, in order.
    pub told: Vec<Happening>,
    /// The time.
    pub now: Instant,
}

struct OneFile<'a>(&'a Found);

impl Files for OneFile<'_> {
    fn find(&mut self, name: &FileName, _: MacAddr, _: Instant) -> Found {
        if name.file() == MISSING { Found::Missing } else { self.0.clone() }
    }
}

impl Transfers {
    /// The server of the golden rows, with this file.
    #[must_use]
    pub fn new(file: Vec<u8>) -> Self {
        let now = Instant::now();
        let tftp = Tftp::new(Limits { sessions: SESSIONS_MAX.into(), tries: 5 }, now);
        Self { tftp, file: Found::File(file.into()), told: Vec::new(), now }
    }

    /// A counter by its name.
    ///
    /// # Panics
    ///
    /// Where there is none.
    #[must_use]
    pub fn counter(&self, name: &str) -> u64 {
        self.tftp.counters().each().find(|(counter, _)| *counter == name).expect("a counter").1
    }

    /// A frame from a machine's port to the server.
    #[must_use]
    pub fn frame(source_port: u16, payload: &[u8]) -> Vec<u8> {
        let source = golden::right();
        let envelope =
            Envelope { source, source_port, destination: OUR_ADDRESS, destination_port: 69, ..Envelope::default() };
        envelope.around(payload)
    }

    /// Lets a packet in from a machine's port, and takes what comes of it: whether it was of use, and the packets that go out.
    pub fn answer(&mut self, source_port: u16, payload: &[u8]) -> (Result<(), Unanswered>, Vec<Vec<u8>>) {
        let mut transmit = MemoryTransmit::new(ROOM, FRAME_MAX);
        let taken = self.take(&Self::frame(source_port, payload), &mut transmit);
        (taken, packets(transmit))
    }

    /// The same, where it does not matter whether it was of use.
    pub fn say(&mut self, source_port: u16, payload: &[u8]) -> Vec<Vec<u8>> {
        self.answer(source_port, payload).1
    }

    /// Takes a frame in, and sends what comes of it.
    ///
    /// # Errors
    ///
    /// Why nothing does.
    ///
    /// # Panics
    ///
    /// Where the frame is not for the server.
    pub fn take(&mut self, frame: &[u8], transmit: &mut impl Transmit) -> Result<(), Unanswered> {
        let datagram = Datagram::parse(frame, &SITE.local).ok().flatten().expect("a frame of ours");
        self.at_this_moment(|tftp, scene| {
            let taken = tftp.take(&datagram, scene, transmit);
            tftp.resume(scene, transmit);
            taken
        })
    }

    /// Lets time pass until something goes out, and says what; `None` where nothing is left to do.
    ///
    /// # Panics
    ///
    /// Where that takes longer than any client is waited for.
    pub fn wait(&mut self) -> Option<Vec<Vec<u8>>> {
        const LONGEST: Duration = Duration::from_secs(3600);
        let begun = self.now;
        loop {
            assert!(self.now.duration_since(begun) < LONGEST, "a session without an end");
            let mut transmit = MemoryTransmit::new(ROOM, FRAME_MAX);
            let due = self.at_this_moment(|tftp, scene| tftp.resume(scene, &mut transmit));
            let sent = packets(transmit);
            if !sent.is_empty() {
                return Some(sent);
            }
            self.now = self.now.max(due?);
        }
    }

    fn at_this_moment<T>(&mut self, happen: impl FnOnce(&mut Tftp, &mut Scene<'_>) -> T) -> T {
        let observe = &mut |seen: Observation| self.told.push(seen.happening);
        let files = &mut OneFile(&self.file);
        happen(&mut self.tftp, &mut Scene { site: &SITE, files, observe, now: self.now })
    }
}

fn packets(mut transmit: MemoryTransmit) -> Vec<Vec<u8>> {
    transmit.flush();
    transmit.sent.into_iter().map(|frame| frame.into_iter().skip(PAYLOAD_OFFSET).collect()).collect()
}

/// What must hold for any packets of any clients: the server answers no packet with more than a window, everything ends, and then it
/// serves as if nothing had been.
///
/// Each packet has a byte in front of it for its client's port, one for the milliseconds before it, and one for its length.
///
/// # Panics
///
/// Where it does not hold.
pub fn judge_packets(mut input: &[u8]) {
    const WINDOW_MAX: u64 = dhcpv6macd::tftp::WINDOW_SIZE_MAX;
    let mut server = Transfers::new(b"0123456789".repeat(100));
    while let [port, pause, length, rest @ ..] = input {
        let (packet, behind) = rest.split_at(rest.len().min(usize::from(*length)));
        input = behind;
        server.now += Duration::from_millis(u64::from(*pause).pow(2));
        let sent = server.counter("tftp_sent");
        server.say(1000 + u16::from(*port) % (2 * SESSIONS_MAX), packet);
        // One for each session that has waited too long meanwhile, and a window for this one.
        assert!(server.counter("tftp_sent") - sent <= u64::from(SESSIONS_MAX + 1) * WINDOW_MAX, "{packet:?}");
    }
    while server.wait().is_some() {}
    let answer = server.say(999, b"\0\x01file\0octet\0");
    assert!(answer.iter().all(|packet| packet.len() == 4 + 512) && answer.len() == 1, "{answer:?}");
}
