//! Datagrams inside Ethernet frames.

use dhcpv6macd::wire::MacAddr;
use dhcpv6macd_ebpf::{
    Frame as _,
    header::{
        ETHERTYPE_IPV6, EthernetHeader, IPV6_OFFSET, Ipv6Header, NEXT_HEADER_UDP, PAYLOAD_OFFSET, UDP_OFFSET, UdpHeader,
    },
};
use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    network_endian::{U16, U32},
};

use crate::population::checksum;

/// One end of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) mac: MacAddr,
    pub(super) address: [u8; 16],
    /// UDP port.
    pub(super) port: u16,
}

/// What a frame starts with.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Opening {
    ethernet: EthernetHeader,
    ipv6: Ipv6Header,
    udp: UdpHeader,
}

/// Writes a frame, checksum included, and returns its length; `None` where there is no room.
pub(super) fn write(buffer: &mut [u8], from: &Peer, to: &Peer, payload: &[u8]) -> Option<usize> {
    let length = write_unsummed(buffer, from, to, payload, &[])?;
    let checksum = checksum(buffer.get(..length)?)?;
    Opening::mut_from_prefix(buffer).ok()?.0.udp.checksum = checksum.into();
    Some(length)
}

/// The same without a checksum, and with a payload in two pieces.
pub(super) fn write_unsummed(buffer: &mut [u8], from: &Peer, to: &Peer, head: &[u8], body: &[u8]) -> Option<usize> {
    let udp_length = U16::new(u16::try_from(size_of::<UdpHeader>() + head.len() + body.len()).ok()?);
    let opening = Opening {
        ethernet: EthernetHeader { destination: to.mac.0, source: from.mac.0, ethertype: ETHERTYPE_IPV6.into() },
        ipv6: Ipv6Header {
            version_class_flow: U32::new(6 << 28),
            payload_length: udp_length,
            next_header: NEXT_HEADER_UDP,
            hop_limit: 64,
            source: from.address,
            destination: to.address,
        },
        udp: UdpHeader {
            source_port: from.port.into(),
            destination_port: to.port.into(),
            length: udp_length,
            checksum: U16::ZERO,
        },
    };
    let length = PAYLOAD_OFFSET + head.len() + body.len();
    let (headers, payload) = buffer.get_mut(..length)?.split_at_mut_checked(PAYLOAD_OFFSET)?;
    headers.copy_from_slice(opening.as_bytes());
    let (first, second) = payload.split_at_mut_checked(head.len())?;
    first.copy_from_slice(head);
    second.copy_from_slice(body);
    Some(length)
}

/// A datagram, and who sent it to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Received<'a> {
    pub(super) from: Peer,
    pub(super) to: Peer,
    pub(super) payload: &'a [u8],
}

impl<'a> Received<'a> {
    /// Reads the headers; `None` where the frame is something else. Checksums are not looked at: what the kernel sends over veth has
    /// none yet.
    pub(super) fn read(frame: &'a [u8]) -> Option<Self> {
        let ethernet: &EthernetHeader = frame.view(0)?;
        let ipv6: &Ipv6Header = frame.view(IPV6_OFFSET)?;
        let udp: &UdpHeader = frame.view(UDP_OFFSET)?;
        let is_ours = ethernet.ethertype.get() == ETHERTYPE_IPV6 && ipv6.next_header == NEXT_HEADER_UDP;
        let end = UDP_OFFSET + usize::from(udp.length.get());
        let payload = frame.get(PAYLOAD_OFFSET..end).filter(|_| is_ours)?;
        let peer = |mac, address, port: U16| Peer { mac: MacAddr(mac), address, port: port.get() };
        Some(Self {
            from: peer(ethernet.source, ipv6.source, udp.source_port),
            to: peer(ethernet.destination, ipv6.destination, udp.destination_port),
            payload,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        let peer = |number| Peer { mac: MacAddr([number; 6]), address: [number; 16], port: number.into() };
        let mut buffer = [0; 100];
        let length = write(&mut buffer, &peer(1), &peer(2), b"payload").unwrap();
        let read = buffer;
        let packet = etherparse::SlicedPacket::from_ethernet(&read[..length]).unwrap();
        let Some(etherparse::TransportSlice::Udp(udp)) = packet.transport else { panic!("{packet:?}") };
        assert_eq!(udp.payload(), b"payload");
        let received = Received::read(&buffer[..length]).unwrap();
        assert_eq!(received, Received { from: peer(1), to: peer(2), payload: b"payload" });
        assert_eq!(Received::read(&buffer[..length - 1]), None);
        assert_eq!(write(&mut buffer[..length - 1], &peer(1), &peer(2), b"payload"), None);
    }
}
