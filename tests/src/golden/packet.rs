//! Builds what machines and others send: frames by etherparse, messages option by option, right or wrong.

use std::net::Ipv6Addr;

use dhcpv6macd::wire::MacAddr;
use etherparse::PacketBuilder;

use super::{BASE, MACHINE, SERVER_DUID, SERVER_PORT};

/// Message types (RFC 9915 section 7.3).
pub const SOLICIT: u8 = 1;
pub(super) const ADVERTISE: u8 = 2;
/// Type of a Request.
pub const REQUEST: u8 = 3;
pub(super) const CONFIRM: u8 = 4;
pub(super) const RENEW: u8 = 5;
pub(super) const REBIND: u8 = 6;
pub(super) const REPLY: u8 = 7;
pub(super) const RELEASE: u8 = 8;
pub(super) const DECLINE: u8 = 9;
pub(super) const RECONFIGURE: u8 = 10;
pub(super) const INFORMATION_REQUEST: u8 = 11;
pub(super) const RELAY_FORWARD: u8 = 12;
pub(super) const RELAY_REPLY: u8 = 13;

/// Option codes (RFC 9915 section 21, RFC 4704).
pub(super) const CLIENT_ID: u16 = 1;
pub(super) const SERVER_ID: u16 = 2;
pub(super) const IA_NA: u16 = 3;
pub(super) const IA_TA: u16 = 4;
pub(super) const IAADDR: u16 = 5;
pub(super) const OPTION_REQUEST: u16 = 6;
pub(super) const ELAPSED_TIME: u16 = 8;
pub(super) const RELAY_MESSAGE: u16 = 9;
pub(super) const RAPID_COMMIT: u16 = 14;
pub(super) const USER_CLASS: u16 = 15;
pub(super) const VENDOR_CLASS: u16 = 16;
pub(super) const INTERFACE_ID: u16 = 18;
pub(super) const DNS_SERVERS: u16 = 23;
pub(super) const IA_PD: u16 = 25;
pub(super) const IAPREFIX: u16 = 26;
pub(super) const CLIENT_FQDN: u16 = 39;
pub(super) const BOOT_FILE_URL: u16 = 59;
pub(super) const ARCHITECTURE: u16 = 61;
pub(super) const CLIENT_LINK_LAYER: u16 = 79;
pub(super) const RELAY_SOURCE_PORT: u16 = 135;

/// Transaction ID of every message here.
pub(super) const TRANSACTION: [u8; 3] = [0xab, 0xcd, 0xef];
/// The DUID-UUID of our machine: no MAC in it.
pub(super) const DUID: &[u8] = b"\0\x04uuid-without-mac";
/// The IAID of a boot stage, and of another.
pub(super) const IAID: u32 = 0x1f84_ff7e;
pub(super) const OTHER_IAID: u32 = 0x169d_ff7e;

/// `ff02::1:2` and its Ethernet group.
pub(super) const GROUP: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
const GROUP_MAC: [u8; 6] = [0x33, 0x33, 0, 1, 0, 2];

/// The EUI-64 link-local address of our machine.
pub(super) const MACHINE_LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0x5054, 0xff, 0xfe12, 0x3456);
/// An address that no machine here has.
pub(super) const WRONG: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x123, 0x4567, 0, 0, 0, 0x191f);

/// The address of our machine.
#[must_use]
pub fn right() -> Ipv6Addr {
    let [a, b, c, d, e, f] = MACHINE.0;
    Ipv6Addr::from_bits(BASE.to_bits() | u128::from(u64::from_be_bytes([0, 0, a, b, c, d, e, f])))
}

/// A DHCPv6 message, option by option.
#[derive(Clone, Debug)]
pub struct Message(Vec<u8>);

/// A message of our machine: its Client Identifier and nothing else.
#[must_use]
pub fn message(kind: u8) -> Message {
    bare(kind).option(CLIENT_ID, DUID)
}

/// A message without options.
pub(super) fn bare(kind: u8) -> Message {
    let [x, y, z] = TRANSACTION;
    Message(vec![kind, x, y, z])
}

impl Message {
    /// Adds an option.
    #[must_use]
    pub fn option(mut self, code: u16, data: &[u8]) -> Self {
        self.0.extend(option(code, data));
        self
    }

    /// Adds an IA_NA that names these addresses.
    #[must_use]
    pub fn ia_na(self, iaid: u32, addresses: &[Ipv6Addr]) -> Self {
        let addresses = addresses.iter().flat_map(|address| iaaddr(*address));
        self.option(IA_NA, &timed(iaid, addresses))
    }

    pub(super) fn ia_ta(self, iaid: u32, addresses: &[Ipv6Addr]) -> Self {
        let addresses = addresses.iter().flat_map(|address| iaaddr(*address));
        self.option(IA_TA, &iaid.to_be_bytes().into_iter().chain(addresses).collect::<Vec<_>>())
    }

    pub(super) fn ia_pd(self, iaid: u32) -> Self {
        self.option(IA_PD, &timed(iaid, []))
    }

    /// The same, for our server.
    #[must_use]
    pub fn for_us(self) -> Self {
        self.option(SERVER_ID, SERVER_DUID)
    }

    /// A relay agent's message of this type, with a machine's Solicit in it.
    pub(super) fn relayed(kind: u8) -> Self {
        let addresses = [right().octets(), MACHINE_LINK_LOCAL.octets()].concat();
        let hop_count = 0;
        let head = [&[kind, hop_count][..], &addresses].concat();
        Self(head).option(RELAY_MESSAGE, message(SOLICIT).ia_na(IAID, &[]).bytes())
    }

    /// Adds bytes as they are.
    pub(super) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    /// The message alone.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// As our machine sends it, to the group.
    #[must_use]
    pub fn frame(&self) -> Vec<u8> {
        Envelope::default().around(&self.0)
    }
}

/// An option.
pub(super) fn option(code: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("an option's length has 16 bits");
    [&code.to_be_bytes(), &length.to_be_bytes(), data].concat()
}

/// An IAADDR, its lifetimes left to the server.
pub(super) fn iaaddr(address: Ipv6Addr) -> Vec<u8> {
    option(IAADDR, &[&address.octets()[..], &[0; 8]].concat())
}

/// IAID, T1 and T2 as OVMF sends them, and what follows.
pub(super) fn timed(iaid: u32, options: impl IntoIterator<Item = u8>) -> Vec<u8> {
    iaid.to_be_bytes().into_iter().chain([0xff; 8]).chain(options).collect()
}

/// The headers around a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Ethernet source.
    pub ethernet_source: MacAddr,
    /// Ethernet destination.
    pub ethernet_destination: MacAddr,
    /// Sender.
    pub source: Ipv6Addr,
    /// Receiver.
    pub destination: Ipv6Addr,
    /// Port of the sender.
    pub source_port: u16,
    /// Port of the receiver.
    pub destination_port: u16,
}

/// From our machine to the group.
impl Default for Envelope {
    fn default() -> Self {
        Self {
            ethernet_source: MACHINE,
            ethernet_destination: MacAddr(GROUP_MAC),
            source: MACHINE_LINK_LOCAL,
            destination: GROUP,
            source_port: 546,
            destination_port: SERVER_PORT,
        }
    }
}

impl Envelope {
    /// A whole frame with a right checksum.
    #[must_use]
    pub fn around(&self, payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        PacketBuilder::ethernet2(self.ethernet_source.0, self.ethernet_destination.0)
            .ipv6(self.source.octets(), self.destination.octets(), 64)
            .udp(self.source_port, self.destination_port)
            .write(&mut frame, payload)
            .expect("a payload that fits a datagram");
        frame
    }
}
