//! One file on its way to one client.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{
    TELL_AGAIN,
    cursor::Cursor,
    name::FileName,
    observation::{Happening, Observation},
    terms::Terms,
    timing::{FIRST, Timing},
    waiting::Asked,
};
use crate::{
    event::MARK,
    wire::{
        Headers, MacAddr, NoSpace,
        tftp::{DATA_HEADER, write_data_header, write_option_acknowledgement},
    },
};

/// How long a client may take no block at all before another may have its place.
const UNHEARD: Duration = Duration::from_secs(1);
/// How long one that has taken some may be silent before that.
const SILENT: Duration = Duration::from_secs(10);
/// How long after a request it may come once more because a network has doubled it.
const DOUBLED: Duration = Duration::from_secs(1);
/// How often a window goes out again of which no block was ever acknowledged: whoever forged the request gets no flood to where it has
/// aimed.
const TRIES_NEW: u32 = 2;

/// A transfer: what was sent, what of it has arrived, and where the rest is.
#[derive(Debug)]
pub(super) struct Session {
    headers: Headers,
    pub(super) name: FileName,
    file: Bytes,
    terms: Terms,
    /// The machine that asked.
    client: MacAddr,
    /// When it asked.
    begun: Instant,
    /// Bytes that had arrived when that was told last.
    told: Option<(u64, Instant)>,
    /// What is under way before the first block.
    greeting: Greeting,
    /// Blocks that have arrived.
    acknowledged: u64,
    /// Blocks that were sent, but for those that are to be sent again.
    sent: u64,
    /// Blocks that ever were.
    highest: u64,
    /// The last block's number, once it was sent.
    last: Option<u64>,
    /// Where the first block begins that has not arrived.
    arrived: Cursor,
    /// Where the next block to be sent begins.
    next: Cursor,
    timing: Timing,
    /// When the first and the last frame of what is under way were sent.
    window: (Instant, Instant),
    /// Was something of that sent before? Then its round trip says nothing (RFC 6298 section 3).
    is_resent: bool,
    /// Up to which block that is so.
    resent_to: u64,
    /// How often nothing came back in a row.
    tries: u32,
    /// When the client took something last, or else when it asked.
    heard: Instant,
}

/// What comes before the first block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Greeting {
    /// An OACK, to be sent.
    Owed,
    /// An OACK, on its way.
    Sent,
    /// Nothing, or nothing any more.
    Over,
}

/// What an acknowledgement came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Acknowledged {
    /// All of the file has arrived.
    Complete,
    /// There is more to be sent; so many blocks once more.
    More { resent: u64 },
    /// Nothing follows from it: a second one, or one of long ago.
    Nothing,
}

impl Session {
    /// A file for whoever has asked for it, in packets of `mtu` bytes at most. Nothing is sent yet.
    pub(super) fn new(asked: &Asked, file: Bytes, mtu: u32, now: Instant) -> Self {
        let terms = Terms::new(asked.options, asked.mode, mtu, file.len());
        Self {
            headers: asked.headers,
            name: asked.name,
            file,
            terms,
            client: asked.client,
            begun: asked.since,
            told: None,
            greeting: if terms.are_granted() { Greeting::Owed } else { Greeting::Over },
            acknowledged: 0,
            sent: 0,
            highest: 0,
            last: None,
            arrived: Cursor::default(),
            next: Cursor::default(),
            timing: Timing::new(terms.granted.timeout),
            window: (now, now),
            is_resent: false,
            resent_to: 0,
            tries: 0,
            heard: now,
        }
    }

    /// May another client have its place? Who has taken no block for a moment, or was not heard for longer than any client that lives.
    pub(super) fn may_make_room(&self, now: Instant) -> bool {
        let patience = if self.is_new() { UNHEARD } else { SILENT };
        now.saturating_duration_since(self.heard) >= patience
    }

    /// Has no block arrived yet?
    pub(super) fn is_new(&self) -> bool {
        self.acknowledged == 0
    }

    /// Is a request that comes now the one that this began with? Who asks for something else, or in mid-transfer after longer than a network
    /// keeps a packet that it has doubled, begins anew.
    pub(super) fn was_asked_for_by(&self, asked: &Asked, mtu: u32) -> bool {
        let terms = Terms::new(asked.options, asked.mode, mtu, self.file.len());
        let is_doubled = self.is_new() || asked.since.saturating_duration_since(self.begun) < DOUBLED;
        self.name == asked.name && self.terms == terms && is_doubled
    }

    /// Has nothing but the OACK been sent?
    pub(super) fn is_negotiating(&self) -> bool {
        self.greeting != Greeting::Over
    }

    /// Is nothing but the acknowledgement of the last window missing, from a client that has acknowledged all before it?
    pub(super) fn is_all_sent(&self) -> bool {
        let has_agreed = self.terms.are_granted() && !self.is_negotiating();
        self.last == Some(self.sent) && (self.acknowledged > 0 || has_agreed && self.sent == 1)
    }

    /// Is this the machine that has asked?
    pub(super) fn is_of(&self, client: MacAddr) -> bool {
        self.client == client
    }

    /// What happened to it, for whoever keeps the machines' histories.
    pub(super) fn observation(&self, happening: Happening) -> Observation {
        let (mac, total) = (self.name.mac.unwrap_or(self.client), self.file.len() as u64);
        Observation { mac, name: self.name, total, begun: self.begun, happening }
    }

    /// Bytes of the file that have arrived.
    pub(super) fn arrived(&self) -> u64 {
        self.arrived.offset() as u64
    }

    /// The same, where that is worth telling: for the first time, past another mark, or after a while.
    pub(super) fn news(&mut self, now: Instant) -> Option<u64> {
        let arrived = self.arrived();
        let is_news = self.told.is_none_or(|(told, then)| arrived / MARK > told / MARK || now >= then + TELL_AGAIN);
        is_news.then(|| {
            self.told = Some((arrived, now));
            arrived
        })
    }

    /// May something be sent before something arrives?
    pub(super) fn has_more(&self) -> bool {
        match self.greeting {
            Greeting::Owed => true,
            Greeting::Sent => false,
            Greeting::Over => {
                let window_end = self.acknowledged + u64::from(self.terms.window_size);
                self.sent < window_end && self.last.is_none_or(|last| self.sent < last)
            }
        }
    }

    /// Writes the next frame and says how long it is. There is [more](Self::has_more) to be sent.
    pub(super) fn emit(&mut self, buffer: &mut [u8], now: Instant) -> Result<usize, NoSpace> {
        if self.greeting == Greeting::Owed {
            let granted = self.terms.granted;
            let length = self.headers.emit(buffer, |payload| write_option_acknowledgement(payload, &granted))?;
            self.greeting = Greeting::Sent;
            self.window = (now, now);
            return Ok(length);
        }
        let block_size = usize::from(self.terms.block_size);
        let mut next = self.next;
        let mut filled = 0;
        let length = self.headers.emit(buffer, |payload| {
            let room = write_data_header(payload, wire_number(self.sent + 1))?;
            filled = next.read(&self.file, self.terms.mode, room.get_mut(..block_size).ok_or(NoSpace)?);
            Ok(DATA_HEADER + filled)
        })?;
        let begun = if self.sent == self.acknowledged { now } else { self.window.0 };
        self.window = (begun, now);
        self.next = next;
        self.sent += 1;
        self.highest = self.highest.max(self.sent);
        if filled < block_size {
            self.last = Some(self.sent);
        }
        Ok(length)
    }

    /// Takes an acknowledgement of a block and all before it.
    pub(super) fn acknowledge(&mut self, number: u16, now: Instant) -> Acknowledged {
        if self.is_negotiating() {
            return self.agree(number, now);
        }
        let arrived = u64::from(number.wrapping_sub(wire_number(self.acknowledged)));
        // Also a block that is to be sent again may have arrived the first time.
        if arrived > self.highest - self.acknowledged {
            return Acknowledged::Nothing;
        }
        if arrived > 0 {
            self.advance(arrived);
            self.tries = 0;
            self.heard = now;
            // Behind a gap a client answers the first block of the window that it gets.
            self.measure(if self.acknowledged == self.sent { self.window.1 } else { self.window.0 }, now);
        }
        if self.last == Some(self.acknowledged) {
            return Acknowledged::Complete;
        }
        if self.acknowledged == self.sent && arrived > 0 {
            return Acknowledged::More { resent: 0 };
        }
        self.fill_gap(arrived, now)
    }

    /// The client takes what it was granted.
    fn agree(&mut self, number: u16, now: Instant) -> Acknowledged {
        if number != 0 {
            return Acknowledged::Nothing;
        }
        self.greeting = Greeting::Over;
        self.tries = 0;
        self.measure(self.window.1, now);
        Acknowledged::More { resent: 0 }
    }

    /// Something is missing behind what arrived, or the acknowledgement came twice. A client acknowledges the same block for each that
    /// follows a gap (EDK2 `Mtftp6RrqHandleData`), and a network may double anything: once a round trip at most is sent again, and
    /// in lock-step never (RFC 1123 section 4.2.3.1, "Sorcerer's Apprentice").
    fn fill_gap(&mut self, arrived: u64, now: Instant) -> Acknowledged {
        let since = now.saturating_duration_since(self.window.0);
        if self.terms.window_size > 1 && self.sent > self.acknowledged && since >= self.timing.round_trip() / 2 {
            return Acknowledged::More { resent: self.rewind(now) };
        }
        if arrived > 0 { Acknowledged::More { resent: 0 } } else { Acknowledged::Nothing }
    }

    fn advance(&mut self, blocks: u64) {
        self.acknowledged += blocks;
        if self.acknowledged == self.sent {
            self.arrived = self.next;
            return;
        }
        for _ in 0..blocks {
            self.arrived.skip(&self.file, self.terms.mode, self.terms.block_size.into());
        }
        if self.acknowledged > self.sent {
            (self.sent, self.next) = (self.acknowledged, self.arrived);
        }
    }

    /// Takes a round trip, but of nothing that was sent twice: nobody knows which of both is answered (RFC 6298 section 3).
    fn measure(&mut self, begun: Instant, now: Instant) {
        let is_certain = !self.is_resent || self.acknowledged > self.resent_to;
        self.is_resent &= self.acknowledged < self.resent_to;
        if is_certain {
            self.timing.measure(now.saturating_duration_since(begun));
        }
    }

    /// Goes back to what has not arrived, and says how many blocks that are.
    fn rewind(&mut self, now: Instant) -> u64 {
        let resent = self.sent - self.acknowledged;
        if self.greeting == Greeting::Sent {
            self.greeting = Greeting::Owed;
        }
        self.sent = self.acknowledged;
        self.next = self.arrived;
        (self.is_resent, self.resent_to) = (true, self.highest);
        self.window = (now, now);
        resent
    }

    /// The client asks for the file again: it has heard nothing.
    pub(super) fn ask_again(&mut self, now: Instant) {
        if self.terms.are_granted() {
            self.greeting = Greeting::Owed;
        }
        self.rewind(now);
    }

    /// Nothing came back in time: how many blocks are to be sent again, or `None` where that has happened `tries_max` times.
    pub(super) fn time_out(&mut self, tries_max: u32, now: Instant) -> Option<u64> {
        self.tries += 1;
        let tries_max = if self.is_new() { tries_max.min(TRIES_NEW) } else { tries_max };
        (self.tries <= tries_max).then(|| self.rewind(now))
    }

    /// How long to wait for what is under way.
    pub(super) fn wait(&self) -> Duration {
        let wait = self.timing.wait(self.tries);
        if self.is_new() { wait.max(FIRST) } else { wait }
    }
}

/// Numbers go on from 65 535 with 0, as every client has them that takes such long files.
#[expect(clippy::cast_possible_truncation, reason = "that is how they go round")]
const fn wire_number(block: u64) -> u16 {
    block as u16
}
