//! Who is measured: a server in a process of its own, a veth pair to it, and machines at the other end of that.

use std::{collections::BTreeMap, fmt, net::UdpSocket, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use dhcpv6macd::{datapath::worker::pin, policy::BaseAddress};
use rustix::{net::netdevice::name_to_index, process::Pid};

use super::{
    super::{
        link::{Link, MTU},
        own_process, say_ready,
        spent::{self, Spent},
    },
    Options, Sample,
};
use crate::{
    lab::{Daemon, Host, Process, ROUTER_INTERFACE},
    population::{Arrivals, Counterpart, Goal, Load, Population, Port, echo::serve, oracle},
};

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    BareEcho,
    WorkerEcho,
    Daemon,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::BareEcho, Self::WorkerEcho, Self::Daemon];
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::BareEcho => "bare echo",
            Self::WorkerEcho => "worker's echo",
            Self::Daemon => "daemon",
        })
    }
}

/// A server, and the machines that it has to itself.
#[derive(Debug)]
pub(super) struct Contender {
    kind: Kind,
    server: Server,
    port: Port,
    population: Population,
    base: BaseAddress,
}

#[derive(Debug)]
enum Server {
    Echo(Process),
    Daemon(Daemon),
}

impl Server {
    fn pid(&self) -> Pid {
        match self {
            Self::Echo(process) => process.pid(),
            Self::Daemon(daemon) => daemon.pid(),
        }
    }
}

impl Contender {
    pub(super) fn start(kind: Kind, options: &Options) -> Result<Self> {
        let link = Link::new()?;
        let (router, base) = (&link.router, link.base);
        let (server, counterpart) = match kind {
            Kind::BareEcho => (start_echo(router, &[])?, Counterpart::Echo),
            Kind::WorkerEcho => (start_echo(router, &["--nap"])?, Counterpart::Echo),
            Kind::Daemon => (start_daemon(router, base, options)?, Counterpart::Server(base)),
        };
        let port = link.port()?;
        let population = Population::new(usize::try_from(options.machines)?, counterpart);
        Ok(Self { kind, server, port, population, base })
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// One round.
    pub(super) fn measure(&mut self, window: usize, duration: Duration) -> Result<Sample> {
        let spent = || Ok::<_, anyhow::Error>((Spent::by_process(self.server.pid())?, Spent::by_this_thread()?));
        let (server_before, client_before) = spent()?;
        let load = Load { arrivals: Arrivals::Window(window), goal: Goal::Lasting(duration) };
        let outcome = self.population.drive_at(&mut self.port, load, |_| {})?;
        let (server, client) = spent()?;
        if outcome.exchanges == 0 {
            bail!("the {} answered nothing in {duration:?}", self.kind);
        }
        if let Some((mac, fault)) = &outcome.first_wrong {
            bail!("the {} gave {} wrong answers, the first: {mac} {fault}", self.kind, outcome.wrong);
        }
        Ok(Sample::new(&outcome, server.since(server_before), client.since(client_before)))
    }

    /// Stops the daemon after a last look at its memory, and reads the answers with other decoders.
    pub(super) fn finish(self) -> Result<Finished> {
        let Server::Daemon(daemon) = self.server else { bail!("an echo has nothing to tell") };
        let datapath = daemon.says("datapath")?;
        let memory = spent::memory_peak(daemon.pid())?;
        let stopped = daemon.stop()?;
        let findings = oracle::check(&self.population, self.base);
        // A short run does not reach every machine, and so leaves some unanswered.
        ensure!(findings.wrong.is_empty(), "other decoders read the answers otherwise: {:?}", findings.wrong);
        Ok(Finished { datapath, memory, counters: stopped.counters, right: findings.right })
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
    /// Machines whose answers were read by other decoders.
    pub(super) right: usize,
}

fn start_daemon(router: &Host, base: BaseAddress, options: &Options) -> Result<Server> {
    let prefix = base.to_string();
    let more = options.daemon_arguments();
    // Each machine asks for a boot file and for DNS servers.
    let template = "http://[{{.BaseAddress}}]/mac/{{.MAC}}/boot.efi?payload={{.Payload | urlquery}}";
    let least = ["--interface", ROUTER_INTERFACE, "--base-address", &prefix];
    let told = ["--http-boot-url-template", template, "--dns-servers", "2001:db8::53"];
    let arguments: Vec<_> = least.into_iter().chain(told).chain(more.iter().map(String::as_str)).collect();
    Ok(Server::Daemon(Daemon::start(router, &arguments)?))
}

/// This very program, as an echo.
fn start_echo(router: &Host, arguments: &[&str]) -> Result<Server> {
    own_process(router, &[&["echo", ROUTER_INTERFACE], arguments].concat()).map(Server::Echo)
}

/// What an echo's process does, with the nap of the daemon's workers or without.
///
/// # Errors
///
/// Where there is no such interface, or its rings cannot be opened.
pub fn echo(interface: &str, nap: Option<Duration>) -> Result<()> {
    let socket = UdpSocket::bind("[::]:0")?;
    let index = name_to_index(&socket, interface).with_context(|| format!("there is no interface {interface}"))?;
    pin(0).context("cannot tie the echo to a CPU")?;
    serve(index, MTU, nap, say_ready).context("the echo ends")
}
