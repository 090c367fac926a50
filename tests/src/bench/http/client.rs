//! Many downloads at once, on one thread, of which nothing is kept.

use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::{
    event::{Timespec, epoll},
    io::Errno,
    net::{RecvFlags, SendFlags, recv, send},
};

use super::records::Records;

/// Bytes that are thrown away at a time.
const PIECE: usize = 1 << 20;
/// The longest header of an answer.
const HEADER_MAX: usize = 4096;
/// How long nothing may come.
const SILENCE: Timespec = Timespec { tv_sec: 30, tv_nsec: 0 };

/// How what comes is thrown away.
pub(super) enum Skip {
    Plain,
    Encrypted(Box<Records>),
}

/// A download.
pub(super) struct Download {
    stream: TcpStream,
    skip: Skip,
    request: Vec<u8>,
    /// Bytes of the file that are still to come; unknown until the header is there.
    left: Option<u64>,
}

impl Download {
    pub(super) fn new(stream: TcpStream, mut skip: Skip, request: &str) -> Result<Self> {
        stream.set_nonblocking(true)?;
        let request = match &mut skip {
            Skip::Plain => request.as_bytes().to_vec(),
            Skip::Encrypted(records) => records.encrypt(request.as_bytes())?,
        };
        Ok(Self { stream, skip, request, left: None })
    }

    fn ask(&self) -> Result<()> {
        let sent = send(&self.stream, &self.request, SendFlags::NOSIGNAL)?;
        ensure!(sent == self.request.len(), "a request was sent in part");
        Ok(())
    }

    /// Throws away what is there. Is that all?
    fn take(&mut self, room: &mut [u8], length: u64) -> Result<bool> {
        let taken = match &mut self.skip {
            Skip::Plain => plain(&self.stream, &mut self.left, room, length),
            Skip::Encrypted(records) => records.take(&self.stream, &mut self.left, room, length),
        };
        match taken {
            Ok(()) | Err(Problem::System(Errno::AGAIN)) => Ok(self.left == Some(0)),
            Err(Problem::System(error)) => Err(error).context("cannot receive"),
            Err(Problem::Answer(what)) => bail!("a wrong answer: {what}"),
        }
    }
}

/// Why nothing more can be taken.
#[derive(Debug)]
pub(super) enum Problem {
    System(Errno),
    Answer(String),
}

impl From<Errno> for Problem {
    fn from(errno: Errno) -> Self {
        Self::System(errno)
    }
}

/// Receives, and fails at the end of the stream.
pub(super) fn receive(stream: &TcpStream, room: &mut [u8], flags: RecvFlags) -> Result<usize, Problem> {
    let (received, _) = recv(stream, room, flags)?;
    if received == 0 { Err(Problem::Answer("it has ended early".into())) } else { Ok(received) }
}

/// Where a header ends, and whether it promises a whole file of this length.
pub(super) fn header_end(bytes: &[u8], length: u64) -> Result<Option<usize>, Problem> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let header = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default());
    let promised = format!("content-length: {length}");
    let is_right =
        header.starts_with("HTTP/1.1 200 ") && header.lines().any(|line| line.eq_ignore_ascii_case(&promised));
    if is_right { Ok(Some(end + 4)) } else { Err(Problem::Answer(header.into_owned())) }
}

fn plain(stream: &TcpStream, left: &mut Option<u64>, room: &mut [u8], length: u64) -> Result<(), Problem> {
    if left.is_none() {
        let header = room.get_mut(..HEADER_MAX).unwrap_or_default();
        let seen = receive(stream, header, RecvFlags::PEEK)?;
        let Some(end) = header_end(header.get(..seen).unwrap_or_default(), length)? else { return Ok(()) };
        receive(stream, header.get_mut(..end).unwrap_or_default(), RecvFlags::empty())?;
        *left = Some(length);
    }
    let Some(left) = left else { return Ok(()) };
    // The kernel copies nothing (`tcp(7)`).
    let taken = receive(stream, room, RecvFlags::TRUNC)?;
    *left = left.checked_sub(taken as u64).ok_or_else(|| Problem::Answer("it is too long".into()))?;
    Ok(())
}

/// Asks for all of them, and takes them; returns how long that took.
pub(super) fn load(mut downloads: Vec<Download>, length: u64) -> Result<Duration> {
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for (number, download) in downloads.iter().enumerate() {
        epoll::add(&poll, &download.stream, epoll::EventData::new_u64(number as u64), epoll::EventFlags::IN)?;
    }
    let mut room = vec![0; PIECE];
    let mut unfinished = downloads.len();
    let begun = Instant::now();
    downloads.iter().try_for_each(Download::ask)?;
    let mut events = Vec::with_capacity(downloads.len());
    while unfinished > 0 {
        events.clear();
        epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), Some(&SILENCE))?;
        ensure!(!events.is_empty(), "{unfinished} downloads stand still");
        for event in &events {
            let number = usize::try_from(event.data.u64())?;
            let download = downloads.get_mut(number).context("no such download")?;
            if download.take(&mut room, length)? {
                epoll::delete(&poll, &download.stream)?;
                unfinished -= 1;
            }
        }
    }
    Ok(begun.elapsed())
}
