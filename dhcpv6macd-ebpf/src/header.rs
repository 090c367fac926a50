//! The headers in front of a DHCPv6 or TFTP payload, as zerocopy views: any alignment, network byte order, no padding.

use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    network_endian::{U16, U32},
};

/// EtherType of IPv6 (RFC 2464 section 3).
pub const ETHERTYPE_IPV6: u16 = 0x86dd;
/// EtherType of an 802.1Q customer tag.
pub const ETHERTYPE_VLAN: u16 = 0x8100;
/// EtherType of an 802.1ad service tag.
pub const ETHERTYPE_SERVICE_VLAN: u16 = 0x88a8;

/// Next Header value of UDP (RFC 768).
pub const NEXT_HEADER_UDP: u8 = 17;
/// Next Header value of the Fragment header (RFC 8200 section 4.5).
pub const NEXT_HEADER_FRAGMENT: u8 = 44;
/// Next Header values of the other extension headers (IANA "IPv6 Extension Header Types").
pub const NEXT_HEADER_EXTENSIONS: [u8; 9] = [0, 43, 50, 51, 60, 135, 139, 140, 253];

/// Ethernet II header: 14 bytes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct EthernetHeader {
    /// Hardware address of the receiver.
    pub destination: [u8; 6],
    /// Hardware address of the sender.
    pub source: [u8; 6],
    /// What follows, for example [`ETHERTYPE_IPV6`].
    pub ethertype: U16,
}

/// IPv6 header (RFC 8200 section 3): 40 bytes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Ipv6Header {
    /// Version (4 bits), traffic class (8), flow label (20).
    pub version_class_flow: U32,
    /// Bytes behind this header.
    pub payload_length: U16,
    /// What follows, for example [`NEXT_HEADER_UDP`].
    pub next_header: u8,
    /// Hops left.
    pub hop_limit: u8,
    /// Address of the sender.
    pub source: [u8; 16],
    /// Address of the receiver.
    pub destination: [u8; 16],
}

impl Ipv6Header {
    /// The version field: 6 for IPv6.
    #[inline(always)]
    #[must_use]
    pub fn version(&self) -> u8 {
        let [first, ..] = self.version_class_flow.to_bytes();
        first >> 4
    }
}

/// UDP header (RFC 768): 8 bytes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct UdpHeader {
    /// Port of the sender.
    pub source_port: U16,
    /// Port of the receiver.
    pub destination_port: U16,
    /// Bytes of this header and the payload behind it.
    pub length: U16,
    /// Internet checksum over pseudo-header, header and payload.
    pub checksum: U16,
}

/// Offset of the [`Ipv6Header`] in an untagged frame.
pub const IPV6_OFFSET: usize = size_of::<EthernetHeader>();
/// Offset of the [`UdpHeader`] in a frame without extension headers.
pub const UDP_OFFSET: usize = IPV6_OFFSET + size_of::<Ipv6Header>();
/// Offset of the UDP payload in such a frame.
pub const PAYLOAD_OFFSET: usize = UDP_OFFSET + size_of::<UdpHeader>();

const _NO_PADDING: () = assert!(IPV6_OFFSET == 14 && UDP_OFFSET == 54 && PAYLOAD_OFFSET == 62);
