//! Frames in and frames out.

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
    /// Is there no room for another frame?
    fn is_full(&self) -> bool;

    /// Lets `fill` write a frame and say its length; `None` sends nothing. Not to be called when [full](Self::is_full).
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

/// Answers one frame: what a worker does with each frame that comes in.
pub trait Answer {
    /// Writes the reply to `frame`, a whole Ethernet frame, into `reply` and returns its length; `None` where there is none.
    fn answer(&mut self, frame: &[u8], reply: &mut [u8]) -> Option<usize>;
}
