//! What driving a population came to.

use std::{fmt, time::Duration};

use dhcpv6macd::wire::MacAddr;

use super::Histogram;

/// An answer that no machine should get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Advertise or Reply without the machine's own address in its first IA_NA.
    Address(Option<[u8; 16]>),
    /// Advertise without a Server Identifier.
    NoServerId,
    /// Another message type than the one that answers.
    Kind(u8),
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(Some(address)) => write!(formatter, "got {}", std::net::Ipv6Addr::from(*address)),
            Self::Address(None) => formatter.write_str("got no address"),
            Self::NoServerId => formatter.write_str("got an Advertise without a Server Identifier"),
            Self::Kind(kind) => write!(formatter, "got a message of type {kind}"),
        }
    }
}

/// What driving a population came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Whole exchanges: four messages, the right address in two of them.
    pub exchanges: u64,
    /// How long they took, each from its Solicit to its Reply.
    pub latency: Histogram,
    /// How long single answers took, each from the last time that its question was sent.
    pub answers: Histogram,
    /// From the first Solicit to the last exchange that counts.
    pub elapsed: Duration,
    /// Messages that were sent again, because a second had passed without an answer.
    pub retransmissions: u64,
    /// Exchanges that were given up: every try went unanswered.
    pub unanswered: u64,
    /// Exchanges with a wrong answer.
    pub wrong: u64,
    /// The first wrong answer, and who got it.
    pub first_wrong: Option<(MacAddr, Fault)>,
    /// Answers that nobody waited for: late ones, or to the wrong transaction.
    pub strays: u64,
}

impl Outcome {
    /// Exchanges in a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
        let exchanges = self.exchanges as f64;
        exchanges / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// Adds a later run.
    pub fn merge(&mut self, other: &Self) {
        self.exchanges += other.exchanges;
        self.latency.merge(&other.latency);
        self.answers.merge(&other.answers);
        self.elapsed += other.elapsed;
        self.retransmissions += other.retransmissions;
        self.unanswered += other.unanswered;
        self.wrong += other.wrong;
        self.first_wrong = self.first_wrong.or(other.first_wrong);
        self.strays += other.strays;
    }
}
