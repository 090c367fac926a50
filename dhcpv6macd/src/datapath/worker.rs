//! A worker: one thread, one CPU, its own rings. It takes frames, answers them, sends the replies, and sleeps when there is nothing.
//!
//! Whoever sleeps at a ring is woken for the next frame, and that costs the CPU that brings the frame more than the frame itself. So
//! after a batch a worker naps for a moment before it looks again, and sleeps at the ring only when that brought nothing.

use std::{
    io,
    num::NonZeroU64,
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll},
    io::Errno,
    thread::{CpuSet, sched_getaffinity, sched_setaffinity, set_current_timer_slack},
};

use super::{
    Answer, Full, Receive, Transmit,
    ring::{ReceiveRing, TransmitRing},
    sys,
};

/// Frames between two flushes: as many as share one system call, few enough that the first reply does not wait long.
const BATCH: usize = 64;
/// How long a worker sleeps while replies wait for the interface.
const RETRY: Duration = Duration::from_millis(1);
/// How long a worker naps: some dozens of frames come in meanwhile when there is much to do, and nobody notices.
pub const NAP: Duration = Duration::from_micros(60);
/// How long a worker has the CPU at least, once it is its turn: the shortest time that there is.
const SLICE: Duration = Duration::from_micros(100);
/// Batches that a worker still serves when told to stop: more than a ring holds.
const LAST_BATCHES: usize = 256;

/// What a worker counts. Written by the worker alone, read by anybody at any time.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct WorkerCounters {
    /// Frames that the interface took.
    pub sent: AtomicU64,
    /// Requests that were not answered because every slot of the transmit ring was on its way.
    pub transmit_full: AtomicU64,
    /// Replies that were given up: the interface is down, or took nothing for too long.
    pub transmit_failed: AtomicU64,
    /// Errors that the receive ring reported, for example that the interface went down.
    pub receive_error: AtomicU64,
}

impl WorkerCounters {
    /// Every counter with its name.
    pub fn each(&self) -> [(&'static str, &AtomicU64); 4] {
        [
            ("sent", &self.sent),
            ("transmit_full", &self.transmit_full),
            ("transmit_failed", &self.transmit_failed),
            ("receive_error", &self.receive_error),
        ]
    }
}

/// Adds to a counter that has one writer: no locked instruction.
fn add(counter: &AtomicU64, count: usize) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(count as u64), Ordering::Relaxed);
}

/// Answers one batch of frames, and goes on with what is due at `now`. Knows neither socket nor clock: the same over rings and over
/// memory.
pub fn serve_batch(
    receive: &mut impl Receive,
    transmit: &mut impl Transmit,
    answer: &mut impl Answer,
    now: Instant,
    counters: &WorkerCounters,
) -> Served {
    let received = receive.receive(BATCH, |frame| {
        if answer.answer(frame, now, transmit) == Err(Full) {
            add(&counters.transmit_full, 1);
        }
    });
    let due = answer.resume(now, transmit);
    let flushed = transmit.flush();
    add(&counters.sent, flushed.sent);
    add(&counters.transmit_failed, flushed.failed);
    Served { received, queued: flushed.queued, due }
}

/// What a [batch](serve_batch) came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    /// Frames taken.
    pub received: usize,
    /// Replies that wait for the next flush.
    pub queued: usize,
    /// When there is more to be sent, if no frame comes before.
    pub due: Option<Instant>,
}

impl Served {
    /// How long to wait for a frame at most.
    fn patience(&self, now: Instant) -> Option<Duration> {
        let until_due = self.due.map(|due| due.saturating_duration_since(now));
        let until_flush = (self.queued > 0).then_some(RETRY);
        [until_due, until_flush].into_iter().flatten().min()
    }
}

/// Everything a worker's thread needs.
pub struct Worker<A> {
    /// Where requests come from.
    pub receive: ReceiveRing,
    /// Where replies go.
    pub transmit: TransmitRing,
    /// What makes a reply of a request.
    pub answer: A,
    /// What happens is counted here.
    pub counters: Arc<WorkerCounters>,
    /// Where it is told to stop.
    pub stop: Arc<Stop>,
    /// How long it naps after a batch, usually [`NAP`]; `None` to sleep at the ring at once.
    pub nap: Option<Duration>,
}

impl<A: Answer> Worker<A> {
    /// Serves until told to stop, and then what is already in the ring. Returns what made the replies.
    ///
    /// # Errors
    ///
    /// Where waiting for frames fails, which the kernel does only without memory.
    pub fn run(mut self) -> io::Result<A> {
        // A nap is as long as it says only without slack, of which a thread has more than a nap by default (`prctl(2)`).
        set_current_timer_slack(NonZeroU64::new(1))?;
        while !self.stop.is_requested() {
            let now = Instant::now();
            let served = self.serve(now);
            if served.received == BATCH {
                continue;
            }
            // What is due already found no room.
            let is_busy = served.received > 0 || served.due.is_some_and(|due| due <= now);
            match self.nap {
                Some(nap) if is_busy => thread::sleep(nap),
                _ => self.wait(served.patience(now))?,
            }
        }
        Ok(self.finish())
    }

    fn serve(&mut self, now: Instant) -> Served {
        let served = serve_batch(&mut self.receive, &mut self.transmit, &mut self.answer, now, &self.counters);
        if served.received > 0 {
            self.answer.served(now.elapsed());
        }
        served
    }

    /// Who asked before the end is still answered; what takes longer is not waited for.
    fn finish(mut self) -> A {
        for _ in 0..LAST_BATCHES {
            let served = self.serve(Instant::now());
            if served.received == 0 && served.queued == 0 {
                break;
            }
        }
        self.answer
    }

    /// Sleeps until there is a frame, until told to stop, or for `timeout`.
    fn wait(&self, timeout: Option<Duration>) -> io::Result<()> {
        let mut events = [PollFd::new(&self.receive, PollFlags::IN), PollFd::new(&self.stop.event, PollFlags::IN)];
        let timeout = timeout.map(Timespec::try_from).transpose().map_err(io::Error::other)?;
        match poll(&mut events, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let [ring, _] = events;
        if ring.revents().contains(PollFlags::ERR) && self.receive.take_error()?.is_some() {
            add(&self.counters.receive_error, 1);
        }
        Ok(())
    }
}

/// Tells every worker to stop, the busy and the sleeping ones.
#[derive(Debug)]
pub struct Stop {
    requested: AtomicBool,
    event: OwnedFd,
}

impl Stop {
    /// Nobody is to stop yet.
    ///
    /// # Errors
    ///
    /// Where there are no file descriptors left.
    pub fn new() -> io::Result<Self> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { requested: AtomicBool::new(false), event })
    }

    /// Tells them.
    ///
    /// # Errors
    ///
    /// None that the kernel documents.
    pub fn request(&self) -> io::Result<()> {
        self.requested.store(true, Ordering::Release);
        // Never read, so that it wakes everyone who polls it.
        rustix::io::write(&self.event, &1_u64.to_ne_bytes())?;
        Ok(())
    }

    fn is_requested(&self) -> bool {
        self.requested.load(Ordering::Acquire)
    }
}

/// Has the calling thread go first when it is woken while somebody else computes, for as short a time as the kernel grants; it gets no
/// more of the CPU for that. Linux before 6.12 leaves everything as it was.
///
/// # Errors
///
/// Where the thread is not allowed to ask.
pub fn go_first() -> io::Result<()> {
    sys::set_slice(SLICE)
}

/// Ties the calling thread to one CPU of those that it may use: the `index`-th, around.
///
/// # Errors
///
/// Where the set of CPUs has just changed.
pub fn pin(index: usize) -> io::Result<()> {
    let allowed = sched_getaffinity(None)?;
    let cpus = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu));
    let count = cpus.clone().count().max(1);
    let Some(cpu) = cpus.clone().nth(index % count) else { return Ok(()) };
    let mut only = CpuSet::new();
    only.set(cpu);
    Ok(sched_setaffinity(None, &only)?)
}

#[cfg(test)]
mod tests {
    use rustix::process::{getpriority_process, setpriority_process};

    use super::{
        super::memory::{MemoryReceive, MemoryTransmit},
        *,
    };

    /// Says back what it hears, and nothing to who says nothing.
    struct Parrot;

    impl Answer for Parrot {
        fn answer(&mut self, frame: &[u8], _: Instant, transmit: &mut impl Transmit) -> Result<(), Full> {
            if !transmit.has_room(1) {
                return Err(Full);
            }
            transmit.transmit(|reply| {
                reply.get_mut(..frame.len())?.copy_from_slice(frame);
                (!frame.is_empty()).then_some(frame.len())
            });
            Ok(())
        }

        fn resume(&mut self, _: Instant, _: &mut impl Transmit) -> Option<Instant> {
            None
        }
    }

    fn counted(counters: &WorkerCounters) -> Vec<(&'static str, u64)> {
        let counts = counters.each().map(|(name, counter)| (name, counter.load(Ordering::Relaxed)));
        counts.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    #[test]
    fn frames_are_answered_in_order_a_batch_at_a_time() {
        let frames = (0..100_u8).map(|number| if number == 3 { Vec::new() } else { vec![number] });
        let mut receive = MemoryReceive(frames.collect());
        let mut transmit = MemoryTransmit::new(BATCH, 60);
        let counters = WorkerCounters::default();
        let now = Instant::now();
        let mut batch = || serve_batch(&mut receive, &mut transmit, &mut Parrot, now, &counters).received;
        assert_eq!([batch(), batch(), batch()], [BATCH, 100 - BATCH, 0]);
        assert_eq!(
            transmit.sent,
            (0..100).filter(|number| *number != 3).map(|number| vec![number]).collect::<Vec<_>>()
        );
        assert_eq!(counted(&counters), [("sent", 99)]);
    }

    #[test]
    fn who_goes_first_is_as_nice_as_before() {
        let thread = thread::spawn(|| {
            setpriority_process(None, 7).unwrap();
            go_first().unwrap();
            getpriority_process(None).unwrap()
        });
        assert_eq!(thread.join().unwrap(), 7);
    }

    #[test]
    fn what_finds_no_slot_and_what_finds_no_taker_is_counted() {
        let mut receive = MemoryReceive((0..5_u8).map(|number| vec![number]).collect());
        let mut transmit = MemoryTransmit::new(2, 60);
        transmit.is_down = true;
        let counters = WorkerCounters::default();
        let served = serve_batch(&mut receive, &mut transmit, &mut Parrot, Instant::now(), &counters);
        assert_eq!(served, Served { received: 5, queued: 0, due: None });
        assert_eq!(counted(&counters), [("transmit_full", 3), ("transmit_failed", 2)]);
    }
}
