//! What a machine sends: a Solicit and a Request as iPXE or UEFI PXE sends them, built once and patched for each machine.

use dhcpv6macd::wire::MacAddr;
use dhcpv6macd_ebpf::{
    ALL_DHCP_RELAY_AGENTS_AND_SERVERS,
    header::{ETHERTYPE_IPV6, EthernetHeader, IPV6_OFFSET, Ipv6Header, NEXT_HEADER_UDP, UDP_OFFSET, UdpHeader},
};
use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    network_endian::{U16, U32},
};

use super::machine::{Step, mac_of};

/// UDP port of DHCPv6 clients (RFC 9915 section 7.2).
pub(super) const CLIENT_PORT: u16 = 546;
/// UDP port of DHCPv6 servers.
pub(super) const SERVER_PORT: u16 = 547;

/// Message types and option codes (RFC 9915 sections 7.3 and 21).
pub(super) const SOLICIT: u8 = 1;
pub(super) const ADVERTISE: u8 = 2;
pub(super) const REQUEST: u8 = 3;
pub(super) const REPLY: u8 = 7;
const CLIENT_ID: u16 = 1;
pub(super) const SERVER_ID: u16 = 2;
pub(super) const IA_NA: u16 = 3;
pub(super) const IAADDR: u16 = 5;
const ELAPSED_TIME: u16 = 8;

/// `33:33:00:01:00:02`, the Ethernet group of `ff02::1:2` (RFC 2464 section 7).
const GROUP: [u8; 6] = [0x33, 0x33, 0, 1, 0, 2];
/// DUID-UUID, which says nothing of the MAC (RFC 6355).
const DUID_UUID: u16 = 4;
/// Option Request for DNS servers, vendor class, boot file URL and parameters; architecture 7, UEFI on x86-64; network
/// interface identifier; vendor class of Intel, `PXEClient:Arch:00007:UNDI:003000`; user class iPXE.
pub(super) const IPXE_OPTIONS: &[u8] = b"\0\x06\0\x08\0\x3b\0\x3c\0\x17\0\x10\0\x3d\0\x02\0\x07\0\x3e\0\x03\x01\x03\0\
\0\x10\0\x26\0\0\x01\x57\0\x20PXEClient:Arch:00007:UNDI:003000\0\x0f\0\x06\0\x04iPXE";
/// The same without the user class: it is UEFI PXE.
pub(super) const PXE_OPTIONS: &[u8] = IPXE_OPTIONS.split_at(IPXE_OPTIONS.len() - 10).0;
/// The same without network boot: Option Request for DNS servers and domain search list.
pub(super) const SYSTEM_OPTIONS: &[u8] = b"\0\x06\0\x04\0\x17\0\x18";
/// T1, T2 and lifetimes in a message of a client that leaves them to the server.
const UP_TO_THE_SERVER: u32 = u32::MAX;

/// A stage of a machine's boot that asks for an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// UEFI PXE.
    Pxe,
    /// iPXE.
    Ipxe,
    /// The operating system, which says nothing of booting.
    System,
}

impl Stage {
    pub(super) const fn options(self) -> &'static [u8] {
        match self {
            Self::Pxe => PXE_OPTIONS,
            Self::Ipxe => IPXE_OPTIONS,
            Self::System => SYSTEM_OPTIONS,
        }
    }
}

/// What every message starts with; the same offsets in both.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Opening {
    ethernet: EthernetHeader,
    ipv6: Ipv6Header,
    udp: UdpHeader,
    kind: u8,
    transaction: [u8; 3],
    client_id: OptionHeader,
    duid_type: U16,
    uuid: [[u8; 4]; 4],
    elapsed_time: OptionHeader,
    elapsed: U16,
    ia_na: OptionHeader,
    iaid: U32,
    t1: U32,
    t2: U32,
}

/// What follows in a Request: the address that was advertised.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Wish {
    iaaddr: OptionHeader,
    address: [u8; 16],
    preferred: U32,
    valid: U32,
}

/// Code and length of an option (RFC 9915 section 21.1).
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct OptionHeader {
    pub(super) code: U16,
    pub(super) length: U16,
}

/// Bytes of T1, T2 and IAID.
const IA_NA_FIXED: usize = 12;

fn option(code: u16, length: usize) -> OptionHeader {
    OptionHeader { code: code.into(), length: short(length) }
}

#[expect(clippy::cast_possible_truncation, reason = "lengths inside one frame")]
fn short(length: usize) -> U16 {
    U16::new(length as u16)
}

/// The two messages, ready to be patched.
#[derive(Debug)]
pub(super) struct Messages {
    solicit: Vec<u8>,
    request: Vec<u8>,
    server: Vec<u8>,
    /// What is said behind the address, of the stage of the boot.
    stage: &'static [u8],
}

impl Messages {
    /// The messages of machines that know no server yet, with the options of a stage of their boot.
    pub(super) fn new(stage: &'static [u8]) -> Self {
        Self { solicit: template(SOLICIT, &[], stage), request: request_to(&[], stage), server: Vec::new(), stage }
    }

    /// From now on every Request goes to the server with this DUID. Costs something only when that is another one.
    pub(super) fn choose_server(&mut self, duid: &[u8]) {
        if self.server != duid {
            self.server = duid.to_vec();
            self.request = request_to(duid, self.stage);
        }
    }

    /// Writes a machine's Solicit, or its Request for `address`, and returns its length; `None` where there is no room for it.
    pub(super) fn write(
        &self,
        frame: &mut [u8],
        step: Step,
        number: u32,
        transaction: u32,
        address: [u8; 16],
    ) -> Option<usize> {
        let template = match step {
            Step::Solicit => &self.solicit,
            Step::Request => &self.request,
        };
        let frame = frame.get_mut(..template.len())?;
        frame.copy_from_slice(template);
        let (opening, rest) = Opening::mut_from_prefix(frame).ok()?;
        opening.be(number, transaction);
        if step == Step::Request {
            Wish::mut_from_prefix(rest).ok()?.0.address = address;
        }
        let checksum = checksum(frame)?;
        Opening::mut_from_prefix(frame).ok()?.0.udp.checksum = checksum.into();
        Some(template.len())
    }
}

impl Opening {
    /// Makes the message that of one machine; the checksum is left to be done.
    fn be(&mut self, number: u32, transaction: u32) {
        let mac = mac_of(number);
        self.ethernet.source = mac.0;
        self.ipv6.source = link_local(mac);
        let [_, transaction @ ..] = transaction.to_be_bytes();
        self.transaction = transaction;
        // A UUID that is every machine's own and shows neither its MAC nor its number.
        self.uuid = [0x9e37_79b9_u32, 0x85eb_ca6b, 0xc2b2_ae35, 0x27d4_eb2f]
            .map(|odd| (number ^ 0x0a5a_5a5a).wrapping_mul(odd).to_be_bytes());
        self.iaid = number.wrapping_mul(0x9e37_79b1).into();
    }
}

/// The EUI-64 link-local address (RFC 4291 appendix A).
fn link_local(mac: MacAddr) -> [u8; 16] {
    let [a, b, c, d, e, f] = mac.0;
    [0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f]
}

fn request_to(server: &[u8], stage: &[u8]) -> Vec<u8> {
    let unknown = U32::new(UP_TO_THE_SERVER);
    let wish = Wish { iaaddr: option(IAADDR, 24), address: [0; 16], preferred: unknown, valid: unknown };
    let server_id = option(SERVER_ID, server.len());
    template(REQUEST, wish.as_bytes(), &[server_id.as_bytes(), server, stage].concat())
}

/// A message of nobody, without a checksum.
fn template(kind: u8, in_ia_na: &[u8], behind: &[u8]) -> Vec<u8> {
    let udp_length = size_of::<Opening>() - UDP_OFFSET + in_ia_na.len() + behind.len();
    let opening = Opening {
        ethernet: EthernetHeader { destination: GROUP, source: [0; 6], ethertype: ETHERTYPE_IPV6.into() },
        ipv6: Ipv6Header {
            version_class_flow: U32::new(6 << 28),
            payload_length: short(udp_length),
            next_header: NEXT_HEADER_UDP,
            hop_limit: 128,
            source: [0; 16],
            destination: ALL_DHCP_RELAY_AGENTS_AND_SERVERS,
        },
        udp: UdpHeader {
            source_port: CLIENT_PORT.into(),
            destination_port: SERVER_PORT.into(),
            length: short(udp_length),
            checksum: U16::ZERO,
        },
        kind,
        transaction: [0; 3],
        client_id: option(CLIENT_ID, 18),
        duid_type: DUID_UUID.into(),
        uuid: [[0; 4]; 4],
        elapsed_time: option(ELAPSED_TIME, 2),
        elapsed: U16::ZERO,
        ia_na: option(IA_NA, IA_NA_FIXED + in_ia_na.len()),
        iaid: U32::ZERO,
        t1: UP_TO_THE_SERVER.into(),
        t2: UP_TO_THE_SERVER.into(),
    };
    [opening.as_bytes(), in_ia_na, behind].concat()
}

/// The UDP checksum of a frame whose checksum field is zero (RFC 8200 section 8.1).
pub(crate) fn checksum(frame: &[u8]) -> Option<u16> {
    /// Offset of the two addresses, with which the pseudo-header begins.
    const ADDRESSES: usize = IPV6_OFFSET + 8;
    let words = frame.get(ADDRESSES..)?.chunks(4).map(|word| {
        let mut padded = [0; 4];
        padded.iter_mut().zip(word).for_each(|(to, from)| *to = *from);
        u64::from(u32::from_be_bytes(padded))
    });
    let udp_length = u64::try_from(frame.len().checked_sub(UDP_OFFSET)?).ok()?;
    let mut sum = words.sum::<u64>() + u64::from(NEXT_HEADER_UDP) + udp_length;
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    let checksum = !u16::try_from(sum).ok()?;
    Some(if checksum == 0 { u16::MAX } else { checksum })
}
