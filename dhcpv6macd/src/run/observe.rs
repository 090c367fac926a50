//! What workers see of machines, on its way to the one who keeps their histories.

use std::{
    hash::{BuildHasher as _, DefaultHasher, Hasher as _, RandomState},
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_queue::ArrayQueue;

use crate::{
    policy::BootStage,
    respond::Observation,
    tftp,
    wire::{DUID_MAX, MacAddr, dhcpv6::MessageType},
};

/// Observations on their way: more than all workers make between two looks at them, when every machine of a room is news at once.
const QUEUE: usize = 8192;

/// Machines that a worker remembers having told of.
const TOLD: usize = 1 << 15;

/// How often what is no news is told all the same: whoever renews its address has been seen.
const TELL_AGAIN: Duration = Duration::from_mins(10);

/// The queue between the workers and the control plane.
#[derive(Clone)]
pub(super) struct Observations(Arc<ArrayQueue<Sighting>>);

impl Observations {
    pub(super) fn new() -> Self {
        Self(Arc::new(ArrayQueue::new(QUEUE)))
    }

    /// A worker's end.
    pub(super) fn observer(&self) -> Observer {
        let told = vec![0; TOLD].into();
        let (begun, hasher) = (Instant::now(), RandomState::new());
        Observer { queue: Arc::clone(&self.0), told, begun, hasher, dropped: 0 }
    }

    /// How many are on their way.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The next one, if there is one.
    pub(super) fn next(&self) -> Option<Sighting> {
        self.0.pop()
    }
}

/// An observation of a fixed size: it leaves a worker without taking memory.
pub(super) enum Sighting {
    /// A message was answered.
    Message(MessageSighting),
    /// Something happened to a transfer.
    Transfer(tftp::Observation),
}

pub(super) struct MessageSighting {
    mac: MacAddr,
    kind: MessageType,
    stage: BootStage,
    length: usize,
    client_id: [u8; DUID_MAX],
}

impl MessageSighting {
    /// `None` where the DUID is longer than one can be, which no message's is.
    fn new(seen: &Observation<'_>) -> Option<Self> {
        let Observation { mac, kind, stage, client_id: duid } = *seen;
        let mut client_id = [0; DUID_MAX];
        client_id.get_mut(..duid.len())?.copy_from_slice(duid);
        Some(Self { mac, kind, stage, length: duid.len(), client_id })
    }

    pub(super) fn observation(&self) -> Observation<'_> {
        let client_id = self.client_id.get(..self.length).unwrap_or_default();
        Observation { mac: self.mac, kind: self.kind, stage: self.stage, client_id }
    }
}

/// A worker's end of the queue.
pub(super) struct Observer {
    queue: Arc<ArrayQueue<Sighting>>,
    /// At the place of each machine the hash of what was told of it last. What two machines that share a place cost is that they are
    /// told of more often.
    told: Box<[u64]>,
    begun: Instant,
    hasher: RandomState,
    dropped: u64,
}

impl Observer {
    /// Tells what is news, without waiting: what finds the queue full is dropped and counted.
    pub(super) fn tell(&mut self, seen: &Observation<'_>, now: Instant) {
        if !self.is_news(seen, now) {
            return;
        }
        if MessageSighting::new(seen).is_none_or(|sighting| self.queue.push(Sighting::Message(sighting)).is_err()) {
            self.dropped += 1;
        }
    }

    /// Tells of a transfer, likewise. All of that is news.
    pub(super) fn tell_transfer(&mut self, seen: tftp::Observation) {
        if self.queue.push(Sighting::Transfer(seen)).is_err() {
            self.dropped += 1;
        }
    }

    /// Was it something else that was told of this machine last, or long ago? A Decline is always news.
    fn is_news(&mut self, seen: &Observation<'_>, now: Instant) -> bool {
        let hash = |parts: &[&[u8]]| {
            let mut hasher: DefaultHasher = self.hasher.build_hasher();
            parts.iter().for_each(|part| hasher.write(part));
            hasher.finish()
        };
        let place = hash(&[&seen.mac.0]);
        let period = now.saturating_duration_since(self.begun).as_secs() / TELL_AGAIN.as_secs();
        let what = hash(&[&seen.mac.0, &[seen.stage as u8], &period.to_ne_bytes(), seen.client_id]);
        #[expect(clippy::cast_possible_truncation, reason = "the low bits are as good as any")]
        let told = self.told.get_mut(place as usize % TOLD);
        let before = told.map(|told| std::mem::replace(told, what));
        before != Some(what) || seen.kind == MessageType::Decline
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_of_the_same_machine_is_told_once_and_a_decline_each_time() {
        let observations = Observations::new();
        let mut observer = observations.observer();
        let seen = |kind, stage, client_id| Observation { mac: MacAddr([2, 0, 0, 0, 0, 1]), kind, stage, client_id };
        let one = seen(MessageType::Solicit, BootStage::Pxe, b"\0\x04one");
        let other = seen(MessageType::Solicit, BootStage::Pxe, b"\0\x04other");
        let later = seen(MessageType::Solicit, BootStage::Ipxe, b"\0\x04one");
        let decline = seen(MessageType::Decline, BootStage::Ipxe, b"\0\x04one");
        let now = Instant::now();
        for seen in [one, one, other, one, later, later, decline, decline] {
            observer.tell(&seen, now);
        }
        for expected in [one, other, one, later, decline, decline] {
            assert!(matches!(observations.next(), Some(Sighting::Message(told)) if told.observation() == expected));
        }
        assert!(observations.next().is_none() && observer.dropped() == 0);
        for (seconds, is_told) in [(1, false), (601, true), (1199, false), (1201, true)] {
            observer.tell(&later, now + Duration::from_secs(seconds));
            assert_eq!(observations.next().is_some(), is_told, "{seconds}");
        }
    }

    #[test]
    fn what_finds_the_queue_full_is_counted() {
        let observations = Observations::new();
        let mut observer = observations.observer();
        for number in 0..=QUEUE {
            let kind = MessageType::Decline;
            let [.., high, low] = number.to_be_bytes();
            let mac = MacAddr([2, 0, 0, 0, high, low]);
            observer.tell(&Observation { mac, kind, stage: BootStage::Other, client_id: &[] }, Instant::now());
        }
        assert_eq!((observations.len(), observer.dropped()), (QUEUE, 1));
    }
}
