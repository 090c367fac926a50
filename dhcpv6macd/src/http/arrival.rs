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
/// How long it is looked at every turn: what has not far to go arrives meanwhile.
const NEAR: Duration = Duration::from_micros(100);
/// How soon it is looked again after that, and how late at most. The kernel wakes nobody when the last byte is acknowledged.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));

/// Counts what was written to a connection, and what of that was not acknowledged.
pub(super) struct Arrival {
    written: u64,
    acknowledged: u64,
    /// What the kernel had counted before.
    before: u64,
    /// When something was written, and when something was seen to have arrived.
    wrote: Instant,
    moved: Instant,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Arrival {
    /// From now on.
    pub(super) fn new(stream: &TcpStream) -> io::Result<Self> {
        let (before, now) = (acknowledged(stream)?.0, Instant::now());
        Ok(Self { written: 0, acknowledged: 0, before, wrote: now, moved: now, alarm: None })
    }

    /// So much more was written.
    pub(super) fn add(&mut self, count: usize) {
        self.written += count as u64;
        self.wrote = Instant::now();
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
            self.look(stream)?;
            if self.outstanding() <= most {
                self.alarm = None;
                return Poll::Ready(Ok(()));
            }
            let since = self.wrote.elapsed();
            if since < NEAR {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            // Nobody waits much longer than it takes.
            let pause = (since / 8).clamp(PAUSES.0, PAUSES.1);
            ready!(self.alarm.get_or_insert_with(|| Box::pin(sleep(pause))).as_mut().poll(context));
            self.alarm = None;
        }
    }
}

/// Bytes that the other end has acknowledged (RFC 4898, `tcpEStatsAppHCThruOctetsAcked`), and the connection's state.
fn acknowledged(stream: &TcpStream) -> io::Result<(u64, u8)> {
    let [first, .., acknowledged] = getsockopt(stream, Info)?;
    let [state, ..] = first.to_ne_bytes();
    Ok((acknowledged, state))
}
