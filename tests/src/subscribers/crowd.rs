//! Connections of subscribers, on one thread.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use rustix::{
    event::{Timespec, epoll},
    io::Errno,
    net::{RecvFlags, SendFlags, recv, send},
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

use super::{Chronicle, STEPS, chunked::Chunked, tally::Tally};
use crate::population::Histogram;

/// Where the daemon tells of events: subscribers come from one address of each kind, for it bounds those of one.
const EVENTS: [SocketAddr; 2] =
    [SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 6315), SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 6315)];
const REQUEST: &[u8] = b"GET /events HTTP/1.1\r\nHost: [::1]\r\n\r\n";
/// How long it may take until everybody has heard what is known.
const START_LIMIT: Duration = Duration::from_secs(30);
/// How long it is listened on when all is heard that is to come: what comes twice may come late.
const AFTERWARDS: Duration = Duration::from_millis(300);
/// How often it is looked whether all is heard.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
/// Bytes that are received at a time: as many as come in some 50 ms.
const PIECE: usize = 256 << 10;
/// Of one subscriber in so many it is measured how late it hears of every event.
const MEASURED: usize = 50;

/// One that reads.
#[derive(Debug)]
struct Subscriber {
    stream: TcpStream,
    answer: Chunked,
    way: Way,
}

/// How it is known what it has heard.
#[derive(Debug)]
enum Way {
    /// It has heard what is in the chronicle, up to here.
    Together(usize),
    /// It goes on by itself, after so many events that were lost and doubled for everybody.
    Apart(Tally, [u64; 2]),
    /// Its connection has ended.
    Ended(Tally, [u64; 2]),
}

/// Subscribers that were all there before anything happened.
#[derive(Debug)]
pub struct Crowd {
    chronicle: Chronicle,
    expected: u64,
    readers: Vec<Subscriber>,
    delays: Histogram,
}

/// What they have heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Steps that machines took for the first time, and were told of.
    pub steps: u64,
    /// All other events.
    pub others: u64,
    /// Over all who read: events that did not come, or not in time.
    pub lost: u64,
    /// Over all who read: events that came once more.
    pub doubled: u64,
    /// Subscribers that have heard something else than the others.
    pub apart: usize,
    /// Subscribers that read and were cut off.
    pub ended: usize,
    /// How late they heard of something, counted from when the daemon saw it.
    pub delay_p50: Duration,
    /// The same.
    pub delay_p99: Duration,
}

impl Crowd {
    /// So many subscribe from the calling thread's namespace; returns when all of them have heard what is known, which is to be nothing.
    /// So many machines will ask for their address in UEFI PXE, once.
    ///
    /// # Errors
    ///
    /// Where the daemon does not take them in.
    pub fn subscribe(readers: usize, machines: usize) -> Result<Self> {
        raise_limit().context("cannot raise the limit of file descriptors")?;
        let mut crowd = Self {
            chronicle: Chronicle::new(machines),
            expected: (machines * STEPS.len()) as u64,
            readers: EVENTS.iter().cycle().take(readers).map(|to| Subscriber::new(*to)).collect::<Result<_>>()?,
            delays: Histogram::default(),
        };
        crowd.follow(START_LIMIT, |crowd| crowd.chronicle.tally().is_there() && crowd.is_together())?;
        ensure!(crowd.chronicle.tally().is_there() && crowd.is_together(), "not all have heard what is known");
        ensure!(crowd.heard().ended == 0, "some were not let in");
        Ok(crowd)
    }

    /// Listens until everybody has heard everything that is to come, or for `limit`.
    ///
    /// # Errors
    ///
    /// Where somebody hears what is nothing of the kind.
    pub fn listen(mut self, limit: Duration) -> Result<Heard> {
        self.follow(limit, |crowd| crowd.chronicle.steps >= crowd.expected && crowd.is_together())?;
        self.follow(AFTERWARDS, |_| false)?;
        Ok(self.heard())
    }

    /// Has everybody heard the same?
    fn is_together(&self) -> bool {
        let next = self.chronicle.tally().next();
        self.readers.iter().all(|reader| match &reader.way {
            Way::Together(place) => *place == self.chronicle.len(),
            Way::Apart(tally, _) => tally.next() >= next,
            Way::Ended(..) => true,
        })
    }

    fn follow(&mut self, limit: Duration, is_enough: impl Fn(&Self) -> bool) -> Result<()> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (number, reader) in self.readers.iter().enumerate() {
            epoll::add(&poll, &reader.stream, epoll::EventData::new_u64(number as u64), epoll::EventFlags::IN)?;
        }
        let begun = Instant::now();
        let mut looked = begun;
        let (mut room, mut events) = (vec![0; PIECE], Vec::with_capacity(self.readers.len().max(1)));
        while begun.elapsed() < limit {
            events.clear();
            epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), Some(&LOOK))?;
            for event in &events {
                let number = usize::try_from(event.data.u64())?;
                if !self.receive(number, &mut room)? {
                    let reader = self.readers.get(number).context("no such subscriber")?;
                    epoll::delete(&poll, &reader.stream)?;
                }
            }
            if events.is_empty() || looked.elapsed() > AFTERWARDS {
                looked = Instant::now();
                if is_enough(self) {
                    break;
                }
            }
        }
        Ok(())
    }

    /// A subscriber reads what is there; is it still connected?
    fn receive(&mut self, number: usize, room: &mut [u8]) -> Result<bool> {
        let Self { chronicle, readers, delays, .. } = self;
        let reader = readers.get_mut(number).context("no such subscriber")?;
        let before = reader.place();
        let received = match recv(&reader.stream, &mut *room, RecvFlags::DONTWAIT) {
            Ok((received, _)) => received,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(true),
            Err(Errno::CONNRESET) => 0,
            Err(error) => return Err(error).context("cannot receive"),
        };
        let now = Timestamp::now();
        if received == 0 {
            reader.end(chronicle);
            return Ok(false);
        }
        let way = &mut reader.way;
        reader.answer.take(room.get(..received).unwrap_or_default(), |text| way.take(text, chronicle))?;
        if let (0, Some(from), Some(to)) = (number % MEASURED, before, reader.place()) {
            chronicle.delays(from, to, now).for_each(|delay| delays.record(delay));
        }
        Ok(true)
    }

    fn heard(&self) -> Heard {
        let (chronicle, count) = (&self.chronicle, self.readers.len() as u64);
        let quantile = |per_mille| self.delays.quantile(per_mille).unwrap_or(Duration::ZERO);
        let never_told = self.expected.saturating_sub(chronicle.steps);
        let mut heard = Heard {
            steps: chronicle.steps,
            others: chronicle.others,
            lost: never_told * count,
            doubled: chronicle.steps_doubled * count,
            delay_p50: quantile(500),
            delay_p99: quantile(990),
            ..Heard::default()
        };
        for reader in &self.readers {
            let next = chronicle.tally().next();
            match &reader.way {
                Way::Together(place) => {
                    let missing = chronicle.events() - chronicle.events_until(*place);
                    heard.lost += chronicle.tally().lost + missing as u64;
                    heard.doubled += chronicle.tally().doubled;
                }
                Way::Apart(tally, [lost, doubled]) | Way::Ended(tally, [lost, doubled]) => {
                    heard.lost += lost + tally.lost + next.saturating_sub(tally.next());
                    heard.doubled += doubled + tally.doubled;
                    heard.apart += 1;
                    heard.ended += usize::from(matches!(reader.way, Way::Ended(..)));
                }
            }
        }
        heard
    }
}

impl Subscriber {
    fn new(to: SocketAddr) -> Result<Self> {
        Ok(Self { stream: dial_to(to)?, answer: Chunked::default(), way: Way::Together(0) })
    }

    /// How far it has come in the chronicle.
    fn place(&self) -> Option<usize> {
        if let Way::Together(place) = self.way { Some(place) } else { None }
    }

    fn end(&mut self, chronicle: &Chronicle) {
        self.way.part(chronicle);
        if let Way::Apart(tally, before) = &self.way {
            self.way = Way::Ended(tally.clone(), *before);
        }
    }
}

impl Way {
    fn take(&mut self, mut text: &[u8], chronicle: &mut Chronicle) -> Result<()> {
        if let Self::Together(place) = self {
            let written = chronicle.behind(*place);
            let (known, new) = text.split_at(written.len().min(text.len()));
            if written.starts_with(known) {
                *place += text.len();
                return if new.is_empty() { Ok(()) } else { chronicle.write(new) };
            }
            let same = written.iter().zip(known).take_while(|(one, other)| one == other).count();
            *place += same;
            text = text.get(same..).unwrap_or_default();
            self.part(chronicle);
        }
        match self {
            Self::Apart(tally, _) => tally.take(text, |_, _| Ok(())),
            Self::Together(_) | Self::Ended(..) => Ok(()),
        }
    }

    fn part(&mut self, chronicle: &Chronicle) {
        if let Self::Together(place) = *self {
            let before = [chronicle.tally().lost, chronicle.tally().doubled];
            *self = Self::Apart(chronicle.part_at(place), before);
        }
    }
}

/// Subscribes from the calling thread's namespace, and reads nothing.
///
/// # Errors
///
/// Where the daemon does not take it in.
pub fn dial() -> Result<TcpStream> {
    dial_to(EVENTS[0])
}

fn dial_to(to: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(to).context("cannot connect to the daemon's events")?;
    let sent = send(&stream, REQUEST, SendFlags::NOSIGNAL)?;
    ensure!(sent == REQUEST.len(), "a request was sent in part");
    Ok(stream)
}

/// Thousands of connections are more than the limit that programs are given by default.
fn raise_limit() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?)
}

/// As a process tells it to the one that has started it.
impl fmt::Display for Heard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { steps, others, lost, doubled, apart, ended, delay_p50, delay_p99 } = self;
        let [p50, p99] = [delay_p50, delay_p99].map(Duration::as_nanos);
        write!(formatter, "heard {steps} {others} {lost} {doubled} {apart} {ended} {p50} {p99}")
    }
}

impl std::str::FromStr for Heard {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let words = text.trim().strip_prefix("heard ").with_context(|| format!("nothing that was heard: {text}"))?;
        let numbers = words.split(' ').map(str::parse).collect::<Result<Vec<u64>, _>>()?;
        let [steps, others, lost, doubled, apart, ended, p50, p99] = numbers[..] else {
            anyhow::bail!("not eight numbers: {text}")
        };
        let [delay_p50, delay_p99] = [p50, p99].map(Duration::from_nanos);
        let [apart, ended] = [apart, ended].map(usize::try_from);
        Ok(Self { steps, others, lost, doubled, apart: apart?, ended: ended?, delay_p50, delay_p99 })
    }
}
