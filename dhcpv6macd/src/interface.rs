//! The interface that the daemon serves: found once, followed while the daemon runs.

use std::{
    io,
    net::{IpAddr, Ipv6Addr},
    os::fd::OwnedFd,
};

use dhcpv6macd_ebpf::{ALL_DHCP_RELAY_AGENTS_AND_SERVERS, ALL_DHCP_SERVERS};
use futures_util::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use rtnetlink::{
    Handle, MulticastGroup, new_multicast_connection,
    packet_core::{NetlinkMessage, NetlinkPayload},
    packet_route::{
        AddressFamily, RouteNetlinkMessage,
        address::{AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage},
        link::{LinkAttribute, LinkMessage, LinkXdp},
    },
};
use rustix::net::{self, SocketFlags, SocketType, ipproto, socket_with, sockopt};

use crate::wire::MacAddr;

/// Where the interface's MAC, MTU and addresses come from.
pub struct Interface {
    /// Its name, as it was when the daemon started.
    pub name: String,
    /// Its number, which stays when the name changes.
    pub index: u32,
    /// Netlink, to ask.
    pub netlink: Handle,
    changes: BoxStream<'static, NetlinkMessage<RouteNetlinkMessage>>,
}

/// What an interface has at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Hardware address.
    pub mac: MacAddr,
    /// Bytes behind the Ethernet header.
    pub mtu: u32,
    /// Where packets to the link come from: the link-local address, or what it would be (EUI-64) as long as there is none.
    pub link_local: Ipv6Addr,
    /// Every unicast IPv6 address, sorted, but those that another host already has.
    pub addresses: Box<[Ipv6Addr]>,
}

/// Why an interface cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum InterfaceError {
    /// There is no such interface.
    #[error("there is no such interface; there are: {existing}")]
    Missing {
        /// The names of those that exist, with commas.
        existing: String,
    },
    /// Not an Ethernet.
    #[error("it has no Ethernet address; the daemon needs an Ethernet interface")]
    NotEthernet,
    /// It was there when the daemon started.
    #[error("the interface is gone")]
    Gone,
    /// Netlink failed.
    #[error("the kernel does not tell about its interfaces: {0}")]
    Netlink(#[from] rtnetlink::Error),
    /// Netlink could not be opened.
    #[error("the kernel does not tell about its interfaces: {0}")]
    Open(#[from] io::Error),
}

impl Interface {
    /// Finds an interface and starts to listen to what happens to it. Call it inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// Where there is none of that name, which the error then lists.
    pub fn find(name: &str) -> Result<Self, InterfaceError> {
        let existing = pnet::datalink::interfaces();
        let Some(found) = existing.iter().find(|interface| interface.name == name) else {
            let existing: Vec<_> = existing.into_iter().map(|interface| interface.name).collect();
            return Err(InterfaceError::Missing { existing: existing.join(", ") });
        };
        let groups = [MulticastGroup::Link, MulticastGroup::Ipv6Ifaddr];
        let (connection, netlink, changes) = new_multicast_connection(&groups)?;
        tokio::spawn(connection);
        let changes = changes.map(|(message, _)| message).boxed();
        Ok(Self { name: found.name.clone(), index: found.index, netlink, changes })
    }

    /// What the interface has now.
    ///
    /// # Errors
    ///
    /// Where the interface is gone or no Ethernet.
    pub async fn facts(&self) -> Result<Facts, InterfaceError> {
        let link = self.link().await?;
        let mac = link.attributes.iter().find_map(mac_of).ok_or(InterfaceError::NotEthernet)?;
        let mtu = link.attributes.iter().find_map(mtu_of).unwrap_or(1500);
        let mut addresses = Vec::new();
        let mut dump = self.netlink.address().get().set_link_index_filter(self.index).execute();
        while let Some(message) = dump.try_next().await? {
            addresses.extend(address_of(&message).filter(|_| message.header.index == self.index));
        }
        // Duplicate-address detection may still run for the one, and is done for the other.
        addresses.sort_by_key(|own| (own.is_tentative, own.address));
        let link_local = addresses.iter().map(|own| own.address).find(Ipv6Addr::is_unicast_link_local);
        let mut addresses: Box<[_]> = addresses.into_iter().map(|own| own.address).collect();
        addresses.sort_unstable();
        Ok(Facts { mac, mtu, link_local: link_local.unwrap_or_else(|| eui64_link_local(mac)), addresses })
    }

    /// Waits until something about the interface may have changed; its [facts](Self::facts) tell what.
    ///
    /// # Errors
    ///
    /// Where netlink ends.
    pub async fn changed(&mut self) -> Result<(), InterfaceError> {
        loop {
            let message = self.changes.next().await.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
            // A message without an index says that the kernel had more to say than we read in time: anything may have changed.
            if concerns(&message.payload).is_none_or(|index| index == self.index) {
                return Ok(());
            }
        }
    }

    /// The kernel's number of the XDP program on the interface, if there is one.
    ///
    /// # Errors
    ///
    /// Where the interface is gone.
    pub async fn xdp_program(&self) -> Result<Option<u32>, InterfaceError> {
        Ok(self.link().await?.attributes.iter().find_map(xdp_program_of))
    }

    /// Joins the groups that clients and relay agents send to, so that the interface's own filter, and switches that watch
    /// multicast listeners, let them through. Left when the socket is closed.
    ///
    /// # Errors
    ///
    /// Where IPv6 is disabled on the interface.
    pub fn join_groups(&self) -> io::Result<OwnedFd> {
        let socket =
            socket_with(net::AddressFamily::INET6, SocketType::DGRAM, SocketFlags::CLOEXEC, Some(ipproto::UDP))?;
        for group in [ALL_DHCP_RELAY_AGENTS_AND_SERVERS, ALL_DHCP_SERVERS] {
            sockopt::set_ipv6_add_membership(&socket, &Ipv6Addr::from(group), self.index)?;
        }
        Ok(socket)
    }

    async fn link(&self) -> Result<LinkMessage, InterfaceError> {
        let mut links = self.netlink.link().get().match_index(self.index).execute();
        match links.try_next().await {
            Ok(Some(link)) => Ok(link),
            Ok(None) => Err(InterfaceError::Gone),
            Err(rtnetlink::Error::NetlinkError(error)) if error.raw_code() == -libc::ENODEV => {
                Err(InterfaceError::Gone)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The interface that a message is about.
fn concerns(payload: &NetlinkPayload<RouteNetlinkMessage>) -> Option<u32> {
    let NetlinkPayload::InnerMessage(message) = payload else { return None };
    if let RouteNetlinkMessage::NewLink(link) | RouteNetlinkMessage::DelLink(link) = message {
        Some(link.header.index)
    } else if let RouteNetlinkMessage::NewAddress(address) | RouteNetlinkMessage::DelAddress(address) = message {
        Some(address.header.index)
    } else {
        None
    }
}

struct OwnAddress {
    address: Ipv6Addr,
    is_tentative: bool,
}

fn mac_of(attribute: &LinkAttribute) -> Option<MacAddr> {
    let LinkAttribute::Address(bytes) = attribute else { return None };
    Some(MacAddr(bytes.as_slice().try_into().ok()?)).filter(|mac| !mac.is_zero())
}

fn xdp_program_of(attribute: &LinkAttribute) -> Option<u32> {
    let LinkAttribute::Xdp(xdp) = attribute else { return None };
    xdp.iter().find_map(|xdp| if let LinkXdp::ProgId(id) = xdp { Some(*id) } else { None })
}

fn mtu_of(attribute: &LinkAttribute) -> Option<u32> {
    let LinkAttribute::Mtu(mtu) = attribute else { return None };
    Some(*mtu)
}

fn address_of(message: &AddressMessage) -> Option<OwnAddress> {
    if message.header.family != AddressFamily::Inet6 || message.header.flags.contains(AddressHeaderFlags::Dadfailed) {
        return None;
    }
    let mut address = None;
    let mut is_tentative = false;
    for attribute in &message.attributes {
        if let AddressAttribute::Local(IpAddr::V6(local)) = attribute {
            // The own end of a point-to-point address; the other attribute then is the far one.
            address = Some(*local);
        } else if let AddressAttribute::Address(IpAddr::V6(own_or_far)) = attribute {
            address = address.or(Some(*own_or_far));
        } else if let AddressAttribute::Flags(flags) = attribute {
            is_tentative = flags.contains(AddressFlags::Tentative);
        }
    }
    Some(OwnAddress { address: address?, is_tentative })
}

/// The link-local address that an interface gives itself (RFC 4291 appendix A).
fn eui64_link_local(mac: MacAddr) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac.0;
    Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_without_addresses_has_one_all_the_same() {
        let link_local = eui64_link_local(MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]));
        assert_eq!(link_local, "fe80::5054:ff:fe12:3456".parse::<Ipv6Addr>().unwrap());
    }
}
