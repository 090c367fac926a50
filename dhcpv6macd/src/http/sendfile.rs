//! The way of a file past this process: hyper is told of as many bytes as the file has, and when it writes them, the kernel sends the file.
//!
//! What hyper is told of is a [`Stand`], whose bytes are never looked at by anybody. The [`FileStream`] below hyper knows them by where
//! they are in memory.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Buf;
use rustix::{
    fs::sendfile,
    net::{SendAncillaryBuffer, SendFlags, sendmsg},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
};

use super::transfer::Transfer;

/// Bytes that are sent at a time at most: whoever takes everything at once lets others have their turn.
const PIECE: usize = 2 << 20;
/// What stands for a file's bytes.
static STAND: [u8; PIECE] = [0; PIECE];

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

/// The file that a connection is sending. hyper writes one response after the other, so that there is one at a time.
#[derive(Clone, Default)]
pub struct Outgoing(Arc<Mutex<Option<Transfer>>>);

impl Outgoing {
    /// Gives a file to the connection, for the bytes that [`Stand`] for it.
    ///
    /// # Errors
    ///
    /// Where another is not through yet.
    pub fn put(&self, transfer: Transfer) -> io::Result<()> {
        let mut place = self.lock();
        if place.is_some() {
            return Err(io::Error::other("two files at a time on one connection"));
        }
        *place = Some(transfer);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Transfer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that sends a file where bytes are written that [`Stand`] for it.
pub struct FileStream {
    stream: TcpStream,
    outgoing: Outgoing,
}

impl FileStream {
    /// Over this connection.
    #[must_use]
    pub fn new(stream: TcpStream, outgoing: Outgoing) -> Self {
        Self { stream, outgoing }
    }

    fn poll_send(
        &self,
        context: &mut Context<'_>,
        mut send: impl FnMut() -> rustix::io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(context))?;
            match self.stream.try_io(Interest::WRITABLE, || send().map_err(Into::into)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                sent => return Poll::Ready(sent),
            }
        }
    }

    /// So many bytes of the file at most.
    fn poll_send_file(&self, context: &mut Context<'_>, count: usize) -> Poll<io::Result<usize>> {
        let mut place = self.outgoing.lock();
        let transfer = place.as_mut().ok_or_else(|| io::Error::other("no file to send"))?;
        let (file, mut at) = (Arc::clone(transfer.file()), transfer.left().start);
        let sent = ready!(self.poll_send(context, || sendfile(&self.stream, &file, Some(&mut at), count)));
        let sent = sent?;
        transfer.advance(sent)?;
        if transfer.left().is_empty() {
            *place = None;
        }
        Poll::Ready(Ok(sent))
    }

    /// What comes before a file, to go in one packet with it.
    fn poll_send_header(&self, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
        self.poll_send(context, || sendmsg(&self.stream, slices, &mut SendAncillaryBuffer::default(), flags))
    }
}

impl AsyncRead for FileStream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, buffer)
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
            Some(([], [file, ..])) => stream.poll_send_file(context, file.len()),
            Some((header, [_, ..])) => stream.poll_send_header(context, header),
            Some((_, [])) | None => Pin::new(&mut stream.stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
