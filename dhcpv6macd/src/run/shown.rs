//! What is known of the machines, as it is shown.
//!
//! A picture of all machines is drawn from what was written of each, so that only what has changed is written anew, and a little at a time, so
//! that nothing else waits for it. Whoever asks gets the last picture where that is fresh, and hears what has happened since.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use serde::{Serialize, Serializer, ser::SerializeStruct as _};
use tokio::sync::oneshot;

use crate::{
    event::Text as Shortly,
    http::events::snapshot::{Snapshot, Text},
    machine::{Known, Machines},
    wire::MacAddr,
};

/// How old a picture may be at least, before it is drawn anew: when the power comes back, so do all who watch.
const FRESH: Duration = Duration::from_millis(200);
/// How many times as old as it took to draw it.
const FRESH_FACTOR: u32 = 10;
/// How long is drawn at a time.
const TURN: Duration = Duration::from_millis(5);
/// How long a picture is kept for those who read it.
const KEPT: Duration = Duration::from_secs(60);
/// Pictures that are kept at a time.
const PICTURES_MAX: usize = 8;

/// What was written, and who waits for more.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// Of each machine a member of a JSON object, as far as it has not changed since.
    members: HashMap<MacAddr, Bytes>,
    /// Those that are to be written yet for the next picture.
    missing: Vec<MacAddr>,
    /// Who waits for that.
    waiting: Vec<oneshot::Sender<Snapshot>>,
    /// How long it was drawn already.
    drawn: Duration,
    pictures: VecDeque<Picture>,
}

/// All machines at one moment.
#[derive(Debug)]
struct Picture {
    members: Arc<[Bytes]>,
    next: u64,
    made: Instant,
    /// What it took.
    cost: Duration,
}

impl Picture {
    fn snapshot(&self) -> Snapshot {
        Snapshot { text: Text::object(&self.members), next: self.next }
    }

    fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.made) < FRESH.max(self.cost * FRESH_FACTOR)
    }

    /// Does anybody read it?
    fn is_read(&self) -> bool {
        Arc::weak_count(&self.members) > 0
    }
}

impl Shown {
    /// What is known of one machine, or `null`; `next` is the number of the first event that is not in it.
    pub(super) fn one(machines: &Machines, mac: MacAddr, next: u64) -> Snapshot {
        let json = serde_json::to_vec(&machines.get(mac).map(Machine));
        Snapshot { text: Text::Whole(json.unwrap_or_default().into()), next }
    }

    /// Something has happened to this machine.
    pub(super) fn change(&mut self, mac: MacAddr) {
        if self.members.remove(&mac).is_some() && self.is_drawing() {
            self.missing.push(mac);
        }
    }

    /// Somebody asks for all machines. `next` is the number of the next event, and `is_kept` says whether everything from an event on can still
    /// be told.
    pub(super) fn ask(
        &mut self,
        answer: oneshot::Sender<Snapshot>,
        next: u64,
        is_kept: impl Fn(u64) -> bool,
        now: Instant,
    ) {
        let is_crowded = self.pictures.len() >= PICTURES_MAX;
        let newest = self
            .pictures
            .back()
            .filter(|newest| newest.is_fresh(now) || newest.next == next || is_crowded && is_kept(newest.next));
        match newest {
            // Who has gone meanwhile does not hear it.
            Some(newest) => drop(answer.send(newest.snapshot())),
            None => self.waiting.push(answer),
        }
    }

    /// Does somebody wait for a picture?
    pub(super) fn is_drawing(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Draws for a moment. Is all written that was known at its beginning?
    pub(super) fn draw(&mut self, machines: &Machines) -> bool {
        let begun = Instant::now();
        if self.missing.is_empty() {
            let is_missing = |mac: &MacAddr| !self.members.contains_key(mac);
            self.missing = machines.all().map(|known| known.mac).filter(is_missing).collect();
        }
        while let Some(mac) = self.missing.pop() {
            self.write(machines, mac);
            if begun.elapsed() > TURN {
                break;
            }
        }
        self.drawn += begun.elapsed();
        self.missing.is_empty()
    }

    /// Writes what has come meanwhile, and gives the picture to all who wait.
    pub(super) fn finish(&mut self, machines: &Machines, next: u64) {
        let (begun, drawn) = (Instant::now(), std::mem::take(&mut self.drawn));
        while !self.draw(machines) {}
        if self.members.len() > machines.len() {
            self.members.retain(|mac, _| machines.get(*mac).is_some());
        }
        let all = machines.all().map(|known| match self.members.get(&known.mac) {
            Some(member) => member.clone(),
            None => member(known),
        });
        let members: Arc<[Bytes]> = all.collect();
        let made = Instant::now();
        self.drawn = Duration::ZERO;
        let picture = Picture { members, next, made, cost: drawn + begun.elapsed() };
        for answer in self.waiting.drain(..) {
            // Who has gone meanwhile does not hear it.
            drop(answer.send(picture.snapshot()));
        }
        self.pictures.push_back(picture);
        self.forget(made);
    }

    fn write(&mut self, machines: &Machines, mac: MacAddr) {
        if let Some(known) = machines.get(mac) {
            self.members.insert(mac, member(known));
        }
    }

    /// Forgets pictures that nobody reads, or for too long; and everything where nobody has asked for so long.
    pub(super) fn forget(&mut self, now: Instant) {
        let is_old = |picture: &Picture| now.saturating_duration_since(picture.made) >= KEPT;
        let newest = self.pictures.pop_back().filter(|newest| !is_old(newest));
        self.pictures.retain(|picture| picture.is_read() && !is_old(picture));
        self.pictures.extend(newest);
        while self.pictures.len() > PICTURES_MAX {
            self.pictures.pop_front();
        }
        if self.pictures.is_empty() && !self.is_drawing() {
            self.members = HashMap::new();
        }
    }
}

/// `"<mac>":{"Mac","IPv6Address","Events"}`.
fn member(known: Known<'_>) -> Bytes {
    let mut json = format!("\"{}\":", known.mac).into_bytes();
    // Memory takes everything, and nothing that is known is no JSON.
    let written = serde_json::to_writer(&mut json, &Machine(known));
    debug_assert!(written.is_ok(), "{known:?}");
    json.into()
}

/// `{"Mac","IPv6Address","Events"}`.
struct Machine<'a>(Known<'a>);

impl Serialize for Machine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut machine = serializer.serialize_struct("Machine", 3)?;
        machine.serialize_field("Mac", &Shortly(format_args!("{}", self.0.mac)))?;
        machine.serialize_field("IPv6Address", &self.0.address)?;
        machine.serialize_field("Events", &Events(self.0))?;
        machine.end()
    }
}

struct Events<'a>(Known<'a>);

impl Serialize for Events<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.events())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;
    use serde_json::Value;

    use super::*;
    use crate::{
        machine::{Moment, StallLimits},
        policy::BootStage,
        respond::Observation,
        wire::dhcpv6::MessageType,
    };

    struct Scene {
        machines: Machines,
        shown: Shown,
        next: u64,
        now: Instant,
    }

    impl Scene {
        fn new() -> Self {
            let machines = Machines::new(100, "2001:db8::".parse().unwrap(), StallLimits::default());
            Self { machines, shown: Shown::default(), next: 0, now: Instant::now() }
        }

        /// A machine asks.
        fn asks(&mut self, number: u8, stage: BootStage) {
            let seen = Observation {
                mac: MacAddr([2, 0, 0, 0, 0, number]),
                kind: MessageType::Solicit,
                stage,
                client_id: b"\0\x04one",
                transaction: [0, 0, 1],
                is_told_boot_file: false,
                is_firmware: stage != BootStage::Other,
            };
            let now = Moment { instant: self.now, time: Timestamp::UNIX_EPOCH };
            let tell = &mut |change: crate::event::Change| {
                self.next += 1;
                self.shown.change(change.mac);
            };
            assert_eq!(self.machines.message(&seen, now, tell).count(), 0);
        }

        /// Somebody asks for all.
        fn ask(&mut self, is_kept: bool) -> Snapshot {
            let (answer, mut answered) = oneshot::channel();
            self.shown.ask(answer, self.next, |_| is_kept, self.now);
            while self.shown.is_drawing() {
                if self.shown.draw(&self.machines) {
                    self.shown.finish(&self.machines, self.next);
                }
            }
            answered.try_recv().unwrap()
        }
    }

    /// How many events of each machine are told.
    fn events(mut text: Text) -> BTreeMap<String, usize> {
        let pieces: Vec<_> = std::iter::from_fn(|| text.read().unwrap()).collect();
        let all: BTreeMap<String, Value> = serde_json::from_slice(&pieces.concat()).unwrap();
        all.into_iter().map(|(mac, machine)| (mac, machine["Events"].as_array().unwrap().len())).collect()
    }

    fn of(counts: &[(u8, usize)]) -> BTreeMap<String, usize> {
        counts.iter().map(|(number, count)| (MacAddr([2, 0, 0, 0, 0, *number]).to_string(), *count)).collect()
    }

    #[test]
    fn a_picture_shows_what_has_happened_until_it_is_drawn() {
        let mut scene = Scene::new();
        assert_eq!(events(scene.ask(true).text), of(&[]));
        scene.asks(1, BootStage::Pxe);
        scene.asks(2, BootStage::Pxe);
        scene.now += KEPT;
        assert_eq!(events(scene.ask(true).text), of(&[(1, 2), (2, 2)]));
        scene.asks(2, BootStage::Other);
        scene.now += KEPT;
        let snapshot = scene.ask(true);
        assert_eq!((events(snapshot.text), snapshot.next), (of(&[(1, 2), (2, 3)]), 5));
    }

    #[test]
    fn what_happens_while_it_is_drawn_is_in_it() {
        let mut scene = Scene::new();
        scene.asks(1, BootStage::Pxe);
        let (answer, mut answered) = oneshot::channel();
        scene.shown.ask(answer, scene.next, |_| true, scene.now);
        assert!(scene.shown.draw(&scene.machines));
        scene.asks(1, BootStage::Other);
        scene.asks(2, BootStage::Pxe);
        scene.shown.finish(&scene.machines, scene.next);
        assert_eq!(events(answered.try_recv().unwrap().text), of(&[(1, 3), (2, 2)]));
    }

    #[test]
    fn who_asks_soon_gets_the_last_picture_and_what_happens_next() {
        let mut scene = Scene::new();
        scene.asks(1, BootStage::Pxe);
        let first = scene.ask(true);
        scene.asks(2, BootStage::Pxe);
        assert_eq!(scene.ask(true).next, first.next);
        scene.now += KEPT;
        assert_eq!(scene.ask(true).next, scene.next);
    }

    #[test]
    fn pictures_are_few_however_many_do_not_read_theirs() {
        let mut scene = Scene::new();
        let mut unread = Vec::new();
        for number in 0..20 {
            scene.asks(number, BootStage::Pxe);
            scene.now += FRESH * FRESH_FACTOR;
            unread.push(scene.ask(true));
        }
        assert_eq!(scene.shown.pictures.len(), PICTURES_MAX);
        let is_kept = |snapshot: &Snapshot| snapshot.text.clone().read().is_ok();
        assert!(unread.iter().all(is_kept), "what happens next is kept for all");

        scene.asks(20, BootStage::Pxe);
        let newest = scene.ask(false);
        assert_eq!((newest.next, scene.shown.pictures.len()), (scene.next, PICTURES_MAX));
        assert_eq!(unread.iter().map(is_kept).take(2).collect::<Vec<_>>(), [false, true], "the slowest goes");

        scene.shown.forget(scene.now + 2 * KEPT);
        assert!(scene.shown.pictures.is_empty() && scene.shown.members.is_empty());
    }
}
