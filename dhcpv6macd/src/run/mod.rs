//! Puts the rooms together: starts the datapath and its workers, keeps the interface's addresses in step, advertises on it, keeps the
//! machines' histories, serves them and the machines' files over HTTP, ends on a signal.

mod advertise;
mod answer;
mod control;
mod descriptors;
mod directory;
mod error;
mod events;
mod files;
mod follow;
mod icmpv6;
mod listen;
mod live;
mod meters;
mod metrics;
mod netboot;
mod observe;
mod obstacles;
mod processors;
mod shelf;
mod shown;
mod source;
pub(crate) mod totals;
mod workers;

use std::{mem, os::fd::OwnedFd, sync::Arc, thread, time::Instant};

use arc_swap::ArcSwap;
use tokio::{
    pin,
    signal::unix::{Signal, SignalKind, signal},
    sync::Notify,
};
use tracing::{error, info, warn};

pub use self::error::{RunError, ServeError, StartError};
use self::{
    advertise::{Advertiser, advertise},
    answer::Answerer,
    control::Control,
    descriptors::Connections,
    events::{EventsServer, Listener},
    files::WorkerFiles,
    follow::Follower,
    meters::{Meters, Rings},
    netboot::NetbootServers,
    observe::Observations,
    processors::Processors,
    shelf::Shelf,
    source::Source,
    workers::Workers,
};
use crate::{
    config::{Config, WORKERS_DEFAULT_MAX},
    datapath::ring::{TRANSMIT_MTU_MAX, TransmitRing},
    http::events::feed::feed,
    image::Images,
    interface::{Facts, Interface, LinkState},
    machine::Machines,
    policy::Policy,
    respond::Site,
    tftp::Tftp,
    wire::Duid,
};

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
///
/// [`RunError::Start`] with nothing left behind, or [`RunError::Serve`] where something broke in mid-service.
pub fn run(config: &Config) -> Result<(), RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Runtime)?;
    runtime.block_on(async {
        let mut signals = Signals::listen().map_err(StartError::Runtime)?;
        let mut daemon = tokio::select! {
            started = Daemon::start(config) => started?,
            name = signals.stop() => {
                info!(signal = name, "stopping, not started yet");
                return Ok(());
            }
        };
        let served = daemon.serve(&mut signals).await;
        let stopped = daemon.stop();
        for broken in [&served, &stopped].into_iter().filter_map(|result| result.as_ref().err()) {
            error!("{broken}");
        }
        Ok(served.and(stopped)?)
    })
}

/// Everything that runs.
struct Daemon<'a> {
    follower: Follower<'a>,
    workers: Workers,
    control: Control,
    /// `None` where the operator wants no Router Advertisements.
    advertiser: Option<Advertiser>,
    /// `None` where the operator wants none.
    events: Option<EventsServer>,
    /// `None` where there is nothing to serve, or nowhere.
    netboot: Option<NetbootServers>,
    /// `None` where there is no directory for TFTP.
    shelf: Option<Shelf>,
    /// Held: nobody else gets them.
    _ports: Vec<OwnedFd>,
}

impl<'a> Daemon<'a> {
    /// Checks everything that can be checked, then starts from the quiet end: whatever fails, nothing was steered yet.
    async fn start(config: &'a Config) -> Result<Self, StartError> {
        let count = config.workers.map_or_else(workers_default, Into::into);
        obstacles::refuse_without_rights(config, count)?;
        let (interface, facts) = find(config).await?;
        let groups = interface
            .join_groups()
            .map_err(|source| StartError::Groups { interface: config.interface.clone(), source })?;
        let mtu_max = facts.mtu.min(TRANSMIT_MTU_MAX);
        let local = follow::local(config, &facts, mtu_max);
        let policy = Arc::new(policy(config, &facts)?);
        let images = Arc::new(Images::read(&config.ipxe).map_err(StartError::Image)?);
        obstacles::refuse_without_boot_server(config, &facts)?;
        let ports = obstacles::hold_ports(&interface.name, &local)?;
        let listener = listener(config)?;
        let connections = Connections::of_process();

        let (mut source, rings) = Source::open(config, &interface, &local, count).await?;
        let transmit =
            (0..count).map(|_| TransmitRing::open(interface.index, facts.mtu)).collect::<Result<Vec<_>, _>>();
        let transmit = transmit.map_err(StartError::Rings)?;
        let ring_meters = Rings::new(&rings).map_err(StartError::Rings)?;
        let observations = Observations::new();
        let site = Arc::new(ArcSwap::from_pointee(Site::new(local, policy, images)));
        let shelf = shelf(config)?;
        let netboot = NetbootServers::start(config, &site, observations.clone(), connections.netboot)?;
        let answerer = answerers(config, &site, shelf.as_ref(), &observations);
        let workers = Workers::start(rings, transmit, answerer).map_err(StartError::Workers)?;
        let changed = Arc::new(Notify::new());
        let advertiser = config
            .router_advertisement
            .map(|advertised| Advertiser::new(advertised, interface.index, Arc::clone(&site), Arc::clone(&changed)));
        let meters = Meters {
            steering: source.meter(),
            rings: ring_meters,
            workers: workers.live(),
            advertiser: advertiser.as_ref().map(Advertiser::counters),
            netboot: netboot.as_ref().map(NetbootServers::counters),
            events: None,
        };
        let (control, events) = watch(config, observations, meters, listener, connections.events)?;
        source.steer(config, &interface).await?;

        let follower = Follower {
            config,
            interface,
            facts,
            mtu_max,
            site,
            source,
            changed,
            is_behind: false,
            groups: Some(groups),
        };
        let daemon = Self { follower, workers, control, advertiser, events, netboot, shelf, _ports: ports };
        daemon.tell();
        Ok(daemon)
    }

    /// Says what is served, and what is odd about that.
    fn tell(&self) {
        let Follower { config, interface, facts, source, site, .. } = &self.follower;
        for warning in config.warnings() {
            warn!("{warning}");
        }
        let site = site.load();
        info!(
            interface = interface.name,
            prefix = %config.base_address,
            datapath = %source,
            workers = self.workers.count(),
            mac = %facts.mac,
            link_local = %facts.link_local,
            server_duid = %site.policy.server_duid,
            ipxe = %site.images,
            events = config.events.as_ref().map(display),
            "serving"
        );
        if facts.state != LinkState::Up {
            follow::tell_of_link(&interface.name, facts.state);
        }
    }

    /// Follows the interface, and advertises on it, until told to stop.
    async fn serve(&mut self, signals: &mut Signals) -> Result<(), ServeError> {
        // One future throughout, which never ends: it neither is cut off by what happens beside it, nor cuts that off.
        let advertising = advertise(self.advertiser.as_mut());
        let controlling = self.control.run();
        pin!(advertising, controlling);
        loop {
            tokio::select! {
                asked = signals.next() => match asked {
                    Asked::Stop(name) => {
                        info!(signal = name, "stopping");
                        return Ok(());
                    }
                    Asked::Reload => {
                        self.follower.reload();
                        self.netboot.iter().for_each(NetbootServers::reload);
                        self.shelf.iter().for_each(Shelf::reload);
                    }
                },
                followed = self.follower.next() => followed?,
                never = &mut advertising => match never {},
                never = &mut controlling => match never {},
                () = self.workers.ended() => return Err(ServeError::WorkerEnded),
            }
        }
    }

    /// Ends the workers and says what was done.
    fn stop(mut self) -> Result<(), ServeError> {
        self.follower.source.detach();
        let stopped = self.workers.stop();
        self.events.into_iter().for_each(EventsServer::stop);
        drop(self.netboot);
        let (totals, counted) = self.control.stop();
        info!(counters = %totals, "stopped");
        counted?;
        stopped
    }
}

fn workers_default() -> usize {
    thread::available_parallelism().map_or(1, Into::into).min(WORKERS_DEFAULT_MAX)
}

/// Makes what answers under each worker.
fn answerers(
    config: &Config,
    site: &Arc<ArcSwap<Site>>,
    shelf: Option<&Shelf>,
    observations: &Observations,
) -> impl Fn() -> Answerer {
    let processors = Processors::new();
    move || {
        let files = WorkerFiles { processors: processors.clone(), shelf: shelf.and_then(Shelf::reader) };
        let tftp = Tftp::new(config.tftp_limits, Instant::now());
        Answerer::new(Arc::clone(site), tftp, files, observations.observer())
    }
}

/// The thread that reads the files of a directory, where there is one.
fn shelf(config: &Config) -> Result<Option<Shelf>, StartError> {
    let Some(path) = config.tftp_root.as_ref().filter(|_| config.tftp.is_some()) else { return Ok(None) };
    Shelf::new(path).map(Some).map_err(|source| StartError::TftpRoot { path: path.clone(), source })
}

/// Where events are told.
fn listener(config: &Config) -> Result<Option<Listener>, StartError> {
    config.events.as_ref().map(Listener::bind).transpose()
}

/// What keeps the machines' histories, and what tells of them over so many connections at a time.
fn watch(
    config: &Config,
    observations: Observations,
    meters: Meters,
    listener: Option<Listener>,
    connections: usize,
) -> Result<(Control, Option<EventsServer>), StartError> {
    // By any number another daemon's events are told from this one's.
    let (publisher, feed) = feed(fastrand::u64(..));
    let machines = Machines::new(config.machines_max, config.base_address, config.stall_limits);
    let token = config.events_token.clone();
    let events = listener.map(|listener| EventsServer::start(listener, feed, token, connections)).transpose();
    let events = events.map_err(StartError::Runtime)?;
    let meters = Meters { events: events.as_ref().map(EventsServer::counters), ..meters };
    Ok((Control::new(observations, machines, meters, publisher), events))
}

/// Finds the interface, and whatever is in the way on it.
async fn find(config: &Config) -> Result<(Interface, Facts), StartError> {
    let at_interface = |source| StartError::Interface { name: config.interface.clone(), source };
    let interface = Interface::find(&config.interface).map_err(at_interface)?;
    let facts = interface.facts().await.map_err(at_interface)?;
    obstacles::refuse_if_served(&interface).await?;
    obstacles::refuse_if_vlans_are_hidden(config, &interface).await?;
    obstacles::refuse_behind_bridge(config, &interface, &facts).await?;
    Ok((interface, facts))
}

/// The policy as the files say now.
fn policy(config: &Config, facts: &Facts) -> Result<Policy, StartError> {
    let access = config.access.read().map_err(StartError::Access)?;
    Ok(config.policy(|| Duid::link_layer(facts.mac), access))
}

/// The signals that the daemon hears.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    /// SIGHUP came before there was anything to read again.
    is_hung_up: bool,
}

/// What a signal asks for.
enum Asked {
    /// To end, by the signal of this name.
    Stop(&'static str),
    /// To read the lists of machines, the images and the certificate again, and to open the directories again.
    Reload,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            is_hung_up: false,
        })
    }

    /// Waits for one.
    async fn next(&mut self) -> Asked {
        if mem::take(&mut self.is_hung_up) {
            return Asked::Reload;
        }
        self.heard().await
    }

    async fn heard(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Asked::Stop("SIGINT"),
            _ = self.hangup.recv() => Asked::Reload,
        }
    }

    /// Waits for one that ends the daemon, and keeps the others for later.
    async fn stop(&mut self) -> &'static str {
        loop {
            match self.heard().await {
                Asked::Stop(name) => return name,
                Asked::Reload => self.is_hung_up = true,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustix::process::{Signal, getpid, kill_process};
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn who_is_told_to_reload_before_it_serves_does_so_afterwards() {
        let mut signals = Signals::listen().unwrap();
        kill_process(getpid(), Signal::HUP).unwrap();
        assert!(timeout(Duration::from_millis(200), signals.stop()).await.is_err());
        let asked = timeout(Duration::from_secs(10), signals.next()).await.unwrap();
        assert!(matches!(asked, Asked::Reload));
        assert!(timeout(Duration::from_millis(50), signals.next()).await.is_err(), "once");
    }
}
