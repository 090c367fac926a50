//! Events on their way to whoever watches: written once, read by as many as like to, kept for those who come back.
//!
//! One publishes, a batch at a time, and waits for nobody. Each subscriber has a place of its own in what is kept; who falls so far behind
//! that its place is gone is told everything anew.

use std::{
    collections::VecDeque,
    fmt,
    io::Write as _,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use tokio::sync::{mpsc, oneshot, watch};

use super::snapshot::Snapshot;
use crate::{event::Change, wire::MacAddr};

/// Bytes of events that are kept for those who come back, or are slow; more where it is one batch.
const KEPT_MAX: usize = 16 << 20;
/// How long what happens is kept for those who come back, where nobody else reads it.
const ABSENCE: Duration = Duration::from_secs(60);
/// Questions on their way to the one who knows all machines.
const QUESTIONS_MAX: usize = 1024;

/// The number of an event since the daemon's start, and of which daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventId {
    epoch: u64,
    number: u64,
}

/// As it stands in `id:` and `Last-Event-ID`.
impl fmt::Display for EventId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:x}-{}", self.epoch, self.number)
    }
}

impl EventId {
    fn parse(text: &str) -> Option<Self> {
        let (epoch, number) = text.split_once('-')?;
        Some(Self { epoch: u64::from_str_radix(epoch, 16).ok()?, number: number.parse().ok()? })
    }
}

/// Some events, as they go out.
#[derive(Debug)]
pub struct Batch {
    /// Number of the first.
    first: u64,
    text: Bytes,
    /// Of each event its machine, and where its text ends.
    events: Vec<(MacAddr, usize)>,
}

impl Batch {
    fn end(&self) -> u64 {
        self.first + self.events.len() as u64
    }

    /// The text from an event on, of one machine or of all.
    fn text(&self, from: u64, of: Option<MacAddr>) -> Bytes {
        let skipped = usize::try_from(from.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let start =
            |index: usize| index.checked_sub(1).and_then(|before| self.events.get(before)).map_or(0, |event| event.1);
        let Some(of) = of else { return self.text.slice(start(skipped)..) };
        let mut text = BytesMut::new();
        for (index, (mac, end)) in self.events.iter().enumerate().skip(skipped) {
            if *mac == of {
                text.extend_from_slice(self.text.get(start(index)..*end).unwrap_or_default());
            }
        }
        text.freeze()
    }
}

/// A question to the one who knows all machines, and where the answer goes.
#[derive(Debug)]
pub enum Question {
    /// What is known of all machines?
    Machines(oneshot::Sender<Snapshot>),
    /// And of this one?
    Machine(MacAddr, oneshot::Sender<Snapshot>),
    /// What was counted, as Prometheus reads it?
    Counters(oneshot::Sender<Bytes>),
}

#[derive(Debug)]
struct Shared {
    epoch: u64,
    kept: Mutex<Kept>,
    newest: watch::Sender<u64>,
    /// How often a subscriber was told everything anew.
    behind: AtomicU64,
    /// How often somebody did not read in time what is known of all machines.
    cut: AtomicU64,
}

#[derive(Debug, Default)]
struct Kept {
    batches: VecDeque<Arc<Batch>>,
    bytes: usize,
    /// When somebody was there last who reads it.
    read: Option<Instant>,
}

impl Kept {
    /// The newest stays, however long it is: who has read everything until now reads it.
    fn keep(&mut self, batch: Batch) {
        self.bytes += batch.text.len();
        self.batches.push_back(Arc::new(batch));
        while self.bytes > KEPT_MAX
            && self.batches.len() > 1
            && let Some(oldest) = self.batches.pop_front()
        {
            self.bytes -= oldest.text.len();
        }
    }
}

impl Shared {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing in there is ever half done.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn newest(&self) -> u64 {
        *self.newest.borrow()
    }

    /// The first event that is kept, or the next one.
    fn oldest(&self) -> u64 {
        self.kept().batches.front().map_or_else(|| self.newest(), |batch| batch.first)
    }
}

/// The end of whoever publishes, and answers.
#[derive(Debug)]
pub struct Publisher {
    shared: Arc<Shared>,
    questions: mpsc::Receiver<Question>,
}

/// The end of whoever subscribes, and asks.
#[derive(Clone, Debug)]
pub struct Feed {
    shared: Arc<Shared>,
    questions: mpsc::Sender<Question>,
}

/// Both ends. The epoch tells one daemon's events from the next one's.
#[must_use]
pub fn feed(epoch: u64) -> (Publisher, Feed) {
    let (kept, newest, behind, cut) = (Mutex::default(), watch::Sender::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let shared = Arc::new(Shared { epoch, kept, newest, behind, cut });
    let (asking, asked) = mpsc::channel(QUESTIONS_MAX);
    (Publisher { shared: Arc::clone(&shared), questions: asked }, Feed { shared, questions: asking })
}

impl Publisher {
    /// The number of the next event.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.shared.newest()
    }

    /// How many are subscribed.
    #[must_use]
    pub fn subscribers(&self) -> usize {
        self.shared.newest.receiver_count()
    }

    /// Every counter by its name.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
        let [behind, cut] = [&self.shared.behind, &self.shared.cut].map(|counter| counter.load(Ordering::Relaxed));
        [("event_published", self.next()), ("subscriber_behind", behind), ("snapshot_cut", cut)].into_iter()
    }

    /// Can everything from this event on still be told?
    #[must_use]
    pub fn keeps(&self, next: u64) -> bool {
        self.shared.oldest() <= next
    }

    /// Tells of these, in this order.
    pub fn publish(&self, changes: &[Change]) {
        if changes.is_empty() {
            return;
        }
        let end = self.next() + changes.len() as u64;
        let batch = self.is_read().then(|| self.batch(changes));
        // Held until the number is told: nobody reads what is not counted yet.
        let mut kept = self.shared.kept();
        if let Some(batch) = batch {
            kept.keep(batch);
        }
        self.shared.newest.send_replace(end);
    }

    /// Is somebody there who reads, or was a moment ago? For nobody nothing is written, and nothing kept.
    fn is_read(&self) -> bool {
        let mut kept = self.shared.kept();
        if self.shared.newest.receiver_count() > 0 {
            kept.read = Some(Instant::now());
        }
        let is_read = kept.read.is_some_and(|read| read.elapsed() < ABSENCE);
        if !is_read {
            *kept = Kept::default();
        }
        is_read
    }

    fn batch(&self, changes: &[Change]) -> Batch {
        let first = self.next();
        let mut text = Vec::new();
        let mut events = Vec::with_capacity(changes.len());
        for (number, change) in (first..).zip(changes) {
            let id = EventId { epoch: self.shared.epoch, number };
            // Memory takes everything, and nothing in a change is no JSON.
            let written = writeln!(text, "id: {id}").is_ok() && change.write(&mut text).is_ok();
            debug_assert!(written, "{change:?}");
            events.push((change.mac, text.len()));
        }
        Batch { first, text: text.into(), events }
    }

    /// Waits for a question.
    pub async fn question(&mut self) -> Question {
        match self.questions.recv().await {
            Some(question) => question,
            // Nobody can ask any more.
            None => std::future::pending().await,
        }
    }
}

impl Feed {
    /// What is known of all machines, or of one. `None` where the daemon ends.
    pub async fn machines(&self, of: Option<MacAddr>) -> Option<Snapshot> {
        // What happens from here on is kept until whoever asks is there.
        self.shared.kept().read = Some(Instant::now());
        self.ask(|answer| match of {
            None => Question::Machines(answer),
            Some(mac) => Question::Machine(mac, answer),
        })
        .await
    }

    /// What was counted. `None` where the daemon ends.
    pub async fn counters(&self) -> Option<Bytes> {
        self.ask(Question::Counters).await
    }

    async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Question) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.questions.send(question(answer)).await.ok()?;
        answered.await.ok()
    }

    /// Somebody did not read what is known of all machines in time.
    pub fn cut(&self) {
        self.shared.cut.fetch_add(1, Ordering::Relaxed);
    }

    /// A subscriber's place behind a snapshot.
    #[must_use]
    pub fn behind(&self, snapshot: &Snapshot, of: Option<MacAddr>) -> Place {
        self.place(snapshot.next, of)
    }

    /// A subscriber's place behind the event that it has heard last, by its [`EventId`]; `None` where nobody knows that any more.
    #[must_use]
    pub fn after(&self, last: &str, of: Option<MacAddr>) -> Option<Place> {
        let id = EventId::parse(last).filter(|id| id.epoch == self.shared.epoch)?;
        let next = id.number.checked_add(1)?;
        (self.shared.oldest()..=self.shared.newest()).contains(&next).then(|| self.place(next, of))
    }

    fn place(&self, next: u64, of: Option<MacAddr>) -> Place {
        Place { shared: Arc::clone(&self.shared), newest: self.shared.newest.subscribe(), next, of }
    }
}

/// How far a subscriber has read.
#[derive(Debug)]
pub struct Place {
    shared: Arc<Shared>,
    newest: watch::Receiver<u64>,
    next: u64,
    of: Option<MacAddr>,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Events; none of them may be of the machine that was asked for.
    Events(Bytes),
    /// Nothing for now.
    Nothing,
    /// What came next is not kept any more: so many events are gone.
    Gone(u64),
}

impl Place {
    /// The id of the event that was read last.
    #[must_use]
    pub fn last(&self) -> Option<EventId> {
        Some(EventId { epoch: self.shared.epoch, number: self.next.checked_sub(1)? })
    }

    /// Reads on.
    pub fn read(&mut self) -> Next {
        let next = self.look();
        if let Next::Gone(_) = next {
            self.shared.behind.fetch_add(1, Ordering::Relaxed);
        }
        next
    }

    fn look(&mut self) -> Next {
        let batch = {
            let kept = self.shared.kept();
            let index = kept.batches.partition_point(|batch| batch.end() <= self.next);
            match kept.batches.get(index) {
                None if self.shared.newest() == self.next => return Next::Nothing,
                None => return Next::Gone(self.shared.newest() - self.next),
                Some(batch) if batch.first > self.next => return Next::Gone(self.shared.newest() - self.next),
                Some(batch) => Arc::clone(batch),
            }
        };
        let text = batch.text(self.next, self.of);
        self.next = batch.end();
        Next::Events(text)
    }

    /// Waits until there may be more; for ever where the daemon ends.
    pub async fn more(&mut self) {
        let next = self.next;
        if self.newest.wait_for(|newest| *newest > next).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::event::{Event, EventKind};

    pub(in super::super) fn change(number: u8) -> Change {
        let event =
            Event { kind: EventKind::Resumed, time: jiff::Timestamp::UNIX_EPOCH, is_repeated: false, detail: None };
        Change { mac: MacAddr([2, 0, 0, 0, 0, number]), address: "::1".parse().unwrap(), event }
    }

    fn ids(text: &Next) -> Vec<String> {
        let Next::Events(text) = text else { panic!("{text:?}") };
        let lines = str::from_utf8(text).unwrap().lines().filter_map(|line| line.strip_prefix("id: "));
        lines.map(str::to_owned).collect()
    }

    #[test]
    fn everybody_reads_everything_in_order_and_one_machine_by_itself() {
        let (publisher, feed) = feed(10);
        let mut all = feed.place(0, None);
        let mut one = feed.place(0, Some(change(2).mac));
        assert_eq!(all.read(), Next::Nothing);
        publisher.publish(&[change(1), change(2)]);
        publisher.publish(&[change(3), change(2)]);
        assert_eq!([ids(&all.read()), ids(&all.read())], [["a-0", "a-1"], ["a-2", "a-3"]]);
        assert_eq!([ids(&one.read()), ids(&one.read())], [["a-1"], ["a-3"]]);
        assert_eq!((all.read(), one.read()), (Next::Nothing, Next::Nothing));
        assert_eq!(ids(&feed.after("a-0", None).unwrap().read()), ["a-1"], "from the middle of a batch");
    }

    #[test]
    fn who_comes_back_goes_on_where_it_was_and_a_stranger_does_not() {
        let (publisher, feed) = feed(10);
        publisher.publish(&[change(0)]);
        assert!(feed.after("a-0", None).is_none_or(|mut place| place.read() == Next::Nothing), "nobody was there");
        let _reader = feed.place(1, None);
        publisher.publish(&[change(1)]);
        assert_eq!(feed.after("a-1", None).unwrap().read(), Next::Nothing);
        for last in ["b-1", "a-2", "a-18446744073709551615", "a", "-", "", "a-x"] {
            assert!(feed.after(last, None).is_none(), "{last}");
        }
    }

    #[test]
    fn who_reads_while_it_is_published_misses_nothing() {
        const BATCHES: usize = 20_000;
        let (publisher, feed) = feed(10);
        let mut place = feed.place(0, None);
        let read = std::thread::spawn(move || {
            let mut read = 0;
            while read < 2 * BATCHES {
                match place.read() {
                    Next::Nothing => std::thread::yield_now(),
                    some @ (Next::Events(_) | Next::Gone(_)) => read += ids(&some).len(),
                }
            }
        });
        (0..BATCHES).for_each(|_| publisher.publish(&[change(1), change(2)]));
        read.join().unwrap();
    }

    #[test]
    fn who_has_read_everything_is_not_behind_however_much_happens_at_once() {
        let (publisher, feed) = feed(10);
        let mut place = feed.place(0, None);
        let many = vec![change(2); KEPT_MAX / 100];
        for _ in 0..2 {
            publisher.publish(&many);
            assert_eq!(ids(&place.read()).len(), many.len());
        }
        assert_eq!(place.read(), Next::Nothing);
    }

    #[test]
    fn who_falls_too_far_behind_is_told_so() {
        let (publisher, feed) = feed(10);
        publisher.publish(&[change(1)]);
        let mut slow = feed.place(0, None);
        let many = vec![change(2); 10_000];
        let batches = KEPT_MAX / (10_000 * 150) + 2;
        (0..batches).for_each(|_| publisher.publish(&many));
        assert_eq!(slow.read(), Next::Gone(1 + 10_000 * batches as u64));
        assert!(feed.after("a-0", None).is_none());
        assert!(feed.shared.kept().bytes <= KEPT_MAX);
    }
}
