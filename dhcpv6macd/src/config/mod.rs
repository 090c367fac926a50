//! What the daemon is to do. Every value of a [`Config`] is valid: texts were parsed, and what does not go together was refused.
//!
//! * [`table`]: all settings. [`settings`]: their texts with the places where they were found.
//! * [`file`](Settings::from_file): the same from a TOML file.
//! * [`parse`](Config::new): texts become a [`Config`]. [`warnings`](Config::warnings): what is odd about it.

mod access;
mod events;
mod file;
mod named_files;
mod options;
mod parse;
mod ports;
pub mod settings;
pub mod table;
mod time;
mod warnings;

use std::{
    net::{Ipv6Addr, SocketAddr},
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

pub(crate) use self::named_files::open_regular;
pub use self::settings::Settings;
pub use self::{access::AccessFiles, events::Token};
use crate::{
    datapath::steering::XdpMode,
    image::Images,
    local::Local,
    machine::StallLimits,
    policy::{Access, BaseAddress, BootPolicy, ImageSet, Lifetimes, MacSources, Policy},
    router::Advertised,
    tftp::Limits,
    wire::{
        Duid, MacAddr, Prefix,
        dhcpv6::{Processor, ServerOption},
    },
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
    /// How much this server is preferred to others.
    pub preference: u8,
    /// Options for machines that ask for them.
    pub options: Box<[ServerOption]>,
    /// What is asked for a machine's MAC.
    pub mac_sources: MacSources,
    /// Where relay agents may be; `None` for the link and the prefix.
    pub relay_from: Option<Box<[Prefix]>>,
    /// Which machines are served.
    pub access: AccessFiles,
    /// Which boot file moves a machine on.
    pub boot: BootPolicy,
    /// UDP port of the DHCPv6 server.
    pub dhcpv6_port: u16,
    /// What Router Advertisements say; `None` where the daemon sends none.
    pub router_advertisement: Option<Advertised>,
    /// Where the TFTP server listens; `None` for `off`.
    pub tftp: Option<SocketAddr>,
    /// Directory with more files for TFTP.
    pub tftp_root: Option<PathBuf>,
    /// Bounds of the TFTP server, a worker.
    pub tftp_limits: Limits,
    /// Where the netboot HTTP server listens; `None` for `off`.
    pub http: Option<SocketAddr>,
    /// Where the netboot HTTPS server listens; `None` for `off`.
    pub https: Option<SocketAddr>,
    /// Directory of the netboot files.
    pub netboot_dir: Option<PathBuf>,
    /// Certificate chain and private key of HTTPS.
    pub tls: Option<TlsFiles>,
    /// iPXE for machines in PXE.
    pub ipxe: IpxeImages,
    /// Where events are told; `None` for nowhere.
    pub events: Option<EventsListen>,
    /// What whoever asks for them must know.
    pub events_token: Option<Token>,
    /// Machines that are remembered.
    pub machines_max: usize,
    /// How long machines may stand still.
    pub stall_limits: StallLimits,
    /// How frames reach the workers.
    pub datapath: Datapath,
    /// Threads that answer; `None` for one a CPU, as many as [`WORKERS_DEFAULT_MAX`].
    pub workers: Option<NonZeroUsize>,
    /// How the log is written.
    pub log_format: LogFormat,
    /// What is logged, in the syntax of `tracing_subscriber::EnvFilter`.
    pub log_level: String,
}

impl Config {
    /// What the operator decided, with what the interface and the files say about it now.
    #[must_use]
    pub fn policy(&self, interface_duid: impl FnOnce() -> Duid, access: Access) -> Policy {
        let server_duid = self.server_duid.clone().unwrap_or_else(interface_duid);
        let policy = Policy::new(self.base_address, server_duid);
        Policy {
            lifetimes: self.lifetimes,
            preference: self.preference,
            options: self.options.clone(),
            boot: self.boot.clone(),
            mac_sources: self.mac_sources.clone(),
            relay_from: self.relay_from.clone().unwrap_or(policy.relay_from),
            access,
            ..policy
        }
    }

    /// What is ours on an interface that has this MAC, these addresses, sorted, and this MTU.
    #[must_use]
    pub fn local(&self, mac: MacAddr, link_local: Ipv6Addr, addresses: Box<[Ipv6Addr]>, mtu: u32) -> Local {
        let tftp_port = self.tftp.map(|listen| listen.port());
        Local { mac, link_local, addresses, mtu, dhcpv6_port: self.dhcpv6_port, tftp_port }
    }
}

/// Files with iPXE for each kind of processor, EFI programs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IpxeImages {
    /// For x86-64 machines.
    pub x86_64: Option<PathBuf>,
    /// For arm64 machines.
    pub arm64: Option<PathBuf>,
    /// For 64-bit RISC-V machines.
    pub riscv64: Option<PathBuf>,
}

impl IpxeImages {
    /// The file for this processor.
    #[must_use]
    pub fn of(&self, processor: Processor) -> Option<&Path> {
        match processor {
            Processor::X86_64 => self.x86_64.as_deref(),
            Processor::Arm64 => self.arm64.as_deref(),
            Processor::RiscV64 => self.riscv64.as_deref(),
            Processor::I386 | Processor::Arm32 | Processor::RiscV32 | Processor::Unknown => None,
        }
    }

    /// What there is an image for, from a file or compiled in.
    #[must_use]
    pub fn set(&self) -> ImageSet {
        let embedded = Images::embedded();
        let is_there = |processor| self.of(processor).is_some() || embedded.of(processor).is_some();
        ImageSet {
            x86_64: is_there(Processor::X86_64),
            arm64: is_there(Processor::Arm64),
            riscv64: is_there(Processor::RiscV64),
        }
    }
}

/// The most workers.
pub const WORKERS_MAX: usize = 64;
/// The most workers that the daemon starts without being told.
pub const WORKERS_DEFAULT_MAX: usize = 8;

/// Two files in PEM that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain.
    pub certificate: PathBuf,
    /// The private key of its first certificate.
    pub key: PathBuf,
}

/// Where events are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventsListen {
    /// To whoever reaches this address.
    Address(SocketAddr),
    /// To whoever may write to this Unix socket.
    Unix(PathBuf),
}

/// How frames reach the workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Datapath {
    /// The steering program redirects them, in this mode, or in the first that works.
    Xdp(Option<XdpMode>),
    /// A socket on the interface takes copies of them.
    Packet,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For a person.
    Human,
    /// One JSON object a line.
    Json,
}

/// Why there is no configuration: what, where, and what to do, in one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Something that has no default was not given.
    #[error("--{0} is missing; give it on the command line, in {1}, or in the file named by --config")]
    Missing(&'static str, String),
    /// A value that is none.
    #[error("{place}: {what}")]
    Value {
        /// Where it was found.
        place: String,
        /// What is wrong with it.
        what: String,
    },
    /// An environment variable that looks like ours.
    #[error("{name}: there is no such setting{}", settings::guess(nearest.as_deref()))]
    UnknownVariable {
        /// Its name.
        name: String,
        /// A known name that looks like it.
        nearest: Option<String>,
    },
    /// A key of a file.
    #[error("{place}: there is no setting {key}{}", settings::guess(nearest.as_deref()))]
    UnknownKey {
        /// The file and the line.
        place: String,
        /// The key.
        key: String,
        /// A known name that looks like it.
        nearest: Option<String>,
    },
    /// A value in another encoding than UTF-8.
    #[error("{place}: not UTF-8")]
    NotText {
        /// Where it was found.
        place: String,
    },
}
