//! The order of a ring's slots: which comes next, and which are with the kernel. Knows no socket, so that it can be tested
//! against a kernel in memory.

use super::slots::Slots;

/// Frames that came in, in order.
#[derive(Debug)]
pub(super) struct ReceiveQueue {
    slots: Slots,
    next: usize,
}

impl ReceiveQueue {
    pub(super) fn new(slots: Slots) -> Self {
        Self { slots, next: 0 }
    }

    pub(super) fn receive(&mut self, limit: usize, mut each: impl FnMut(&[u8])) -> usize {
        for received in 0..limit {
            let Some(frame) = self.slots.received(self.next) else { return received };
            each(frame);
            self.slots.release(self.next);
            self.next = self.slots.after(self.next);
        }
        limit
    }
}

/// Frames to go out, in order. `queued` slots from `oldest` on wait for the kernel; `next` is behind them.
#[derive(Debug)]
pub(super) struct TransmitQueue {
    slots: Slots,
    next: usize,
    oldest: usize,
    queued: usize,
    frame_max: usize,
}

impl TransmitQueue {
    /// Sends no frame of more than `frame_max` bytes.
    pub(super) fn new(slots: Slots, frame_max: usize) -> Self {
        let frame_max = frame_max.min(slots.frame_max());
        Self { slots, next: 0, oldest: 0, queued: 0, frame_max }
    }

    /// Are the next so many slots ours? The kernel gives them back in order, or nearly so.
    pub(super) fn has_room(&self, frames: usize) -> bool {
        self.slots.is_available(self.slots.further(self.next, frames.saturating_sub(1)))
    }

    /// Lets `fill` write a frame into the next slot and say its length. There is [room](Self::has_room) for it.
    pub(super) fn transmit(&mut self, fill: impl FnOnce(&mut [u8]) -> Option<usize>) {
        let length = fill(self.slots.frame_mut(self.next, self.frame_max));
        let Some(length) = length.and_then(|length| u16::try_from(length.min(self.frame_max)).ok()) else { return };
        self.slots.request_send(self.next, length);
        self.next = self.slots.after(self.next);
        self.queued += 1;
    }

    /// Frames that the kernel has not taken yet.
    pub(super) fn queued(&self) -> usize {
        self.queued
    }

    /// Counts and forgets the frames that the kernel has taken. It takes them in order.
    pub(super) fn settle(&mut self) -> usize {
        let queued = self.queued;
        while self.queued > 0 && !self.slots.is_requested(self.oldest) {
            self.oldest = self.slots.after(self.oldest);
            self.queued -= 1;
        }
        queued - self.queued
    }

    /// Takes back every frame that the kernel has not taken, and says how many. The kernel looks for the next frame where
    /// it took none: so does the queue.
    pub(super) fn withdraw(&mut self) -> usize {
        let mut index = self.oldest;
        for _ in 0..self.queued {
            self.slots.withdraw(index);
            index = self.slots.after(index);
        }
        self.next = self.oldest;
        std::mem::take(&mut self.queued)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOTS: usize = 4;

    fn receive_all(queue: &mut ReceiveQueue) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        queue.receive(usize::MAX, |frame| frames.push(frame.to_vec()));
        frames
    }

    #[test]
    fn frames_come_in_order_around_the_ring() {
        let mut queue = ReceiveQueue::new(Slots::in_memory(SLOTS));
        let mut kernel = 0;
        for round in 0..5_u8 {
            for frame in 0..3_u8 {
                assert!(queue.slots.deliver(kernel, &[round, frame]));
                kernel = queue.slots.after(kernel);
            }
            assert_eq!(receive_all(&mut queue), [[round, 0], [round, 1], [round, 2]]);
        }
    }

    #[test]
    fn a_full_ring_takes_no_more_until_a_slot_is_released() {
        let mut queue = ReceiveQueue::new(Slots::in_memory(SLOTS));
        for slot in 0..SLOTS {
            assert!(queue.slots.deliver(slot, &[1]));
        }
        assert!(!queue.slots.deliver(0, &[2]), "the ring is full");
        assert_eq!(queue.receive(1, |frame| assert_eq!(frame, [1])), 1);
        assert!(queue.slots.deliver(0, &[2]));
        assert_eq!(receive_all(&mut queue).len(), SLOTS);
    }

    #[test]
    fn a_frame_longer_than_a_slot_is_cut_and_stays_inside() {
        let mut queue = ReceiveQueue::new(Slots::in_memory(SLOTS));
        assert!(queue.slots.deliver(SLOTS - 4, &[7; 9000]));
        assert_eq!(receive_all(&mut queue), [vec![7; 2048 - 82]]);
    }

    #[test]
    fn replies_leave_in_order_and_free_their_slots() {
        let mut queue = TransmitQueue::new(Slots::in_memory(SLOTS), 100);
        for round in 0..5_u8 {
            for _ in 0..3 {
                assert!(queue.has_room(1));
                queue.transmit(|buffer| {
                    assert_eq!(buffer.len(), 100);
                    buffer[0] = round;
                    Some(1)
                });
            }
            assert_eq!((queue.queued(), queue.settle()), (3, 0));
            let mut slot = queue.oldest;
            for _ in 0..3 {
                assert_eq!(queue.slots.take(slot), Some(vec![round]));
                slot = queue.slots.after(slot);
            }
            assert_eq!((queue.settle(), queue.queued()), (3, 0));
        }
    }

    #[test]
    fn no_reply_takes_no_slot() {
        let mut queue = TransmitQueue::new(Slots::in_memory(SLOTS), 100);
        queue.transmit(|_| None);
        assert_eq!((queue.queued(), queue.slots.take(0)), (0, None));
    }

    #[test]
    fn a_full_queue_says_so() {
        let mut queue = TransmitQueue::new(Slots::in_memory(SLOTS), 100);
        for _ in 0..SLOTS {
            queue.transmit(|_| Some(60));
        }
        assert!(!queue.has_room(1));
        assert!(queue.slots.take(0).is_some());
        assert_eq!(queue.settle(), 1);
        assert!(queue.has_room(1));
    }

    #[test]
    fn what_the_kernel_does_not_take_is_withdrawn_and_the_next_goes_where_the_kernel_looks() {
        let mut queue = TransmitQueue::new(Slots::in_memory(SLOTS), 100);
        for length in [10, 20, 30] {
            queue.transmit(|_| Some(length));
        }
        assert!(queue.slots.take(0).is_some());
        assert_eq!((queue.settle(), queue.withdraw(), queue.queued()), (1, 2, 0));
        assert_eq!((queue.slots.take(1), queue.slots.take(2)), (None, None));
        queue.transmit(|_| Some(40));
        assert_eq!(queue.slots.take(1).map(|frame| frame.len()), Some(40));
    }
}
