//! How frames reach the daemon.

use std::fmt;

use clap::{Args, ValueEnum};

/// A way for frames to reach the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// By XDP, in the first mode that works.
    Auto,
    /// By XDP in the driver.
    Native,
    /// By XDP behind the driver.
    Generic,
    /// By sockets on the interface.
    Packet,
}

impl Mode {
    /// What the daemon is told.
    #[must_use]
    pub const fn arguments(self) -> [&'static str; 2] {
        match self {
            Self::Auto => ["--xdp-mode", "auto"],
            Self::Native => ["--xdp-mode", "native"],
            Self::Generic => ["--xdp-mode", "generic"],
            Self::Packet => ["--datapath", "packet"],
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Auto => "XDP auto",
            Self::Native => "XDP native",
            Self::Generic => "XDP generic",
            Self::Packet => "packet",
        })
    }
}

/// The daemon's own flags for it.
#[derive(Clone, Debug, Args)]
pub struct ModeArgs {
    /// Where the steering program runs
    #[arg(long, value_enum)]
    xdp_mode: Option<XdpMode>,
    /// How frames reach the daemon
    #[arg(long, value_enum, conflicts_with = "xdp_mode")]
    datapath: Option<Datapath>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum XdpMode {
    Auto,
    Native,
    Generic,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Datapath {
    Xdp,
    Packet,
}

impl ModeArgs {
    /// The mode that was asked for, if one was.
    #[must_use]
    pub fn mode(&self) -> Option<Mode> {
        match (self.xdp_mode, self.datapath) {
            (None, None) => None,
            (_, Some(Datapath::Packet)) => Some(Mode::Packet),
            (Some(XdpMode::Native), _) => Some(Mode::Native),
            (Some(XdpMode::Generic), _) => Some(Mode::Generic),
            (Some(XdpMode::Auto), _) | (None, Some(Datapath::Xdp)) => Some(Mode::Auto),
        }
    }
}
