//! What is in the daemon's way on an interface: found before anything starts, and named.

use std::{net::IpAddr, os::fd::OwnedFd, path::Path};

use rustix::process::{Resource, getrlimit};

use super::StartError;
use crate::{
    config::{Config, Datapath},
    datapath::{
        offload,
        port::{self, Transport},
        steering::program_name,
    },
    interface::{Facts, Interface},
    local::Local,
    privilege,
};

/// File descriptors beside those of the workers: netlink, signals, ports, groups, BPF objects, and what is open for a moment.
const DESCRIPTORS: u64 = 48;
/// Of each worker: its two rings, and what the kernel counts at one of them.
const DESCRIPTORS_OF_WORKER: u64 = 3;

/// What the process may do, and what it must see.
pub(super) fn refuse_without_rights(config: &Config, workers: usize) -> Result<(), StartError> {
    if let Some(names) = privilege::missing(config.datapath).map_err(StartError::Runtime)? {
        return Err(StartError::Privilege(names));
    }
    refuse_without_proc()?;
    refuse_without_descriptors(workers)
}

/// Without enough file descriptors anything fails, for reasons that name anything else.
fn refuse_without_descriptors(workers: usize) -> Result<(), StartError> {
    let needed = DESCRIPTORS + DESCRIPTORS_OF_WORKER * workers as u64;
    // As far as the limit may be raised, it will be.
    match getrlimit(Resource::Nofile).maximum {
        Some(limit) if limit < needed => Err(StartError::Descriptors { needed, limit }),
        Some(_) | None => Ok(()),
    }
}

/// Namespaces, memberships and the holders of ports are seen there.
fn refuse_without_proc() -> Result<(), StartError> {
    if Path::new("/proc/thread-self").exists() { Ok(()) } else { Err(StartError::NoProc) }
}

/// Behind another dhcpv6macd's steering program no socket sees a frame of ours.
pub(super) async fn refuse_if_served(interface: &Interface) -> Result<(), StartError> {
    match interface.xdp_program().await {
        Ok(Some(id)) if is_ours(id) => Err(StartError::AlreadyServed { interface: interface.name.clone() }),
        Ok(_) => Ok(()),
        Err(source) => Err(StartError::Interface { name: interface.name.clone(), source }),
    }
}

/// Names who is attached.
pub(super) async fn busy(interface: &Interface) -> StartError {
    let interface_name = interface.name.clone();
    match interface.xdp_program().await {
        Ok(Some(id)) if is_ours(id) => StartError::AlreadyServed { interface: interface_name },
        Ok(Some(id)) => {
            let name = program_name(id).unwrap_or_else(|| "without a name".to_owned());
            StartError::Busy { interface: interface_name, holder: format!("the XDP program {name} (number {id})") }
        }
        Ok(None) => StartError::Busy { interface: interface_name, holder: "another XDP program".to_owned() },
        Err(source) => StartError::Interface { name: interface_name, source },
    }
}

fn is_ours(id: u32) -> bool {
    program_name(id).as_deref() == Some(dhcpv6macd_ebpf::map::PROGRAM)
}

/// XDP does not see the tags that the hardware has taken out: what is for a VLAN would be answered without one.
pub(super) async fn refuse_if_vlans_are_hidden(config: &Config, interface: &Interface) -> Result<(), StartError> {
    if config.datapath == Datapath::Packet {
        return Ok(());
    }
    let at_interface = |source| StartError::Interface { name: interface.name.clone(), source };
    let devices = interface.vlan_devices().await.map_err(at_interface)?;
    if !devices.is_empty() && offload::strips_vlan_tags(&interface.name).map_err(|error| at_interface(error.into()))? {
        return Err(StartError::HiddenVlans { interface: interface.name.clone(), devices: devices.join(", ") });
    }
    Ok(())
}

/// A bridge takes the frames of its ports before a socket on a port sees them (`__netif_receive_skb_core`,
/// `net/core/dev.c`); XDP comes before it.
pub(super) async fn refuse_behind_bridge(
    config: &Config,
    interface: &Interface,
    facts: &Facts,
) -> Result<(), StartError> {
    match facts.bridge {
        Some(bridge) if config.datapath == Datapath::Packet => {
            let at_interface = |source| StartError::Interface { name: interface.name.clone(), source };
            let bridge = interface.name_of(bridge).await.map_err(at_interface)?;
            Err(StartError::BehindBridge { interface: interface.name.clone(), bridge })
        }
        Some(_) | None => Ok(()),
    }
}

/// Machines in PXE are to be told where to load iPXE from.
pub(super) fn refuse_without_boot_server(config: &Config, facts: &Facts) -> Result<(), StartError> {
    let base_address = config.base_address;
    if let Some(IpAddr::V6(listen)) = config.tftp.map(|tftp| tftp.ip())
        && !listen.is_unspecified()
        && !facts.addresses.contains(&listen)
    {
        return Err(StartError::NotOurs { interface: config.interface.clone(), address: listen });
    }
    if config.boot.lacks_server(base_address, &facts.addresses) {
        return Err(StartError::NoBootServer { interface: config.interface.clone(), base_address });
    }
    Ok(())
}

/// Takes our ports from everybody else; held until dropped.
pub(super) fn hold_ports(interface: &str, local: &Local) -> Result<Vec<OwnedFd>, StartError> {
    let hold = |number| {
        port::hold(interface, number).map_err(|source| StartError::Port {
            port: number,
            interface: interface.to_owned(),
            source,
            holders: port::holders(Transport::Udp, number).into_iter().collect::<Vec<_>>().join(", "),
        })
    };
    local.ports().into_iter().map(hold).collect()
}
