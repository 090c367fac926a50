//! The decision: steer a frame to the daemon, or pass it to the kernel, and for what reason.

use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use crate::header::{
    ETHERTYPE_IPV6, ETHERTYPE_SERVICE_VLAN, ETHERTYPE_VLAN, EthernetHeader, IPV6_OFFSET, Ipv6Header,
    NEXT_HEADER_EXTENSIONS, NEXT_HEADER_FRAGMENT, NEXT_HEADER_UDP, UDP_OFFSET, UdpHeader,
};

/// `ff02::1:2`, where clients find servers and relay agents on their link (RFC 9915 section 7.1).
pub const ALL_DHCP_RELAY_AGENTS_AND_SERVERS: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2];
/// `ff05::1:3`, where relay agents find servers in their site (RFC 9915 section 7.1).
pub const ALL_DHCP_SERVERS: [u8; 16] = [0xff, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 3];

/// A frame that can be read at an offset: a slice on the host, a pair of checked pointers in the kernel.
pub trait Frame {
    /// The `T` that starts at `offset`, or `None` where the frame is too short for it.
    fn view<T: FromBytes + Immutable + KnownLayout + Unaligned>(&self, offset: usize) -> Option<&T>;
}

impl Frame for [u8] {
    #[inline]
    fn view<T: FromBytes + Immutable + KnownLayout + Unaligned>(&self, offset: usize) -> Option<&T> {
        T::ref_from_prefix(self.get(offset..)?).ok().map(|(view, _)| view)
    }
}

/// What makes a frame ours: the ports that we serve and the addresses of our interface.
pub trait Ours {
    /// UDP port of the DHCPv6 server, usually 547.
    fn dhcpv6_port(&self) -> u16;
    /// UDP port of the TFTP server, usually 69; `None` where TFTP is not served.
    fn tftp_port(&self) -> Option<u16>;
    /// Is this one of the unicast addresses of our interface?
    fn owns(&self, address: &[u8; 16]) -> bool;
}

/// A service of the daemon that a frame may be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// DHCPv6, to us or to one of the two multicast groups.
    Dhcpv6,
    /// TFTP, to one of our own addresses.
    Tftp,
}

/// Why a frame is none of our business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassReason {
    /// Too short for the header that should follow.
    Truncated,
    /// 802.1Q or 802.1ad tag: the daemon belongs on the VLAN device.
    Vlan,
    /// Not IPv6.
    NotIpv6,
    /// EtherType of IPv6, but another version in the header.
    BadVersion,
    /// A fragment; nobody who boots sends one.
    Fragment,
    /// Another extension header in front of the payload.
    ExtensionHeader,
    /// Not UDP.
    NotUdp,
    /// UDP to a port that we do not serve.
    OtherPort,
    /// Our port at an address that is not ours: somebody else's traffic, to be forwarded.
    OtherAddress,
}

/// What is to be done with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// To the daemon.
    Steer(Service),
    /// To the kernel, untouched.
    Pass(PassReason),
}

impl Verdict {
    /// Every verdict, in the order of [`Verdict::index`].
    pub const ALL: [Self; 11] = [
        Self::Steer(Service::Dhcpv6),
        Self::Steer(Service::Tftp),
        Self::Pass(PassReason::Truncated),
        Self::Pass(PassReason::Vlan),
        Self::Pass(PassReason::NotIpv6),
        Self::Pass(PassReason::BadVersion),
        Self::Pass(PassReason::Fragment),
        Self::Pass(PassReason::ExtensionHeader),
        Self::Pass(PassReason::NotUdp),
        Self::Pass(PassReason::OtherPort),
        Self::Pass(PassReason::OtherAddress),
    ];

    /// Index of this verdict's counter in [`crate::map::COUNTERS`].
    #[inline(always)]
    #[must_use]
    pub const fn index(self) -> u32 {
        match self {
            Self::Steer(Service::Dhcpv6) => 0,
            Self::Steer(Service::Tftp) => 1,
            Self::Pass(PassReason::Truncated) => 2,
            Self::Pass(PassReason::Vlan) => 3,
            Self::Pass(PassReason::NotIpv6) => 4,
            Self::Pass(PassReason::BadVersion) => 5,
            Self::Pass(PassReason::Fragment) => 6,
            Self::Pass(PassReason::ExtensionHeader) => 7,
            Self::Pass(PassReason::NotUdp) => 8,
            Self::Pass(PassReason::OtherPort) => 9,
            Self::Pass(PassReason::OtherAddress) => 10,
        }
    }

    /// Name of this verdict's counter.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Steer(Service::Dhcpv6) => "steer_dhcpv6",
            Self::Steer(Service::Tftp) => "steer_tftp",
            Self::Pass(PassReason::Truncated) => "pass_truncated",
            Self::Pass(PassReason::Vlan) => "pass_vlan",
            Self::Pass(PassReason::NotIpv6) => "pass_not_ipv6",
            Self::Pass(PassReason::BadVersion) => "pass_bad_version",
            Self::Pass(PassReason::Fragment) => "pass_fragment",
            Self::Pass(PassReason::ExtensionHeader) => "pass_extension_header",
            Self::Pass(PassReason::NotUdp) => "pass_not_udp",
            Self::Pass(PassReason::OtherPort) => "pass_other_port",
            Self::Pass(PassReason::OtherAddress) => "pass_other_address",
        }
    }
}

/// Says whether `frame` is for us, looking no deeper than its UDP header.
#[inline(always)]
pub fn classify<F: Frame + ?Sized>(frame: &F, ours: &impl Ours) -> Verdict {
    match service(frame, ours) {
        Ok(service) => Verdict::Steer(service),
        Err(reason) => Verdict::Pass(reason),
    }
}

#[inline(always)]
fn service<F: Frame + ?Sized>(frame: &F, ours: &impl Ours) -> Result<Service, PassReason> {
    let ethernet: &EthernetHeader = frame.view(0).ok_or(PassReason::Truncated)?;
    match ethernet.ethertype.get() {
        ETHERTYPE_IPV6 => {}
        ETHERTYPE_VLAN | ETHERTYPE_SERVICE_VLAN => return Err(PassReason::Vlan),
        _ => return Err(PassReason::NotIpv6),
    }

    let ipv6: &Ipv6Header = frame.view(IPV6_OFFSET).ok_or(PassReason::Truncated)?;
    if ipv6.version() != 6 {
        return Err(PassReason::BadVersion);
    }
    if ipv6.next_header != NEXT_HEADER_UDP {
        return Err(not_udp(ipv6.next_header));
    }

    let udp: &UdpHeader = frame.view(UDP_OFFSET).ok_or(PassReason::Truncated)?;
    let port = udp.destination_port.get();
    let (service, to_group) = if port == ours.dhcpv6_port() {
        (Service::Dhcpv6, is_dhcpv6_group(&ipv6.destination))
    } else if Some(port) == ours.tftp_port() {
        (Service::Tftp, false)
    } else {
        return Err(PassReason::OtherPort);
    };
    if to_group || ours.owns(&ipv6.destination) { Ok(service) } else { Err(PassReason::OtherAddress) }
}

#[inline(always)]
fn is_dhcpv6_group(address: &[u8; 16]) -> bool {
    *address == ALL_DHCP_RELAY_AGENTS_AND_SERVERS || *address == ALL_DHCP_SERVERS
}

/// Only a label for the counter: whatever is not UDP passes.
#[inline(always)]
fn not_udp(next_header: u8) -> PassReason {
    if next_header == NEXT_HEADER_FRAGMENT {
        PassReason::Fragment
    } else if NEXT_HEADER_EXTENSIONS.contains(&next_header) {
        PassReason::ExtensionHeader
    } else {
        PassReason::NotUdp
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verdict_has_its_own_counter() {
        for (index, verdict) in Verdict::ALL.iter().enumerate() {
            assert_eq!(verdict.index() as usize, index, "{}", verdict.name());
            assert_eq!(Verdict::ALL.iter().filter(|other| other.name() == verdict.name()).count(), 1);
        }
    }

    #[test]
    fn a_view_ends_where_the_frame_ends() {
        let frame = [0u8; 14];
        assert!(frame.view::<EthernetHeader>(0).is_some());
        assert!(frame.view::<EthernetHeader>(1).is_none());
        assert!(frame.view::<EthernetHeader>(15).is_none());
    }
}
