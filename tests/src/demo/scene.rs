//! The rack, and what happens in it.

use anyhow::{Context as _, Result};
use dhcpv6macd::policy::BaseAddress;

use super::Report;
use crate::{
    lab::{Daemon, Host, MACHINE_INTERFACE, Mode, ROUTER_INTERFACE, Rack},
    population::{Arrivals, Counterpart, Goal, Load, Outcome, Population, Port, oracle},
};

/// Bytes behind the Ethernet header on the rack's links.
const MTU: u32 = 1500;

/// A router, a switch, and one port of it that all machines are behind.
#[derive(Debug)]
pub(super) struct Scene {
    rack: Rack,
}

impl Scene {
    pub(super) fn build() -> Result<Self> {
        Ok(Self { rack: Rack::new(1)? })
    }

    /// Starts the daemon, lets every machine ask at once, and stops the daemon.
    pub(super) fn play(
        &self,
        mode: Mode,
        machines: u32,
        base: BaseAddress,
        progress: impl FnMut(&Outcome),
    ) -> Result<Report> {
        let prefix = base.to_string();
        self.rack.router.own(base)?;
        let arguments = [&["--interface", ROUTER_INTERFACE, "--base-address", &prefix][..], &mode.arguments()].concat();
        let daemon = Daemon::start(&self.rack.router, &arguments)?;
        let datapath = daemon.says("datapath")?;
        let mut port = open_port(self.rack.machines.first().context("a rack without a port")?)?;
        let machines = usize::try_from(machines)?;
        let mut population = Population::new(machines, Counterpart::Server(base));
        let load = Load { arrivals: Arrivals::Window(machines), goal: Goal::OnceEach };
        let outcome = population.drive_at(&mut port, load, progress).context("the machines cannot ask")?;
        let stopped = daemon.stop()?;
        Ok(Report { datapath, machines, outcome, findings: oracle::check(&population, base), stopped })
    }
}

fn open_port(host: &Host) -> Result<Port> {
    let interface = host.index_of(MACHINE_INTERFACE)?;
    host.run(|| Port::open(interface, MTU))?.context("cannot open the machines' rings")
}
