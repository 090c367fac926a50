//! The way of a file past this process: hyper is told of as many bytes as the file has, and when it writes them, the kernel sends the file.
//!
//! What hyper is told of is a [`Stand`], whose bytes are never looked at by anybody. The [`FileStream`] below hyper knows them by where
//! they are in memory.

use std::{
    fs::File,
    io::{self, IoSlice, IoSliceMut},
    num::NonZeroU64,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Buf;
use rustix::{
    fs::{Advice, fadvise, sendfile},
    io::{Errno, ReadWriteFlags, preadv2},
    net::{SendAncillaryBuffer, SendFlags, sendmsg, sockopt},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
    task::{JoinHandle, spawn_blocking},
};

use super::transfer::Transfer;

/// Bytes that are sent at a time at most. Then others have their turn, also where this connection would take more: a socket that is never
/// full costs nobody a wake-up.
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
pub struct Outgoing(Arc<Mutex<Option<Sending>>>);

struct Sending {
    transfer: Transfer,
    /// Up to here the file is in memory.
    fetched: u64,
}

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
        *place = Some(Sending { fetched: transfer.left().start, transfer });
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Sending>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that sends a file where bytes are written that [`Stand`] for it.
pub struct FileStream {
    stream: TcpStream,
    outgoing: Outgoing,
    /// A thread that waits for a disk.
    fetching: Option<JoinHandle<io::Result<()>>>,
    /// Bytes that were sent in this turn.
    sent: usize,
    /// Do only full segments leave? The kernel takes a file by pieces that are not quite one, and an acknowledgement in between would have the
    /// rest of each sent by itself (`tcp(7)`, `TCP_CORK`).
    is_corked: bool,
}

impl FileStream {
    /// Over this connection.
    #[must_use]
    pub fn new(stream: TcpStream, outgoing: Outgoing) -> Self {
        Self { stream, outgoing, fetching: None, sent: 0, is_corked: false }
    }

    /// So many bytes of the file at most.
    fn poll_send_file(&mut self, context: &mut Context<'_>, count: usize) -> Poll<io::Result<usize>> {
        ready!(self.poll_turn(context));
        self.cork(true)?;
        let Self { stream, outgoing, fetching, .. } = self;
        let mut place = outgoing.lock();
        let sending = place.as_mut().ok_or_else(|| io::Error::other("no file to send"))?;
        ready!(poll_fetch(sending, fetching, context))?;
        let transfer = &mut sending.transfer;
        let (file, mut at) = (Arc::clone(transfer.file()), transfer.left().start);
        let sent = ready!(poll_send(stream, context, || sendfile(&*stream, &file, Some(&mut at), count)))?;
        self.sent += sent;
        transfer.advance(sent)?;
        let is_over = transfer.left().is_empty();
        if is_over {
            *place = None;
        }
        drop(place);
        if is_over {
            self.cork(false)?;
        }
        Poll::Ready(Ok(sent))
    }

    /// Not yet, where this connection has had its turn.
    fn poll_turn(&mut self, context: &Context<'_>) -> Poll<()> {
        if self.sent < PIECE {
            return Poll::Ready(());
        }
        self.sent = 0;
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn cork(&mut self, is_corked: bool) -> io::Result<()> {
        if self.is_corked != is_corked {
            sockopt::set_tcp_cork(&self.stream, is_corked)?;
            self.is_corked = is_corked;
        }
        Ok(())
    }

    /// What comes before a file, to go in one packet with it.
    fn poll_send_header(&self, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
        let send = || sendmsg(&self.stream, slices, &mut SendAncillaryBuffer::default(), flags);
        poll_send(&self.stream, context, send)
    }
}

fn poll_send(
    stream: &TcpStream,
    context: &mut Context<'_>,
    mut send: impl FnMut() -> rustix::io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        ready!(stream.poll_write_ready(context))?;
        match stream.try_io(Interest::WRITABLE, || send().map_err(Into::into)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            sent => return Poll::Ready(sent),
        }
    }
}

/// Has what comes next brought into memory, on another thread where that takes a disk: sendfile would hold up every other connection of this one.
fn poll_fetch(
    sending: &mut Sending,
    fetching: &mut Option<JoinHandle<io::Result<()>>>,
    context: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    let left = sending.transfer.left();
    if left.start < sending.fetched {
        return Poll::Ready(Ok(()));
    }
    let end = left.end.min(left.start.saturating_add(PIECE as u64));
    if fetching.is_none() {
        let file = Arc::clone(sending.transfer.file());
        // A file system that cannot tell is taken as it comes.
        if read_byte(&file, end - 1, ReadWriteFlags::NOWAIT) == Err(Errno::AGAIN) {
            *fetching = Some(spawn_blocking(move || fetch(&file, left.start, end)));
        }
    }
    if let Some(thread) = fetching {
        let fetched = ready!(Pin::new(thread).poll(context));
        *fetching = None;
        fetched.map_err(io::Error::from).flatten().map_err(|error| sending.transfer.fail(error))?;
    }
    sending.fetched = end;
    Poll::Ready(Ok(()))
}

/// Waits until a piece is in memory. What comes behind it is on its way then.
fn fetch(file: &File, start: u64, end: u64) -> io::Result<()> {
    fadvise(file, start, NonZeroU64::new(2 * (end - start)), Advice::WillNeed)?;
    Ok(read_byte(file, end - 1, ReadWriteFlags::empty())?)
}

fn read_byte(file: &File, at: u64, flags: ReadWriteFlags) -> rustix::io::Result<()> {
    preadv2(file, &mut [IoSliceMut::new(&mut [0])], at, flags).map(drop)
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
