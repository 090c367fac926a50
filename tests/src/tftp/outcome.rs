//! What driving clients came to.

use std::{fmt, time::Duration};

use dhcpv6macd::wire::MacAddr;

use crate::population::Histogram;

/// Why a transfer failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A block is not what the file holds there, in its bytes or in its length.
    Block(u64),
    /// Options that were not asked for, or not like this, or the wrong size of the file.
    Options,
    /// The server said ERROR, with this code.
    Refused(u16),
    /// Every try went unanswered.
    Silence,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Block(block) => write!(formatter, "block {block} is not the file's"),
            Self::Options => formatter.write_str("was told options that it did not ask for"),
            Self::Refused(code) => write!(formatter, "was told error {code}"),
            Self::Silence => formatter.write_str("heard nothing more"),
        }
    }
}

/// What driving clients came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Whole transfers.
    pub transfers: u64,
    /// Transfers that failed.
    pub failed: u64,
    /// The first that failed, and why.
    pub first_failed: Option<(MacAddr, Fault)>,
    /// Transfers that the end found under way.
    pub unfinished: u64,
    /// How long transfers took, each from its request to its last block; where every client had one transfer, those that came to
    /// nothing count as endless.
    pub times: Histogram,
    /// Bytes of files that came, in order.
    pub bytes: u64,
    /// From the first request to the end.
    pub elapsed: Duration,
    /// Time in which there was nothing for the clients to do but look for frames.
    pub idle: Duration,
    /// Packets that clients sent again, because a second had passed without an answer.
    pub retransmissions: u64,
    /// Blocks that were not the next.
    pub disorder: u64,
    /// Frames that were lost on purpose, either way.
    pub lost: u64,
}

impl Outcome {
    /// Bytes of files in a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
        let bytes = self.bytes as f64;
        bytes / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// Adds a later run.
    pub fn merge(&mut self, other: &Self) {
        self.transfers += other.transfers;
        self.failed += other.failed;
        self.first_failed = self.first_failed.or(other.first_failed);
        self.unfinished += other.unfinished;
        self.times.merge(&other.times);
        self.bytes += other.bytes;
        self.elapsed += other.elapsed;
        self.idle += other.idle;
        self.retransmissions += other.retransmissions;
        self.disorder += other.disorder;
        self.lost += other.lost;
    }

    /// The part of the time for which the clients were busy: where it is near to 1, they are the limit.
    #[must_use]
    pub fn busy(&self) -> f64 {
        1.0 - self.idle.div_duration_f64(self.elapsed.max(Duration::from_nanos(1)))
    }
}
