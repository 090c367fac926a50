//! Frames in and frames out.

pub mod namespace;
mod sys;

/// Answers one frame: what a worker does with each frame that its ring hands it.
pub trait Answer {
    /// Writes the reply to `frame`, a whole Ethernet frame, into `reply` and returns its length; `None` where there is none.
    fn answer(&mut self, frame: &[u8], reply: &mut [u8]) -> Option<usize>;
}
