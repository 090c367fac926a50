//! Rows for machines behind relay agents (R rows: RFC 9915 section 19, RFC 6221, RFC 6939, RFC 8357), and for whose a message is.

use std::net::Ipv6Addr;

use dhcpv6macd::{
    respond::Reason,
    wire::{MacAddr, Malformed},
};

use super::{
    Answer, DENIED, Envelope, MACHINE, OTHER_MACHINE, OUR_ADDRESS, OUR_ADDRESS_IN_PREFIX, Outcome, Row,
    answer::{Relay, advertise, reply},
    exclusive_policy,
    packet::{
        CLIENT_ID, CLIENT_LINK_LAYER, IAID, INFORMATION_REQUEST, INTERFACE_ID, MACHINE_LINK_LOCAL, Message,
        RELAY_FORWARD, RELAY_MESSAGE, RELAY_SOURCE_PORT, REPLY, SOLICIT, bare, message, option,
    },
};

pub(super) fn rows() -> Vec<Row> {
    [relayed(), nested(), sources(), lightweight(), refused(), malformed(), access()].concat()
}

/// A relay agent on our link, and its address on the machine's.
const AGENT_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 0xa0]);
const AGENT: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0xff, 0xfe00, 0xa0);
const LINK: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0, 0, 0, 0, 1);
/// A relay agent behind a router, as far as its address tells.
const FAR_AGENT: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x123, 0x4567, 0, 0, 0, 0xa0);
/// The group of all DHCPv6 servers of a site.
const SITE_GROUP: Ipv6Addr = Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 1, 3);
/// An option that says nothing to us: Remote-ID (RFC 4649).
const IGNORED: u16 = 37;
/// A link-local address that no MAC is in.
const PRIVATE: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0x1234, 0x5678, 0x9abc, 0xdef0);

/// The machine's MAC as a relay agent tells of it.
fn link_layer(mac: MacAddr) -> Vec<u8> {
    option(CLIENT_LINK_LAYER, &[&[0, 1][..], &mac.0].concat())
}

/// A Relay-forward with these options around a message.
fn around(hop_count: u8, link: Ipv6Addr, peer: Ipv6Addr, options: &[u8], message: &[u8]) -> Vec<u8> {
    let addresses = [link.octets(), peer.octets()].concat();
    [&[RELAY_FORWARD, hop_count][..], &addresses, options, &option(RELAY_MESSAGE, message)].concat()
}

/// From the relay agent to the group, as relay agents send.
fn envelope() -> Envelope {
    Envelope { ethernet_source: AGENT_MAC, source: AGENT, source_port: 547, ..Envelope::default() }
}

/// Back to the relay agent, in one Relay-reply.
fn to_agent(answer: Answer, peer: Ipv6Addr, options: &[(u16, Vec<u8>)]) -> Answer {
    let envelope =
        Envelope { ethernet_destination: AGENT_MAC, destination: AGENT, destination_port: 547, ..answer.envelope };
    let relay = Relay { hop_count: 0, link_address: LINK, peer_address: peer, options: options.to_vec() };
    Answer { envelope, relays: vec![relay], ..answer }
}

fn answered(name: &'static str, description: &'static str, frame: Vec<u8>, answer: Answer) -> Row {
    Row::steered(name, description, frame, Outcome::Answered(Box::new(answer)))
}

fn solicit() -> Message {
    message(SOLICIT).ia_na(IAID, &[])
}

fn relayed() -> Vec<Row> {
    let named = [option(INTERFACE_ID, b"port 7"), link_layer(MACHINE)].concat();
    let echoed = [(INTERFACE_ID, b"port 7".to_vec())];
    let port = [link_layer(MACHINE), option(RELAY_SOURCE_PORT, &[0x12, 0x34])].concat();
    let from_port = to_agent(advertise().given(IAID), MACHINE_LINK_LOCAL, &[(RELAY_SOURCE_PORT, vec![0x12, 0x34])]);
    let to_us = Envelope { destination: OUR_ADDRESS, ..envelope() };
    let unicast = to_agent(advertise().given(IAID), MACHINE_LINK_LOCAL, &echoed);
    let from_afar = Envelope { source: FAR_AGENT, destination: SITE_GROUP, ..envelope() };
    let to_afar = Envelope { source: OUR_ADDRESS_IN_PREFIX, destination: FAR_AGENT, ..unicast.envelope };
    let one = |options: &[u8], message: &Message| around(0, LINK, MACHINE_LINK_LOCAL, options, message.bytes());
    vec![
        answered(
            "R19_an_answer_goes_back_through_the_relay_agent",
            "Interface-Id echoed, the machine's MAC from option 79",
            envelope().around(&one(&named, &solicit())),
            to_agent(advertise().given(IAID), MACHINE_LINK_LOCAL, &echoed),
        ),
        answered(
            "R19_a_relay_agent_may_send_to_our_address",
            "and is answered from there, though a machine could not Solicit so",
            to_us.around(&one(&named, &solicit())),
            Answer { envelope: Envelope { source: OUR_ADDRESS, ..unicast.envelope }, ..unicast },
        ),
        answered(
            "R19_a_relay_agent_may_be_behind_a_router",
            "which forwards nothing that comes from a link-local address",
            from_afar.around(&one(&named, &solicit())),
            Answer { envelope: to_afar, ..to_agent(advertise().given(IAID), MACHINE_LINK_LOCAL, &echoed) },
        ),
        answered(
            "R8357_a_relay_agent_behind_another_port",
            "the answer goes to the port that it sends from, the option comes back",
            Envelope { source_port: 4711, ..envelope() }.around(&one(&port, &solicit())),
            Answer { envelope: Envelope { destination_port: 4711, ..from_port.envelope }, ..from_port },
        ),
        answered(
            "R19_information_request",
            "without a Client Identifier",
            envelope().around(&one(&link_layer(MACHINE), &bare(INFORMATION_REQUEST))),
            to_agent(Answer { client_id: None, ..reply() }, MACHINE_LINK_LOCAL, &[]),
        ),
    ]
}

/// Relay-forwards in each other, the machine's message in the innermost.
fn layers(count: u8) -> Vec<u8> {
    let innermost = around(0, LINK, MACHINE_LINK_LOCAL, &link_layer(MACHINE), solicit().bytes());
    (1..count)
        .fold(innermost, |inner, hop_count| around(hop_count, LINK, AGENT, &option(INTERFACE_ID, &[hop_count]), &inner))
}

fn nested() -> Vec<Row> {
    let eight = to_agent(advertise().given(IAID), MACHINE_LINK_LOCAL, &[]);
    let outer = (1..8_u8).rev().map(|hop_count| Relay {
        hop_count,
        link_address: LINK,
        peer_address: AGENT,
        options: vec![(INTERFACE_ID, vec![hop_count])],
    });
    let relays = outer.chain(eight.relays.clone()).collect();
    vec![
        answered(
            "R19_relay_agents_in_a_row",
            "eight of them, each hears its own Interface-Id",
            envelope().around(&layers(8)),
            Answer { relays, ..eight },
        ),
        Row::steered(
            "R7_6_hop_count_limit",
            "nine of them",
            envelope().around(&layers(9)),
            Outcome::Dropped(Malformed::TooManyRelays.into()),
        ),
    ]
}

fn sources() -> Vec<Row> {
    let from_mac = [&[0, 3, 0, 1][..], &MACHINE.0].concat();
    let by_duid = bare(SOLICIT).option(CLIENT_ID, &from_mac).ia_na(IAID, &[]);
    let foreign = bare(SOLICIT).option(CLIENT_ID, &[&[0, 3, 0, 1][..], &OTHER_MACHINE.0].concat()).ia_na(IAID, &[]);
    let one =
        |peer, options: &[u8], message: &Message| envelope().around(&around(0, LINK, peer, options, message.bytes()));
    let duid_answer = Answer { client_id: Some(from_mac.clone()), ..advertise().given(IAID) };
    let client_id = Some([&[0, 3, 0, 1][..], &OTHER_MACHINE.0].concat());
    vec![
        answered(
            "R6939_before_the_duid",
            "option 79 and a DUID-LL of another MAC: the relay agent has seen the machine",
            one(PRIVATE, &link_layer(MACHINE), &foreign),
            to_agent(Answer { client_id, ..advertise().given(IAID) }, PRIVATE, &[]),
        ),
        answered(
            "R11_a_duid_behind_a_relay_agent",
            "no option 79, and a DUID-LL",
            one(PRIVATE, &[], &by_duid),
            to_agent(duid_answer, PRIVATE, &[]),
        ),
        answered(
            "R4291_an_eui_64_behind_a_relay_agent",
            "no option 79, no MAC in the DUID, but in the link-local address",
            one(MACHINE_LINK_LOCAL, &[], &solicit()),
            to_agent(advertise().given(IAID), MACHINE_LINK_LOCAL, &[]),
        ),
        Row::steered(
            "R_nothing_says_whose_it_is",
            "no option 79, no MAC in the DUID or the address",
            one(PRIVATE, &[], &solicit()),
            Outcome::Dropped(Reason::UnknownMac),
        ),
        Row::steered(
            "R_a_short_mac_is_none",
            "five bytes in option 79",
            one(PRIVATE, &option(CLIENT_LINK_LAYER, &[0, 1, 2, 0, 0, 0, 1]), &solicit()),
            Outcome::Dropped(Reason::UnknownMac),
        ),
        Row::steered(
            "R_a_group_is_no_machine",
            "option 79 with a group address",
            one(PRIVATE, &link_layer(MacAddr([3, 0, 0, 0, 0, 1])), &solicit()),
            Outcome::Dropped(Reason::MulticastMac),
        ),
    ]
}

/// A switch puts its layer around the machine's message, and leaves the frame's addresses alone.
fn lightweight() -> Vec<Row> {
    let link_address = Ipv6Addr::UNSPECIFIED;
    let named = option(INTERFACE_ID, b"7");
    let relayed = |peer_address| around(0, link_address, peer_address, &named, solicit().bytes());
    let options = vec![(INTERFACE_ID, b"7".to_vec())];
    let relay = Relay { hop_count: 0, link_address, peer_address: PRIVATE, options };
    let answer = advertise().given(IAID);
    let to_switch = Envelope { destination: PRIVATE, destination_port: 547, ..answer.envelope };
    vec![
        answered(
            "R6221_a_lightweight_relay_agent",
            "link address ::, from the machine's own addresses: the MAC is the frame's",
            Envelope { source: PRIVATE, ..Envelope::default() }.around(&relayed(PRIVATE)),
            Answer { envelope: to_switch, relays: vec![relay], ..answer },
        ),
        Row::steered(
            "R6221_a_relay_agent_that_is_none",
            "link address ::, but from another address than the machine's: the frame's MAC is not taken for the machine's",
            Envelope::default().around(&relayed(PRIVATE)),
            Outcome::Dropped(Reason::UnknownMac),
        ),
    ]
}

fn refused() -> Vec<Row> {
    let relayed = around(0, LINK, MACHINE_LINK_LOCAL, &link_layer(MACHINE), solicit().bytes());
    let for_clients = around(0, LINK, MACHINE_LINK_LOCAL, &link_layer(MACHINE), message(REPLY).bytes());
    let elsewhere = Envelope { source: Ipv6Addr::new(0x2001, 0xdb8, 0xbad, 0, 0, 0, 0, 1), ..envelope() };
    vec![
        Row::steered(
            "R_relay_from",
            "a relay agent neither on the link nor in the prefix",
            elsewhere.around(&relayed),
            Outcome::Dropped(Reason::RelayNotAllowed),
        ),
        Row::steered(
            "R16_client_bound",
            "a relay agent forwards a server's message",
            envelope().around(&for_clients),
            Outcome::Dropped(Reason::ForClients),
        ),
    ]
}

fn malformed() -> Vec<Row> {
    let row = |description, payload: &[u8], malformed| {
        let outcome = Outcome::Dropped(Reason::Malformed(malformed));
        Row::steered("R9_relay_message", description, envelope().around(payload), outcome)
    };
    let whole = around(0, LINK, AGENT, &[], solicit().bytes());
    let cut = |length| whole.get(..length).unwrap_or_default();
    let empty = around(0, LINK, AGENT, &[], &[]);
    let short_port = around(0, LINK, AGENT, &option(RELAY_SOURCE_PORT, &[1]), solicit().bytes());
    let many = around(0, LINK, AGENT, &option(IGNORED, b"").repeat(64), solicit().bytes());
    let twice = |code, data: &[u8]| around(0, LINK, AGENT, &option(code, data).repeat(2), solicit().bytes());
    let two_macs = [link_layer(MACHINE), link_layer(OTHER_MACHINE)].concat();
    let link_layer_twice = around(0, LINK, AGENT, &two_macs, solicit().bytes());
    let two_messages = around(0, LINK, AGENT, &option(RELAY_MESSAGE, solicit().bytes()), solicit().bytes());
    vec![
        row("a byte short of its addresses", cut(33), Malformed::MessageLength),
        row("no options", cut(34), Malformed::NothingRelayed),
        row("an empty message", &empty, Malformed::NothingRelayed),
        row("half of the message", cut(50), Malformed::OptionOverrun),
        row("a source port of one byte", &short_port, Malformed::OptionLength),
        row("65 options", &many, Malformed::TooManyOptions),
        row("two messages", &two_messages, Malformed::DuplicateRelayOption),
        row("two Interface-Ids", &twice(INTERFACE_ID, b"port 7"), Malformed::DuplicateRelayOption),
        row("two source ports", &twice(RELAY_SOURCE_PORT, &[1, 2]), Malformed::DuplicateRelayOption),
        row("two MACs", &link_layer_twice, Malformed::DuplicateRelayOption),
    ]
}

fn access() -> Vec<Row> {
    let from = |mac| Envelope { ethernet_source: mac, ..Envelope::default() }.around(solicit().bytes());
    let relayed = around(0, LINK, MACHINE_LINK_LOCAL, &link_layer(DENIED), solicit().bytes());
    let dropped = |name, description, frame, reason| Row::steered(name, description, frame, Outcome::Dropped(reason));
    let other = advertise();
    let envelope_of_other = Envelope { ethernet_destination: OTHER_MACHINE, ..other.envelope };
    vec![
        dropped("A_deny", "a machine in the deny list", from(DENIED), Reason::DeniedMac),
        dropped("A_deny", "the same behind a relay agent", envelope().around(&relayed), Reason::DeniedMac),
        Row {
            policy: exclusive_policy,
            ..dropped("A_allow", "not in the allow list", from(MACHINE), Reason::NotAllowedMac)
        },
        Row {
            policy: exclusive_policy,
            ..answered(
                "A_allow",
                "in the allow list",
                Envelope { ethernet_source: OTHER_MACHINE, ..Envelope::default() }.around(message(SOLICIT).bytes()),
                Answer { envelope: envelope_of_other, ..other },
            )
        },
    ]
}
