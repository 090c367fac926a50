//! `AF_PACKET` rings, version 2 both ways: frames come and go without a system call each.
//!
//! Version 2 hands over single frames where version 3 hands over blocks, full or timed out: at a few clients that is the
//! difference between tens of microseconds and milliseconds.

mod queue;
mod slots;

use std::{
    ffi::c_int,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::atomic::{AtomicU64, Ordering},
};

use libc::sock_filter;
use rustix::{
    io::Errno,
    net::{SendFlags, send, sockopt},
};

use self::{
    queue::{ReceiveQueue, TransmitQueue},
    slots::{BLOCK_SIZE, SEND_FRAME_MAX, SLOT_SIZE, Slots, slot_size},
};
use super::{Flushed, Receive, Transmit, classic_bpf, mmap::Mapping, sys};

/// Slots of a receive ring: a burst of so many frames fits before the worker has looked once. 4 MiB.
const RECEIVE_SLOTS: usize = 2048;
/// Slots of a transmit ring. 1 MiB; with an MTU of 9000, 8 MiB.
const TRANSMIT_SLOTS: usize = 512;
/// Bytes that a transmit socket may have on their way to the wire, headroom of the kernel included.
const SEND_BUFFER: c_int = 8 << 20;
/// Flushes in a row without progress before replies are given up: the clients will have asked again.
const FUTILE_FLUSHES_MAX: u32 = 10;

/// Bytes in front of a packet.
const ETHERNET: usize = dhcpv6macd_ebpf::header::IPV6_OFFSET;
/// The longest packet that a [`TransmitRing`] sends, bytes.
#[expect(clippy::cast_possible_truncation, reason = "some thousands")]
pub const TRANSMIT_MTU_MAX: u32 = (SEND_FRAME_MAX - ETHERNET) as u32;

/// Frames of one interface, as the kernel puts them into shared memory.
#[derive(Debug)]
pub struct ReceiveRing {
    queue: ReceiveQueue,
    socket: OwnedFd,
}

impl ReceiveRing {
    /// Opens a ring for the IPv6 frames of an interface in the calling thread's namespace, those that `filter` lets through.
    ///
    /// # Errors
    ///
    /// Without `CAP_NET_RAW`, without such an interface, or where the kernel has no memory for the ring.
    pub fn open(interface: u32, filter: Option<&[sock_filter]>) -> io::Result<Self> {
        let socket = sys::packet_socket()?;
        let slots = map_ring(&socket, libc::PACKET_RX_RING, RECEIVE_SLOTS, SLOT_SIZE)?;
        if let Some(filter) = filter {
            sys::attach_filter(&socket, filter)?;
        }
        sys::bind_packet(&socket, interface, dhcpv6macd_ebpf::header::ETHERTYPE_IPV6)?;
        Ok(Self { queue: ReceiveQueue::new(slots), socket })
    }

    /// Opens `count` rings that share an interface's frames in one fanout group: `fanout` says which frame goes to which ring.
    ///
    /// # Errors
    ///
    /// Those of [`ReceiveRing::open`].
    pub fn open_group(
        interface: u32,
        filter: Option<&[sock_filter]>,
        fanout: &[sock_filter],
        count: usize,
    ) -> io::Result<Vec<Self>> {
        // Between its birth and its entry into the group a ring would get what goes to the others too.
        let closed = classic_bpf::nothing();
        let open = |_| Self::open(interface, filter.map(|_| &closed[..]));
        let rings: Vec<Self> = (0..count).map(open).collect::<io::Result<_>>()?;
        if let [first, others @ ..] = &rings[..]
            && !others.is_empty()
        {
            let group = sys::new_fanout(&first.socket, libc::PACKET_FANOUT_CBPF)?;
            sys::set_fanout_program(&first.socket, fanout)?;
            for ring in others {
                sys::join_fanout(&ring.socket, group)?;
            }
        }
        for (ring, filter) in rings.iter().flat_map(|ring| Some((ring, filter?))) {
            sys::attach_filter(&ring.socket, filter)?;
        }
        Ok(rings)
    }

    /// What the kernel counts at the ring, to be read by others.
    ///
    /// # Errors
    ///
    /// Where there are no file descriptors left.
    pub fn meter(&self) -> io::Result<RingMeter> {
        Ok(RingMeter { socket: self.socket.try_clone()?, received: AtomicU64::new(0), dropped: AtomicU64::new(0) })
    }

    /// Takes the error that woke a poll without a frame, for example that the interface went down.
    ///
    /// # Errors
    ///
    /// Where the socket cannot be asked.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(sockopt::socket_error(&self.socket)?.err().map(io::Error::from))
    }
}

/// What the kernel counts at a receive ring. The ring stays as long as this does.
#[derive(Debug)]
pub struct RingMeter {
    socket: OwnedFd,
    received: AtomicU64,
    dropped: AtomicU64,
}

impl RingMeter {
    /// What was counted since the ring was opened. To be read no less often than 4 billion frames come, the kernel's numbers have 32 bits.
    ///
    /// # Errors
    ///
    /// None that the kernel documents.
    pub fn read(&self) -> io::Result<RingStatistics> {
        // The kernel forgets what it has told.
        let (received, dropped) = sys::packet_statistics(&self.socket)?;
        let add = |sum: &AtomicU64, more: u32| sum.fetch_add(more.into(), Ordering::Relaxed) + u64::from(more);
        Ok(RingStatistics { received: add(&self.received, received), dropped: add(&self.dropped, dropped) })
    }
}

/// What the kernel has counted at a receive ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingStatistics {
    /// Frames for the ring, the dropped ones included.
    pub received: u64,
    /// Frames that found no free slot.
    pub dropped: u64,
}

impl Receive for ReceiveRing {
    fn receive(&mut self, limit: usize, each: impl FnMut(&[u8])) -> usize {
        self.queue.receive(limit, each)
    }
}

/// Readable as soon as a frame is there.
impl AsFd for ReceiveRing {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Frames on their way out of one interface, past its queueing discipline.
#[derive(Debug)]
pub struct TransmitRing {
    queue: TransmitQueue,
    socket: OwnedFd,
    futile: u32,
}

impl TransmitRing {
    /// Opens a ring for frames of up to `mtu` bytes behind the Ethernet header, to an interface in the calling thread's
    /// namespace.
    ///
    /// # Errors
    ///
    /// Without `CAP_NET_RAW`, without such an interface, or where the kernel has no memory for the ring.
    pub fn open(interface: u32, mtu: u32) -> io::Result<Self> {
        let socket = sys::packet_socket()?;
        let on: c_int = 1;
        sys::set_option(&socket, libc::SOL_PACKET, libc::PACKET_VNET_HDR, &on)?;
        // Without this one frame that the interface refuses would hold up all behind it.
        sys::set_option(&socket, libc::SOL_PACKET, libc::PACKET_LOSS, &on)?;
        sys::set_option(&socket, libc::SOL_PACKET, libc::PACKET_QDISC_BYPASS, &on)?;
        sys::set_option(&socket, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, &SEND_BUFFER)?;
        let mtu = usize::try_from(mtu).map_err(io::Error::other)?;
        let frame_max = mtu.saturating_add(ETHERNET);
        let slots = map_ring(&socket, libc::PACKET_TX_RING, TRANSMIT_SLOTS, slot_size(frame_max))?;
        // With protocol 0 the socket sends, and receives nothing.
        sys::bind_packet(&socket, interface, 0)?;
        Ok(Self { queue: TransmitQueue::new(slots, frame_max), socket, futile: 0 })
    }
}

impl Transmit for TransmitRing {
    fn has_room(&self, frames: usize) -> bool {
        self.queue.has_room(frames)
    }

    fn transmit(&mut self, fill: impl FnOnce(&mut [u8]) -> Option<usize>) {
        self.queue.transmit(fill);
    }

    fn flush(&mut self) -> Flushed {
        if self.queue.queued() == 0 {
            return Flushed::default();
        }
        let kicked = send(&self.socket, &[], SendFlags::DONTWAIT);
        let sent = self.queue.settle();
        // Once replies were given up, no later one waits before something has gone out.
        self.futile = if sent > 0 { 0 } else { self.futile + 1 };
        let patient = matches!(kicked, Ok(_) | Err(Errno::AGAIN | Errno::NOBUFS | Errno::INTR));
        let failed = if patient && self.futile < FUTILE_FLUSHES_MAX { 0 } else { self.queue.withdraw() };
        Flushed { sent, failed, queued: self.queue.queued() }
    }
}

/// Sets a socket's ring up and maps it.
fn map_ring(socket: &OwnedFd, ring: c_int, count: usize, slot_size: usize) -> io::Result<Slots> {
    let version = libc::tpacket_versions::TPACKET_V2 as u32;
    sys::set_option(socket, libc::SOL_PACKET, libc::PACKET_VERSION, &version)?;
    let word = |value: usize| u32::try_from(value).map_err(io::Error::other);
    let request = libc::tpacket_req {
        tp_block_size: word(BLOCK_SIZE)?,
        tp_block_nr: word(count * slot_size / BLOCK_SIZE)?,
        tp_frame_size: word(slot_size)?,
        tp_frame_nr: word(count)?,
    };
    sys::set_option(socket, libc::SOL_PACKET, ring, &request)?;
    Ok(Slots::new(Mapping::of_socket(socket, count * slot_size)?, count, slot_size))
}

const _WHOLE_BLOCKS: () = assert!(
    (RECEIVE_SLOTS * SLOT_SIZE).is_multiple_of(BLOCK_SIZE) && (TRANSMIT_SLOTS * SLOT_SIZE).is_multiple_of(BLOCK_SIZE)
);
