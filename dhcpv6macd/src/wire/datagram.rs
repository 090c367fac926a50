//! Frames become datagrams, and replies become frames.

use std::net::Ipv6Addr;

use dhcpv6macd_ebpf::{
    Frame as _, Ours, Service, Verdict, classify,
    header::{
        ETHERTYPE_IPV6, EthernetHeader, IPV6_OFFSET, Ipv6Header, NEXT_HEADER_UDP, PAYLOAD_OFFSET, UDP_OFFSET, UdpHeader,
    },
};
use zerocopy::{FromBytes as _, IntoBytes as _, network_endian::U16};

use super::{MacAddr, Malformed, NoSpace, checksum};

/// Hops of a reply. Its receiver is on this link, or a relay agent that we know no more of.
const HOP_LIMIT: u8 = 64;
/// Version 6, traffic class 0, flow label 0.
const VERSION_CLASS_FLOW: u32 = 6 << 28;
const UDP_HEADER: usize = PAYLOAD_OFFSET - UDP_OFFSET;

/// A UDP datagram for one of our services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Whom it is for.
    pub service: Service,
    /// Hardware address that it came from.
    pub ethernet_source: MacAddr,
    /// Address that it came from: a unicast one.
    pub source: Ipv6Addr,
    /// Address that it was sent to: one of ours, or one of the DHCPv6 groups.
    pub destination: Ipv6Addr,
    /// Port that it came from.
    pub source_port: u16,
    /// What it carries.
    pub payload: &'a [u8],
}

impl<'a> Datagram<'a> {
    /// Reads a frame. `None` where the frame is not ours.
    ///
    /// # Errors
    ///
    /// A frame that is ours, and whose lengths, checksum or source address are wrong.
    pub fn parse(frame: &'a [u8], ours: &impl Ours) -> Result<Option<Self>, Malformed> {
        let Verdict::Steer(service) = classify(frame, ours) else { return Ok(None) };
        let ethernet: &EthernetHeader = frame.view(0).ok_or(Malformed::Length)?;
        let ipv6: &Ipv6Header = frame.view(IPV6_OFFSET).ok_or(Malformed::Length)?;
        let header: &UdpHeader = frame.view(UDP_OFFSET).ok_or(Malformed::Length)?;

        // Behind the packet an Ethernet may pad; inside it UDP may not.
        let udp_length = usize::from(header.length.get());
        if udp_length < UDP_HEADER || ipv6.payload_length != header.length {
            return Err(Malformed::Length);
        }
        let udp = frame.get(UDP_OFFSET..UDP_OFFSET + udp_length).ok_or(Malformed::Length)?;
        if header.checksum.get() == 0 {
            return Err(Malformed::NoChecksum);
        }
        if !checksum::is_right(ipv6, udp, header.checksum.get()) {
            return Err(Malformed::Checksum);
        }
        let source = Ipv6Addr::from(ipv6.source);
        if source.is_multicast() || source.is_unspecified() || source.is_loopback() {
            return Err(Malformed::Source);
        }

        Ok(Some(Self {
            service,
            ethernet_source: MacAddr(ethernet.source),
            source,
            destination: Ipv6Addr::from(ipv6.destination),
            source_port: header.source_port.get(),
            payload: udp.get(UDP_HEADER..).unwrap_or_default(),
        }))
    }
}

/// What goes in front of a payload of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers {
    /// Hardware address of the interface that the frame leaves by.
    pub ethernet_source: MacAddr,
    /// Hardware address of the receiver.
    pub ethernet_destination: MacAddr,
    /// Our address.
    pub source: Ipv6Addr,
    /// The receiver's.
    pub destination: Ipv6Addr,
    /// Our port.
    pub source_port: u16,
    /// The receiver's.
    pub destination_port: u16,
}

impl Headers {
    /// Writes a whole frame into `buffer` around the payload that `fill` writes; returns its length.
    ///
    /// # Errors
    ///
    /// Where `buffer` is too short, or `fill` says so.
    pub fn emit(
        &self,
        buffer: &mut [u8],
        fill: impl FnOnce(&mut [u8]) -> Result<usize, NoSpace>,
    ) -> Result<usize, NoSpace> {
        let (headers, room) = buffer.split_at_mut_checked(PAYLOAD_OFFSET).ok_or(NoSpace)?;
        let length = fill(room)?;
        let payload = room.get(..length).ok_or(NoSpace)?;
        let udp_length = u16::try_from(UDP_HEADER + length).map_err(|_| NoSpace)?;

        let (ethernet, rest) = EthernetHeader::mut_from_prefix(headers).map_err(|_| NoSpace)?;
        let (ipv6, rest) = Ipv6Header::mut_from_prefix(rest).map_err(|_| NoSpace)?;
        let (udp, _) = UdpHeader::mut_from_prefix(rest).map_err(|_| NoSpace)?;
        *ethernet = EthernetHeader {
            destination: self.ethernet_destination.0,
            source: self.ethernet_source.0,
            ethertype: ETHERTYPE_IPV6.into(),
        };
        *ipv6 = Ipv6Header {
            version_class_flow: VERSION_CLASS_FLOW.into(),
            payload_length: udp_length.into(),
            next_header: NEXT_HEADER_UDP,
            hop_limit: HOP_LIMIT,
            source: self.source.octets(),
            destination: self.destination.octets(),
        };
        *udp = UdpHeader {
            source_port: self.source_port.into(),
            destination_port: self.destination_port.into(),
            length: udp_length.into(),
            checksum: U16::ZERO,
        };
        udp.checksum = checksum::of(ipv6, udp.as_bytes(), payload, udp_length).into();
        Ok(PAYLOAD_OFFSET + length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::Local;

    const HEADERS: Headers = Headers {
        ethernet_source: MacAddr([2, 0, 0, 0, 0, 2]),
        ethernet_destination: MacAddr([2, 0, 0, 0, 0, 1]),
        source: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2),
        destination: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1),
        source_port: 546,
        destination_port: 547,
    };

    fn local() -> Local {
        Local {
            mac: HEADERS.ethernet_destination,
            link_local: HEADERS.destination,
            addresses: Box::new([HEADERS.destination]),
            mtu: 1500,
            dhcpv6_port: 547,
            tftp_port: None,
        }
    }

    fn frame(payload: &[u8]) -> Vec<u8> {
        let mut buffer = vec![0xaa; 1514];
        let fill = |room: &mut [u8]| {
            room[..payload.len()].copy_from_slice(payload);
            Ok(payload.len())
        };
        let length = HEADERS.emit(&mut buffer, fill).unwrap();
        buffer.truncate(length);
        buffer
    }

    #[test]
    fn what_is_emitted_is_read_back() {
        for length in [0, 1, 2, 3, 77, 1400] {
            let payload: Vec<u8> = (0..=250).cycle().take(length).collect();
            let mut frame = frame(&payload);
            // Padding of a short Ethernet frame is not part of the packet.
            frame.extend([0; 9]);
            let datagram = Datagram::parse(&frame, &local()).unwrap().unwrap();
            assert_eq!(datagram.payload, payload);
            assert_eq!((datagram.source, datagram.source_port), (HEADERS.source, 546));
            assert_eq!(datagram.ethernet_source, HEADERS.ethernet_source);
        }
    }

    #[test]
    fn a_flipped_bit_is_found_and_a_sum_that_offload_left_is_accepted() {
        let good = frame(b"payload");
        let mut flipped = good.clone();
        *flipped.last_mut().unwrap() ^= 1;
        assert_eq!(Datagram::parse(&flipped, &local()), Err(Malformed::Checksum));

        let mut none = good.clone();
        none[UDP_OFFSET + 6..PAYLOAD_OFFSET].fill(0);
        assert_eq!(Datagram::parse(&none, &local()), Err(Malformed::NoChecksum));

        // fe80 + 2 + fe80 + 1 + 17 + 15, folded.
        let mut left = good;
        left[UDP_OFFSET + 6..PAYLOAD_OFFSET].copy_from_slice(&0xfd24_u16.to_be_bytes());
        assert!(Datagram::parse(&left, &local()).unwrap().is_some());
    }

    #[test]
    fn lengths_that_do_not_agree_are_refused() {
        let good = frame(b"payload");
        for end in PAYLOAD_OFFSET..good.len() {
            assert_eq!(Datagram::parse(&good[..end], &local()), Err(Malformed::Length), "cut at {end}");
        }
        for (offset, length) in
            [(IPV6_OFFSET + 4, 16_u16), (UDP_OFFSET + 4, 14), (UDP_OFFSET + 4, 7), (UDP_OFFSET + 4, 0)]
        {
            let mut frame = good.clone();
            frame[offset..offset + 2].copy_from_slice(&length.to_be_bytes());
            assert_eq!(Datagram::parse(&frame, &local()), Err(Malformed::Length), "{length} at {offset}");
        }
    }

    #[test]
    fn nobody_answers_a_group() {
        let mut frame = frame(b"payload");
        frame[IPV6_OFFSET + 8] = 0xff;
        // fe80 became ff80.
        frame[UDP_OFFSET + 6] = frame[UDP_OFFSET + 6].wrapping_sub(1);
        assert_eq!(Datagram::parse(&frame, &local()), Err(Malformed::Source));
    }

    #[test]
    fn a_buffer_that_is_too_short_is_an_error() {
        for length in 0..PAYLOAD_OFFSET {
            assert_eq!(HEADERS.emit(&mut vec![0; length], |_| Ok(0)), Err(NoSpace));
        }
        assert_eq!(HEADERS.emit(&mut [0; PAYLOAD_OFFSET], |_| Ok(1)), Err(NoSpace));
    }
}
