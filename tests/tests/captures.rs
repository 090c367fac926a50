//! What real clients sent, answered: every client frame of every capture through the responder.
#![cfg(test)]

use dhcproto::v6::{DhcpOption, Message, MessageType, OptionCode};
use dhcpv6macd::{
    policy::Policy,
    respond::Responder,
    wire::{Duid, MacAddr},
};
use dhcpv6macd_ebpf::header::PAYLOAD_OFFSET;
use dhcpv6macd_tests::{
    capture::Capture,
    golden::{Answer, Association, Envelope, OUR_LINK_LOCAL, decode, local, policy},
};

/// What each capture's client hears, message by message.
const HEARS: [(&str, &[MessageType]); 10] = {
    use MessageType::{Advertise, Reply};
    [
        ("dhclient6-RA-inforeq.pcap", &[Reply]),
        ("dhclient6-stateful.pcap", &[Advertise, Reply]),
        ("dhcpcd6.pcap", &[Advertise, Reply]),
        ("ipxe-dhcp6-debian2019.pcap", &[Advertise, Reply]),
        ("ipxe-dhcp6.pcap", &[Advertise, Reply]),
        ("networkd6-default.pcap", &[Reply]),
        ("networkd6-duidll.pcap", &[Reply]),
        ("ovmf-http6.pcap", &[Advertise, Reply, Reply]),
        ("ovmf-no-server-all-4-boot-options.pcap", &[Advertise; 4]),
        ("ovmf-pxe6.pcap", &[Advertise, Reply, Advertise, Reply, Reply, Reply, Advertise, Reply]),
    ]
};

#[test]
fn every_client_hears_what_it_waits_for() {
    let captures = Capture::all().unwrap();
    let names: Vec<_> = captures.iter().map(|capture| capture.name.as_str()).collect();
    assert_eq!(names, HEARS.map(|(name, _)| name));
    for (capture, (name, kinds)) in captures.iter().zip(HEARS) {
        let mut responder = Responder::new(policy_towards(capture));
        let hears: Vec<_> = capture.to_server().map(|frame| answered(&mut responder, frame, name)).collect();
        assert_eq!(hears, kinds, "{name}");
    }
}

/// Our policy under the name of the server that the client talked to.
fn policy_towards(capture: &Capture) -> Policy {
    let messages = capture.to_client().map(|frame| decode(&frame[PAYLOAD_OFFSET..]).unwrap());
    let duid = messages.last().map(|message| server_id(&message));
    Policy { server_duid: duid.unwrap_or(policy().server_duid), ..policy() }
}

fn server_id(message: &Message) -> Duid {
    let Some(DhcpOption::ServerId(duid)) = message.opts().get(OptionCode::ServerId) else { panic!("no server") };
    duid.iter().map(|byte| format!("{byte:02x}")).collect::<String>().parse().unwrap()
}

/// Answers a client's message, checks every field of the answer against it, and returns its type.
fn answered(responder: &mut Responder, frame: &[u8], name: &str) -> MessageType {
    let mut buffer = [0; 1514];
    let length = responder.frame(frame, &local(), &mut buffer).unwrap();
    let answer = Answer::read(&buffer[..length]).unwrap();
    let mac = MacAddr(frame[6..12].try_into().unwrap());
    let asked = decode(&frame[PAYLOAD_OFFSET..]).unwrap();
    let expected = expected(&asked, mac, frame, answer.server_id.clone());
    assert_eq!(answer, expected, "{name}, {:?}", asked.msg_type());
    answer.kind.into()
}

fn expected(asked: &Message, mac: MacAddr, frame: &[u8], server_id: Option<Vec<u8>>) -> Answer {
    let is_rapid = asked.opts().get(OptionCode::RapidCommit).is_some();
    let is_offer = asked.msg_type() == MessageType::Solicit && !is_rapid;
    let kind = if is_offer { MessageType::Advertise } else { MessageType::Reply };
    let client_id = match asked.opts().get(OptionCode::ClientId) {
        Some(DhcpOption::ClientId(duid)) => Some(duid.clone()),
        _ => None,
    };
    let mut associations = Vec::new();
    if asked.msg_type() != MessageType::Release {
        associations = asked.opts().iter().filter_map(|option| association(option, mac)).collect();
        associations.sort();
    }
    Answer {
        envelope: Envelope {
            ethernet_source: local().mac,
            ethernet_destination: mac,
            source: OUR_LINK_LOCAL,
            destination: <[u8; 16]>::try_from(&frame[22..38]).unwrap().into(),
            source_port: 547,
            destination_port: 546,
        },
        kind: kind.into(),
        transaction: asked.xid(),
        client_id,
        server_id,
        preference: is_offer.then_some(255),
        rapid_commit: is_rapid,
        status: (asked.msg_type() == MessageType::Release).then_some(0),
        associations,
        fqdn: None,
        others: Vec::new(),
    }
}

/// What an identity association is answered with.
#[expect(clippy::wildcard_enum_match_arm, reason = "no other option is one")]
fn association(option: &DhcpOption, mac: MacAddr) -> Option<Association> {
    let address = policy().base_address.address_of(mac);
    match option {
        DhcpOption::IANA(ia) => Some(Association {
            code: 3,
            iaid: ia.id,
            times: Some((21_600, 34_560)),
            addresses: vec![(address, 43_200, 86_400)],
            status: None,
        }),
        DhcpOption::IAPD(ia) => {
            Some(Association { code: 25, iaid: ia.id, times: Some((0, 0)), addresses: Vec::new(), status: Some(6) })
        }
        _ => None,
    }
}
