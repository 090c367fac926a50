//! What workers see of machines, on its way to the one who keeps their histories.

use std::{
    hash::{BuildHasher as _, DefaultHasher, Hasher as _, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use crossbeam_queue::ArrayQueue;

use crate::{
    http::transfer::{self, Observe},
    respond::Observation,
    tftp,
    wire::{DUID_MAX, dhcpv6::MessageType},
};

/// Observations on their way: more than all workers make between two looks at them, when every machine of a room is news at once.
const QUEUE: usize = 8192;

/// Places where a worker remembers what it has told of machines, a word each.
const TOLD: usize = 1 << 17;

/// Seconds within which the same kind of message is told of once.
const PERIOD: u64 = 4;

/// The queue between those who answer and the control plane.
#[derive(Clone)]
pub(super) struct Observations {
    queue: Arc<ArrayQueue<Sighting>>,
    /// What found it full, of those who have no counter of their own.
    dropped: Arc<AtomicU64>,
}

impl Observations {
    pub(super) fn new() -> Self {
        Self { queue: Arc::new(ArrayQueue::new(QUEUE)), dropped: Arc::default() }
    }

    /// A worker's end.
    pub(super) fn observer(&self) -> Observer {
        let told = vec![0; TOLD].into();
        let (begun, hasher) = (Instant::now(), RandomState::new());
        Observer { queue: Arc::clone(&self.queue), told, begun, hasher, dropped: 0 }
    }

    /// How many are on their way.
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// The next one, if there is one.
    pub(super) fn next(&self) -> Option<Sighting> {
        self.queue.pop()
    }

    /// How many transfers over HTTP nobody was told of.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// Transfers over HTTP, from many threads.
impl Observe for Observations {
    fn observe(&self, seen: transfer::Observation) {
        if self.queue.push(Sighting { at: Instant::now(), seen: Seen::Fetch(seen) }).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Something that was seen, and when. Of a fixed size: it leaves a worker without taking memory.
pub(super) struct Sighting {
    pub(super) at: Instant,
    pub(super) seen: Seen,
}

/// What was seen.
pub(super) enum Seen {
    /// A message was answered.
    Message(SeenMessage),
    /// Something happened to a transfer over TFTP.
    Transfer(tftp::Observation),
    /// And over HTTP.
    Fetch(transfer::Observation),
}

/// A message without what it borrows.
pub(super) struct SeenMessage {
    message: Observation<'static>,
    length: usize,
    client_id: [u8; DUID_MAX],
}

impl SeenMessage {
    /// `None` where the DUID is longer than one can be, which no message's is.
    fn new(seen: &Observation<'_>) -> Option<Self> {
        let length = seen.client_id.len();
        let mut client_id = [0; DUID_MAX];
        client_id.get_mut(..length)?.copy_from_slice(seen.client_id);
        Some(Self { message: Observation { client_id: &[], ..*seen }, length, client_id })
    }

    pub(super) fn observation(&self) -> Observation<'_> {
        Observation { client_id: self.client_id.get(..self.length).unwrap_or_default(), ..self.message }
    }
}

/// A worker's end of the queue.
pub(super) struct Observer {
    queue: Arc<ArrayQueue<Sighting>>,
    /// At the place of each machine in each stage [what it has said last](Told). What two that share a place cost is that they are told of
    /// more often.
    told: Box<[u64]>,
    begun: Instant,
    hasher: RandomState,
    dropped: u64,
}

impl Observer {
    /// Tells what is news, without waiting: what finds the queue full is dropped and counted.
    pub(super) fn tell(&mut self, seen: &Observation<'_>, now: Instant) {
        if self.is_news(seen, now)
            && let Some(message) = SeenMessage::new(seen)
        {
            self.push(Sighting { at: now, seen: Seen::Message(message) });
        }
    }

    /// Tells of a transfer, likewise. All of that is news.
    pub(super) fn tell_transfer(&mut self, seen: tftp::Observation, now: Instant) {
        self.push(Sighting { at: now, seen: Seen::Transfer(seen) });
    }

    fn push(&mut self, sighting: Sighting) {
        self.dropped += u64::from(self.queue.push(sighting).is_err());
    }

    /// Is it another machine, DUID or kind of message than was told of last here? Or else another message, in another [period](PERIOD): nobody
    /// boots twice in one, and who asks for the fun of it is not to keep others from being heard. A Decline is always news.
    fn is_news(&mut self, seen: &Observation<'_>, now: Instant) -> bool {
        let hash = |parts: &[&[u8]]| {
            let mut hasher: DefaultHasher = self.hasher.build_hasher();
            parts.iter().for_each(|part| hasher.write(part));
            hasher.finish()
        };
        let who = [&seen.mac.0[..], &[seen.stage as u8, seen.kind as u8]];
        let period = now.saturating_duration_since(self.begun).as_secs() / PERIOD;
        let news = Told::new(hash(&[who[0], who[1], seen.client_id]), seen.transaction, period);
        #[expect(clippy::cast_possible_truncation, reason = "the low bits are as good as any")]
        let Some(told) = self.told.get_mut(hash(&who) as usize % TOLD) else { return true };
        let is_news = news.is_news_after(Told(*told)) || seen.kind == MessageType::Decline;
        if is_news {
            *told = news.0;
        }
        is_news
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// What a worker told last at a place: a hash of who has said it, 24 bits, its transaction, 24 bits, and the period, 16 bits.
#[derive(Clone, Copy)]
struct Told(u64);

impl Told {
    fn new(who: u64, transaction: [u8; 3], period: u64) -> Self {
        let [a, b, c] = transaction;
        let transaction = u64::from(u32::from_be_bytes([0, a, b, c]));
        Self(who << 40 | transaction << 16 | period & 0xffff)
    }

    fn is_news_after(self, last: Self) -> bool {
        let differ = self.0 ^ last.0;
        let [who, transaction, period] = [differ >> 40, differ >> 16 & 0xff_ffff, differ & 0xffff];
        who != 0 || transaction != 0 && period != 0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{policy::BootStage, wire::MacAddr};

    const SEEN: Observation<'_> = Observation {
        mac: MacAddr([2, 0, 0, 0, 0, 1]),
        kind: MessageType::Solicit,
        stage: BootStage::Pxe,
        client_id: b"\0\x04one",
        transaction: [0, 0, 1],
        is_told_boot_file: false,
        is_firmware: true,
    };

    /// Which of these are told, each at its millisecond.
    fn told(sequence: &[(u64, Observation<'_>)]) -> Vec<bool> {
        let observations = Observations::new();
        let mut observer = observations.observer();
        let begun = observer.begun;
        let tell = |(millisecond, seen): &(u64, Observation<'_>)| {
            observer.tell(seen, begun + Duration::from_millis(*millisecond));
            observations.next().is_some_and(
                |sighting| matches!(sighting.seen, Seen::Message(message) if message.observation() == *seen),
            )
        };
        sequence.iter().map(tell).collect()
    }

    #[test]
    fn who_asks_again_is_told_of_once_and_who_asks_anew_once_in_four_seconds() {
        let anew = |number| Observation { transaction: [0, 0, number], ..SEEN };
        let sequence = [(0, SEEN), (5000, SEEN), (5001, anew(2)), (7999, anew(3)), (8000, anew(4)), (12_000, anew(4))];
        assert_eq!(told(&sequence), [true, false, true, false, true, false]);
    }

    #[test]
    fn each_kind_of_message_stage_and_duid_is_news_and_a_decline_each_time() {
        let request = Observation { kind: MessageType::Request, ..SEEN };
        let ipxe = Observation { stage: BootStage::Ipxe, ..SEEN };
        let other = Observation { client_id: b"\0\x04other", ..SEEN };
        let decline = Observation { kind: MessageType::Decline, ..SEEN };
        let sequence = [SEEN, request, ipxe, SEEN, request, other, SEEN, decline, decline].map(|seen| (0, seen));
        assert_eq!(told(&sequence), [true, true, true, false, false, true, true, true, true]);
    }

    #[test]
    fn what_finds_the_queue_full_is_counted() {
        let observations = Observations::new();
        let mut observer = observations.observer();
        for number in 0..=QUEUE {
            let kind = MessageType::Decline;
            let [.., high, low] = number.to_be_bytes();
            let mac = MacAddr([2, 0, 0, 0, high, low]);
            observer.tell(&Observation { mac, kind, ..SEEN }, Instant::now());
        }
        assert_eq!((observations.len(), observer.dropped()), (QUEUE, 1));
    }
}
