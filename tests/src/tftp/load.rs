//! The closed loop: so many clients read at any moment, and where one has its file it begins again.

use std::{
    hint, io,
    time::{Duration, Instant},
};

use dhcpv6macd::{
    datapath::{Receive, Transmit},
    policy::BaseAddress,
    wire::MacAddr,
};
use fastrand::Rng;

use super::{
    Fault, Outcome, SERVER_PORT, Terms,
    frame::{Peer, Received},
    session::{Session, Step, Wanted},
};
use crate::population::{Port, Wait, mac_of, number_of};

/// Frames between two flushes.
const BATCH: usize = 64;
/// How often it is looked who waits in vain.
const PATROL: Duration = Duration::from_millis(20);
/// So long the clients look for frames before they sleep: to wake them is work for the CPU that brings the frame, which is the
/// server's.
const AWAKE: Duration = Duration::from_micros(50);
/// The first port of clients, and how many there are (RFC 6335 section 6).
const PORTS: u32 = 49_152;
const PORT_COUNT: u32 = 16_384;
/// How long a transfer took that came to nothing.
const ENDLESS: Duration = Duration::MAX;

/// When it is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Every client has the file, or so much time has passed.
    OnceEach(Duration),
    /// So much time has passed; each client begins again and again.
    Lasting(Duration),
}

/// How many, how long, and over what network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Clients that read at any moment, as far as there are any.
    pub clients: usize,
    /// In what pieces.
    pub terms: Terms,
    /// When it is enough.
    pub goal: Goal,
    /// The part of the frames that is lost, either way.
    pub loss: f64,
    /// Seed of what is lost.
    pub seed: u64,
}

/// Who is asked.
#[derive(Clone, Debug)]
pub struct Server {
    /// Hardware address.
    pub mac: MacAddr,
    /// The base address, which is the server's, and from which the clients have theirs.
    pub base: BaseAddress,
}

/// The machines.
#[derive(Debug)]
pub struct Clients {
    server: Server,
    /// The file, as each of them calls it.
    names: Vec<String>,
    wanted: Wanted,
    sessions: Vec<Option<Session>>,
    /// Who reads first.
    first: usize,
    begun: u32,
}

impl Clients {
    /// A machine for each of these names, that will read the file of that name from this server, and expect these bytes.
    #[must_use]
    pub fn new(server: Server, names: Vec<String>, file: Vec<u8>) -> Self {
        let wanted = Wanted { file, terms: Terms::PLAIN };
        Self { server, sessions: vec![None; names.len()], names, wanted, first: 0, begun: 0 }
    }

    /// From now on those read that come from this one on; all before it stay silent.
    pub fn begin_with(&mut self, first: usize) {
        self.first = first;
    }

    /// [Drives](Self::drive) the machines through the rings of a port.
    ///
    /// # Errors
    ///
    /// Where the port fails.
    pub fn drive_at(&mut self, port: &mut Port, load: Load, progress: impl FnMut(&Outcome)) -> io::Result<Outcome> {
        self.drive(&mut port.receive, &mut port.transmit, load, progress)
    }

    /// Lets the machines read until the goal is reached; what is under way then is abandoned. `progress` is told now and then.
    ///
    /// # Errors
    ///
    /// Where waiting for frames fails.
    pub fn drive(
        &mut self,
        receive: &mut (impl Receive + Wait),
        transmit: &mut impl Transmit,
        load: Load,
        mut progress: impl FnMut(&Outcome),
    ) -> io::Result<Outcome> {
        self.wanted.terms = load.terms;
        let mut run = Run::new(self, transmit, load);
        loop {
            let received = receive.receive(BATCH, |frame| run.take(frame));
            let begun = if received < BATCH { run.fill() } else { 0 };
            run.transmit.flush();
            let quiet = run.look_at_the_clock(received > 0 || begun > 0);
            progress(&run.outcome);
            if run.is_over() {
                return Ok(run.finish());
            }
            if quiet > AWAKE {
                receive.wait(PATROL)?;
            } else if quiet > Duration::ZERO {
                hint::spin_loop();
            }
        }
    }

    fn address_of(&self, number: u32) -> [u8; 16] {
        self.server.base.address_of(mac_of(number)).octets()
    }

    /// A session that is about to begin.
    fn session(&mut self, number: u32, now: Instant) -> Session {
        let port = PORTS + self.begun % PORT_COUNT;
        self.begun = self.begun.wrapping_add(1);
        let port = u16::try_from(port).unwrap_or(u16::MAX);
        let client = Peer { mac: mac_of(number), address: self.address_of(number), port };
        let server = Peer { mac: self.server.mac, address: self.server.base.prefix().octets(), port: SERVER_PORT };
        Session::new(client, server, now)
    }
}

/// One run of the loop.
struct Run<'a, T> {
    clients: &'a mut Clients,
    transmit: &'a mut T,
    load: Load,
    rng: Rng,
    started: Instant,
    now: Instant,
    /// When there was something to do for the last time.
    busy: Instant,
    patrolled: Instant,
    /// The client that begins next.
    next: usize,
    reading: usize,
    outcome: Outcome,
}

impl<'a, T: Transmit> Run<'a, T> {
    fn new(clients: &'a mut Clients, transmit: &'a mut T, load: Load) -> Self {
        let (now, next) = (Instant::now(), clients.first);
        Self {
            clients,
            transmit,
            load,
            rng: Rng::with_seed(load.seed),
            started: now,
            now,
            busy: now,
            patrolled: now,
            next,
            reading: 0,
            outcome: Outcome::default(),
        }
    }

    /// The first that does not read.
    fn end_of_load(&self) -> usize {
        (self.clients.first + self.load.clients).min(self.clients.sessions.len())
    }

    fn is_over(&self) -> bool {
        let elapsed = self.now.duration_since(self.started);
        match self.load.goal {
            Goal::OnceEach(limit) => elapsed >= limit || self.reading == 0 && self.next == self.end_of_load(),
            Goal::Lasting(duration) => elapsed >= duration,
        }
    }

    /// Abandons what is under way, so that the next run finds nothing of it.
    fn finish(mut self) -> Outcome {
        self.outcome.elapsed = self.now.duration_since(self.started);
        self.load.loss = 0.0;
        for number in 0..self.clients.sessions.len() {
            if let Some(Some(session)) = self.clients.sessions.get_mut(number) {
                session.abandon();
                self.say(number);
                self.end(number);
                self.outcome.unfinished += 1;
                self.count_endless();
            }
        }
        self.transmit.flush();
        self.outcome
    }

    fn count_endless(&mut self) {
        if matches!(self.load.goal, Goal::OnceEach(_)) {
            self.outcome.times.record(ENDLESS);
        }
    }

    /// Lets clients begin that have not yet, a batch of them, so that answers are heard in between and find room; returns how many.
    fn fill(&mut self) -> usize {
        let last = self.end_of_load().min(self.next + BATCH);
        let begun = last - self.next;
        for number in self.next..last {
            self.begin(number);
        }
        self.next = last;
        begun
    }

    fn begin(&mut self, number: usize) {
        let Ok(machine) = u32::try_from(number) else { return };
        let session = self.clients.session(machine, self.now);
        if let Some(slot) = self.clients.sessions.get_mut(number) {
            *slot = Some(session);
            self.reading += 1;
            self.say(number);
        }
    }

    /// Is this frame lost?
    fn loses(&mut self) -> bool {
        let is_lost = self.load.loss > 0.0 && self.rng.f64() < self.load.loss;
        self.outcome.lost += u64::from(is_lost);
        is_lost
    }

    /// Sends what a client has to say. Where the ring stays full, it counts as lost.
    fn say(&mut self, number: usize) {
        if self.loses() {
            return;
        }
        if !self.transmit.has_room(1) {
            self.transmit.flush();
        }
        let Clients { sessions, wanted, names, .. } = &mut *self.clients;
        if let (Some(Some(session)), Some(name)) = (sessions.get(number), names.get(number))
            && self.transmit.has_room(1)
        {
            self.transmit.transmit(|frame| session.write(name, wanted.terms, frame));
        }
    }

    /// Takes a frame.
    fn take(&mut self, frame: &[u8]) {
        let Some(received) = Received::read(frame) else { return };
        let Some(number) = number_of(received.to.mac) else { return };
        if self.loses() {
            return;
        }
        let Clients { sessions, wanted, .. } = &mut *self.clients;
        let Some(Some(session)) = sessions.get_mut(number) else { return };
        let before = session.received;
        let step = session.hear(&received, wanted, self.now);
        self.outcome.bytes += (session.received - before) as u64;
        self.go(number, step);
    }

    fn go(&mut self, number: usize, step: Step) {
        match step {
            Step::Wait => {}
            Step::Say => self.say(number),
            Step::Finish => {
                self.say(number);
                self.succeed(number);
            }
            Step::Fail(fault) => self.fail(number, fault),
        }
    }

    fn succeed(&mut self, number: usize) {
        // The time of the loop's round would be too early for a short transfer.
        let now = Instant::now();
        if let Some(Some(session)) = self.clients.sessions.get(number) {
            self.outcome.transfers += 1;
            self.outcome.times.record(now.duration_since(session.began));
        }
        self.end(number);
        self.begin_again(number);
    }

    fn fail(&mut self, number: usize, fault: Fault) {
        self.outcome.failed += 1;
        if let Ok(machine) = u32::try_from(number) {
            self.outcome.first_failed.get_or_insert((mac_of(machine), fault));
        }
        self.count_endless();
        self.end(number);
        self.begin_again(number);
    }

    fn begin_again(&mut self, number: usize) {
        if matches!(self.load.goal, Goal::Lasting(_)) {
            self.begin(number);
        }
    }

    /// The client's transfer is over, one way or the other.
    fn end(&mut self, number: usize) {
        if let Some(session) = self.clients.sessions.get_mut(number).and_then(Option::take) {
            self.outcome.disorder += session.disorder;
            self.reading -= 1;
        }
    }

    /// Moves the clock on, and returns for how long there was nothing to do. Says again what has gone unanswered.
    fn look_at_the_clock(&mut self, was_busy: bool) -> Duration {
        let before = self.now;
        self.now = Instant::now();
        if was_busy {
            self.busy = self.now;
        } else {
            self.outcome.idle += self.now.duration_since(before);
        }
        if self.now.duration_since(self.patrolled) >= PATROL {
            self.patrolled = self.now;
            self.patrol();
        }
        self.now.duration_since(self.busy)
    }

    fn patrol(&mut self) {
        for number in 0..self.clients.sessions.len() {
            let Some(Some(session)) = self.clients.sessions.get_mut(number) else { continue };
            let step = session.check(self.now);
            self.outcome.retransmissions += u64::from(step == Step::Say);
            self.go(number, step);
        }
        self.transmit.flush();
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, collections::VecDeque, rc::Rc};

    use dhcpv6macd::datapath::{Answer as _, Flushed, memory::MemoryTransmit};

    use super::{super::bare::Bare, *};

    const BLOCK_SIZE: u16 = 100;
    const LENGTH: usize = 10_050;

    /// A bare ring, in memory: what it says waits here.
    type Wire = Rc<RefCell<VecDeque<Vec<u8>>>>;

    struct Hear(Wire);

    impl Receive for Hear {
        fn receive(&mut self, limit: usize, mut each: impl FnMut(&[u8])) -> usize {
            let frames: Vec<_> = (0..limit).map_while(|_| self.0.borrow_mut().pop_front()).collect();
            frames.iter().map(|frame| each(frame)).count()
        }
    }

    impl Wait for Hear {
        fn wait(&self, timeout: Duration) -> io::Result<()> {
            std::thread::sleep(timeout);
            Ok(())
        }
    }

    struct Say {
        memory: MemoryTransmit,
        wire: Wire,
        server: Bare,
    }

    impl Transmit for Say {
        fn has_room(&self, frames: usize) -> bool {
            self.memory.has_room(frames)
        }

        fn transmit(&mut self, fill: impl FnOnce(&mut [u8]) -> Option<usize>) {
            self.memory.transmit(fill);
        }

        fn flush(&mut self) -> Flushed {
            let flushed = self.memory.flush();
            for frame in self.memory.sent.drain(..) {
                // Less room than a window: the rest of it waits.
                let (now, mut replies) = (Instant::now(), MemoryTransmit::new(3, 1514));
                assert_eq!(self.server.answer(&frame, now, &mut replies), Ok(()));
                replies.flush();
                while self.server.resume(now, &mut replies).is_some() {
                    replies.flush();
                }
                replies.flush();
                self.wire.borrow_mut().extend(replies.sent);
            }
            flushed
        }
    }

    fn drive(clients: usize, served: Vec<u8>, expected: Vec<u8>, load: Load) -> Outcome {
        let base = "2001:db8::".parse().unwrap();
        let server = Server { mac: MacAddr([2; 6]), base };
        let wire = Wire::default();
        let mut say =
            Say { memory: MemoryTransmit::new(8, 1514), wire: Rc::clone(&wire), server: Bare::new(served, BLOCK_SIZE) };
        let names = vec!["file".to_owned(); clients];
        Clients::new(server, names, expected).drive(&mut Hear(wire), &mut say, load, |_| {}).unwrap()
    }

    fn file() -> Vec<u8> {
        (0..251).cycle().take(LENGTH).collect()
    }

    fn load(clients: usize, window: u16, goal: Goal) -> Load {
        Load { clients, terms: Terms { block_size: BLOCK_SIZE, window }, goal, loss: 0.0, seed: 7 }
    }

    #[test]
    fn every_client_reads_the_file_once() {
        for window in [1, 7, 64] {
            let goal = Goal::OnceEach(Duration::from_secs(60));
            let outcome = drive(100, file(), file(), load(100, window, goal));
            assert_eq!((outcome.transfers, outcome.times.total()), (100, 100), "{outcome:?}");
            assert_eq!((outcome.failed, outcome.unfinished, outcome.retransmissions), (0, 0, 0));
            assert_eq!((outcome.bytes, outcome.disorder), (100 * LENGTH as u64, 0));
        }
    }

    #[test]
    fn clients_read_again_until_the_time_has_passed() {
        let outcome = drive(3, file(), file(), load(2, 4, Goal::Lasting(Duration::from_millis(20))));
        assert!(outcome.transfers > 2 && outcome.elapsed >= Duration::from_millis(20), "{outcome:?}");
        assert_eq!((outcome.failed, outcome.unfinished), (0, 2));
    }

    #[test]
    fn what_gets_lost_is_asked_for_again() {
        let goal = Goal::OnceEach(Duration::from_secs(60));
        let outcome = drive(5, file(), file(), Load { loss: 0.005, ..load(5, 1, goal) });
        assert_eq!((outcome.transfers, outcome.failed), (5, 0), "{outcome:?}");
        assert!(outcome.lost > 0 && outcome.retransmissions > 0, "{outcome:?}");
    }

    #[test]
    fn a_wrong_byte_fails_the_transfer() {
        let mut wrong = file();
        wrong[BLOCK_SIZE as usize * 3] ^= 1;
        let outcome = drive(1, wrong, file(), load(1, 1, Goal::OnceEach(Duration::from_secs(60))));
        assert_eq!(outcome.first_failed, Some((mac_of(0), Fault::Block(4))));
        assert_eq!((outcome.transfers, outcome.failed, outcome.bytes), (0, 1, 3 * u64::from(BLOCK_SIZE)));
    }

    #[test]
    fn silence_ends_with_the_limit() {
        let everything_lost = Load { loss: 1.0, ..load(5, 1, Goal::OnceEach(Duration::from_millis(50))) };
        let outcome = drive(5, file(), file(), everything_lost);
        assert_eq!((outcome.transfers, outcome.unfinished, outcome.times.total()), (0, 5, 5));
    }
}
