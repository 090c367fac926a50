//! The loop: machines begin, ask until they have their answer, and make room for the next one.

use std::{
    hint, io,
    time::{Duration, Instant},
};

use dhcpv6macd::{
    datapath::{Receive, Transmit},
    policy::BaseAddress,
};

use super::{
    Fault, Outcome, Port, Wait,
    machine::{Asking, MACHINES_MAX, Step, mac_of, number_of},
    message::{ADVERTISE, CLIENT_PORT, Messages, REPLY, Stage},
    received::Received,
    samples::Samples,
};

/// Frames between two flushes.
const BATCH: usize = 64;
/// After so long without an answer a message is sent again (`SOL_TIMEOUT` and `REQ_TIMEOUT`, RFC 9915 section 7.6).
const RETRANSMIT_AFTER: Duration = Duration::from_secs(1);
/// Messages that go unanswered before a machine gives up.
const TRIES_MAX: u32 = 4;
/// How often it is looked who waits in vain.
const PATROL: Duration = Duration::from_millis(50);
/// So long the machines of a closed loop look for answers before they sleep: to wake them is work for the CPU that brings the frame,
/// which is the server's.
const AWAKE: Duration = Duration::from_micros(50);

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counterpart {
    /// A DHCPv6 server that gives every machine this prefix and its MAC.
    Server(BaseAddress),
    /// An [echo](super::echo).
    Echo,
}

/// When it is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Every machine has had its exchange.
    OnceEach,
    /// So much time has passed; the machines take turns.
    Lasting(Duration),
}

/// When machines begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// A closed loop: so many exchanges are under way at any moment, as far as there are machines.
    Window(usize),
    /// An open loop: so many machines begin in a second, one after the other, whatever becomes of those that are under way.
    Pace(u32),
}

/// How hard, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// When machines begin.
    pub arrivals: Arrivals,
    /// When it is enough.
    pub goal: Goal,
}

impl Load {
    /// At a pace, others have the CPU between two machines.
    fn awake(self) -> Duration {
        match self.arrivals {
            Arrivals::Window(_) => AWAKE,
            Arrivals::Pace(_) => Duration::ZERO,
        }
    }
}

/// Simulated machines, and all the memory that they will ever need.
#[derive(Debug)]
pub struct Population {
    counterpart: Counterpart,
    machines: Vec<Option<Asking>>,
    messages: Messages,
    pub(super) samples: Samples,
    next: usize,
    messages_written: u32,
}

impl Population {
    /// `count` machines in iPXE, 2^24 at most, that will talk to this counterpart.
    #[must_use]
    pub fn new(count: usize, counterpart: Counterpart) -> Self {
        let count = count.min(MACHINES_MAX);
        Self {
            counterpart,
            machines: vec![None; count],
            messages: Messages::new(Stage::Ipxe.options()),
            samples: Samples::new(count),
            next: 0,
            // What other machines of these MACs have said is not said again.
            messages_written: fastrand::u32(..),
        }
    }

    /// The same machines, in UEFI PXE instead of in iPXE.
    #[must_use]
    pub fn in_pxe(mut self) -> Self {
        self.enter(Stage::Pxe);
        self
    }

    /// Lets all machines enter another stage of their boot, in which nothing was heard yet.
    pub fn enter(&mut self, stage: Stage) {
        self.messages = Messages::new(stage.options());
        self.samples = Samples::new(self.size());
    }

    /// How many machines there are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.machines.len()
    }

    /// [Drives](Self::drive) the machines through the rings of a port.
    ///
    /// # Errors
    ///
    /// Where the port fails.
    pub fn drive_at(&mut self, port: &mut Port, load: Load, progress: impl FnMut(&Outcome)) -> io::Result<Outcome> {
        self.drive(&mut port.receive, &mut port.transmit, load, progress)
    }

    /// Lets the machines ask until the goal is reached and nobody waits any more. `progress` is told now and then.
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
        let mut run = Run::new(self, transmit, load);
        let mut busy = Instant::now();
        loop {
            let received = receive.receive(BATCH, |frame| run.take(frame));
            let begun = if received < BATCH { run.begin_some() } else { 0 };
            run.transmit.flush();
            run.patrol();
            progress(&run.outcome);
            if run.is_over() {
                return Ok(run.finish());
            }
            let now = Instant::now();
            if received > 0 || begun > 0 {
                busy = now;
            } else if now.duration_since(busy) >= load.awake() {
                receive.wait(run.until_next().min(PATROL))?;
            } else {
                hint::spin_loop();
            }
        }
    }

    /// The address that a machine must get.
    fn address_of(&self, number: u32) -> [u8; 16] {
        match self.counterpart {
            Counterpart::Server(base) => base.address_of(mac_of(number)).octets(),
            Counterpart::Echo => [0; 16],
        }
    }

    /// Is this the answer that a machine waits for?
    fn judge(&mut self, number: u32, step: Step, received: &Received<'_>) -> Result<(), Fault> {
        if self.counterpart == Counterpart::Echo {
            return if received.source_port == CLIENT_PORT { Ok(()) } else { Err(Fault::Kind(received.kind)) };
        }
        let expected = match step {
            Step::Solicit => ADVERTISE,
            Step::Request => REPLY,
        };
        if received.kind != expected {
            return Err(Fault::Kind(received.kind));
        }
        let address = received.address();
        if address != Some(self.address_of(number)) {
            return Err(Fault::Address(address));
        }
        if step == Step::Solicit {
            self.messages.choose_server(received.server_id().ok_or(Fault::NoServerId)?);
        }
        Ok(())
    }
}

/// One run of the loop.
struct Run<'a, T> {
    population: &'a mut Population,
    transmit: &'a mut T,
    load: Load,
    started: Instant,
    patrolled: Instant,
    /// Exchanges begun.
    begun: u64,
    /// Exchanges under way.
    asking: usize,
    outcome: Outcome,
}

impl<'a, T: Transmit> Run<'a, T> {
    fn new(population: &'a mut Population, transmit: &'a mut T, load: Load) -> Self {
        let now = Instant::now();
        Self {
            population,
            transmit,
            load,
            started: now,
            patrolled: now,
            begun: 0,
            asking: 0,
            outcome: Outcome::default(),
        }
    }

    /// Will no other machine begin?
    fn is_closing(&self) -> bool {
        match self.load.goal {
            Goal::OnceEach => usize::try_from(self.begun).is_ok_and(|begun| begun >= self.population.size()),
            Goal::Lasting(duration) => self.started.elapsed() >= duration,
        }
    }

    fn is_over(&self) -> bool {
        self.asking == 0 && self.is_closing()
    }

    fn finish(self) -> Outcome {
        Outcome { elapsed: self.started.elapsed(), ..self.outcome }
    }

    /// Lets those begin that may, a batch of them at most, so that answers are heard in between and find room; returns how many.
    fn begin_some(&mut self) -> usize {
        (0..BATCH).take_while(|_| self.may_begin().then(|| self.begin()).is_some()).count()
    }

    /// Is it time for another machine, and one there that is not under way?
    fn may_begin(&self) -> bool {
        self.until_next().is_zero()
    }

    /// How long until a machine may begin, as far as the clock says so.
    fn until_next(&self) -> Duration {
        if self.is_closing() || self.asking >= self.population.size() {
            return Duration::MAX;
        }
        match self.load.arrivals {
            Arrivals::Window(window) if self.asking < window => Duration::ZERO,
            Arrivals::Window(_) => Duration::MAX,
            Arrivals::Pace(pace) => {
                let due = self.begun.saturating_mul(1_000_000_000) / u64::from(pace.max(1));
                Duration::from_nanos(due).saturating_sub(self.started.elapsed())
            }
        }
    }

    /// Lets the next machine begin that is not under way. There is one.
    fn begin(&mut self) {
        let number = loop {
            let number = self.population.next;
            self.population.next = (number + 1) % self.population.size();
            if let Some(None) = self.population.machines.get(number) {
                break number;
            }
        };
        let now = Instant::now();
        self.begun += 1;
        self.asking += 1;
        self.ask(number, Asking { step: Step::Solicit, transaction: 0, tries: 1, sent: now, began: now });
    }

    /// Sends a machine's message, with a transaction ID of its own. Where the ring stays full, the message counts as lost.
    fn ask(&mut self, machine: usize, asking: Asking) {
        let population = &mut *self.population;
        let Ok(number) = u32::try_from(machine) else { return };
        population.messages_written = population.messages_written.wrapping_add(1);
        let transaction = population.messages_written.wrapping_mul(0x9e37_79b1) & 0xff_ffff;
        if !self.transmit.has_room(1) {
            self.transmit.flush();
        }
        if self.transmit.has_room(1) {
            let address = population.address_of(number);
            let write = |frame: &mut [u8]| population.messages.write(frame, asking.step, number, transaction, address);
            self.transmit.transmit(write);
        }
        if let Some(slot) = population.machines.get_mut(machine) {
            *slot = Some(Asking { transaction, ..asking });
        }
    }

    /// Takes a frame: an answer that somebody waits for brings a machine further.
    fn take(&mut self, frame: &[u8]) {
        let Some(received) = Received::read(frame) else { return };
        let machine = number_of(received.machine);
        let asking = machine.and_then(|machine| Some((machine, (*self.population.machines.get(machine)?)?)));
        let Some((machine, asking)) = asking.filter(|(_, asking)| asking.transaction == received.transaction) else {
            self.outcome.strays += 1;
            return;
        };
        let Ok(number) = u32::try_from(machine) else { return };
        self.population.samples.keep(machine, asking.step, frame);
        if let Err(fault) = self.population.judge(number, asking.step, &received) {
            self.outcome.wrong += 1;
            self.outcome.first_wrong.get_or_insert((received.machine, fault));
            self.end(machine);
            return;
        }
        let now = Instant::now();
        self.outcome.answers.record(now.duration_since(asking.sent));
        match asking.step {
            Step::Solicit => self.ask(machine, Asking { step: Step::Request, tries: 1, sent: now, ..asking }),
            Step::Request => {
                self.outcome.exchanges += 1;
                self.outcome.latency.record(now.duration_since(asking.began));
                self.end(machine);
            }
        }
    }

    /// The machine's exchange is over, one way or the other.
    fn end(&mut self, machine: usize) {
        if let Some(slot) = self.population.machines.get_mut(machine) {
            *slot = None;
            self.asking -= 1;
        }
    }

    /// Sends again what has gone unanswered, and gives up what has for too long. Does nothing most of the times.
    fn patrol(&mut self) {
        let now = Instant::now();
        if now.duration_since(self.patrolled) < PATROL {
            return;
        }
        self.patrolled = now;
        for machine in 0..self.population.size() {
            let Some(&Some(asking)) = self.population.machines.get(machine) else { continue };
            if now.duration_since(asking.sent) < RETRANSMIT_AFTER {
                continue;
            }
            if asking.tries == TRIES_MAX {
                self.outcome.unanswered += 1;
                self.end(machine);
            } else {
                self.outcome.retransmissions += 1;
                self.ask(machine, Asking { tries: asking.tries + 1, sent: now, ..asking });
            }
        }
        self.transmit.flush();
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, collections::VecDeque, rc::Rc};

    use dhcpv6macd::datapath::{Answer, Flushed, Full, memory::MemoryTransmit};

    use super::{super::echo::Echo, *};

    /// A wire with somebody at its other end.
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
            if timeout == PATROL { Err(io::Error::other("nothing will come")) } else { Ok(()) }
        }
    }

    struct Say<A>(MemoryTransmit, Wire, A);

    impl<A: Answer> Transmit for Say<A> {
        fn has_room(&self, frames: usize) -> bool {
            self.0.has_room(frames)
        }

        fn transmit(&mut self, fill: impl FnOnce(&mut [u8]) -> Option<usize>) {
            self.0.transmit(fill);
        }

        fn flush(&mut self) -> Flushed {
            let flushed = self.0.flush();
            for frame in self.0.sent.drain(..) {
                let mut replies = MemoryTransmit::new(1, 1514);
                assert_eq!(self.2.answer(&frame, Instant::now(), &mut replies), Ok(()));
                replies.flush();
                self.1.borrow_mut().extend(replies.sent);
            }
            flushed
        }
    }

    fn drive(population: &mut Population, answer: impl Answer, load: Load) -> io::Result<Outcome> {
        let wire = Wire::default();
        let mut say = Say(MemoryTransmit::new(8, 1514), Rc::clone(&wire), answer);
        population.drive(&mut Hear(wire), &mut say, load, |_| {})
    }

    #[test]
    fn every_machine_has_its_exchange_once() {
        for window in [1, 7, 100, 1000] {
            let mut population = Population::new(100, Counterpart::Echo);
            let outcome =
                drive(&mut population, Echo, Load { arrivals: Arrivals::Window(window), goal: Goal::OnceEach })
                    .unwrap();
            assert_eq!((outcome.exchanges, outcome.latency.total()), (100, 100), "window {window}");
            assert_eq!((outcome.wrong, outcome.unanswered, outcome.strays), (0, 0, 0));
            assert!((0..100).all(|machine| population.samples.get(machine, Step::Request).is_some()));
        }
    }

    #[test]
    fn machines_take_turns_until_the_time_has_passed() {
        let mut population = Population::new(3, Counterpart::Echo);
        let load = Load { arrivals: Arrivals::Window(2), goal: Goal::Lasting(Duration::from_millis(20)) };
        let outcome = drive(&mut population, Echo, load).unwrap();
        assert!(outcome.exchanges > 3 && outcome.elapsed >= Duration::from_millis(20), "{outcome:?}");
    }

    #[test]
    fn an_open_loop_keeps_its_pace_whatever_the_answers_do() {
        struct Silent;
        impl Answer for Silent {
            fn answer(&mut self, _: &[u8], _: Instant, _: &mut impl Transmit) -> Result<(), Full> {
                Ok(())
            }

            fn resume(&mut self, _: Instant, _: &mut impl Transmit) -> Option<Instant> {
                None
            }
        }
        let load = Load { arrivals: Arrivals::Pace(1000), goal: Goal::OnceEach };
        let mut population = Population::new(51, Counterpart::Echo);
        let outcome = drive(&mut population, Echo, load).unwrap();
        assert!(outcome.exchanges == 51 && outcome.elapsed >= Duration::from_millis(50), "{outcome:?}");
        let mut unanswered = Population::new(51, Counterpart::Echo);
        drive(&mut unanswered, Silent, load).expect_err("still waiting");
        let asking = unanswered.machines.iter().flatten().map(|asking| asking.began);
        let (first, last) = (asking.clone().min().unwrap(), asking.clone().max().unwrap());
        assert!(asking.count() == 51 && last - first >= Duration::from_millis(49));
    }

    #[test]
    fn an_echo_is_no_server() {
        let mut population = Population::new(5, Counterpart::Server("2001:db8::".parse().unwrap()));
        let outcome =
            drive(&mut population, Echo, Load { arrivals: Arrivals::Window(5), goal: Goal::OnceEach }).unwrap();
        assert_eq!((outcome.exchanges, outcome.wrong), (0, 5));
        assert_eq!(outcome.first_wrong, Some((mac_of(0), Fault::Kind(1))));
    }

    #[test]
    fn an_answer_to_another_transaction_counts_for_nothing() {
        struct Late;
        impl Answer for Late {
            fn answer(&mut self, frame: &[u8], now: Instant, transmit: &mut impl Transmit) -> Result<(), Full> {
                let mut late = frame.to_vec();
                late[65] ^= 1;
                Echo.answer(&late, now, transmit)
            }

            fn resume(&mut self, _: Instant, _: &mut impl Transmit) -> Option<Instant> {
                None
            }
        }
        let mut population = Population::new(1, Counterpart::Echo);
        drive(&mut population, Late, Load { arrivals: Arrivals::Window(1), goal: Goal::OnceEach })
            .expect_err("still waiting");
    }
}
