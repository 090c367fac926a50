//! A connection that ends where nothing moves on it.

use std::{
    io::{self, IoSlice},
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

use super::{Counters, count};

/// Fails with [`io::ErrorKind::TimedOut`] when nothing has moved either way for so long.
pub(super) struct Watched<Io> {
    io: Io,
    /// When something has moved that is not seen from here.
    moved_below: fn(&Io) -> Option<Instant>,
    limit: Duration,
    /// When something moved last.
    moved: Instant,
    /// Ends no later than the limit; looked at again then, so that what moves need not move it.
    alarm: Pin<Box<Sleep>>,
    /// There is something to be sent that the other end does not take.
    is_sending: bool,
    counters: Arc<Counters>,
}

impl<Io> Watched<Io> {
    pub(super) fn new(
        io: Io,
        moved_below: fn(&Io) -> Option<Instant>,
        limit: Duration,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            io,
            moved_below,
            limit,
            moved: Instant::now(),
            alarm: Box::pin(sleep(limit)),
            is_sending: false,
            counters,
        }
    }

    fn watch<T>(&mut self, context: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.moved = Instant::now();
            return polled;
        }
        loop {
            ready!(self.alarm.as_mut().poll(context));
            let moved = (self.moved_below)(&self.io).map_or(self.moved, |moved| moved.max(self.moved));
            let due = moved + self.limit;
            if due <= Instant::now() {
                break;
            }
            self.alarm.as_mut().reset(due);
        }
        // Who is merely silent has ended well.
        if mem::take(&mut self.is_sending) {
            count(&self.counters.stalled);
        }
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn watch_sending<T>(&mut self, context: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.is_sending = polled.is_pending();
        self.watch(context, polled)
    }

    /// That there is nothing left to be sent moves nothing; hyper asks for it again and again.
    fn watch_end(&mut self, context: &mut Context<'_>, polled: Poll<io::Result<()>>) -> Poll<io::Result<()>> {
        if polled.is_ready() { polled } else { self.watch_sending(context, polled) }
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Watched<Io> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let watched = self.get_mut();
        let polled = Pin::new(&mut watched.io).poll_read(context, buffer);
        watched.watch(context, polled)
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Watched<Io> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let watched = self.get_mut();
        let polled = Pin::new(&mut watched.io).poll_write(context, bytes);
        watched.watch_sending(context, polled)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let watched = self.get_mut();
        let polled = Pin::new(&mut watched.io).poll_write_vectored(context, slices);
        watched.watch_sending(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let watched = self.get_mut();
        let polled = Pin::new(&mut watched.io).poll_flush(context);
        watched.watch_end(context, polled)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let watched = self.get_mut();
        let polled = Pin::new(&mut watched.io).poll_shutdown(context);
        watched.watch_end(context, polled)
    }
}
