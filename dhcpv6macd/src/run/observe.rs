//! What workers see of machines, on its way to the one who keeps their histories.

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
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
const QUEUE: usize = 16_384;

/// Places where a worker remembers what it has told of machines: half a MiB, which is near the processor.
const PLACES: usize = 1 << 16;
/// Places in a row, where all of a machine are: two cache lines of the processor.
const ROW: usize = 16;
const ROWS: usize = PLACES / ROW;

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
        let told = vec![Row::default(); ROWS].into();
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
    /// What each machine has said last, of each kind in each stage of a boot.
    told: Box<[Row]>,
    begun: Instant,
    hasher: RandomState,
    dropped: u64,
}

impl Observer {
    /// Tells what is news, without waiting: what finds the queue full is dropped and counted. Returns whether it was news.
    pub(super) fn tell(&mut self, seen: &Observation<'_>, now: Instant) -> bool {
        let is_news = self.is_news(seen, now);
        if is_news && let Some(message) = SeenMessage::new(seen) {
            self.push(Sighting { at: now, seen: Seen::Message(message) });
        }
        is_news
    }

    /// Tells of a transfer, likewise. All of that is news.
    pub(super) fn tell_transfer(&mut self, seen: tftp::Observation, now: Instant) {
        self.push(Sighting { at: now, seen: Seen::Transfer(seen) });
    }

    fn push(&mut self, sighting: Sighting) {
        self.dropped += u64::from(self.queue.push(sighting).is_err());
    }

    /// Is it another machine, DUID or kind of message than was told of? Or else another message, in another [period](PERIOD): nobody boots twice
    /// in one, and who asks for the fun of it is not to keep others from being heard. A Decline is always news.
    #[expect(clippy::cast_possible_truncation, reason = "some bits are as good as others")]
    fn is_news(&mut self, seen: &Observation<'_>, now: Instant) -> bool {
        let period = now.saturating_duration_since(self.begun).as_secs() / PERIOD;
        let machine = self.hash(&seen.mac.0);
        let who = [(machine >> 56) as u8 ^ seen.stage as u8, (machine >> 48) as u8 ^ seen.kind as u8];
        let news = Told::new(who, self.hash(seen.client_id), seen.transaction, period);
        let Some(Row(row)) = self.told.get_mut(machine as usize % ROWS) else { return true };
        let is_news = match row.iter().find(|told| told.who == news.who) {
            Some(told) => news.is_news_after(*told) || seen.kind == MessageType::Decline,
            None => true,
        };
        // In the place of its last one, or else in a free one, or else of what was told longest ago.
        let place =
            |told: &&mut Told| (told.who == news.who, **told == Told::default(), news.period.wrapping_sub(told.period));
        if is_news && let Some(told) = row.iter_mut().max_by_key(place) {
            *told = news;
        }
        is_news
    }

    fn hash(&self, bytes: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(bytes);
        hasher.finish()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// Where it is remembered what was told of a few machines.
#[derive(Clone, Default)]
#[repr(align(128))]
struct Row([Told; ROW]);

/// What a worker told of a machine, as far as it takes to know it again. Two that share this are told of more often, or a DUID's change later.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Told {
    who: u16,
    client_id: u16,
    transaction: u16,
    period: u16,
}

impl Told {
    #[expect(clippy::cast_possible_truncation, reason = "the rest is left out")]
    const fn new(who: [u8; 2], client_id: u64, transaction: [u8; 3], period: u64) -> Self {
        let [_, high, low] = transaction;
        let (who, transaction) = (u16::from_be_bytes(who), u16::from_be_bytes([high, low]));
        Self { who, client_id: client_id as u16, transaction, period: period as u16 }
    }

    const fn is_news_after(self, last: Self) -> bool {
        self.client_id != last.client_id || self.transaction != last.transaction && self.period != last.period
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
    fn thousands_of_machines_do_not_make_each_other_news() {
        let all = (0..10_000_u16).map(|number| {
            let [high, low] = number.to_be_bytes();
            (0, Observation { mac: MacAddr([2, 0, 0, 0, high, low]), ..SEEN })
        });
        let again = all.clone();
        let told = told(&all.chain(again).collect::<Vec<_>>());
        let (first, again) = told.split_at(10_000);
        let count = |told: &[bool]| told.iter().filter(|told| **told).count();
        // Few may be taken for others.
        assert!(count(first) > 9950 && count(again) < 50, "{} {}", count(first), count(again));
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
