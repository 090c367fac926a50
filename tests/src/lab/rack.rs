//! A rack: the router, a switch, and machines on its ports.

use anyhow::Result;
use dhcpv6macd::wire::MacAddr;

use super::{End, Host, cable};

/// The router's interface to the rack.
pub const ROUTER_INTERFACE: &str = "rack0";
/// Its hardware address.
pub const ROUTER_MAC: MacAddr = MacAddr([0x02, 0, 0, 0, 0, 0x01]);
/// The one interface of each machine.
pub const MACHINE_INTERFACE: &str = "eth0";

/// The hardware address of the machine on this port, counted from 0.
#[must_use]
pub const fn machine_mac(port: u16) -> MacAddr {
    let [high, low] = port.to_be_bytes();
    MacAddr([0x02, 0, 0, 0x01, high, low])
}

/// A router with `rack0`, a switch behind it, and on each port of the switch a machine with `eth0`.
#[derive(Debug)]
pub struct Rack {
    /// Where the daemon goes.
    pub router: Host,
    /// A bridge, and nothing that speaks for itself.
    pub switch: Host,
    /// In the order of their ports.
    pub machines: Vec<Host>,
}

impl Rack {
    /// Builds one; every link is up, every host has its link-local address on it.
    ///
    /// # Errors
    ///
    /// Without root's rights.
    pub fn new(machines: u16) -> Result<Self> {
        let (router, switch) = (Host::new("router")?, Host::new("switch")?);
        switch.sysctl("net.ipv6.conf.default.disable_ipv6", "1")?;
        let uplink = End { host: &switch, interface: "uplink", mac: None };
        cable(End { host: &router, interface: ROUTER_INTERFACE, mac: Some(ROUTER_MAC) }, uplink)?;
        let mut ports = vec![uplink.interface.to_owned()];
        let plug_in = |number| {
            let (machine, port) = (Host::new(&format!("machine {number}"))?, format!("port{number}"));
            let mac = Some(machine_mac(number));
            let plug = End { host: &machine, interface: MACHINE_INTERFACE, mac };
            cable(plug, End { host: &switch, interface: &port, mac: None })?;
            ports.push(port);
            Ok(machine)
        };
        let machines = (0..machines).map(plug_in).collect::<Result<Vec<_>>>()?;
        switch.bridge("switch", &ports)?;
        router.addresses(ROUTER_INTERFACE)?;
        for machine in &machines {
            machine.addresses(MACHINE_INTERFACE)?;
        }
        Ok(Self { router, switch, machines })
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{Ipv6Addr, SocketAddrV6, UdpSocket},
        time::Duration,
    };

    use super::*;

    const PORT: u16 = 4321;

    #[test]
    fn a_machine_reaches_the_router_through_the_switch() {
        let rack = Rack::new(2).unwrap();
        let router = rack.router.addresses(ROUTER_INTERFACE).unwrap()[0];
        let hearing = rack.router.run(|| UdpSocket::bind((Ipv6Addr::UNSPECIFIED, PORT))).unwrap().unwrap();
        hearing.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        for machine in &rack.machines {
            let interface = machine.index_of(MACHINE_INTERFACE).unwrap();
            let to = SocketAddrV6::new(router, PORT, 0, interface);
            let saying = machine.run(|| UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))).unwrap().unwrap();
            saying.send_to(b"here", to).unwrap();
            let (length, from) = hearing.recv_from(&mut [0; 16]).unwrap();
            let own = machine.addresses(MACHINE_INTERFACE).unwrap()[0];
            assert_eq!((length, from.ip()), (4, own.into()));
        }
    }

    #[test]
    fn what_is_not_there_is_named() {
        let host = Host::new("lone host").unwrap();
        let error = format!("{:#}", host.ip("link show dev no-such").unwrap_err());
        assert!(error.contains("lone host") && error.contains("no-such"), "{error}");
        assert!(host.index_of(MACHINE_INTERFACE).is_err());
    }
}
