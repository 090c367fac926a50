//! The way of a file past this process: hyper is told of as many bytes as the file has, and when it writes them, the kernel sends the file.
//!
//! What hyper is told of is a [`Stand`], whose bytes are never looked at by anybody. The [`FileStream`] below hyper knows them by where
//! they are in memory. At the first of them it has the [file sent](super::sending), and when all of it is, it takes the others as written.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Buf;
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::{TcpStream, tcp::OwnedReadHalf},
    task::JoinSet,
    time::Instant,
};

use super::{
    arrival::Moved,
    sending::{Line, send_file},
    transfer::Transfer,
};

/// What stands for a file's bytes.
static STAND: [u8; 1 << 20] = [0; _];

/// Stands for so many next bytes of the connection's file.
#[derive(Debug)]
pub struct Stand(u64);

impl Stand {
    /// For so many.
    #[must_use]
    pub fn new(count: u64) -> Self {
        Self(count)
    }

    fn is_one(slice: &[u8]) -> bool {
        STAND.as_ptr_range().contains(&slice.as_ptr())
    }
}

impl Buf for Stand {
    fn remaining(&self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    fn chunk(&self) -> &[u8] {
        STAND.get(..self.remaining()).unwrap_or(&STAND)
    }

    fn advance(&mut self, count: usize) {
        self.0 -= count as u64;
    }
}

/// The file that a connection sends next. hyper writes one response after the other, so that there is one at a time.
#[derive(Clone, Default)]
pub struct Outgoing(Arc<Mutex<Option<Transfer>>>);

impl Outgoing {
    /// Gives a file to the connection, for the bytes that [`Stand`] for it.
    ///
    /// # Errors
    ///
    /// Where another has not begun yet.
    pub fn put(&self, transfer: Transfer) -> io::Result<()> {
        let mut place = self.lock();
        if place.is_some() {
            return Err(io::Error::other("two files at a time on one connection"));
        }
        *place = Some(transfer);
        Ok(())
    }

    fn take(&self) -> Option<Transfer> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Transfer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that sends a file where bytes are written that [`Stand`] for it.
pub struct FileStream {
    half: OwnedReadHalf,
    /// Not here while a file is sent.
    line: Option<Line>,
    outgoing: Outgoing,
    /// One at most; dropped, it ends.
    sending: JoinSet<io::Result<Line>>,
    /// Bytes of the last file that hyper has yet to write.
    unwritten: u64,
    moved: Moved,
}

impl FileStream {
    /// Over this connection.
    ///
    /// # Errors
    ///
    /// Where the kernel does not tell of it.
    pub fn new(stream: TcpStream, outgoing: Outgoing) -> io::Result<Self> {
        let (half, write_half) = stream.into_split();
        let line = Line::new(write_half)?;
        let moved = line.arrival.moved();
        Ok(Self { half, line: Some(line), outgoing, sending: JoinSet::new(), unwritten: 0, moved })
    }

    /// When something was last seen to have arrived.
    #[must_use]
    pub fn moved(&self) -> Instant {
        self.moved.get()
    }

    /// Waits until all of a file is sent, and takes so many bytes of it as written.
    fn poll_write_file(&mut self, context: &mut Context<'_>, count: usize) -> Poll<io::Result<usize>> {
        if self.unwritten == 0 {
            let (Some(transfer), Some(line)) = (self.outgoing.take(), self.line.take()) else {
                return Poll::Ready(Err(io::Error::other("no file to send")));
            };
            let left = transfer.left();
            self.unwritten = left.end - left.start;
            self.sending.spawn(send_file(line, transfer));
        }
        if let Some(sent) = ready!(self.sending.poll_join_next(context)) {
            self.line = Some(sent.map_err(io::Error::from).flatten()?);
        }
        // It does not come back where not all was sent.
        self.line()?;
        let count = usize::try_from(self.unwritten).map_or(count, |unwritten| unwritten.min(count));
        self.unwritten -= count as u64;
        Poll::Ready(Ok(count))
    }

    /// The line, where no file is sent.
    fn line(&mut self) -> io::Result<&mut Line> {
        self.line.as_mut().ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }

    /// What comes before a file, to go in one packet with it.
    fn poll_write_header(&mut self, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let line = self.line()?;
        let stream = line.half.as_ref();
        let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
        let sent = loop {
            ready!(stream.poll_write_ready(context))?;
            let send = || Ok(sendmsg(stream, slices, &mut SendAncillaryBuffer::default(), flags)?);
            match stream.try_io(Interest::WRITABLE, send) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                sent => break sent?,
            }
        };
        line.arrival.add(sent as u64);
        Poll::Ready(Ok(sent))
    }

    fn poll_write_rest(&mut self, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let line = self.line()?;
        let sent = ready!(Pin::new(&mut line.half).poll_write_vectored(context, slices))?;
        line.arrival.add(sent as u64);
        Poll::Ready(Ok(sent))
    }
}

impl AsyncRead for FileStream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().half).poll_read(context, buffer)
    }
}

impl AsyncWrite for FileStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = self.get_mut();
        match slices.split_at_checked(slices.iter().take_while(|slice| !Stand::is_one(slice)).count()) {
            Some(([], [file, ..])) => stream.poll_write_file(context, file.len()),
            Some((header, [_, ..])) => stream.poll_write_header(context, header),
            Some((_, [])) | None => stream.poll_write_rest(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Nothing waits here.
    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().line()?.half).poll_shutdown(context)
    }
}
