//! Why the daemon does not start, or stopped.

use std::{
    io,
    net::{Ipv6Addr, SocketAddr},
    path::PathBuf,
};

use crate::{
    datapath::steering::{SteeringLinkError, SteeringProgramError, XdpMode},
    http::tls::TlsError,
    interface::InterfaceError,
    policy::BaseAddress,
};

/// Why [`run`](super::run) ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It never began.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It broke in mid-service.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// Why the daemon does not start: what, where, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Without these capabilities.
    #[error("the process lacks {0}; run it as root, or as a service that is given these capabilities")]
    Privilege(String),
    /// The interface is not there, or no Ethernet.
    #[error("interface {name}: {source}")]
    Interface {
        /// Its name.
        name: String,
        /// What is wrong with it.
        source: InterfaceError,
    },
    /// Machines in PXE would have no server to load from.
    #[error(
        "interface {interface}: it has no address in {base_address} for machines to load iPXE from; add one (ip address add {first}/64 dev \
         {interface}), name another with --boot-server-address, or do without TFTP: --tftp-listen-addr off",
        first = Ipv6Addr::from_bits(base_address.prefix().to_bits() | 1)
    )]
    NoBootServer {
        /// Its name.
        interface: String,
        /// The prefix.
        base_address: BaseAddress,
    },
    /// Nobody could hear of events.
    #[error("--events-listen-addr {}: {source}; name another, or off", path.display())]
    Socket {
        /// The socket's.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// TFTP would listen where nobody comes by.
    #[error(
        "interface {interface}: it has no address {address}, for --tftp-listen-addr; write :PORT for all that it has"
    )]
    NotOurs {
        /// Its name.
        interface: String,
        /// Not one of its addresses.
        address: Ipv6Addr,
    },
    /// A list of machines, since it was looked at.
    #[error("{0}")]
    Access(String),
    /// An image, since it was looked at.
    #[error("{0}")]
    Image(String),
    /// Not enough file descriptors.
    #[error("{needed} file descriptors are needed, and the limit is {limit}; raise it (ulimit -n, LimitNOFILE=)")]
    Descriptors {
        /// How many it takes.
        needed: u64,
        /// How many the process may have.
        limit: u64,
    },
    /// There is no `/proc`.
    #[error("/proc is not mounted, or hides the process from itself; mount it")]
    NoProc,
    /// Sockets on the interface see nothing.
    #[error(
        "interface {interface}: {bridge} takes its frames before --datapath packet sees them; serve --interface {bridge}, or use \
         --datapath xdp"
    )]
    BehindBridge {
        /// Its name.
        interface: String,
        /// The bridge that it is a port of.
        bridge: String,
    },
    /// The interface has no IPv6.
    #[error("interface {interface}: cannot join the DHCPv6 groups ({source}); is its MTU below 1280, or IPv6 off?")]
    Groups {
        /// Its name.
        interface: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// Another program is attached.
    #[error("interface {interface}: {holder} is attached to it; stop that first, or use --datapath packet")]
    Busy {
        /// Its name.
        interface: String,
        /// Who is there.
        holder: String,
    },
    /// Another dhcpv6macd is attached.
    #[error("interface {interface}: another dhcpv6macd serves it already; stop that one first")]
    AlreadyServed {
        /// Its name.
        interface: String,
    },
    /// The interface cannot run XDP this way.
    #[error(
        "interface {interface}: it cannot run XDP in {mode} mode ({source}; some drivers want a smaller MTU); try {}",
        way_out(*mode)
    )]
    Unsupported {
        /// Its name.
        interface: String,
        /// The mode that was tried.
        mode: XdpMode,
        /// What the kernel said.
        source: io::Error,
    },
    /// The steering program does not run.
    #[error("interface {interface}: {source}")]
    Steering {
        /// Its name.
        interface: String,
        /// What the kernel said.
        source: Box<SteeringProgramError>,
    },
    /// The steering link cannot be made.
    #[error("cannot make the steering link, a veth pair into a private network namespace: {0}")]
    Link(SteeringLinkError),
    /// VLAN tags are taken out of the frames before XDP sees them.
    #[error(
        "interface {interface}: it takes the tags out of the frames for {devices}, so that XDP cannot tell them from untagged ones; \
         run `ethtool -K {interface} rxvlan off`, or use --datapath packet"
    )]
    HiddenVlans {
        /// Its name.
        interface: String,
        /// The VLAN devices on it.
        devices: String,
    },
    /// A port that is to be kept from the kernel is another program's.
    #[error("UDP port {port} on {interface}: {source}; {}", stop_who(holders))]
    Port {
        /// The port.
        port: u16,
        /// Where.
        interface: String,
        /// What the kernel said.
        source: io::Error,
        /// The names of the programs that have it, as far as they are known.
        holders: String,
    },
    /// The directory of TFTP, since it was looked at.
    #[error("--tftp-root {}: {source}", path.display())]
    TftpRoot {
        /// The directory.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The directory of netboot, since it was looked at.
    #[error("--netboot-dir {}: {source}", path.display())]
    NetbootDirectory {
        /// The directory.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A TCP port cannot be listened on.
    #[error("--{setting} {address}: {source}; {}", listen_otherwise(holders))]
    Listen {
        /// Which server's.
        setting: &'static str,
        /// Where.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
        /// The names of the programs that have the port, as far as they are known.
        holders: String,
    },
    /// The certificate or its key, since they were looked at.
    #[error("{0}")]
    Tls(TlsError),
    /// The threads of HTTP cannot be started.
    #[error("cannot start the threads of HTTP: {0}")]
    Http(io::Error),
    /// The rings cannot be opened.
    #[error("cannot open the packet rings: {0}")]
    Rings(io::Error),
    /// The workers cannot be started.
    #[error("cannot start the workers: {0}")]
    Workers(io::Error),
    /// The control plane cannot be started.
    #[error("cannot start: {0}")]
    Runtime(io::Error),
}

const fn way_out(mode: XdpMode) -> &'static str {
    match mode {
        XdpMode::Native => "--xdp-mode generic or --datapath packet",
        XdpMode::Generic => "--datapath packet",
    }
}

fn listen_otherwise(holders: &str) -> String {
    let stop = if holders.is_empty() { String::new() } else { format!("stop {holders} first, or ") };
    format!("{stop}give another address, or off")
}

fn stop_who(holders: &str) -> String {
    if holders.is_empty() { "is another server running?".to_owned() } else { format!("stop {holders} first") }
}

/// What broke in mid-service.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The interface is gone, or netlink is.
    #[error("the interface cannot be served any longer: {0}")]
    Interface(#[from] InterfaceError),
    /// The steering program cannot be told what is ours.
    #[error("the steering program cannot be kept in step: {0}")]
    Steering(Box<SteeringProgramError>),
    /// A worker ended by itself.
    #[error("a worker ended")]
    WorkerEnded,
    /// What a worker ended with.
    #[error("a worker failed: {0}")]
    Worker(io::Error),
    /// What was steered is not known.
    #[error("what the steering program counts cannot be read: {0}")]
    SteeringCounters(Box<SteeringProgramError>),
    /// What came to the workers is not known.
    #[error("what the kernel counts at the receive rings cannot be read: {0}")]
    RingCounters(io::Error),
}

impl From<SteeringProgramError> for ServeError {
    fn from(error: SteeringProgramError) -> Self {
        Self::Steering(error.into())
    }
}
