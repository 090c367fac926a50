//! Requests for files that are still being looked for.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{name::FileName, table::Key};
use crate::wire::{
    Headers, MacAddr,
    tftp::{Mode, Options},
};

/// The most requests that wait; who finds no room asks again.
const WAITING_MAX: usize = 1024;
/// How often it is looked again.
const LOOK: Duration = Duration::from_millis(2);
/// How long a file is looked for: its client will have asked again.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client asks for a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    /// Of everything that it will hear.
    pub(super) headers: Headers,
    /// The machine that asks.
    pub(super) client: MacAddr,
    pub(super) name: FileName,
    pub(super) mode: Mode,
    pub(super) options: Options,
    pub(super) since: Instant,
}

impl Asked {
    pub(super) fn key(&self) -> Key {
        (self.headers.destination, self.headers.destination_port)
    }
}

/// Those that wait, in order.
#[derive(Debug)]
pub(super) struct Waiting {
    asked: VecDeque<Asked>,
    look: Instant,
}

impl Waiting {
    pub(super) fn new(now: Instant) -> Self {
        Self { asked: VecDeque::with_capacity(WAITING_MAX), look: now }
    }

    /// Does a client wait for this already?
    pub(super) fn holds(&self, asked: &Asked) -> bool {
        self.asked.iter().any(|waiting| waiting.key() == asked.key() && waiting.name == asked.name)
    }

    /// Lets a request wait. False where there is no room.
    pub(super) fn push(&mut self, asked: Asked) -> bool {
        let has_room = self.asked.len() < WAITING_MAX;
        if has_room {
            self.asked.push_back(asked);
        }
        has_room
    }

    /// Lets it wait on. False where it has waited long enough.
    pub(super) fn push_again(&mut self, asked: Asked, now: Instant) -> bool {
        now.saturating_duration_since(asked.since) < PATIENCE && self.push(asked)
    }

    /// How many files are to be looked for again now.
    pub(super) fn due(&mut self, now: Instant) -> usize {
        if now < self.look {
            return 0;
        }
        self.look = now + LOOK;
        self.asked.len()
    }

    /// The one that waits longest.
    pub(super) fn pop(&mut self) -> Option<Asked> {
        self.asked.pop_front()
    }

    /// When to look again.
    pub(super) fn next(&self) -> Option<Instant> {
        (!self.asked.is_empty()).then_some(self.look)
    }
}
