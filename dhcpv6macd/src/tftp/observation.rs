//! What is told of transfers, to whoever keeps the machines' histories.

use std::time::Instant;

use super::FileName;
use crate::wire::{MacAddr, tftp::ErrorCode};

/// Something happened to a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The machine: the one that the file is for by its name, or else the one that asks.
    pub mac: MacAddr,
    /// The file.
    pub name: FileName,
    /// How long the file is, bytes.
    pub total: u64,
    /// When it was asked for, which tells a machine's transfers apart.
    pub begun: Instant,
    /// What happened.
    pub happening: Happening,
}

/// What happened to a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// It was asked for.
    Requested,
    /// The client wanted to know how long the file is, and that was all.
    SizeProbe,
    /// The client takes part, and so many bytes have arrived: told at first, at each [mark](crate::event::MARK), and of slow ones now and then.
    Sending {
        /// Bytes of the file.
        sent: u64,
    },
    /// All of it was sent.
    Complete,
    /// It has ended, and something is missing.
    Failed {
        /// Bytes of the file that have arrived.
        sent: u64,
        /// Why.
        failure: Failure,
    },
}

/// Why a transfer has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The client said so, with this error code (RFC 1350 appendix).
    #[error("the machine has ended it, with error {0}")]
    Client(u16),
    /// Nothing was heard of the client any more.
    #[error("the machine has fallen silent")]
    Silence,
}

/// Why a request is answered with an ERROR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is no such file.
    Missing,
    /// There is, and it cannot be had.
    Denied,
    /// A name that no file has.
    Name,
    /// A mode that nobody uses any more.
    Mode,
    /// Nothing is written here.
    Write,
}

impl Refusal {
    pub(super) const ALL: [Self; 5] = [Self::Missing, Self::Denied, Self::Name, Self::Mode, Self::Write];

    /// What the client hears.
    pub(super) const fn error(self) -> (ErrorCode, &'static str) {
        match self {
            Self::Missing => (ErrorCode::FileNotFound, "no such file"),
            Self::Denied => (ErrorCode::AccessViolation, "this file is not served"),
            Self::Name => (ErrorCode::FileNotFound, "no file has such a name"),
            Self::Mode => (ErrorCode::IllegalOperation, "there are the modes octet and netascii"),
            Self::Write => (ErrorCode::AccessViolation, "nothing is written here"),
        }
    }

    /// Name of its counter.
    pub(super) const fn counter(self) -> &'static str {
        match self {
            Self::Missing => "tftp_refuse_missing",
            Self::Denied => "tftp_refuse_denied",
            Self::Name => "tftp_refuse_name",
            Self::Mode => "tftp_refuse_mode",
            Self::Write => "tftp_refuse_write",
        }
    }
}
