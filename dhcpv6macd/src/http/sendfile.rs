//! The way of a file past this process: hyper is told of as many bytes as the file has, and when it writes them, the kernel sends the file.
//!
//! What hyper is told of is a [`Stand`], whose bytes are never looked at by anybody. The [`FileStream`] below hyper knows them by where
//! they are in memory.
//!
//! The kernel queues the pages of a file as they are in its cache: what is written to the file before they are acknowledged is sent instead of what
//! was there. The end of a file is therefore copied, and the last of it held back until everything else has arrived and the file is still
//! what it was: whoever has all of a file has it as it was told of.

use std::{
    fs::File,
    io::{self, IoSlice, IoSliceMut},
    num::NonZeroU64,
    ops::Range,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Buf;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Advice, fadvise, sendfile},
    io::{Errno, ReadWriteFlags, pread, preadv2},
    net::{SendAncillaryBuffer, SendFlags, send, sendmsg, sockopt},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
    task::{JoinHandle, coop::poll_proceed, spawn_blocking},
    time::Instant,
};

use super::{arrival::Arrival, transfer::Transfer};

/// Bytes that are sent at a time at most. Then others have their turn, also where this connection would take more: a socket that is never
/// full costs nobody a wake-up.
const TURN: usize = 4 << 20;
/// What a task may do before others have their turn (`tokio::task::coop`, "budget").
const BUDGET: usize = 128;
/// Bytes that the kernel brings into memory when it is asked once. Of most disks it would read a quarter more (`max_sectors_kb`), and the rest not.
const ADVISED: usize = 1 << 20;
/// Bytes at the end of a file that are copied. With something behind it the rest is acknowledged at once.
const COPIED: u64 = 64 << 10;
/// Those among them that are held back.
const HELD: u64 = 16 << 10;
/// What stands for a file's bytes.
static STAND: [u8; TURN] = [0; TURN];

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

struct Sending {
    transfer: Transfer,
    /// Up to here the file is in memory.
    fetched: u64,
    /// From here on it is copied.
    copied: u64,
    /// From here on it is held back. What is copied as a whole is not.
    held: u64,
}

/// How the next bytes of a file are sent.
enum Way {
    /// By reference.
    Referred,
    /// Copied.
    Copied,
    /// Copied, when no more than these are outstanding.
    Held { outstanding_max: u64 },
}

impl Sending {
    fn new(transfer: Transfer) -> Self {
        let left = transfer.left();
        let copied = left.end.saturating_sub(COPIED).max(left.start);
        let held = if copied == left.start { left.end } else { left.end - HELD };
        Self { fetched: left.start, copied, held, transfer }
    }

    /// How the next bytes are sent, and how many.
    fn next(&self) -> (Way, u64) {
        let left = self.transfer.left();
        if left.start < self.copied {
            (Way::Referred, self.copied - left.start)
        } else if left.start < self.held {
            (Way::Copied, self.held - left.start)
        } else {
            (Way::Held { outstanding_max: left.start - self.copied }, left.end - left.start)
        }
    }
}

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

    fn take(&self) -> io::Result<Transfer> {
        self.lock().take().ok_or_else(|| io::Error::other("no file to send"))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Transfer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that sends a file where bytes are written that [`Stand`] for it.
pub struct FileStream {
    stream: TcpStream,
    outgoing: Outgoing,
    sending: Option<Box<Sending>>,
    /// A thread that waits for a disk.
    fetching: Option<JoinHandle<io::Result<()>>>,
    /// Do only full segments leave? The kernel takes a file by pieces that are not quite one, and an acknowledgement in between would have the
    /// rest of each sent by itself (`tcp(7)`, `TCP_CORK`).
    is_corked: bool,
    arrival: Arrival,
}

impl FileStream {
    /// Over this connection.
    ///
    /// # Errors
    ///
    /// Where the kernel does not tell of it.
    pub fn new(stream: TcpStream, outgoing: Outgoing) -> io::Result<Self> {
        let arrival = Arrival::new(&stream)?;
        Ok(Self { stream, outgoing, sending: None, fetching: None, is_corked: false, arrival })
    }

    /// When something was last seen to have arrived.
    #[must_use]
    pub const fn moved(&self) -> Instant {
        self.arrival.moved()
    }

    /// So many bytes of the file at most.
    fn poll_send_file(&mut self, context: &mut Context<'_>, count: usize) -> Poll<io::Result<usize>> {
        let mut sending = match self.sending.take() {
            Some(sending) => sending,
            None => Box::new(Sending::new(self.outgoing.take()?)),
        };
        let sent = self.poll_send_some(context, &mut sending, count);
        self.sending = Some(sending).filter(|sending| !sending.transfer.left().is_empty());
        sent
    }

    fn poll_send_some(
        &mut self,
        context: &mut Context<'_>,
        sending: &mut Sending,
        count: usize,
    ) -> Poll<io::Result<usize>> {
        ready!(poll_fetch(sending, &mut self.fetching, context))?;
        let (way, left) = sending.next();
        let (transfer, count) = (&mut sending.transfer, most(left, count));
        let sent = ready!(match way {
            Way::Referred => self.poll_refer(context, transfer, count),
            Way::Copied => self.poll_copy(context, transfer, count),
            Way::Held { outstanding_max } => self.poll_held(context, transfer, count, outstanding_max),
        })?;
        spend(context, sent);
        self.arrival.add(sent);
        transfer.advance(sent)?;
        if transfer.left().is_empty() {
            // All of a longer file has arrived but what was held back. iPXE acknowledges no more once it has it: it runs what it has loaded.
            transfer.arrive(0);
            self.cork(false)?;
        } else if transfer.is_due() {
            transfer.check()?;
            self.arrival.look(&self.stream)?;
            transfer.arrive(self.arrival.outstanding());
        }
        Poll::Ready(Ok(sent))
    }

    fn poll_refer(&mut self, context: &mut Context<'_>, transfer: &Transfer, count: usize) -> Poll<io::Result<usize>> {
        self.cork(true)?;
        let (stream, file, mut left) = (&self.stream, transfer.file(), count);
        let mut at = transfer.left().start;
        let polled = poll_send(stream, context, || {
            let sent = sendfile(stream, file, Some(&mut at), left)?;
            left -= sent;
            // Tried again, the kernel would look at the file before it looks at the buffer.
            if left > 0 && is_full(stream)? { Err(Errno::AGAIN) } else { Ok(sent) }
        });
        match polled {
            Poll::Pending if left < count => Poll::Ready(Ok(count - left)),
            Poll::Pending | Poll::Ready(_) => polled.map_ok(|_| count - left),
        }
    }

    fn poll_copy(
        &mut self,
        context: &mut Context<'_>,
        transfer: &mut Transfer,
        count: usize,
    ) -> Poll<io::Result<usize>> {
        ready!(self.stream.poll_write_ready(context))?;
        let mut bytes = vec![0; count];
        let read = pread(&**transfer.file(), &mut bytes[..], transfer.left().start);
        let read = read.map_err(|error| transfer.fail(error.into()))?;
        transfer.check()?;
        bytes.truncate(read);
        let stream = &self.stream;
        poll_send(stream, context, || send(stream, &bytes, SendFlags::NOSIGNAL))
    }

    fn poll_held(
        &mut self,
        context: &mut Context<'_>,
        transfer: &mut Transfer,
        count: usize,
        outstanding_max: u64,
    ) -> Poll<io::Result<usize>> {
        self.cork(false)?;
        ready!(self.poll_arrival(context, transfer, outstanding_max))?;
        self.poll_copy(context, transfer, count)
    }

    /// Waits until no more than so much of what was sent is outstanding.
    fn poll_arrival(
        &mut self,
        context: &mut Context<'_>,
        transfer: &mut Transfer,
        outstanding: u64,
    ) -> Poll<io::Result<()>> {
        let polled = self.arrival.poll(&self.stream, context, outstanding);
        transfer.arrive(self.arrival.outstanding());
        polled
    }

    fn cork(&mut self, is_corked: bool) -> io::Result<()> {
        if self.is_corked != is_corked {
            sockopt::set_tcp_cork(&self.stream, is_corked)?;
            self.is_corked = is_corked;
        }
        Ok(())
    }

    /// What comes before a file, to go in one packet with it.
    fn poll_send_header(&mut self, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
        let send = || sendmsg(&self.stream, slices, &mut SendAncillaryBuffer::default(), flags);
        let sent = ready!(poll_send(&self.stream, context, send))?;
        self.arrival.add(sent);
        Poll::Ready(Ok(sent))
    }

    fn poll_send_rest(&mut self, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let sent = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, slices))?;
        self.arrival.add(sent);
        Poll::Ready(Ok(sent))
    }
}

/// Tells what has arrived in the end.
impl Drop for FileStream {
    fn drop(&mut self) {
        // That nothing more will is why it ends.
        drop(self.arrival.look(&self.stream));
        if let Some(sending) = &mut self.sending {
            sending.transfer.arrive(self.arrival.outstanding());
        }
    }
}

/// No more than there are, and no more than are wanted.
fn most(left: u64, count: usize) -> usize {
    usize::try_from(left).map_or(count, |left| left.min(count))
}

/// Spends of what tokio lets a task do in a turn: all of it for a [turn](TURN), however often hyper asks in one. Where nobody bounds a task,
/// neither does this.
fn spend(context: &mut Context<'_>, count: usize) {
    for _ in 0..count.div_ceil(TURN / BUDGET) {
        match poll_proceed(context) {
            Poll::Ready(part) => part.made_progress(),
            Poll::Pending => break,
        }
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

/// Is there so little room in the buffer that the kernel will say when there is more?
fn is_full(stream: &TcpStream) -> rustix::io::Result<bool> {
    let mut polled = [PollFd::new(stream, PollFlags::OUT)];
    poll(&mut polled, Some(&Timespec::default()))?;
    Ok(polled.iter().all(|polled| polled.revents().is_empty()))
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
    let end = left.end.min(left.start.saturating_add(TURN as u64));
    if fetching.is_none() {
        let file = Arc::clone(sending.transfer.file());
        // A file system that cannot tell is taken as it comes.
        if read_byte(&file, end - 1, ReadWriteFlags::NOWAIT) == Err(Errno::AGAIN) {
            *fetching = Some(spawn_blocking(move || fetch(&file, left.start..end)));
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

/// Waits until all of this is in memory. As much of what comes behind it is on its way then.
fn fetch(file: &File, part: Range<u64>) -> io::Result<()> {
    let length = part.end - part.start;
    for start in (part.start..part.end + length).step_by(ADVISED) {
        fadvise(file, start, NonZeroU64::new(ADVISED as u64), Advice::WillNeed)?;
    }
    for start in part.clone().step_by(ADVISED) {
        read_byte(file, part.end.min(start + ADVISED as u64) - 1, ReadWriteFlags::empty())?;
    }
    Ok(())
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
            Some((_, [])) | None => stream.poll_send_rest(context, slices),
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
