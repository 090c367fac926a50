//! What the daemon is to do. Every value here is valid: texts were parsed, and what does not go together was refused.

use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf};

use crate::{
    policy::{BaseAddress, Lifetimes},
    wire::Duid,
};

/// The effective configuration: command line over environment over file over defaults.
#[derive(Clone, Debug)]
pub struct Config {
    /// Name of the interface that the machines are on.
    pub interface: String,
    /// The prefix in front of every machine's MAC.
    pub base_address: BaseAddress,
    /// Times of every address.
    pub lifetimes: Lifetimes,
    /// DUID of the server; `None` for the DUID-LL of the interface.
    pub server_duid: Option<Duid>,
    /// UDP port of the DHCPv6 server.
    pub dhcpv6_port: u16,
    /// Where the TFTP server listens; `None` for `off`.
    pub tftp: Option<SocketAddr>,
    /// Where the netboot HTTP server listens.
    pub http: SocketAddr,
    /// Where the netboot HTTPS server listens.
    pub https: SocketAddr,
    /// How frames reach the workers.
    pub datapath: Datapath,
    /// Threads that answer; `None` for one a CPU, at most [`WORKERS_MAX`].
    pub workers: Option<NonZeroUsize>,
    /// How the log is written.
    pub log_format: LogFormat,
    /// Directory of the netboot files.
    pub netboot_dir: Option<PathBuf>,
}

/// The most workers.
pub const WORKERS_MAX: usize = 64;

/// How frames reach the workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Datapath {
    /// The steering program redirects them.
    Xdp(XdpMode),
    /// A socket on the interface takes copies of them.
    Packet,
}

/// Where the steering program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XdpMode {
    /// In the driver, or else in the kernel's generic hook.
    Auto,
    /// In the driver.
    Native,
    /// In the generic hook, behind the driver.
    Generic,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For a person.
    Human,
    /// One JSON object a line.
    Json,
}
