//! The interface that the daemon serves: found once, followed while the daemon runs.

use std::{
    fs, io,
    net::{IpAddr, Ipv6Addr},
    os::fd::OwnedFd,
};

use dhcpv6macd_ebpf::{ALL_DHCP_RELAY_AGENTS_AND_SERVERS, ALL_DHCP_SERVERS};
use futures_util::TryStreamExt as _;
use rtnetlink::packet_route::{
    AddressFamily,
    address::{AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage},
    link::{InfoKind, InfoPortKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, LinkXdp},
};
use rustix::net::{self, SocketFlags, SocketType, ipproto, socket_with, sockopt};

use crate::{
    netlink::{Changes, NetlinkError, Requests},
    wire::MacAddr,
};

/// Where clients and relay agents send to.
const GROUPS: [[u8; 16]; 2] = [ALL_DHCP_RELAY_AGENTS_AND_SERVERS, ALL_DHCP_SERVERS];

/// Where the interface's MAC, MTU and addresses come from.
pub struct Interface {
    /// Its name, as it was when the daemon started.
    pub name: String,
    /// Its number, which stays when the name changes.
    pub index: u32,
    netlink: Requests,
    changes: Changes,
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
    /// Can frames come and go?
    pub state: LinkState,
    /// Number of the bridge that the interface is a port of.
    pub bridge: Option<u32>,
}

/// Can frames come and go (`netdevice(7)`)?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// Yes.
    Up,
    /// It is up, and nobody is at the cable's other end.
    NoCarrier,
    /// Nobody has set it up.
    Down,
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
    /// The kernel did not answer as it should.
    #[error("the kernel does not tell about its interfaces: {0}")]
    Netlink(#[from] NetlinkError),
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
        let (netlink, changes) = (Requests::open()?, Changes::listen()?);
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
        let dump = self.netlink.handle.address().get().set_link_index_filter(self.index).execute();
        let messages: Vec<_> = self.netlink.ask(dump.try_collect()).await?;
        let own = messages.iter().filter(|message| message.header.index == self.index);
        let mut addresses: Vec<_> = own.filter_map(address_of).collect();
        // Duplicate-address detection may still run for the one, and is done for the other.
        addresses.sort_by_key(|own| (own.is_tentative, own.address));
        let link_local = addresses.iter().map(|own| own.address).find(Ipv6Addr::is_unicast_link_local);
        let mut addresses: Box<[_]> = addresses.into_iter().map(|own| own.address).collect();
        addresses.sort_unstable();
        let link_local = link_local.unwrap_or_else(|| mac.link_local());
        let (state, bridge) = (state_of(link.header.flags), bridge_of(&link));
        Ok(Facts { mac, mtu, link_local, addresses, state, bridge })
    }

    /// Waits until something about the interface may have changed; its [facts](Self::facts) tell what.
    ///
    /// # Errors
    ///
    /// Where netlink ends.
    pub async fn changed(&mut self) -> Result<(), InterfaceError> {
        Ok(self.changes.wait(self.index).await?)
    }

    /// The name of the device of this number.
    ///
    /// # Errors
    ///
    /// Where there is none, or the kernel does not tell.
    pub async fn name_of(&self, index: u32) -> Result<String, InterfaceError> {
        name_of(&self.link_of(index).await?).ok_or(InterfaceError::Gone)
    }

    /// The names of the VLAN devices on the interface.
    ///
    /// # Errors
    ///
    /// Where the kernel does not tell.
    pub async fn vlan_devices(&self) -> Result<Vec<String>, InterfaceError> {
        let links: Vec<_> = self.netlink.ask(self.netlink.handle.link().get().execute().try_collect()).await?;
        Ok(links.iter().filter(|link| is_vlan_on(link, self.index)).filter_map(name_of).collect())
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
        for group in GROUPS {
            sockopt::set_ipv6_add_membership(&socket, &Ipv6Addr::from(group), self.index)?;
        }
        Ok(socket)
    }

    /// Is the interface in those groups? The kernel forgets it when IPv6 leaves the interface, as it does while the MTU is below
    /// 1280; the socket that joined then knows nothing of it, and takes the next member's place along when it is closed.
    ///
    /// # Errors
    ///
    /// Where `/proc` is not mounted.
    pub fn has_joined_groups(&self) -> io::Result<bool> {
        has_joined(self.index, &GROUPS)
    }

    async fn link(&self) -> Result<LinkMessage, InterfaceError> {
        self.link_of(self.index).await
    }

    async fn link_of(&self, index: u32) -> Result<LinkMessage, InterfaceError> {
        let mut links = self.netlink.handle.link().get().match_index(index).execute();
        match self.netlink.ask(links.try_next()).await {
            Ok(link) => link.ok_or(InterfaceError::Gone),
            Err(error) if error.is_no_device() => Err(InterfaceError::Gone),
            Err(error) => Err(error.into()),
        }
    }
}

/// Is the interface of this number in all these groups, whoever has joined them?
///
/// # Errors
///
/// Where `/proc` is not mounted.
pub fn has_joined(index: u32, groups: &[[u8; 16]]) -> io::Result<bool> {
    Ok(are_members(&fs::read_to_string("/proc/thread-self/net/igmp6")?, index, groups))
}

/// Reads the kernel's table of memberships (`igmp6_mc_seq_show`, `net/ipv6/mcast.c`): index, name and address, in hexadecimal
/// digits, of each.
fn are_members(table: &str, index: u32, groups: &[[u8; 16]]) -> bool {
    let index = index.to_string();
    let is_member = |group: &[u8; 16]| {
        let group = format!("{:032x}", u128::from_be_bytes(*group));
        table.lines().any(|line| {
            let mut fields = line.split_ascii_whitespace();
            fields.next() == Some(&index) && fields.nth(1) == Some(&group)
        })
    };
    groups.iter().all(is_member)
}

fn is_vlan_on(link: &LinkMessage, index: u32) -> bool {
    let is_on = |attribute: &LinkAttribute| matches!(attribute, LinkAttribute::Link(parent) if *parent == index);
    let is_vlan = |attribute: &LinkAttribute| matches!(attribute, LinkAttribute::LinkInfo(info) if info.contains(&LinkInfo::Kind(InfoKind::Vlan)));
    link.attributes.iter().any(is_on) && link.attributes.iter().any(is_vlan)
}

fn name_of(link: &LinkMessage) -> Option<String> {
    link.attributes
        .iter()
        .find_map(|attribute| if let LinkAttribute::IfName(name) = attribute { Some(name.clone()) } else { None })
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

/// The master of a link, where that keeps its frames: a bond, a team or a VRF leaves them to sockets on the link too.
fn bridge_of(link: &LinkMessage) -> Option<u32> {
    let is_bridge = |info: &LinkInfo| {
        let LinkInfo::PortKind(kind) = info else { return false };
        *kind == InfoPortKind::Bridge || *kind == InfoPortKind::Other("openvswitch".to_owned())
    };
    let is_port =
        |attribute: &LinkAttribute| matches!(attribute, LinkAttribute::LinkInfo(info) if info.iter().any(is_bridge));
    link.attributes.iter().find(|attribute| is_port(attribute))?;
    link.attributes.iter().find_map(master_of)
}

fn master_of(attribute: &LinkAttribute) -> Option<u32> {
    let LinkAttribute::Controller(master) = attribute else { return None };
    Some(*master)
}

fn state_of(flags: LinkFlags) -> LinkState {
    if !flags.contains(LinkFlags::Up) {
        LinkState::Down
    } else if !flags.contains(LinkFlags::LowerUp) {
        LinkState::NoCarrier
    } else {
        LinkState::Up
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vlan_device_is_told_from_what_else_sits_on_an_interface() {
        let link = |parent, kind| {
            let mut link = LinkMessage::default();
            let info = LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind)]);
            link.attributes = vec![LinkAttribute::IfName("eth1.20".into()), LinkAttribute::Link(parent), info];
            link
        };
        assert!(is_vlan_on(&link(7, InfoKind::Vlan), 7));
        assert!(!is_vlan_on(&link(8, InfoKind::Vlan), 7));
        assert!(!is_vlan_on(&link(7, InfoKind::MacVlan), 7));
        assert_eq!(name_of(&link(7, InfoKind::Vlan)).as_deref(), Some("eth1.20"));
    }

    #[test]
    fn a_bridge_is_told_from_masters_that_let_sockets_see_the_frames() {
        let bridge = |kind| {
            let mut link = LinkMessage::default();
            link.attributes =
                vec![LinkAttribute::Controller(9), LinkAttribute::LinkInfo(vec![LinkInfo::PortKind(kind)])];
            bridge_of(&link)
        };
        assert_eq!(bridge(InfoPortKind::Bridge), Some(9));
        assert_eq!(bridge(InfoPortKind::Other("openvswitch".into())), Some(9));
        assert_eq!((bridge(InfoPortKind::Vrf), bridge(InfoPortKind::Bond)), (None, None));
        assert_eq!(bridge_of(&LinkMessage::default()), None);
    }

    #[test]
    fn memberships_are_those_of_the_interface_and_of_both_groups() {
        let first = "2    rack0           ff020000000000000000000000010002     1 00000004 0\n";
        let second = "2    rack0           ff050000000000000000000000010003     1 00000004 0\n";
        assert!(are_members(&format!("{first}{second}"), 2, &GROUPS));
        assert!(!are_members(first, 2, &GROUPS));
        assert!(!are_members(&format!("{first}{second}"), 22, &GROUPS));
    }
}
