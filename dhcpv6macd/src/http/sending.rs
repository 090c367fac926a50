//! A file that the kernel sends, in a task of its own: turn by turn, past whatever else its connection consists of.
//!
//! The kernel queues the pages of a file as they are in its cache: what is written to the file before they are acknowledged is sent instead of what
//! was there. The end of a file is therefore copied, and the last of it held back until everything else has arrived and the file is still
//! what it was: whoever has all of a file has it as it was told of.

#[cfg(test)]
mod tests;

use std::{
    io::{self, IoSliceMut},
    num::NonZeroU64,
    ops::Range,
    sync::Arc,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Advice, fadvise, sendfile},
    io::{Errno, ReadWriteFlags, pread, preadv2},
    net::{SendFlags, send, sockopt},
};
use tokio::{
    io::Interest,
    net::{TcpStream, tcp::OwnedWriteHalf},
    task::{spawn_blocking, yield_now},
    time::{sleep, timeout},
};

use super::{
    arrival::{Arrival, Wait},
    transfer::{LOOK_AGAIN, OpenFile, Transfer},
};

/// Bytes that are sent at a time at most. Then others have their turn, also where this connection would take more: a socket that is never
/// full costs nobody a wake-up.
const TURN: u64 = 2 << 20;
/// Bytes that are brought into memory at a time.
const FETCHED: u64 = 4 << 20;
/// Bytes that the kernel brings into memory when it is asked once. Of most disks it would read a quarter more (`max_sectors_kb`), and the rest not.
const ADVISED: usize = 1 << 20;
/// Bytes that are read at a time to wait for them.
const READ: usize = 256 << 10;
/// Bytes at the end of a file that are copied. With something behind it the rest is acknowledged at once.
const COPIED: u64 = 64 << 10;
/// Those among them that are held back.
const HELD: u64 = 16 << 10;

/// What a connection writes with, and what is known of what it wrote.
pub(super) struct Line {
    pub(super) half: OwnedWriteHalf,
    pub(super) arrival: Arrival,
}

impl Line {
    /// Over this half of a connection.
    ///
    /// # Errors
    ///
    /// Where the kernel does not tell of it.
    pub(super) fn new(half: OwnedWriteHalf) -> io::Result<Self> {
        let arrival = Arrival::new(half.as_ref())?;
        Ok(Self { half, arrival })
    }

    fn stream(&self) -> &TcpStream {
        self.half.as_ref()
    }

    fn look(&mut self) -> io::Result<()> {
        self.arrival.look(self.half.as_ref())
    }
}

/// Sends what is left of a transfer, and gives the line back for what comes next.
///
/// # Errors
///
/// Where the connection or the file is no longer what it was. Nothing more can be said over that line.
pub(super) async fn send_file(mut line: Line, transfer: Transfer) -> io::Result<Line> {
    Sending::new(&mut line, transfer).run().await?;
    Ok(line)
}

struct Sending<'a> {
    line: &'a mut Line,
    transfer: Transfer,
    /// Up to here the file is in memory, as far as could be told.
    fetched: u64,
    /// Was the last of it on the disk alone, as everything may be that was not looked for yet?
    is_cold: bool,
    /// From here on it is copied.
    copied: u64,
}

impl<'a> Sending<'a> {
    fn new(line: &'a mut Line, transfer: Transfer) -> Self {
        let left = transfer.left();
        let copied = left.end.saturating_sub(COPIED).max(left.start);
        Self { line, transfer, fetched: left.start, is_cold: true, copied }
    }

    async fn run(mut self) -> io::Result<()> {
        let end = self.transfer.left().end;
        // What is copied as a whole waits for nothing.
        if self.start() < self.copied {
            self.refer_to_copied().await?;
            self.copy_to(end - HELD).await?;
            self.wait_for_others().await?;
        }
        self.copy_to(end).await?;
        // All of a longer file has arrived but what was held back. iPXE acknowledges no more once it has it: it runs what it has loaded.
        self.transfer.arrive(0);
        Ok(())
    }

    /// Sends all up to what is copied, by reference.
    async fn refer_to_copied(&mut self) -> io::Result<()> {
        // The kernel takes a file by pieces that are not quite a segment, and an acknowledgement in between would have the rest of each sent by itself
        // (`tcp(7)`, `TCP_CORK`).
        sockopt::set_tcp_cork(self.line.stream(), true)?;
        while self.start() < self.copied {
            self.fetch().await?;
            let is_full = self.refer().await?;
            self.look_around()?;
            if !is_full {
                yield_now().await;
            }
        }
        // The last of it leaves by itself: of two short segments in a row the second is acknowledged as soon as it is read
        // (`net/ipv4/tcp_input.c`, `ICSK_ACK_PUSHED2`), and what is copied may be one, where segments are long.
        Ok(sockopt::set_tcp_cork(self.line.stream(), false)?)
    }

    /// The place of the next byte.
    fn start(&self) -> u64 {
        self.transfer.left().start
    }

    /// Has the next bytes brought into memory, on another thread where that takes a disk: others would be held up here.
    async fn fetch(&mut self) -> io::Result<()> {
        let left = self.transfer.left();
        if left.start < self.fetched {
            return Ok(());
        }
        let part = left.start..left.end.min(left.start + FETCHED);
        self.fetched = part.end;
        self.is_cold = self.is_missing(&part);
        if !self.is_cold {
            return Ok(());
        }
        let file = Arc::clone(self.transfer.file());
        let fetched = spawn_blocking(move || fetch(&file, part)).await;
        fetched.map_err(io::Error::from).flatten().map_err(|error| self.transfer.fail(error))
    }

    /// Is some of it not in memory? Its ends tell. Whoever asks for a byte in vain has it read, so that the last one would tell nothing to the
    /// next who asks, were the first not asked for before it.
    fn is_missing(&self, part: &Range<u64>) -> bool {
        // A file system that cannot tell is taken as it comes.
        let is_missing = |at| read_byte(self.transfer.file(), at) == Err(Errno::AGAIN);
        (self.is_cold && is_missing(part.start)) || is_missing(part.end - 1)
    }

    /// Waits for room. What was sent may arrive for long, until there is some.
    async fn writable(&mut self) -> io::Result<()> {
        loop {
            match timeout(LOOK_AGAIN, self.line.stream().writable()).await {
                Ok(writable) => return writable,
                Err(_) => self.look_around()?,
            }
        }
    }

    /// Sends what the connection takes of a turn, by reference. Is it full then?
    async fn refer(&mut self) -> io::Result<bool> {
        self.writable().await?;
        let (stream, file, start) = (self.line.stream(), self.transfer.file(), self.start());
        let (mut at, mut left) =
            (start, usize::try_from(TURN.min(self.fetched.min(self.copied) - start)).unwrap_or(usize::MAX));
        let sent = stream.try_io(Interest::WRITABLE, || {
            left -= sendfile(stream, file, Some(&mut at), left)?;
            // Tried again, the kernel would look at the file before it looks at the buffer.
            if left > 0 && is_full(stream)? { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        let is_full = match sent {
            Ok(()) => false,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
            Err(error) => return Err(error),
        };
        // Nothing is the end of the file, unless there was no room to begin with.
        if at > start || !is_full {
            self.advance(at - start)?;
        }
        Ok(is_full)
    }

    /// Sends all up to this place, copied.
    async fn copy_to(&mut self, end: u64) -> io::Result<()> {
        while self.start() < end {
            self.fetch().await?;
            let mut bytes = vec![0; usize::try_from(end.min(self.fetched) - self.start()).unwrap_or(usize::MAX)];
            let read = pread(self.transfer.file(), &mut bytes[..], self.start());
            let read = read.map_err(|error| self.transfer.fail(error.into()))?;
            self.transfer.check()?;
            bytes.truncate(read);
            self.write(&bytes).await?;
        }
        Ok(())
    }

    async fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        loop {
            self.writable().await?;
            let stream = self.line.stream();
            match stream.try_io(Interest::WRITABLE, || Ok(send(stream, bytes, SendFlags::NOSIGNAL)?)) {
                Ok(sent) => {
                    self.advance(sent as u64)?;
                    bytes = bytes.get(sent..).unwrap_or_default();
                    if bytes.is_empty() {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// So many more bytes were sent.
    fn advance(&mut self, count: u64) -> io::Result<()> {
        self.line.arrival.add(count);
        self.transfer.advance(count)
    }

    /// Now and then: is the file still what it was, and how much of it has arrived?
    fn look_around(&mut self) -> io::Result<()> {
        if self.transfer.is_due() {
            self.transfer.check()?;
            self.look()?;
        }
        Ok(())
    }

    fn look(&mut self) -> io::Result<()> {
        let looked = self.line.look();
        self.transfer.arrive(self.line.arrival.outstanding());
        looked
    }

    /// Waits until everything has arrived but what was copied.
    async fn wait_for_others(&mut self) -> io::Result<()> {
        let copied = self.start() - self.copied;
        let mut wait = None;
        loop {
            self.look()?;
            let left = self.line.arrival.outstanding().saturating_sub(copied);
            if left == 0 {
                return Ok(());
            }
            match wait.get_or_insert_with(|| Wait::new(left)).pause(left) {
                None => yield_now().await,
                Some(pause) => sleep(pause).await,
            }
        }
    }
}

/// Tells what has arrived in the end.
impl Drop for Sending<'_> {
    fn drop(&mut self) {
        if !self.transfer.left().is_empty() {
            // That nothing more will is why it ends.
            drop(self.look());
        }
    }
}

/// Is there so little room in the buffer that the kernel will say when there is more?
fn is_full(stream: &TcpStream) -> rustix::io::Result<bool> {
    let mut polled = [PollFd::new(stream, PollFlags::OUT)];
    poll(&mut polled, Some(&Timespec::default()))?;
    Ok(polled.iter().all(|polled| polled.revents().is_empty()))
}

/// Waits until all of this is in memory. As much of what comes behind it is on its way then.
fn fetch(file: &OpenFile, part: Range<u64>) -> io::Result<()> {
    let behind = part.end - part.start;
    for start in (part.start..part.end + behind).step_by(ADVISED) {
        fadvise(file, start, NonZeroU64::new(ADVISED as u64), Advice::WillNeed)?;
    }
    // Only who reads all of it has waited for all of it.
    let mut bytes = vec![0; READ];
    for start in part.step_by(READ) {
        pread(file, &mut bytes[..], start)?;
    }
    Ok(())
}

/// Reads a byte, if it is in memory.
fn read_byte(file: &OpenFile, at: u64) -> rustix::io::Result<()> {
    preadv2(file, &mut [IoSliceMut::new(&mut [0])], at, ReadWriteFlags::NOWAIT).map(drop)
}
