//! Sends Router Advertisements, for as long as the interface has a link-local address to send them from.

use std::{
    convert::Infallible,
    future::pending,
    io,
    net::Ipv6Addr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use tracing::{debug, info, warn};

use super::icmpv6::{ALL_ROUTERS, RouterSocket};
use crate::{
    interface::has_joined,
    local::Local,
    respond::Site,
    router::{Advertised, Schedule},
    wire::{
        MacAddr,
        router::{InvalidSolicitation, RouterSolicitation},
    },
};

/// How often it is tried to open the socket again while nothing happens to the interface.
const RETRY: Duration = Duration::from_secs(10);

/// What advertises, and what it has counted.
pub(super) struct Advertiser {
    advertised: Advertised,
    interface: u32,
    site: Arc<ArcSwap<Site>>,
    /// Told of every change of the interface.
    changed: Arc<Notify>,
    open: Option<Open>,
    retry: Instant,
    schedule: Schedule,
    state: State,
    counters: Arc<Counters>,
}

/// A socket, and the addresses that the interface had when it was opened.
struct Open {
    socket: RouterSocket,
    link_local: Ipv6Addr,
    mac: MacAddr,
}

/// What the log was told last: that all is well, or what is not (`errno`).
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Untold,
    Sending,
    Failing(Option<i32>),
}

/// What was sent, and what came.
#[derive(Debug, Default)]
pub(super) struct Counters {
    sent: AtomicU64,
    failed: AtomicU64,
    received: AtomicU64,
    dropped: [AtomicU64; InvalidSolicitation::ALL.len()],
}

impl Advertiser {
    /// Nothing is sent before [`run`](Self::run).
    pub(super) fn new(advertised: Advertised, interface: u32, site: Arc<ArcSwap<Site>>, changed: Arc<Notify>) -> Self {
        let now = Instant::now();
        Self {
            advertised,
            interface,
            site,
            changed,
            open: None,
            retry: now,
            schedule: Schedule::new(now.into(), fastrand::f64()),
            state: State::Untold,
            counters: Arc::default(),
        }
    }

    /// Advertises until it is dropped: whatever goes wrong is logged, counted, and tried again.
    pub(super) async fn run(&mut self) -> Infallible {
        let changed = Arc::clone(&self.changed);
        loop {
            tokio::select! {
                () = changed.notified() => self.follow(),
                () = sleep_until(self.due()) => self.act(),
                received = receive(self.open.as_ref()) => self.take(received),
            }
        }
    }

    fn due(&self) -> Instant {
        if self.open.is_some() { self.schedule.next().into() } else { self.retry }
    }

    fn act(&mut self) {
        match &self.open {
            Some(open) => {
                let sent = open.socket.send(&self.advertised.at(open.mac).bytes());
                self.schedule.sent(Instant::now().into(), fastrand::f64());
                match sent {
                    Ok(()) => self.sent(),
                    Err(error) => self.failed(&error),
                }
            }
            None => self.follow(),
        }
    }

    /// Opens the socket again where the interface is no longer what it was.
    fn follow(&mut self) {
        let local = &self.site.load().local;
        if self.open.as_ref().is_some_and(|open| open.is_good(local, self.interface)) {
            return;
        }
        // Closed first: a socket whose membership is forgotten would take the next one's along.
        self.open = None;
        match RouterSocket::open(self.interface, local.link_local) {
            Ok(socket) => {
                self.schedule.restart(Instant::now().into(), fastrand::f64());
                self.open = Some(Open { socket, link_local: local.link_local, mac: local.mac });
            }
            Err(error) => self.give_up(&error),
        }
    }

    fn take(&mut self, received: io::Result<Result<RouterSolicitation, InvalidSolicitation>>) {
        match received {
            Ok(Ok(solicitation)) => {
                debug!(?solicitation, "received");
                count(&self.counters.received);
                self.schedule.solicited(Instant::now().into(), fastrand::f64());
            }
            Ok(Err(invalid)) => self.counters.dropped(invalid),
            Err(error) => {
                self.open = None;
                self.give_up(&error);
            }
        }
    }

    fn give_up(&mut self, error: &io::Error) {
        self.retry = Instant::now() + RETRY;
        self.failed(error);
    }

    fn sent(&mut self) {
        count(&self.counters.sent);
        if self.state != State::Sending {
            self.state = State::Sending;
            info!("sending Router Advertisements");
        }
    }

    fn failed(&mut self, error: &io::Error) {
        count(&self.counters.failed);
        let state = State::Failing(error.raw_os_error());
        if self.state != state {
            self.state = state;
            warn!(%error, "cannot send Router Advertisements: is the interface up, with a link-local address?");
        }
    }

    /// What it counts.
    pub(super) fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }
}

impl Open {
    /// Does the interface still have those addresses, and hear its solicitations?
    fn is_good(&self, local: &Local, interface: u32) -> bool {
        let is_same = (self.mac, self.link_local) == (local.mac, local.link_local);
        // What cannot be told is taken for good: the socket would be closed at every change otherwise.
        let hears = || has_joined(interface, &[ALL_ROUTERS.octets()]).unwrap_or(true);
        is_same && local.addresses.binary_search(&self.link_local).is_ok() && hears()
    }
}

impl Counters {
    fn dropped(&self, invalid: InvalidSolicitation) {
        self.dropped.get(invalid as usize).into_iter().for_each(count);
    }

    /// Every counter by its name.
    pub(super) fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let own = [
            ("send_router_advertisement", &self.sent),
            ("router_advertisement_failed", &self.failed),
            ("receive_router_solicitation", &self.received),
        ];
        let dropped = InvalidSolicitation::ALL.map(InvalidSolicitation::name).into_iter().zip(&self.dropped);
        own.into_iter().chain(dropped).map(|(name, counter)| (name, counter.load(Ordering::Relaxed)))
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

async fn receive(open: Option<&Open>) -> io::Result<Result<RouterSolicitation, InvalidSolicitation>> {
    match open {
        Some(open) => open.socket.receive().await,
        None => pending().await,
    }
}

/// Advertises where the operator wants it, until it is dropped.
pub(super) async fn advertise(advertiser: Option<&mut Advertiser>) -> Infallible {
    match advertiser {
        Some(advertiser) => advertiser.run().await,
        None => pending().await,
    }
}
