//! What is measured.

use std::{fmt, time::Duration};

use clap::ValueEnum;

use crate::tftp::{Goal, Load, Terms};

/// Bytes of a block: what firmware asks for on an Ethernet.
pub(super) const BLOCK_SIZE: u16 = 1428;
/// Blocks of a window, where there are windows.
pub(super) const WINDOW: u16 = 16;
/// Clients of a busy server, and of a very busy one.
const CLIENTS: usize = 64;
pub(super) const CLIENTS_MAX: usize = 1000;
/// The part of the frames that a bad network loses, either way.
const LOSS: f64 = 0.005;
/// So long clients may take that read once.
const ONCE_LIMIT: Duration = Duration::from_secs(30);

/// One kind of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Scenario {
    LockStep,
    Windows,
    Thousand,
    ThousandWindows,
    Loss,
    LossWindows,
}

impl Scenario {
    pub(super) const ALL: [Self; 6] =
        [Self::LockStep, Self::Windows, Self::Thousand, Self::ThousandWindows, Self::Loss, Self::LossWindows];

    /// Do the clients read again and again?
    pub(super) fn is_lasting(self) -> bool {
        matches!(self, Self::LockStep | Self::Windows)
    }

    pub(super) fn is_lossy(self) -> bool {
        matches!(self, Self::Loss | Self::LossWindows)
    }

    pub(super) fn is_for_a_thousand(self) -> bool {
        matches!(self, Self::Thousand | Self::ThousandWindows)
    }

    /// A round of it.
    pub(super) fn load(self, duration: Duration, round: u32) -> Load {
        let window = match self {
            Self::LockStep | Self::Thousand | Self::Loss => 1,
            Self::Windows | Self::ThousandWindows | Self::LossWindows => WINDOW,
        };
        Load {
            clients: if self.is_for_a_thousand() { CLIENTS_MAX } else { CLIENTS },
            terms: Terms { block_size: BLOCK_SIZE, window },
            goal: if self.is_lasting() { Goal::Lasting(duration) } else { Goal::OnceEach(ONCE_LIMIT) },
            loss: if self.is_lossy() { LOSS } else { 0.0 },
            seed: round.into(),
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::LockStep => "64 clients, lock-step",
            Self::Windows => "64 clients, windows of 16",
            Self::Thousand => "1000 clients, lock-step",
            Self::ThousandWindows => "1000 clients, windows of 16",
            Self::Loss => "0.5 % loss, lock-step",
            Self::LossWindows => "0.5 % loss, windows of 16",
        })
    }
}
