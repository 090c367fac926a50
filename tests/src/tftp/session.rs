//! One client's transfer, as EDK2's firmware does it (`Mtftp6RrqHandleData`): blocks count in their order only, the end of a window is
//! acknowledged, and whatever else comes is answered with the last good block. No socket, no clock.

use std::time::{Duration, Instant};

use super::{
    Fault, Terms,
    frame::{self, Peer, Received},
    packet::{self, BLOCK_SIZE, Heard, Options, TRANSFER_SIZE, WINDOW_SIZE},
};

/// After so long without progress the last packet is sent again.
const RETRANSMIT_AFTER: Duration = Duration::from_secs(1);
/// Times that a packet goes unanswered before the client gives up.
const TRIES_MAX: u32 = 6;

/// What all clients want.
#[derive(Debug)]
pub(super) struct Wanted {
    /// What every byte is compared to.
    pub(super) file: Vec<u8>,
    pub(super) terms: Terms,
    /// RRQ, whole.
    pub(super) request: Vec<u8>,
}

/// What a client does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It waits.
    Wait,
    /// It says what [`Session::write`] writes.
    Say,
    /// It does so for the last time: the file is there.
    Finish,
    /// It gives up.
    Fail(Fault),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Saying {
    Request,
    Acknowledgement(u16),
    Farewell,
}

/// A client in the middle of a transfer.
#[derive(Clone, Debug)]
pub(super) struct Session {
    client: Peer,
    /// Its port is the one of the first answer.
    server: Peer,
    terms: Terms,
    saying: Saying,
    /// Number of the last block that came in order; its lower half is what the packets say.
    block: u64,
    /// Bytes that came in order.
    pub(super) received: usize,
    /// Blocks since the last acknowledgement.
    unacknowledged: u16,
    /// Blocks that were not the next.
    pub(super) disorder: u64,
    tries: u32,
    deadline: Instant,
    pub(super) began: Instant,
}

impl Session {
    /// A client that is about to say its request.
    pub(super) fn new(client: Peer, server: Peer, now: Instant) -> Self {
        Self {
            client,
            server,
            terms: Terms::PLAIN,
            saying: Saying::Request,
            block: 0,
            received: 0,
            unacknowledged: 0,
            disorder: 0,
            tries: 0,
            deadline: now + RETRANSMIT_AFTER,
            began: now,
        }
    }

    /// Writes what is to be said into a frame.
    pub(super) fn write(&self, wanted: &Wanted, frame: &mut [u8]) -> Option<usize> {
        let mut write = |payload: &[u8]| frame::write(frame, &self.client, &self.server, payload);
        match self.saying {
            Saying::Request => write(&wanted.request),
            Saying::Acknowledgement(block) => write(&packet::acknowledgement(block)),
            Saying::Farewell => write(&packet::farewell()),
        }
    }

    /// Is this from the server to this client? The first answer says from which port the others come.
    fn knows(&mut self, received: &Received<'_>) -> bool {
        if received.to != self.client || received.from.address != self.server.address {
            return false;
        }
        if self.saying == Saying::Request {
            self.server.port = received.from.port;
        }
        received.from.port == self.server.port
    }

    /// Takes what the network brings.
    pub(super) fn hear(&mut self, received: &Received<'_>, wanted: &Wanted, now: Instant) -> Step {
        if !self.knows(received) {
            return Step::Wait;
        }
        match Heard::read(received.payload) {
            Some(Heard::Data { block, bytes }) => self.take(block, bytes, wanted, now),
            Some(Heard::Options(options)) if self.block == 0 => self.agree(options, wanted, now),
            Some(Heard::Options(_)) | None => Step::Wait,
            Some(Heard::Error(code)) => Step::Fail(Fault::Refused(code)),
        }
    }

    fn agree(&mut self, options: Options<'_>, wanted: &Wanted, now: Instant) -> Step {
        let terms = Terms {
            block_size: options.get(BLOCK_SIZE).unwrap_or(Terms::PLAIN.block_size),
            window: options.get(WINDOW_SIZE).unwrap_or(Terms::PLAIN.window),
        };
        let is_wanted = (1..=wanted.terms.block_size).contains(&terms.block_size)
            && (1..=wanted.terms.window).contains(&terms.window)
            && options.get(TRANSFER_SIZE).is_none_or(|size: usize| size == wanted.file.len());
        if !is_wanted {
            return Step::Fail(Fault::Options);
        }
        self.terms = terms;
        self.acknowledge(now)
    }

    fn take(&mut self, block: u16, bytes: &[u8], wanted: &Wanted, now: Instant) -> Step {
        let next = self.block + 1;
        if block != low(next) {
            self.disorder += 1;
            return self.acknowledge(now);
        }
        let block_size = usize::from(self.terms.block_size);
        let rest = wanted.file.get(self.received..).unwrap_or_default();
        if rest.get(..block_size).unwrap_or(rest) != bytes {
            return Step::Fail(Fault::Block(next));
        }
        self.block = next;
        self.received += bytes.len();
        self.unacknowledged += 1;
        self.tries = 0;
        self.deadline = now + RETRANSMIT_AFTER;
        if bytes.len() < block_size {
            self.saying = Saying::Acknowledgement(low(self.block));
            Step::Finish
        } else if self.unacknowledged == self.terms.window {
            self.acknowledge(now)
        } else {
            Step::Wait
        }
    }

    fn acknowledge(&mut self, now: Instant) -> Step {
        self.saying = Saying::Acknowledgement(low(self.block));
        self.unacknowledged = 0;
        self.deadline = now + RETRANSMIT_AFTER;
        Step::Say
    }

    /// Looks at the clock.
    pub(super) fn check(&mut self, now: Instant) -> Step {
        if now < self.deadline {
            return Step::Wait;
        }
        self.tries += 1;
        self.deadline = now + RETRANSMIT_AFTER;
        if self.tries == TRIES_MAX { Step::Fail(Fault::Silence) } else { Step::Say }
    }

    /// Loses interest, and is about to say so.
    pub(super) fn abandon(&mut self) {
        self.saying = Saying::Farewell;
    }
}

/// The number of a block as packets have it: behind 65 535 comes 0.
fn low(block: u64) -> u16 {
    let [.., high, low] = block.to_be_bytes();
    u16::from_be_bytes([high, low])
}
