//! What has arrived at the other end of a TCP connection: what the kernel has taken may yet lie with it for as long as it likes.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use nix::{getsockopt_impl, sockopt_impl, sys::socket::getsockopt};
use tokio::{net::TcpStream, time::Instant};

sockopt_impl!(
    /// The beginning of the kernel's `struct tcp_info` (`linux/tcp.h`), of which the C library knows less.
    Info,
    GetOnly,
    libc::IPPROTO_TCP,
    libc::TCP_INFO,
    [u64; 16]
);

/// A connection that is over (`TCP_CLOSE`): nothing more arrives.
const CLOSED: u8 = 7;
/// How long it is looked at every turn, and for how many bytes: what has not far to go arrives meanwhile.
const NEAR: (Duration, u64) = (Duration::from_micros(100), 64 << 10);
/// How soon it is looked again after that, and how late at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));

/// Counts what was written to a connection, and what of that was not acknowledged.
pub(super) struct Arrival {
    written: u64,
    acknowledged: u64,
    /// What the kernel had counted before.
    before: u64,
    moved: Moved,
}

impl Arrival {
    /// From now on.
    pub(super) fn new(stream: &TcpStream) -> io::Result<Self> {
        let (before, _) = acknowledged(stream)?;
        Ok(Self { written: 0, acknowledged: 0, before, moved: Moved::now() })
    }

    /// So much more was written.
    pub(super) const fn add(&mut self, count: u64) {
        self.written += count;
    }

    /// When something was last seen to have arrived.
    pub(super) fn moved(&self) -> Moved {
        self.moved.clone()
    }

    /// Bytes that were not acknowledged when it was [looked](Self::look) last.
    pub(super) const fn outstanding(&self) -> u64 {
        self.written.saturating_sub(self.acknowledged)
    }

    /// Looks what has arrived.
    ///
    /// # Errors
    ///
    /// Where something has not, and no longer will.
    pub(super) fn look(&mut self, stream: &TcpStream) -> io::Result<()> {
        let (acknowledged, state) = acknowledged(stream)?;
        let acknowledged = acknowledged.saturating_sub(self.before);
        if acknowledged > self.acknowledged {
            self.acknowledged = acknowledged;
            self.moved.set(Instant::now());
        }
        if state == CLOSED && self.outstanding() > 0 { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

/// When something was last seen to have arrived: for whoever looks whether a connection stands still.
#[derive(Clone)]
pub(super) struct Moved(Arc<Mutex<Instant>>);

impl Moved {
    fn now() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    pub(super) fn get(&self) -> Instant {
        *self.lock()
    }

    fn set(&self, moved: Instant) {
        *self.lock() = moved;
    }

    fn lock(&self) -> MutexGuard<'_, Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for what is outstanding. The kernel wakes nobody when the last byte is acknowledged.
pub(super) struct Wait {
    since: Instant,
    /// So much was outstanding then.
    whole: u64,
}

impl Wait {
    /// From now on.
    pub(super) fn new(outstanding: u64) -> Self {
        Self { since: Instant::now(), whole: outstanding }
    }

    /// How long it is before it is worth to look again: half of what it takes until the rest has arrived, as far as that can be told. `None`
    /// where that is next to nothing.
    pub(super) fn pause(&self, outstanding: u64) -> Option<Duration> {
        let waited = self.since.elapsed();
        if waited < NEAR.0 && outstanding < NEAR.1 {
            return None;
        }
        let arrived = self.whole.saturating_sub(outstanding);
        let times = outstanding.checked_div(arrived).map(|times| u32::try_from(times).unwrap_or(u32::MAX));
        let rest = times.map_or(waited / 4, |times| waited.saturating_mul(times));
        Some((rest / 2).clamp(PAUSES.0, PAUSES.1))
    }
}

/// Bytes that the other end has acknowledged (RFC 4898, `tcpEStatsAppHCThruOctetsAcked`), and the connection's state.
fn acknowledged(stream: &TcpStream) -> io::Result<(u64, u8)> {
    let [first, .., acknowledged] = getsockopt(stream, Info)?;
    let [state, ..] = first.to_ne_bytes();
    Ok((acknowledged, state))
}
