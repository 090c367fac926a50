//! Where the contenders are: a router, and one cable to the machines.

use anyhow::{Context as _, Result};
use dhcpv6macd::policy::BaseAddress;

use crate::{
    lab::{End, Host, MACHINE_INTERFACE, ROUTER_INTERFACE, ROUTER_MAC, cable, machine_mac},
    population::Port,
};

/// Where the machines' addresses come from: the prefix for documentation (RFC 3849).
const PREFIX: &str = "2001:db8:0:1::/80";
/// Bytes behind the Ethernet header.
pub(super) const MTU: u32 = 1500;

/// A router that has the base address, its rack, and the cable between them.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) router: Host,
    pub(super) rack: Host,
    pub(super) base: BaseAddress,
}

impl Link {
    pub(super) fn new() -> Result<Self> {
        let base: BaseAddress = PREFIX.parse().context("the prefix of the bench")?;
        let (router, rack) = (Host::new("router")?, Host::new("rack")?);
        cable(
            End { host: &router, interface: ROUTER_INTERFACE, mac: Some(ROUTER_MAC) },
            End { host: &rack, interface: MACHINE_INTERFACE, mac: Some(machine_mac(0)) },
        )?;
        router.addresses(ROUTER_INTERFACE)?;
        router.own(base)?;
        Ok(Self { router, rack, base })
    }

    /// Where all machines are plugged in.
    pub(super) fn port(&self) -> Result<Port> {
        let interface = self.rack.index_of(MACHINE_INTERFACE)?;
        self.rack.run(|| Port::open(interface, MTU))?.context("cannot open the machines' rings")
    }
}
