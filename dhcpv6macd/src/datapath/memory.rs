//! Frames in memory: the datapath of tests, of the fuzzer and of replays. Bounded like a ring.

use std::collections::VecDeque;

use super::{Flushed, Receive, Transmit};

/// Frames that are waiting to be received.
#[derive(Debug, Default)]
pub struct MemoryReceive(pub VecDeque<Vec<u8>>);

impl Receive for MemoryReceive {
    fn receive(&mut self, limit: usize, mut each: impl FnMut(&[u8])) -> usize {
        let frames = self.0.drain(..limit.min(self.0.len()));
        frames.map(|frame| each(&frame)).count()
    }
}

/// Frames that were sent.
#[derive(Debug)]
pub struct MemoryTransmit {
    /// What went out, in order.
    pub sent: Vec<Vec<u8>>,
    queued: VecDeque<Vec<u8>>,
    slots: usize,
    frame_max: usize,
    /// Does the other side take nothing, as an interface that is down?
    pub is_down: bool,
}

impl MemoryTransmit {
    /// Room for `slots` frames between two flushes, of `frame_max` bytes at most.
    #[must_use]
    pub fn new(slots: usize, frame_max: usize) -> Self {
        Self { sent: Vec::new(), queued: VecDeque::new(), slots, frame_max, is_down: false }
    }
}

impl Transmit for MemoryTransmit {
    fn has_room(&self, frames: usize) -> bool {
        self.queued.len() + frames <= self.slots
    }

    fn transmit(&mut self, fill: impl FnOnce(&mut [u8]) -> Option<usize>) {
        let mut frame = vec![0; self.frame_max];
        if let Some(length) = fill(&mut frame) {
            frame.truncate(length);
            self.queued.push_back(frame);
        }
    }

    fn flush(&mut self) -> Flushed {
        let queued = self.queued.len();
        if self.is_down {
            self.queued.clear();
            return Flushed { sent: 0, failed: queued, queued: 0 };
        }
        self.sent.extend(self.queued.drain(..));
        Flushed { sent: queued, failed: 0, queued: 0 }
    }
}
