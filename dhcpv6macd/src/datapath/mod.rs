//! Frames in and frames out.

use std::time::{Duration, Instant};

pub mod classic_bpf;
pub mod memory;
mod mmap;
pub mod namespace;
pub mod offload;
pub mod port;
pub mod ring;
pub mod steering;
mod sys;
pub mod worker;

/// Where frames come from: a ring, or memory.
pub trait Receive {
    /// Calls `each` with every frame that is there, `limit` at most, in the order in which they came; returns how many.
    /// Never blocks.
    fn receive(&mut self, limit: usize, each: impl FnMut(&[u8])) -> usize;
}

/// Where frames go: a ring, or memory.
pub trait Transmit {
    /// Is there room for so many frames more?
    fn has_room(&self, frames: usize) -> bool;

    /// Lets `fill` write a frame and say its length; `None` sends nothing. Not to be called where there is no [room](Self::has_room).
    fn transmit(&mut self, fill: impl FnOnce(&mut [u8]) -> Option<usize>);

    /// Sends what was written. Never blocks.
    fn flush(&mut self) -> Flushed;
}

/// What became of the frames at a [flush](Transmit::flush).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flushed {
    /// Frames that went out.
    pub sent: usize,
    /// Frames that were given up: the interface is down, gone, or has taken nothing for too long.
    pub failed: usize,
    /// Frames that wait for the next flush.
    pub queued: usize,
}

/// What a worker does with the frames that come in.
pub trait Answer {
    /// Takes a whole Ethernet frame that came at `now`, and transmits what is to be said to it at once.
    ///
    /// # Errors
    ///
    /// Where there is something to be said and no room for it.
    fn answer(&mut self, frame: &[u8], now: Instant, transmit: &mut impl Transmit) -> Result<(), Full>;

    /// Transmits what is due at `now`, as far as there is room, and says when there is more: by then at the latest this is to be called
    /// again. `None` where only a frame brings more.
    fn resume(&mut self, now: Instant, transmit: &mut impl Transmit) -> Option<Instant>;

    /// What answers the frames of a batch was handed to the interface, so long after the first of them was taken.
    fn served(&mut self, _took: Duration) {}
}

/// A frame found no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;
