//! What a response carries: nothing, a line for a person, or a file.

use std::{
    io::{self, IoSliceMut},
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use rustix::io::{Errno, ReadWriteFlags, preadv2};
use tokio::task::{JoinHandle, spawn_blocking};

use super::{
    connection::Mover,
    sendfile::{Outgoing, Stand},
    transfer::{OpenFile, Transfer},
};

/// Bytes of a file that are read at a time, and that wait to be sent.
const PIECE: usize = 64 << 10;
/// Likewise where the connection carries others: a frame of HTTP/2 is no longer (RFC 9113 section 4.2).
const SHARED_PIECE: usize = 16 << 10;

/// What a response carries.
pub struct Body(Content);

enum Content {
    Text(Bytes),
    /// For the kernel to send; nothing is there once it was given away.
    Sent(Option<Transfer>, Outgoing),
    Read(Reader),
}

impl Body {
    /// A line for a person, or nothing.
    #[must_use]
    pub const fn text(text: &'static str) -> Self {
        Self(Content::Text(Bytes::from_static(text.as_bytes())))
    }

    /// A file that the kernel sends.
    #[must_use]
    pub const fn sent(transfer: Transfer, outgoing: Outgoing) -> Self {
        Self(Content::Sent(Some(transfer), outgoing))
    }

    /// A file that is read and then sent.
    #[must_use]
    pub const fn read(transfer: Transfer) -> Self {
        Self(Content::Read(Reader { transfer, mover: None, buffer: Bytes::new(), reading: None }))
    }

    /// Likewise, over a connection that carries others.
    #[must_use]
    pub const fn shared(transfer: Transfer, mover: Mover) -> Self {
        Self(Content::Read(Reader { transfer, mover: Some(mover), buffer: Bytes::new(), reading: None }))
    }

    fn left(&self) -> u64 {
        let left = |transfer: &Transfer| {
            let left = transfer.left();
            left.end - left.start
        };
        match &self.0 {
            Content::Text(text) => text.len() as u64,
            Content::Sent(transfer, _) => transfer.as_ref().map_or(0, left),
            Content::Read(reader) => left(&reader.transfer),
        }
    }
}

impl http_body::Body for Body {
    type Data = Data;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Data>>>> {
        let body = self.get_mut();
        let left = body.left();
        if left == 0 {
            return Poll::Ready(None);
        }
        let data = match &mut body.0 {
            Content::Text(text) => Ok(Data::Bytes(mem::take(text))),
            Content::Sent(transfer, outgoing) => {
                transfer.take().map_or(Ok(()), |transfer| outgoing.put(transfer)).map(|()| Data::File(Stand::new(left)))
            }
            Content::Read(reader) => ready!(reader.poll(context)).map(Data::Bytes),
        };
        Poll::Ready(Some(data.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left())
    }
}

/// A piece of a body.
#[derive(Debug)]
pub enum Data {
    /// Bytes.
    Bytes(Bytes),
    /// What stands for some of a file.
    File(Stand),
}

impl Buf for Data {
    fn remaining(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.remaining(),
            Self::File(stand) => stand.remaining(),
        }
    }

    fn chunk(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes.chunk(),
            Self::File(stand) => stand.chunk(),
        }
    }

    fn advance(&mut self, count: usize) {
        match self {
            Self::Bytes(bytes) => bytes.advance(count),
            Self::File(stand) => stand.advance(count),
        }
    }
}

/// Reads a file piece by piece: here where the kernel has it in memory, and on another thread where it has to wait for a disk.
struct Reader {
    transfer: Transfer,
    /// Where the connection carries others.
    mover: Option<Mover>,
    /// The last piece, whose memory is used again when it is sent.
    buffer: Bytes,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl Reader {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        if self.reading.is_none() {
            let left = self.transfer.left();
            let most = if self.mover.is_some() { SHARED_PIECE } else { PIECE };
            let length = usize::try_from(left.end - left.start).map_or(most, |length| length.min(most));
            let buffer = self.buffer(length);
            let file = Arc::clone(self.transfer.file());
            match read(&file, buffer, left.start, ReadWriteFlags::NOWAIT) {
                Err((Errno::AGAIN | Errno::OPNOTSUPP, buffer)) => {
                    let read = move || read(&file, buffer, left.start, ReadWriteFlags::empty());
                    self.reading = Some(spawn_blocking(move || read().map_err(|(errno, _)| errno.into())));
                }
                Err((errno, _)) => return Poll::Ready(Err(self.transfer.fail(errno.into()))),
                Ok(bytes) => return Poll::Ready(self.take(bytes)),
            }
        }
        let Some(reading) = &mut self.reading else { return Poll::Pending };
        let read = ready!(Pin::new(reading).poll(context));
        self.reading = None;
        let read = read.map_err(io::Error::from).flatten().map_err(|error| self.transfer.fail(error));
        Poll::Ready(read.and_then(|bytes| self.take(bytes)))
    }

    fn take(&mut self, bytes: Bytes) -> io::Result<Bytes> {
        self.transfer.check()?;
        self.transfer.advance(bytes.len() as u64)?;
        // What becomes of it, TLS does not tell.
        self.transfer.arrive(0);
        self.mover.iter().for_each(Mover::moves);
        self.buffer = bytes.clone();
        Ok(bytes)
    }

    /// Memory for so many bytes: that of the last piece, unless that is still on its way.
    fn buffer(&mut self, length: usize) -> BytesMut {
        match mem::take(&mut self.buffer).try_into_mut() {
            Ok(mut buffer) if buffer.len() >= length => {
                buffer.truncate(length);
                buffer
            }
            Ok(_) | Err(_) => BytesMut::zeroed(length),
        }
    }
}

/// Reads what is at a place of a file; in vain, it gives the buffer back.
fn read(file: &OpenFile, mut buffer: BytesMut, at: u64, flags: ReadWriteFlags) -> Result<Bytes, (Errno, BytesMut)> {
    match preadv2(file, &mut [IoSliceMut::new(&mut buffer)], at, flags) {
        Ok(length) => {
            buffer.truncate(length);
            Ok(buffer.freeze())
        }
        Err(errno) => Err((errno, buffer)),
    }
}
