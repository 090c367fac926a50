//! A server without sessions: the rings, the kernel, the wire, and blocks copied into frames. What a server can do at best.
//!
//! A request is answered by an OACK, whatever the file's name, from a port that says how large the window is; and an acknowledgement by
//! the window behind it. Nothing is remembered but what found no room, nothing is sent again unless it is asked for again, and no
//! checksum is computed, for nobody looks at it.
//!
//! It is for networks that lose nothing: behind a gap every block brings an acknowledgement, and every acknowledgement a window.

use std::{
    collections::VecDeque,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use dhcpv6macd::datapath::{
    Answer, Full, Transmit, classic_bpf,
    ring::{ReceiveRing, TransmitRing},
    worker::{Stop, Worker},
};

use super::{
    SERVER_PORT, Terms,
    frame::{self, Peer, Received},
    packet::{
        self, ACKNOWLEDGEMENT, BLOCK_SIZE, DATA, OPTION_ACKNOWLEDGEMENT, Options, READ, TRANSFER_SIZE, WINDOW_SIZE,
    },
};

/// Transfers with a window of `n` blocks have the `n`-th port behind this one.
const PORTS: u16 = 32_768;
/// Widest window that it gives.
const WINDOW_MAX: u16 = 64;
/// Windows that may wait for room.
const WAITING_MAX: usize = 4096;

/// The server.
#[derive(Debug)]
pub struct Bare {
    file: Vec<u8>,
    /// Bytes of every block.
    block_size: u16,
    waiting: VecDeque<Blocks>,
}

/// Blocks that are to be sent; block 0 is the OACK.
#[derive(Clone, Copy, Debug)]
struct Blocks {
    from: Peer,
    to: Peer,
    next: u16,
    count: u16,
}

impl Blocks {
    /// What is asked for; `None` where nothing is.
    fn asked(received: &Received<'_>) -> Option<Self> {
        let &Received { from: to, to: from, payload } = received;
        match packet::number(payload)? {
            (READ, rest) if from.port == SERVER_PORT => {
                // Name and mode come before the options, and look like one.
                let window = Options(rest).get(WINDOW_SIZE).unwrap_or(Terms::PLAIN.window).min(WINDOW_MAX);
                Some(Self { from: Peer { port: PORTS + window, ..from }, to, next: 0, count: 1 })
            }
            (ACKNOWLEDGEMENT, rest) => {
                let (block, _) = packet::number(rest)?;
                Some(Self { from, to, next: block.wrapping_add(1), count: window_of(from) })
            }
            _ => None,
        }
    }
}

fn window_of(server: Peer) -> u16 {
    server.port.wrapping_sub(PORTS).min(WINDOW_MAX)
}

impl Bare {
    /// A server of one file, shorter than 65 535 blocks, to clients that all ask for this block size.
    #[must_use]
    pub fn new(file: Vec<u8>, block_size: u16) -> Self {
        Self { file, block_size, waiting: VecDeque::with_capacity(WAITING_MAX) }
    }

    /// Sends what waits, as far as there is room.
    fn go_on(&mut self, transmit: &mut impl Transmit) {
        while let Some(blocks) = self.waiting.front_mut() {
            while blocks.count > 0 {
                if !transmit.has_room(1) {
                    return;
                }
                let (file, block_size) = (&self.file, self.block_size.into());
                transmit.transmit(|frame| write(frame, blocks, file, block_size));
                blocks.next = blocks.next.wrapping_add(1);
                blocks.count -= 1;
            }
            self.waiting.pop_front();
        }
    }
}

/// Writes a block, or the OACK; `None` behind the last block.
fn write(frame: &mut [u8], blocks: &Blocks, file: &[u8], block_size: usize) -> Option<usize> {
    let Blocks { from, to, next, .. } = blocks;
    let Some(before) = next.checked_sub(1) else {
        let (size, window) = (file.len(), window_of(*from));
        let options = format!("{BLOCK_SIZE}\0{block_size}\0{TRANSFER_SIZE}\0{size}\0{WINDOW_SIZE}\0{window}\0");
        return frame::write_unsummed(frame, from, to, &OPTION_ACKNOWLEDGEMENT.to_be_bytes(), options.as_bytes());
    };
    let rest = file.get(usize::from(before) * block_size..)?;
    let block = rest.get(..block_size).unwrap_or(rest);
    frame::write_unsummed(frame, from, to, &packet::header(DATA, *next), block)
}

impl Answer for Bare {
    fn answer(&mut self, frame: &[u8], _: Instant, transmit: &mut impl Transmit) -> Result<(), Full> {
        if let Some(blocks) = Received::read(frame).and_then(|received| Blocks::asked(&received)) {
            if self.waiting.len() == WAITING_MAX {
                return Err(Full);
            }
            self.waiting.push_back(blocks);
            self.go_on(transmit);
        }
        Ok(())
    }

    fn resume(&mut self, now: Instant, transmit: &mut impl Transmit) -> Option<Instant> {
        self.go_on(transmit);
        (!self.waiting.is_empty()).then_some(now)
    }
}

/// Serves on an interface of the calling thread's namespace, on the calling thread, for ever: the very loop and the very rings of the
/// daemon's workers, with their [nap](Worker::nap) or without. `ready` is called once when frames are taken.
///
/// # Errors
///
/// Where the rings cannot be opened, or waiting for frames fails.
pub fn serve(
    bare: Bare,
    interface: u32,
    mtu: u32,
    nap: Option<Duration>,
    windows: &[u16],
    ready: impl FnOnce(),
) -> io::Result<()> {
    let ports: Vec<_> = windows.iter().map(|window| PORTS + window).chain([SERVER_PORT]).collect();
    let worker = Worker {
        receive: ReceiveRing::open(interface, Some(&classic_bpf::filter(&ports)))?,
        transmit: TransmitRing::open(interface, mtu)?,
        answer: bare,
        counters: Arc::default(),
        stop: Arc::new(Stop::new()?),
        nap,
    };
    ready();
    worker.run().map(drop)
}
