//! What is ours on the wire: the interface's own addresses and the ports that we serve.

use std::net::Ipv6Addr;

use dhcpv6macd_ebpf::Ours;

use crate::wire::MacAddr;

/// The interface that the daemon serves, as it is right now. Replaced as a whole when an address comes or goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    /// Hardware address of the interface: Ethernet source of every reply.
    pub mac: MacAddr,
    /// Where replies to the link's machines come from that asked a group.
    pub link_local: Ipv6Addr,
    /// Every unicast address of the interface, sorted.
    pub addresses: Box<[Ipv6Addr]>,
    /// Bytes of the longest packet that is sent.
    pub mtu: u32,
    /// UDP port of the DHCPv6 server.
    pub dhcpv6_port: u16,
    /// UDP port of the TFTP server, where TFTP is served.
    pub tftp_port: Option<u16>,
}

impl Local {
    /// Every UDP port that we serve.
    #[must_use]
    pub fn ports(&self) -> Vec<u16> {
        [Some(self.dhcpv6_port), self.tftp_port].into_iter().flatten().collect()
    }

    /// Where packets to `destination` come from: to another link not from a link-local address, which no router forwards
    /// (RFC 4291 section 2.5.6), where there is another.
    #[must_use]
    pub fn source_to(&self, destination: Ipv6Addr) -> Ipv6Addr {
        let is_far = !destination.is_unicast_link_local();
        let far = self.addresses.iter().find(|address| is_far && !address.is_unicast_link_local());
        far.copied().unwrap_or(self.link_local)
    }
}

impl Ours for Local {
    fn dhcpv6_port(&self) -> u16 {
        self.dhcpv6_port
    }

    fn tftp_port(&self) -> Option<u16> {
        self.tftp_port
    }

    fn owns(&self, address: &[u8; 16]) -> bool {
        self.addresses.binary_search(&Ipv6Addr::from(*address)).is_ok()
    }
}
