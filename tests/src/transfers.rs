//! The daemon's TFTP server in memory: frames in, frames out, at a time that the test makes up.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use bytes::Bytes;
use dhcpv6macd::{
    datapath::{Transmit, memory::MemoryTransmit},
    respond::Site,
    tftp::{FileName, Files, Found, Happening, Limits, Observation, RESERVE, Scene, Tftp, Unanswered},
    wire::{Datagram, MacAddr},
};

use crate::golden::{self, Envelope, OUR_ADDRESS};

/// Room for more frames than one packet can ask for.
const ROOM: usize = RESERVE + 256;
/// An Ethernet frame without its check sequence.
const FRAME_MAX: usize = 1514;

/// Made once: compiling a template takes longer than a transfer.
static SITE: LazyLock<Site> = LazyLock::new(golden::site);

/// A server that has one file, by any name but one.
#[derive(Debug)]
pub struct Transfers {
    site: &'static Site,
    tftp: Tftp,
    file: OneFile,
    /// What it has told, in order.
    pub told: Vec<Happening>,
    /// The time.
    pub now: Instant,
}

/// The name that the file does not have.
pub const MISSING: &str = "autoexec.ipxe";

#[derive(Debug)]
struct OneFile(Bytes);

impl Files for OneFile {
    fn find(&mut self, name: &FileName, _: MacAddr, _: Instant) -> Found {
        if name.file() == MISSING { Found::Missing } else { Found::File(self.0.clone()) }
    }
}

impl Transfers {
    /// The server of the golden rows, with this file.
    #[must_use]
    pub fn new(file: Vec<u8>) -> Self {
        let now = Instant::now();
        let tftp = Tftp::new(Limits { sessions: 16, tries: 5 }, now);
        Self { site: &SITE, tftp, file: OneFile(file.into()), told: Vec::new(), now }
    }

    /// A counter by its name; 0 where there is none.
    #[must_use]
    pub fn counter(&self, name: &str) -> u64 {
        self.tftp.counters().each().find(|(counter, _)| *counter == name).map_or(0, |(_, count)| count)
    }

    /// A frame from a machine's port to the server.
    #[must_use]
    pub fn frame(source_port: u16, payload: &[u8]) -> Vec<u8> {
        let source = golden::right();
        let envelope =
            Envelope { source, source_port, destination: OUR_ADDRESS, destination_port: 69, ..Envelope::default() };
        envelope.around(payload)
    }

    /// Takes a frame in, and what comes of it.
    ///
    /// # Errors
    ///
    /// Why nothing does.
    ///
    /// # Panics
    ///
    /// Where the frame is not for the server.
    pub fn take(&mut self, frame: &[u8]) -> Result<Vec<Vec<u8>>, Unanswered> {
        let mut transmit = MemoryTransmit::new(ROOM, FRAME_MAX);
        self.take_into(frame, &mut transmit)?;
        transmit.flush();
        Ok(transmit.sent)
    }

    /// The same, with somewhere else to send what comes of it.
    ///
    /// # Errors
    ///
    /// Those of [`take`](Self::take).
    ///
    /// # Panics
    ///
    /// As [`take`](Self::take) does.
    pub fn take_into(&mut self, frame: &[u8], transmit: &mut impl Transmit) -> Result<(), Unanswered> {
        let datagram = Datagram::parse(frame, &self.site.local).ok().flatten().expect("a frame of ours");
        let told = &mut self.told;
        let observe = &mut |seen: Observation| told.push(seen.happening);
        let mut scene = Scene { site: self.site, files: &mut self.file, observe, now: self.now };
        self.tftp.take(&datagram, &mut scene, transmit)?;
        self.tftp.resume(&mut scene, transmit);
        Ok(())
    }

    /// Lets time pass, and takes what comes of it, until nothing does any more.
    ///
    /// # Panics
    ///
    /// Where that takes longer than any client is waited for.
    pub fn wait_for_the_end(&mut self) {
        const LONGEST: Duration = Duration::from_secs(3600);
        let begun = self.now;
        loop {
            let mut transmit = MemoryTransmit::new(ROOM, FRAME_MAX);
            let told = &mut self.told;
            let observe = &mut |seen: Observation| told.push(seen.happening);
            let mut scene = Scene { site: self.site, files: &mut self.file, observe, now: self.now };
            let Some(due) = self.tftp.resume(&mut scene, &mut transmit) else { return };
            self.now = self.now.max(due);
            assert!(self.now.duration_since(begun) < LONGEST, "a session without an end");
        }
    }
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
        // Why not is of no interest here.
        drop(server.take(&Transfers::frame(1000 + u16::from(*port % 20), packet)));
        // One for each session that has waited too long meanwhile, and a window for this one.
        assert!(server.counter("tftp_sent") - sent <= 17 * WINDOW_MAX, "{packet:?}");
    }
    server.wait_for_the_end();
    let answer = server.take(&Transfers::frame(999, b"\0\x01file\0octet\0")).expect("room");
    assert!(answer.iter().all(|frame| frame.len() == 62 + 4 + 512) && answer.len() == 1, "{answer:?}");
}
