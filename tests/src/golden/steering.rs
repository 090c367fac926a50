//! Rows for the steering (S rules), and for what is wrong below DHCPv6 (W rules).

use std::net::Ipv6Addr;

use dhcpv6macd::{
    respond::Reason,
    wire::{MacAddr, Malformed},
};
use dhcpv6macd_ebpf::{PassReason, Service, Verdict};
use etherparse::{
    EtherType, IpFragOffset, IpHeaders, IpNumber, Ipv6Extensions, Ipv6FragmentHeader, Ipv6Header, Ipv6RawExtHeader,
    PacketBuilder, SingleVlanHeader, VlanId,
};

use super::{
    Envelope, LOCAL_MAC, MACHINE, OUR_ADDRESS, OUR_LINK_LOCAL, Outcome, Row, SERVER_PORT,
    answer::{advertise, reply},
    packet::{GROUP, IAID, MACHINE_LINK_LOCAL, REQUEST, SOLICIT, message, right},
    policy,
};

pub(super) fn rows() -> Vec<Row> {
    [addresses(), tagged(), headers(), truncated(), tftp(), datagrams(), hardware_addresses()].concat()
}

const TFTP_PORT: u16 = 69;
/// `ff05::1:3`, the servers of a site.
const SITE_SERVERS: Ipv6Addr = Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 1, 3);
/// An address behind this router.
const BEHIND: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x9999, 0, 0, 0, 0, 1);

fn solicit() -> Vec<u8> {
    message(SOLICIT).ia_na(IAID, &[]).bytes().to_vec()
}

fn addresses() -> Vec<Row> {
    let to = |destination| Envelope { destination, ..Envelope::default() };
    let mut global = reply().given(IAID);
    global.envelope = Envelope { source: OUR_ADDRESS, destination: right(), ..global.envelope };
    let request = message(REQUEST).for_us().ia_na(IAID, &[right()]);
    vec![
        Row::steered(
            "S_site_servers",
            "to ff05::1:3",
            to(SITE_SERVERS).around(&solicit()),
            Outcome::Answered(Box::new(advertise().given(IAID))),
        ),
        Row::steered(
            "S_own_address",
            "from the machine's global address to ours: answered the same way back",
            Envelope { source: right(), ..to(OUR_ADDRESS) }.around(request.bytes()),
            Outcome::Answered(Box::new(global)),
        ),
        Row::passed(
            "S_transit",
            "to a server behind this router",
            to(BEHIND).around(&solicit()),
            PassReason::OtherAddress,
        ),
        Row::passed(
            "S_other_group",
            "to ff02::1",
            to(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1)).around(&solicit()),
            PassReason::OtherAddress,
        ),
        Row::passed(
            "S_almost_the_group",
            "to ff05::1:2, which is nobody's",
            to(Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 1, 2)).around(&solicit()),
            PassReason::OtherAddress,
        ),
        Row::passed(
            "S_other_port",
            "an answer to a client, from the machine's port to ours",
            Envelope { destination_port: 546, ..Envelope::default() }.around(&solicit()),
            PassReason::OtherPort,
        ),
    ]
}

fn tagged() -> Vec<Row> {
    let vlan = |tpid: u16| {
        let vlan_id = VlanId::try_new(20).expect("a VLAN");
        let tag = SingleVlanHeader { ether_type: EtherType::IPV6, vlan_id, ..SingleVlanHeader::default() };
        let plain = Envelope::default().around(&solicit());
        let (addresses, packet) = plain.split_at(12);
        let (_, packet) = packet.split_at(2);
        [addresses, &tpid.to_be_bytes(), &tag.to_bytes(), packet].concat()
    };
    vec![
        Row::passed("S_vlan", "802.1Q", vlan(0x8100), PassReason::Vlan),
        Row::passed("S_vlan", "802.1ad", vlan(0x88a8), PassReason::Vlan),
        Row::passed(
            "S_not_ipv6",
            "an old tag that no network uses any more (0x9100)",
            vlan(0x9100),
            PassReason::NotIpv6,
        ),
    ]
}

/// A Solicit behind these extension headers.
fn extended(extensions: Ipv6Extensions) -> Vec<u8> {
    let header = Ipv6Header {
        hop_limit: 64,
        source: MACHINE_LINK_LOCAL.octets(),
        destination: GROUP.octets(),
        ..Ipv6Header::default()
    };
    let mut frame = Vec::new();
    PacketBuilder::ethernet2(MACHINE.0, [0x33, 0x33, 0, 1, 0, 2])
        .ip(IpHeaders::Ipv6(header, extensions))
        .udp(546, SERVER_PORT)
        .write(&mut frame, &solicit())
        .expect("a frame");
    frame
}

fn headers() -> Vec<Row> {
    let padding = Ipv6RawExtHeader::new_raw(IpNumber::UDP, &[1, 4, 0, 0, 0, 0]).expect("six bytes of padding");
    let hop_by_hop = Ipv6Extensions { hop_by_hop_options: Some(padding), ..Ipv6Extensions::default() };
    let fragment = |offset, more| {
        let offset = IpFragOffset::try_new(offset).expect("13 bits");
        let fragment = Some(Ipv6FragmentHeader::new(IpNumber::UDP, offset, more, 7));
        extended(Ipv6Extensions { fragment, ..Ipv6Extensions::default() })
    };
    let mut ipv4 = Vec::new();
    PacketBuilder::ethernet2(MACHINE.0, LOCAL_MAC.0)
        .ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64)
        .udp(546, SERVER_PORT)
        .write(&mut ipv4, &solicit())
        .expect("a frame");
    let mut ping = Vec::new();
    PacketBuilder::ethernet2(MACHINE.0, LOCAL_MAC.0)
        .ipv6(MACHINE_LINK_LOCAL.octets(), OUR_LINK_LOCAL.octets(), 64)
        .icmpv6_echo_request(1, 2)
        .write(&mut ping, &[0; 56])
        .expect("a frame");
    let mut bad_version = Envelope::default().around(&solicit());
    bad_version.splice(14..15, [0x45]);
    vec![
        Row::passed("S_hop_by_hop", "a Solicit behind padding", extended(hop_by_hop), PassReason::ExtensionHeader),
        Row::passed("S_fragment", "the first fragment of more", fragment(0, true), PassReason::Fragment),
        Row::passed("S_fragment", "the last fragment", fragment(100, false), PassReason::Fragment),
        Row::passed("S_fragment", "the only fragment", fragment(0, false), PassReason::Fragment),
        Row::passed("S_not_ipv6", "IPv4 to port 547", ipv4, PassReason::NotIpv6),
        Row::passed("S_not_udp", "a ping", ping, PassReason::NotUdp),
        Row::passed("S_bad_version", "IPv4 that says that it is IPv6", bad_version, PassReason::BadVersion),
    ]
}

/// Frames that end early. The kernel takes none without a whole Ethernet header.
fn truncated() -> Vec<Row> {
    let cut = |length| {
        let mut frame = Envelope::default().around(&solicit());
        frame.truncate(length);
        frame
    };
    let passed = |description, length| Row::passed("S_truncated", description, cut(length), PassReason::Truncated);
    let short = Outcome::Dropped(Reason::Malformed(Malformed::Length));
    vec![
        passed("nothing", 0),
        passed("an Ethernet header without its last byte", 13),
        passed("an Ethernet header", 14),
        passed("an IPv6 header without its last byte", 53),
        passed("an IPv6 header", 54),
        passed("an UDP header without its last byte", 61),
        Row::steered("W_length", "headers without their payload", cut(62), short.clone()),
        Row::steered("W_length", "a payload without its last bytes", cut(80), short),
    ]
}

fn tftp() -> Vec<Row> {
    let to = |destination| {
        Envelope { destination, destination_port: TFTP_PORT, source_port: 1077, ..Envelope::default() }
            .around(b"\0\x04\0\x01")
    };
    let ours = Row {
        name: "S_tftp",
        description: "an acknowledgement to us",
        frame: to(OUR_LINK_LOCAL),
        verdict: Verdict::Steer(Service::Tftp),
        outcome: Outcome::Dropped(Reason::TftpNotServed),
        policy,
    };
    vec![
        ours,
        Row::passed("S_transit", "the same to a server behind this router", to(BEHIND), PassReason::OtherAddress),
        Row::passed("S_tftp", "the same to the DHCPv6 group", to(GROUP), PassReason::OtherAddress),
    ]
}

fn datagrams() -> Vec<Row> {
    let changed = |offset: usize, bytes: &[u8]| {
        let mut frame = Envelope::default().around(&solicit());
        frame.splice(offset..offset + bytes.len(), bytes.iter().copied());
        frame
    };
    let dropped = |name, description, frame, malformed| {
        Row::steered(name, description, frame, Outcome::Dropped(Reason::Malformed(malformed)))
    };
    let from = |source| Envelope { source, ..Envelope::default() }.around(&solicit());
    let mut padded = Envelope::default().around(&solicit());
    padded.extend([0; 20]);
    let answered = || Outcome::Answered(Box::new(advertise().given(IAID)));
    vec![
        Row::steered("W_padding", "an Ethernet that pads", padded, answered()),
        dropped("W_checksum", "one that is wrong", changed(60, &[1, 2]), Malformed::Checksum),
        dropped("W_checksum", "none at all", changed(60, &[0, 0]), Malformed::NoChecksum),
        Row::steered("W_checksum", "what offload left: the sum of the pseudo-header", offloaded(), answered()),
        dropped("W_length", "a UDP length that is not the packet's", changed(58, &[0, 9]), Malformed::Length),
        dropped("W_length", "a UDP length shorter than its header", changed(58, &[0, 7]), Malformed::Length),
        dropped("W_length", "a payload length of a jumbogram", changed(18, &[0, 0]), Malformed::Length),
        dropped("W_source", "from a group", from(GROUP), Malformed::Source),
        dropped("W_source", "from nobody", from(Ipv6Addr::UNSPECIFIED), Malformed::Source),
        dropped("W_source", "from itself", from(Ipv6Addr::LOCALHOST), Malformed::Source),
    ]
}

/// Source, destination, length and protocol, summed up (RFC 8200 section 8.1).
fn offloaded() -> Vec<u8> {
    let mut frame = Envelope::default().around(&solicit());
    let length = u16::try_from(frame.len() - 54).expect("a short frame");
    let words = |address: Ipv6Addr| address.segments().into_iter().map(u32::from).sum::<u32>();
    let sum = words(MACHINE_LINK_LOCAL) + words(GROUP) + u32::from(length) + 17;
    let folded = u16::try_from((sum & 0xffff) + (sum >> 16)).expect("a sum that is folded");
    frame.splice(60..62, folded.to_be_bytes());
    frame
}

fn hardware_addresses() -> Vec<Row> {
    let from = |mac| Envelope { ethernet_source: MacAddr(mac), ..Envelope::default() }.around(&solicit());
    let dropped = |description, mac, reason| Row::steered("W_mac", description, from(mac), Outcome::Dropped(reason));
    let last = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff];
    let mut to_last = advertise().given(IAID);
    to_last.envelope.ethernet_destination = MacAddr(last);
    for association in &mut to_last.associations {
        association.addresses =
            vec![(Ipv6Addr::new(0x2001, 0xdb8, 0x123, 0x4567, 0, 0xfeff, 0xffff, 0xffff), 43_200, 86_400)];
    }
    vec![
        dropped("a group's", [0x33, 0x33, 0, 1, 0, 2], Reason::MulticastMac),
        dropped("everybody's", [0xff; 6], Reason::MulticastMac),
        dropped("nobody's", [0; 6], Reason::ZeroMac),
        dropped("our own", LOCAL_MAC.0, Reason::OwnMac),
        dropped("one whose address is our own", [0, 0, 0, 0, 0, 1], Reason::OwnAddress),
        Row::steered("W_mac", "the largest there is", from(last), Outcome::Answered(Box::new(to_last))),
    ]
}
