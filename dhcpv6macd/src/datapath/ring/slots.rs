//! The slots of a `TPACKET_V2` ring: who owns one, and the frame in it. Knows the layout, and no socket.
//!
//! Layout: `include/uapi/linux/if_packet.h` (`struct tpacket2_hdr`) and `net/packet/af_packet.c` (`tpacket_rcv`,
//! `tpacket_snd`) of the kernel.
#![expect(unsafe_code, reason = "slots lie in memory shared with the kernel")]

use std::sync::atomic::Ordering;

use super::super::mmap::Mapping;

/// Bytes of a slot: its header and one frame of an Ethernet with an MTU of 1500, with room to spare.
pub(super) const SLOT_SIZE: usize = 2048;
/// Bytes of the largest slot: for frames of 9000 bytes and more.
const SLOT_SIZE_MAX: usize = 16 * 1024;
/// Bytes of a block, the unit in which the kernel allocates a ring.
pub(super) const BLOCK_SIZE: usize = 64 * 1024;

/// Offset of `tp_status`: who owns the slot.
const STATUS: usize = 0;
/// Offset of `tp_len`: bytes of the frame on the wire.
const LENGTH: usize = 4;
/// Offset of `tp_snaplen`: bytes of the frame that are in the slot.
const CAPTURED: usize = 8;
/// Offset of `tp_mac` (16 bits) and `tp_net` (16 bits): where the frame starts.
const MAC_AND_NET: usize = 12;
/// `TPACKET_ALIGN(sizeof(struct tpacket2_hdr))`: where the bytes of a frame to be sent start.
const SEND_DATA: usize = 32;
/// `sizeof(struct virtio_net_hdr)`, in front of every frame to be sent (`PACKET_VNET_HDR`).
const VIRTIO_HEADER: usize = 10;
#[expect(clippy::cast_possible_truncation, reason = "ten")]
const VIRTIO_HEADER_LENGTH: u32 = VIRTIO_HEADER as u32;
/// Where a frame to be sent starts.
const SEND_FRAME: usize = SEND_DATA + VIRTIO_HEADER;

/// Most bytes of a frame that can be sent at all.
pub(super) const SEND_FRAME_MAX: usize = SLOT_SIZE_MAX - SEND_FRAME;

/// Bytes of a slot that sends frames of so many bytes, as far as there are such slots. Of a power of two, whole blocks hold whole slots.
pub(super) fn slot_size(frame_max: usize) -> usize {
    (frame_max.min(SEND_FRAME_MAX) + SEND_FRAME).next_power_of_two().max(SLOT_SIZE)
}

/// A ring's memory, slot by slot.
#[derive(Debug)]
pub(super) struct Slots {
    memory: Mapping,
    count: usize,
    size: usize,
}

impl Slots {
    /// `memory` holds `count` slots of `size` bytes.
    pub(super) fn new(memory: Mapping, count: usize, size: usize) -> Self {
        Self { memory, count, size }
    }

    /// Most bytes of a frame that one of them can send.
    pub(super) fn frame_max(&self) -> usize {
        self.size - SEND_FRAME
    }

    /// The slot behind `index`, around the ring.
    pub(super) fn after(&self, index: usize) -> usize {
        if index + 1 == self.count { 0 } else { index + 1 }
    }

    /// The slot `steps` behind `index`, around the ring.
    pub(super) fn further(&self, index: usize, steps: usize) -> usize {
        (index + steps) % self.count
    }

    fn status(&self, index: usize) -> u32 {
        self.memory.word(index * self.size + STATUS).load(Ordering::Acquire)
    }

    fn set_status(&self, index: usize, status: u32) {
        self.memory.word(index * self.size + STATUS).store(status, Ordering::Release);
    }

    /// The frame that the kernel has put into this slot, if it has.
    pub(super) fn received(&self, index: usize) -> Option<&[u8]> {
        if self.status(index) & libc::TP_STATUS_USER == 0 {
            return None;
        }
        let slot = index * self.size;
        let captured = self.memory.word(slot + CAPTURED).load(Ordering::Relaxed) as usize;
        let [low, high, ..] = self.memory.word(slot + MAC_AND_NET).load(Ordering::Relaxed).to_ne_bytes();
        let start = usize::from(u16::from_ne_bytes([low, high]));
        let end = (start + captured).min(self.size);
        // SAFETY: the slot is ours until `release`, which takes the ring mutably and so ends this borrow.
        Some(unsafe { self.memory.bytes(slot + start.min(end)..slot + end) })
    }

    /// Gives a received frame's slot back to the kernel.
    pub(super) fn release(&mut self, index: usize) {
        self.set_status(index, libc::TP_STATUS_KERNEL);
    }

    /// May this slot be filled with a frame to send?
    pub(super) fn is_available(&self, index: usize) -> bool {
        self.status(index) == libc::TP_STATUS_AVAILABLE
    }

    /// Room for a frame to send, `length` bytes of it at most. The slot is [available](Self::is_available).
    pub(super) fn frame_mut(&mut self, index: usize, length: usize) -> &mut [u8] {
        let start = index * self.size + SEND_FRAME;
        let frame = start..start + length.min(self.frame_max());
        // SAFETY: an available slot is ours, and the borrow of the ring is exclusive.
        unsafe { self.memory.bytes_mut(frame) }
    }

    /// Hands the first `length` bytes of the frame in this slot to the kernel.
    ///
    /// The header in front says that the whole frame is header, so that the kernel copies it into one linear buffer
    /// instead of lending pages of the ring (`copylen` in `tpacket_snd`): twice as fast on veth.
    pub(super) fn request_send(&mut self, index: usize, length: u16) {
        let slot = index * self.size;
        let [low, high] = length.to_le_bytes();
        let header = slot + SEND_DATA..slot + SEND_FRAME;
        // SAFETY: an available slot is ours, and the borrow of the ring is exclusive.
        unsafe { self.memory.bytes_mut(header) }.copy_from_slice(&[0, 0, low, high, 0, 0, 0, 0, 0, 0]);
        let header_and_frame = u32::from(length) + VIRTIO_HEADER_LENGTH;
        self.memory.word(slot + LENGTH).store(header_and_frame, Ordering::Relaxed);
        self.set_status(index, libc::TP_STATUS_SEND_REQUEST);
    }

    /// Does this slot still wait for the kernel to take its frame?
    pub(super) fn is_requested(&self, index: usize) -> bool {
        self.status(index) == libc::TP_STATUS_SEND_REQUEST
    }

    /// Takes a frame back that the kernel has not taken.
    pub(super) fn withdraw(&mut self, index: usize) {
        self.set_status(index, libc::TP_STATUS_AVAILABLE);
    }
}

/// The kernel's side of a ring, for tests.
#[cfg(test)]
pub(super) mod kernel {
    use super::*;

    impl Slots {
        pub(crate) fn in_memory(count: usize) -> Self {
            Self::new(Mapping::anonymous(count * SLOT_SIZE).unwrap(), count, SLOT_SIZE)
        }

        /// What `tpacket_rcv` does: false where the slot is not the kernel's.
        pub(crate) fn deliver(&mut self, index: usize, frame: &[u8]) -> bool {
            const START: u16 = 82;
            let start = usize::from(START);
            if self.status(index) != libc::TP_STATUS_KERNEL {
                return false;
            }
            let slot = index * self.size;
            let captured = frame.len().min(self.size - start);
            // SAFETY: the slot is the kernel's, whose part this plays.
            unsafe { self.memory.bytes_mut(slot + start..slot + start + captured) }.copy_from_slice(&frame[..captured]);
            self.memory.word(slot + LENGTH).store(frame.len().try_into().unwrap(), Ordering::Relaxed);
            self.memory.word(slot + CAPTURED).store(captured.try_into().unwrap(), Ordering::Relaxed);
            self.memory
                .word(slot + MAC_AND_NET)
                .store(u32::from(START) | u32::from(START + 14) << 16, Ordering::Relaxed);
            self.set_status(index, libc::TP_STATUS_USER | libc::TP_STATUS_COPY);
            true
        }

        /// What `tpacket_snd` does with one slot: the frame, where there is one to send.
        pub(crate) fn take(&mut self, index: usize) -> Option<Vec<u8>> {
            if !self.is_requested(index) {
                return None;
            }
            let slot = index * self.size;
            let length = self.memory.word(slot + LENGTH).load(Ordering::Relaxed) as usize - VIRTIO_HEADER;
            // SAFETY: the slot is the kernel's, whose part this plays.
            let sent = unsafe { self.memory.bytes(slot + SEND_DATA..slot + SEND_FRAME + length) }.to_vec();
            let (header, frame) = sent.split_at(VIRTIO_HEADER);
            assert_eq!(usize::from(u16::from_le_bytes([header[2], header[3]])), length, "hdr_len is the whole frame");
            self.set_status(index, libc::TP_STATUS_AVAILABLE);
            Some(frame.to_vec())
        }
    }
}
