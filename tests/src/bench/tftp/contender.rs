//! Who is measured: a server in a process of its own, a veth pair to it, and machines at the other end of that.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    fs,
    net::UdpSocket,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, ValueEnum};
use dhcpv6macd::{
    datapath::worker::{NAP, pin},
    policy::BaseAddress,
};
use rustix::{net::netdevice::name_to_index, process::Pid};
use tempfile::TempDir;

use super::{
    super::{
        account::Account,
        link::{Link, MTU},
        own_process, say_ready,
        spent::{self, Spent},
    },
    Options,
    peer::Peer,
    sample::Sample,
    scenario::{BLOCK_SIZE, CLIENTS_MAX, WINDOW},
};
use crate::{
    lab::{Daemon, Host, Process, ROUTER_INTERFACE, ROUTER_MAC},
    population::{Port, mac_of},
    tftp::{
        Clients, Fault, Goal, Load, Server as Asked,
        bare::{self, Bare},
    },
};

/// The file, and how long it is.
const NAME: &str = "file";
const LENGTH: usize = 1 << 20;
/// Who may read it: others drop root's rights.
const READABLE: u32 = 0o755;

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Kind {
    BareRing,
    NappingRing,
    Daemon,
    Dnsmasq,
    Atftpd,
    TftpdHpa,
}

impl Kind {
    pub(super) const ALL: [Self; 6] =
        [Self::BareRing, Self::NappingRing, Self::Daemon, Self::Dnsmasq, Self::Atftpd, Self::TftpdHpa];

    fn peer(self) -> Option<Peer> {
        match self {
            Self::BareRing | Self::NappingRing | Self::Daemon => None,
            Self::Dnsmasq => Some(Peer::Dnsmasq),
            Self::Atftpd => Some(Peer::Atftpd),
            Self::TftpdHpa => Some(Peer::TftpdHpa),
        }
    }

    /// Is it a server without sessions?
    pub(super) fn is_bare(self) -> bool {
        matches!(self, Self::BareRing | Self::NappingRing)
    }

    /// Is it somebody else's server?
    pub(super) fn is_peer(self) -> bool {
        self.peer().is_some()
    }

    /// How somebody else's server is started.
    pub(super) fn command_line(self) -> Option<String> {
        self.peer().map(|peer| peer.command_line())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::BareRing => "bare ring",
            Self::NappingRing => "napping ring",
            Self::Daemon => "daemon",
            Self::Dnsmasq => "dnsmasq",
            Self::Atftpd => "atftpd",
            Self::TftpdHpa => "tftpd-hpa",
        })
    }
}

/// A server, and the machines that it has to itself.
#[derive(Debug)]
pub(super) struct Contender {
    kind: Kind,
    server: Server,
    account: Account,
    port: Port,
    clients: Clients,
    /// What the server reads from.
    _files: TempDir,
}

#[derive(Debug)]
enum Server {
    Process(Process),
    Daemon(Daemon),
}

impl Server {
    fn pid(&self) -> Pid {
        match self {
            Self::Process(process) => process.pid(),
            Self::Daemon(daemon) => daemon.pid(),
        }
    }
}

impl Contender {
    pub(super) fn start(kind: Kind, options: &Options) -> Result<Self> {
        let link = Link::new()?;
        let file = random(LENGTH);
        let files = directory(&file)?;
        let server = start_server(kind, &link.router, link.base, &files, options)?;
        let account = Account::of(server.pid())?;
        let port = link.port()?;
        let clients =
            Clients::new(Asked { mac: ROUTER_MAC, base: link.base }, vec![NAME.to_owned(); CLIENTS_MAX], file);
        Ok(Self { kind, server, account, port, clients, _files: files })
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// One round.
    pub(super) fn measure(&mut self, load: Load) -> Result<Sample> {
        let spent =
            |contender: &Self| Ok::<_, anyhow::Error>((contender.account.executed()?, Spent::by_this_thread()?));
        let is_lasting = matches!(load.goal, Goal::Lasting(_));
        let (server_before, client_before) = spent(self)?;
        let outcome = self.clients.drive_at(&mut self.port, load, |_| {}).with_context(|| self.last_words())?;
        let (server, client) = spent(self)?;
        if let Some((mac, fault @ (Fault::Block(_) | Fault::Options))) = &outcome.first_failed {
            bail!("the {} is wrong: {mac} {fault}", self.kind);
        }
        ensure!(outcome.bytes > 0, "the {} sent nothing: {outcome:?}", self.kind);
        Ok(Sample::new(&outcome, server.saturating_sub(server_before), client.since(client_before), is_lasting))
    }

    /// For an error message.
    fn last_words(&self) -> String {
        let output = match &self.server {
            Server::Process(process) => process.output(),
            Server::Daemon(daemon) => daemon.process().output(),
        };
        format!("the {} is gone, or its link is; it said: {}", self.kind, output.trim_end())
    }

    /// Stops the server, the daemon after a last look at its memory.
    pub(super) fn finish(self) -> Result<Option<Finished>> {
        let Server::Daemon(daemon) = self.server else { return Ok(None) };
        let datapath = daemon.says("datapath")?;
        let memory = spent::memory_peak(daemon.pid())?;
        Ok(Some(Finished { datapath, memory, counters: daemon.stop()?.counters }))
    }
}

/// What is known of the daemon at its end.
#[derive(Debug)]
pub(super) struct Finished {
    /// How frames reached it, in its own words.
    pub(super) datapath: String,
    /// The most memory that it had, in KiB.
    pub(super) memory: u64,
    /// What it counted.
    pub(super) counters: BTreeMap<String, u64>,
}

/// Bytes that nobody guesses.
fn random(length: usize) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(1);
    (0..length).map(|_| rng.u8(..)).collect()
}

/// A directory that holds the file.
fn directory(file: &[u8]) -> Result<TempDir> {
    let directory = TempDir::new().context("cannot make a directory for the file")?;
    let path = directory.path().join(NAME);
    fs::write(&path, file).with_context(|| format!("cannot write {}", path.display()))?;
    for path in [directory.path(), &path] {
        fs::set_permissions(path, fs::Permissions::from_mode(READABLE))
            .with_context(|| format!("cannot make {} readable", path.display()))?;
    }
    Ok(directory)
}

fn start_server(kind: Kind, router: &Host, base: BaseAddress, files: &TempDir, options: &Options) -> Result<Server> {
    let directory = files.path();
    let text = |path: &Path| path.to_str().map(str::to_owned).with_context(|| format!("{} is no text", path.display()));
    match kind.peer() {
        Some(peer) => {
            introduce_machines(router, base, directory)?;
            peer.start(router, directory).map(Server::Process)
        }
        None if kind == Kind::Daemon => {
            let (prefix, root) = (base.to_string(), text(directory)?);
            let arguments = ["--interface", ROUTER_INTERFACE, "--base-address", &prefix, "--tftp-root", &root];
            Daemon::start(router, &[&arguments[..], &options.daemon_arguments()].concat()).map(Server::Daemon)
        }
        None => {
            let file = text(&directory.join(NAME))?;
            let nap: &[&str] = if kind == Kind::NappingRing { &["--nap"] } else { &[] };
            let arguments = ["bare-tftp", ROUTER_INTERFACE, &file];
            own_process(router, &[&arguments[..], nap].concat()).map(Server::Process)
        }
    }
}

/// Tells a host which machine has which address: nobody answers when it asks.
fn introduce_machines(host: &Host, base: BaseAddress, directory: &Path) -> Result<()> {
    let mut batch = String::new();
    for number in 0..u32::try_from(CLIENTS_MAX)? {
        let mac = mac_of(number);
        let address = base.address_of(mac);
        writeln!(batch, "neighbour add {address} lladdr {mac} dev {ROUTER_INTERFACE} nud permanent")?;
    }
    let file = directory.join("neighbours");
    fs::write(&file, batch).with_context(|| format!("cannot write {}", file.display()))?;
    host.ip(&format!("-6 -batch {}", file.display())).map(drop)
}

/// A server without sessions: a contender of the bench
#[derive(Clone, Debug, Args)]
pub struct BareOptions {
    interface: String,
    file: PathBuf,
    /// Nap after a batch, as the daemon's workers do
    #[arg(long)]
    nap: bool,
}

/// What the process of a bare ring does.
///
/// # Errors
///
/// Where there is no such interface or file, or the rings cannot be opened.
pub fn bare(options: &BareOptions) -> Result<()> {
    let BareOptions { interface, file, nap } = options;
    let socket = UdpSocket::bind("[::]:0")?;
    let index = name_to_index(&socket, interface).with_context(|| format!("there is no interface {interface}"))?;
    pin(0).context("cannot tie the server to a CPU")?;
    let file = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let server = Bare::new(file, BLOCK_SIZE);
    bare::serve(server, index, MTU, nap.then_some(NAP), &[1, WINDOW], say_ready).context("the server ends")
}
