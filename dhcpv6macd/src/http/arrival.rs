//! What has arrived at the other end of a TCP connection: what the kernel has taken may yet lie with it for as long as it likes.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use nix::{getsockopt_impl, sockopt_impl, sys::socket::getsockopt};
use tokio::{
    net::TcpStream,
    time::{Instant, Sleep, sleep},
};

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
/// How soon it is looked again after that, and how late at most. The kernel wakes nobody when the last byte is acknowledged.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));

/// Counts what was written to a connection, and what of that was not acknowledged.
pub(super) struct Arrival {
    written: u64,
    acknowledged: u64,
    /// What the kernel had counted before.
    before: u64,
    /// When something was last seen to have arrived.
    moved: Instant,
    /// Since when it is waited, and what had been acknowledged then.
    waiting: Option<(Instant, u64)>,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Arrival {
    /// From now on.
    pub(super) fn new(stream: &TcpStream) -> io::Result<Self> {
        let (before, moved) = (acknowledged(stream)?.0, Instant::now());
        Ok(Self { written: 0, acknowledged: 0, before, moved, waiting: None, alarm: None })
    }

    /// So much more was written.
    pub(super) const fn add(&mut self, count: usize) {
        self.written += count as u64;
    }

    /// When something was last seen to have arrived.
    pub(super) const fn moved(&self) -> Instant {
        self.moved
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
            (self.acknowledged, self.moved) = (acknowledged, Instant::now());
        }
        if state == CLOSED && self.outstanding() > 0 { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }

    /// Waits until no more than so much is outstanding.
    pub(super) fn poll(&mut self, stream: &TcpStream, context: &mut Context<'_>, most: u64) -> Poll<io::Result<()>> {
        loop {
            if let Some(alarm) = &mut self.alarm {
                ready!(alarm.as_mut().poll(context));
                self.alarm = None;
            }
            self.look(stream)?;
            let left = self.outstanding().saturating_sub(most);
            if left == 0 {
                self.waiting = None;
                return Poll::Ready(Ok(()));
            }
            let (since, before) = *self.waiting.get_or_insert((Instant::now(), self.acknowledged));
            let waited = since.elapsed();
            if waited < NEAR.0 && left < NEAR.1 {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.alarm = Some(Box::pin(sleep(pause(waited, self.acknowledged - before, left))));
        }
    }
}

/// Half of what it takes until the rest has arrived, as far as that can be told.
fn pause(waited: Duration, arrived: u64, left: u64) -> Duration {
    let whole = left
        .checked_div(arrived)
        .map_or(waited / 4, |times| waited.saturating_mul(u32::try_from(times).unwrap_or(u32::MAX)));
    (whole / 2).clamp(PAUSES.0, PAUSES.1)
}

/// Bytes that the other end has acknowledged (RFC 4898, `tcpEStatsAppHCThruOctetsAcked`), and the connection's state.
fn acknowledged(stream: &TcpStream) -> io::Result<(u64, u8)> {
    let [first, .., acknowledged] = getsockopt(stream, Info)?;
    let [state, ..] = first.to_ne_bytes();
    Ok((acknowledged, state))
}
