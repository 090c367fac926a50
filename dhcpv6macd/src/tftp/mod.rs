//! The TFTP server: sessions of clients that read files. Pure: no socket, no clock, no thread; time is an argument.
//!
//! One port for everything (a client hears the server from the port that it asked): a session is known by its client's address and
//! port. A packet comes in by [`Tftp::take`]; what is to be sent, now or because time has passed, goes out by [`Tftp::resume`], as much
//! as there is room for, one window of a session after the other.
//!
//! | the client says | and hears |
//! |---|---|
//! | RRQ | OACK where it asked for options, or else the first window; ERROR where there is no such file |
//! | ACK | the next window; after the last block nothing |
//! | the same ACK again | nothing in lock-step; in a window, what follows it, once a round trip |
//! | nothing | what is under way, again, after a time that is measured and grows |
//! | ERROR | nothing |
//! | WRQ | ERROR |

mod counters;
mod cursor;
mod name;
mod observation;
mod session;
mod table;
mod terms;
mod timing;
mod waiting;
mod wheel;

use std::time::{Duration, Instant};

use bytes::Bytes;

pub use self::{
    counters::Counters,
    name::{FileName, NAME_MAX},
    observation::{Failure, Happening, Observation},
    terms::WINDOW_SIZE_MAX,
};
use self::{
    observation::Refusal,
    session::{Acknowledged, Session},
    table::{Key, Table},
    waiting::{Asked, Waiting},
    wheel::Wheel,
};
use crate::{
    datapath::{Full, Transmit},
    respond::{Reason, Site},
    wire::{
        Datagram, Headers, MacAddr,
        tftp::{ErrorCode, Packet, ReadRequest, write_error},
    },
};

/// Slots of a transmit ring that are left to DHCPv6, whose answers must not wait behind files.
pub const RESERVE: usize = 64;
/// Frames of a session that go out before the next session's turn.
const TURN: usize = 16;
/// After so long it is told that a slow one still moves.
const TELL_AGAIN: Duration = Duration::from_secs(2);
/// What a client says in answer to an OACK that told it all it wanted to know (RFC 2347; EDK2 `Mtftp6RrqHandleOack`).
const OPTION_NEGOTIATION: u16 = ErrorCode::OptionNegotiation as u16;

/// Where files come from.
pub trait Files {
    /// Looks for a file that the machine `asker` asks for. Never waits: where it takes longer, it says so, and is asked again.
    fn find(&mut self, name: &FileName, asker: MacAddr, now: Instant) -> Found;
}

/// What became of the [search](Files::find) for a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Here it is, the whole of it.
    File(Bytes),
    /// There is none.
    Missing,
    /// There is one, and it is not for TFTP: too long, or not to be read.
    Denied,
    /// It is being looked for.
    Later,
}

/// What is the same for everything that happens at one moment.
pub struct Scene<'a> {
    /// The interface and the policy.
    pub site: &'a Site,
    /// Where files come from.
    pub files: &'a mut dyn Files,
    /// Told of every transfer.
    pub observe: &'a mut dyn FnMut(Observation),
    /// This moment.
    pub now: Instant,
}

/// Bounds that the operator sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Sessions at a time.
    pub sessions: u32,
    /// How often what got lost is sent again, in a row, before a client is given up.
    pub tries: u32,
}

/// What became of a request that was not refused.
enum Opened {
    Begun,
    Later,
}

/// A packet was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// For this reason.
    Dropped(Reason),
    /// For want of room.
    Full,
}

impl From<Reason> for Unanswered {
    fn from(reason: Reason) -> Self {
        Self::Dropped(reason)
    }
}

/// Nothing begins.
enum Stop {
    /// The client hears nothing.
    Dropped(Reason),
    /// It hears why.
    Refused(Refusal),
}

impl From<Reason> for Stop {
    fn from(reason: Reason) -> Self {
        Self::Dropped(reason)
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// All sessions of a worker.
#[derive(Debug)]
pub struct Tftp {
    table: Table,
    waiting: Waiting,
    wheel: Wheel,
    counters: Counters,
    tries: u32,
}

impl Tftp {
    /// No session yet.
    #[must_use]
    pub fn new(limits: Limits, now: Instant) -> Self {
        let capacity = limits.sessions as usize;
        Self {
            table: Table::new(capacity),
            waiting: Waiting::new(now),
            wheel: Wheel::new(capacity, now),
            counters: Counters::default(),
            tries: limits.tries,
        }
    }

    /// What was counted.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// How many sessions there are.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.table.len()
    }

    /// Takes a packet in. What follows from it [goes out](Self::resume) afterwards, but for a refusal, which goes out at once.
    ///
    /// # Errors
    ///
    /// Why nothing follows from it.
    pub fn take(
        &mut self,
        datagram: &Datagram<'_>,
        scene: &mut Scene<'_>,
        transmit: &mut impl Transmit,
    ) -> Result<(), Unanswered> {
        match self.follow(datagram, scene) {
            Ok(()) => Ok(()),
            Err(Stop::Dropped(reason)) => Err(reason.into()),
            Err(Stop::Refused(refusal)) => {
                self.refuse(&headers(datagram, scene.site), refusal, transmit).map_err(|Full| Unanswered::Full)
            }
        }
    }

    fn follow(&mut self, datagram: &Datagram<'_>, scene: &mut Scene<'_>) -> Result<(), Stop> {
        scene.site.check_machine(datagram.ethernet_source)?;
        match Packet::parse(datagram.payload).map_err(Reason::from)? {
            Packet::Read(request) => self.read(datagram, &request, scene),
            Packet::Write => Err(Refusal::Write.into()),
            Packet::Acknowledgement(block) => Ok(self.acknowledge(datagram, block, scene)?),
            Packet::Error(code) => Ok(self.end(datagram, code, scene)?),
            Packet::ForClients => Err(Reason::ForClients.into()),
        }
    }

    /// Begins a session, where there is none yet for this request.
    fn read(&mut self, datagram: &Datagram<'_>, request: &ReadRequest<'_>, scene: &mut Scene<'_>) -> Result<(), Stop> {
        let client = datagram.ethernet_source;
        let name = FileName::parse(request.file);
        // A router in between is no machine; only what it asks for tells for whom.
        let machine = name.and_then(|name| name.mac).unwrap_or(client);
        scene.site.check_access(machine)?;
        scene.site.check_denied(client)?;
        self.counters.request();
        let name = name.ok_or(Refusal::Name)?;
        let mode = request.mode.ok_or(Refusal::Mode)?;
        let headers = headers(datagram, scene.site);
        let asked = Asked { headers, client, name, mode, options: request.options(), since: scene.now };
        if let Err(reason @ Reason::TftpOtherMac) = self.table.of(asked.key(), client) {
            return Err(reason.into());
        }
        if self.is_known(&asked, scene) {
            return Ok(());
        }
        match self.open(&asked, scene)? {
            Opened::Begun => Ok(()),
            Opened::Later if self.waiting.push(asked) => Ok(()),
            Opened::Later => Err(Reason::TftpLookupsFull.into()),
        }
    }

    /// Has the client asked for this before? Then it has not heard the answer yet, or the network has doubled the request.
    fn is_known(&mut self, asked: &Asked, scene: &Scene<'_>) -> bool {
        let number = self.table.find(asked.key());
        let Some(session) = number.and_then(|number| self.table.get_mut(number)) else {
            return self.waiting.holds(asked);
        };
        if !session.was_asked_for_by(asked, scene.site.local.mtu) {
            return false;
        }
        if session.is_new() {
            session.ask_again(scene.now);
            number.into_iter().for_each(|number| self.table.make_ready(number));
        }
        true
    }

    /// Looks for the file, and begins the session.
    fn open(&mut self, asked: &Asked, scene: &mut Scene<'_>) -> Result<Opened, Stop> {
        let file = match scene.files.find(&asked.name, asked.client, scene.now) {
            Found::File(file) => file,
            Found::Missing => return Err(Refusal::Missing.into()),
            Found::Denied => return Err(Refusal::Denied.into()),
            Found::Later => return Ok(Opened::Later),
        };
        let session = Session::new(asked, file, scene.site.local.mtu, scene.now);
        self.make_room(asked.key(), scene);
        // An ERROR would end a boot (PXE-E23): who hears nothing asks again (EDK2 `Mtftp6OnTimerTick`, iPXE `tftp_timer_expired`).
        let number = self.table.insert(asked.key(), session).ok_or(Reason::TftpSessionsFull)?;
        self.wheel.clear(number);
        self.table.make_ready(number);
        self.table
            .get(number)
            .into_iter()
            .for_each(|session| (scene.observe)(session.observation(Happening::Requested)));
        Ok(Opened::Begun)
    }

    /// Where there is no room, gives up who takes nothing: whoever forges requests keeps nobody out for long.
    fn make_room(&mut self, key: Key, scene: &mut Scene<'_>) {
        if self.table.is_full_for(key)
            && let Some(number) = self.table.one_to_make_room(scene.now)
        {
            self.give_up(number, scene);
        }
    }

    fn acknowledge(&mut self, datagram: &Datagram<'_>, block: u16, scene: &mut Scene<'_>) -> Result<(), Reason> {
        let (number, session) = self.table.of(key_of(datagram), datagram.ethernet_source)?;
        match session.acknowledge(block, scene.now) {
            Acknowledged::Nothing => self.counters.duplicate(),
            Acknowledged::More { resent } => {
                self.counters.resent(resent);
                if let Some(sent) = session.news(scene.now) {
                    (scene.observe)(session.observation(Happening::Sending { sent }));
                }
                self.table.make_ready(number);
            }
            Acknowledged::Complete => {
                self.counters.complete();
                (scene.observe)(session.observation(Happening::Complete));
                self.remove(number);
            }
        }
        Ok(())
    }

    /// The client ends a session. Nobody answers an ERROR.
    fn end(&mut self, datagram: &Datagram<'_>, code: u16, scene: &mut Scene<'_>) -> Result<(), Reason> {
        let (number, session) = self.table.of(key_of(datagram), datagram.ethernet_source)?;
        let happening = if session.is_negotiating() && code == OPTION_NEGOTIATION {
            self.counters.size_probe();
            Happening::SizeProbe
        } else {
            self.counters.ended_by_client();
            Happening::Failed { sent: session.arrived(), failure: Failure::Client(code) }
        };
        (scene.observe)(session.observation(happening));
        self.remove(number);
        Ok(())
    }

    fn remove(&mut self, number: u32) {
        self.wheel.clear(number);
        self.table.remove(number);
    }

    /// Sends what is due, as far as there is room beside the [reserve](RESERVE), and says when there is more.
    pub fn resume(&mut self, scene: &mut Scene<'_>, transmit: &mut impl Transmit) -> Option<Instant> {
        while let Some(number) = self.wheel.fired(scene.now) {
            self.time_out(number, scene);
        }
        self.look_again(scene, transmit);
        while transmit.has_room(RESERVE + TURN) {
            let Some(number) = self.table.next_ready() else { break };
            self.emit(number, scene.now, transmit);
        }
        if self.table.has_ready() {
            return Some(scene.now);
        }
        [self.waiting.next(), self.wheel.next()].into_iter().flatten().min()
    }

    fn refuse(&mut self, headers: &Headers, refusal: Refusal, transmit: &mut impl Transmit) -> Result<(), Full> {
        self.counters.refused(refusal);
        if !transmit.has_room(RESERVE + 1) {
            return Err(Full);
        }
        let (code, message) = refusal.error();
        transmit.transmit(|buffer| headers.emit(buffer, |payload| write_error(payload, code, message)).ok());
        Ok(())
    }

    /// Looks again for files that were not there yet.
    fn look_again(&mut self, scene: &mut Scene<'_>, transmit: &mut impl Transmit) {
        for _ in 0..self.waiting.due(scene.now) {
            let Some(asked) = self.waiting.pop() else { return };
            match self.open(&asked, scene) {
                Ok(Opened::Begun) => {}
                Err(Stop::Refused(refusal)) => {
                    // Who does not hear it asks again.
                    let _heard: Result<(), Full> = self.refuse(&asked.headers, refusal, transmit);
                }
                // No file yet, or no session for it.
                Ok(Opened::Later) | Err(Stop::Dropped(_)) => {
                    if !self.waiting.push_again(asked, scene.now) {
                        self.counters.given_up();
                    }
                }
            }
        }
    }

    fn emit(&mut self, number: u32, now: Instant, transmit: &mut impl Transmit) {
        let Some(session) = self.table.get_mut(number) else { return };
        for _ in 0..TURN {
            if !session.has_more() {
                break;
            }
            // A frame does not fit where the interface's MTU has fallen: the session will be given up.
            transmit.transmit(|buffer| session.emit(buffer, now).inspect(|_| self.counters.sent()).ok());
        }
        self.wheel.set(number, now + session.wait());
        if session.has_more() {
            self.table.make_ready(number);
        }
    }

    fn time_out(&mut self, number: u32, scene: &mut Scene<'_>) {
        let Some(session) = self.table.get_mut(number) else { return };
        if session.has_more() {
            // It waits for room, not for its client.
            return self.wheel.set(number, scene.now + session.wait());
        }
        if let Some(resent) = session.time_out(self.tries, scene.now) {
            self.counters.resent(resent);
            return self.table.make_ready(number);
        }
        self.give_up(number, scene);
    }

    fn give_up(&mut self, number: u32, scene: &mut Scene<'_>) {
        let Some(session) = self.table.get(number) else { return };
        // The last acknowledgement may get lost as well as any: who has it all does not ask for it again.
        let happening = if session.is_all_sent() {
            self.counters.complete();
            Happening::Complete
        } else {
            self.counters.given_up();
            Happening::Failed { sent: session.arrived(), failure: Failure::Silence }
        };
        (scene.observe)(session.observation(happening));
        self.remove(number);
    }
}

fn key_of(datagram: &Datagram<'_>) -> Key {
    (datagram.source, datagram.source_port)
}

/// Back where it came from, from the port that was asked: it is the server's for the whole transfer.
fn headers(datagram: &Datagram<'_>, site: &Site) -> Headers {
    Headers {
        ethernet_source: site.local.mac,
        ethernet_destination: datagram.ethernet_source,
        source: datagram.destination,
        destination: datagram.source,
        source_port: site.local.tftp_port.unwrap_or_default(),
        destination_port: datagram.source_port,
    }
}
