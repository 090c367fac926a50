//! What others say to each other.

use std::net::Ipv6Addr;

use dhcpv6macd_ebpf::{
    Frame as _,
    header::{
        ETHERTYPE_IPV6, EthernetHeader, IPV6_OFFSET, Ipv6Header, NEXT_HEADER_UDP, PAYLOAD_OFFSET, UDP_OFFSET, UdpHeader,
    },
};

use super::{
    MacAddr,
    dhcpv6::{CLIENT_PORT, SERVER_PORT},
};

/// A UDP datagram that need not be for us, unchecked: for whoever looks, not for whoever answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overheard<'a> {
    /// Hardware address that it came from.
    pub ethernet_source: MacAddr,
    /// Address that it came from.
    pub source: Ipv6Addr,
    /// Port that it came from.
    pub source_port: u16,
    /// Port that it was sent to.
    pub destination_port: u16,
    /// What it carries, and whatever an Ethernet padded.
    pub payload: &'a [u8],
}

impl<'a> Overheard<'a> {
    /// Reads a frame. `None` where it is no UDP right behind IPv6.
    #[must_use]
    pub fn read(frame: &'a [u8]) -> Option<Self> {
        let ethernet: &EthernetHeader = frame.view(0)?;
        let ipv6: &Ipv6Header = frame.view(IPV6_OFFSET)?;
        let udp: &UdpHeader = frame.view(UDP_OFFSET)?;
        let is_udp =
            ethernet.ethertype.get() == ETHERTYPE_IPV6 && ipv6.version() == 6 && ipv6.next_header == NEXT_HEADER_UDP;
        is_udp.then_some(Self {
            ethernet_source: MacAddr(ethernet.source),
            source: ipv6.source.into(),
            source_port: udp.source_port.get(),
            destination_port: udp.destination_port.get(),
            payload: frame.get(PAYLOAD_OFFSET..)?,
        })
    }

    /// Is it between clients, relay agents and servers of DHCPv6, by the ports that RFC 9915 gives them?
    #[must_use]
    pub fn is_dhcpv6(&self) -> bool {
        [CLIENT_PORT, SERVER_PORT].contains(&self.destination_port)
    }
}
