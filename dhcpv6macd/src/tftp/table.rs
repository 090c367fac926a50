//! The sessions by their clients, and those among them that have something to send.

use std::{
    collections::{HashMap, VecDeque},
    net::Ipv6Addr,
    time::Instant,
};

use super::session::Session;
use crate::{respond::Reason, wire::MacAddr};

/// A client: its address and its port.
pub(super) type Key = (Ipv6Addr, u16);

/// Sessions that it is looked at, for one that may make room: a flood of requests costs no more than this for each.
const LOOKS: usize = 64;

/// As many sessions as it has room for. Its memory is taken once, and touched as it is used.
#[derive(Debug)]
pub(super) struct Table {
    slots: Vec<Slot>,
    capacity: usize,
    free: Vec<u32>,
    numbers: HashMap<Key, u32>,
    /// Sessions with something to send, those that wait longest first.
    ready: VecDeque<u32>,
    /// Sessions with their serial numbers, in the order in which it is looked who may make room; also those that are over.
    candidates: VecDeque<(u32, u64)>,
    /// Sessions that ever began.
    begun: u64,
}

#[derive(Debug, Default)]
struct Slot {
    session: Option<(Key, Session)>,
    serial: u64,
    /// Is its number among the ready ones? It stays there when the session ends.
    is_ready: bool,
}

impl Table {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            slots: Vec::with_capacity(capacity),
            capacity,
            free: Vec::with_capacity(capacity),
            // Twice the room, so that what was removed is swept up in place.
            numbers: HashMap::with_capacity(2 * capacity),
            ready: VecDeque::with_capacity(capacity),
            candidates: VecDeque::with_capacity(2 * capacity),
            begun: 0,
        }
    }

    pub(super) fn find(&self, key: Key) -> Option<u32> {
        self.numbers.get(&key).copied()
    }

    /// The session of a client, whose machine has this MAC: another one may know its address and its port.
    pub(super) fn of(&mut self, key: Key, machine: MacAddr) -> Result<(u32, &mut Session), Reason> {
        let number = self.find(key).ok_or(Reason::TftpNoSession)?;
        let session = self.get_mut(number).ok_or(Reason::TftpNoSession)?;
        if session.is_of(machine) { Ok((number, session)) } else { Err(Reason::TftpOtherMac) }
    }

    pub(super) fn get(&self, number: u32) -> Option<&Session> {
        self.slots.get(number as usize)?.session.as_ref().map(|(_, session)| session)
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Session> {
        self.slots.get_mut(number as usize)?.session.as_mut().map(|(_, session)| session)
    }

    /// Takes a session in, in the place of the client's last one where there is one. `None` where there is no room.
    pub(super) fn insert(&mut self, key: Key, session: Session) -> Option<u32> {
        let number = self.find(key).or_else(|| self.free.pop()).or_else(|| self.grow())?;
        self.begun += 1;
        let slot = self.slots.get_mut(number as usize)?;
        slot.session = Some((key, session));
        slot.serial = self.begun;
        self.numbers.insert(key, number);
        self.note_candidate(number);
        Some(number)
    }

    fn note_candidate(&mut self, number: u32) {
        if self.candidates.len() >= 2 * self.capacity {
            let slots = &self.slots;
            self.candidates.retain(|(number, serial)| is_current(slots, *number, *serial));
        }
        self.candidates.push_back((number, self.begun));
    }

    /// Is there no room for a session of this client?
    pub(super) fn is_full_for(&self, key: Key) -> bool {
        self.free.is_empty() && self.slots.len() >= self.capacity && self.find(key).is_none()
    }

    /// A session that [may make room](Session::may_make_room), of the next few that it is looked at, each in its turn.
    pub(super) fn one_to_make_room(&mut self, now: Instant) -> Option<u32> {
        for _ in 0..LOOKS {
            let (number, serial) = self.candidates.pop_front()?;
            if !is_current(&self.slots, number, serial) {
                continue;
            }
            self.candidates.push_back((number, serial));
            if self.get(number).is_some_and(|session| session.may_make_room(now)) {
                return Some(number);
            }
        }
        None
    }

    fn grow(&mut self) -> Option<u32> {
        if self.slots.len() >= self.capacity {
            return None;
        }
        self.slots.push(Slot::default());
        u32::try_from(self.slots.len() - 1).ok()
    }

    pub(super) fn remove(&mut self, number: u32) {
        let session = self.slots.get_mut(number as usize).and_then(|slot| slot.session.take());
        if let Some((key, _)) = session {
            self.numbers.remove(&key);
            self.free.push(number);
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// The session has something to send.
    pub(super) fn make_ready(&mut self, number: u32) {
        if let Some(slot) = self.slots.get_mut(number as usize)
            && !std::mem::replace(&mut slot.is_ready, true)
        {
            self.ready.push_back(number);
        }
    }

    /// The next session that has something to send, or had when it was made ready.
    pub(super) fn next_ready(&mut self) -> Option<u32> {
        let number = self.ready.pop_front()?;
        self.slots.get_mut(number as usize)?.is_ready = false;
        Some(number)
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }
}

/// Is this session still the one of this serial number?
fn is_current(slots: &[Slot], number: u32, serial: u64) -> bool {
    slots.get(number as usize).is_some_and(|slot| slot.serial == serial && slot.session.is_some())
}
