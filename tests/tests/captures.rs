//! What real clients sent, answered: every client frame of every capture through the responder.
#![cfg(test)]

use std::{sync::Arc, time::Duration};

use dhcproto::v6::{DhcpOption, Message, MessageType, OptionCode};
use dhcpv6macd::{
    policy::Policy,
    respond::{Responder, Site},
    tftp::Happening,
    wire::MacAddr,
};
use dhcpv6macd_ebpf::header::PAYLOAD_OFFSET;
use dhcpv6macd_tests::{
    capture::Capture,
    golden::{Answer, Association, Envelope, OUR_LINK_LOCAL, decode, local, policy},
    transfers::Transfers,
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
        let site = Site::new(local(), Arc::new(policy_towards(capture)), Arc::default());
        let hears: Vec<_> = capture.to_server().map(|frame| answered(&site, frame, name)).collect();
        assert_eq!(hears, kinds, "{name}");
    }
}

/// The acknowledgements are those of a transfer in lock-step: the server of that time granted no window. To ours they look like those of
/// gaps, one after the other.
#[test]
fn firmware_loads_its_file_by_tftp() {
    let captures = Capture::all().unwrap();
    let capture = captures.iter().find(|capture| capture.name == "ovmf-pxe6.pcap").unwrap();
    let said: Vec<_> = capture.frames.iter().filter_map(|frame| said_by_tftp(frame)).collect();
    assert!(said.len() > 50, "{}", said.len());
    let file: Vec<u8> = (0..251).cycle().take(1_174_528).collect();
    let mut server = Transfers::new(file.clone());
    let mut heard = Vec::new();
    for (port, payload) in said {
        server.now += Duration::from_millis(1);
        let (taken, packets) = server.answer(port, payload);
        assert_eq!(taken, Ok(()));
        heard.extend(packets);
    }
    assert_eq!(heard[0], b"\0\x06tsize\x001174528\0blksize\x001228\0windowsize\x004\0");
    assert_eq!(heard[1], b"\0\x06blksize\x001228\0windowsize\x004\0");
    for block in &heard[2..] {
        let number = usize::from(u16::from_be_bytes([block[2], block[3]]));
        assert_eq!(block[4..], file[(number - 1) * 1228..number * 1228], "block {number}");
    }
    assert_eq!(server.told[..3], [Happening::Requested, Happening::SizeProbe, Happening::Requested]);
    assert_eq!(server.counter("tftp_size_probe"), 1);
}

/// What a client said to a TFTP server, and from which port.
fn said_by_tftp(frame: &[u8]) -> Option<(u16, &[u8])> {
    let is_udp = frame.get(12..14) == Some(&[0x86, 0xdd]) && frame.get(20) == Some(&17);
    let port = u16::from_be_bytes(frame.get(54..56)?.try_into().ok()?);
    (is_udp && (1070..1090).contains(&port)).then_some((port, frame.get(PAYLOAD_OFFSET..)?))
}

/// Our policy under the name of the server that the client talked to.
fn policy_towards(capture: &Capture) -> Policy {
    Policy { server_duid: capture.server().unwrap().unwrap_or(policy().server_duid), ..policy() }
}

/// Answers a client's message, checks every field of the answer against it, and returns its type.
fn answered(site: &Site, frame: &[u8], name: &str) -> MessageType {
    let mut buffer = [0; 1514];
    let length = Responder::default().frame(frame, site, &mut buffer).unwrap().length;
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
        others: if asked.msg_type() == MessageType::Release { Vec::new() } else { others(asked, mac) },
        relays: Vec::new(),
    }
}

/// What else it is told: the options that it asks for, and the boot file of its stage.
fn others(asked: &Message, mac: MacAddr) -> Vec<(u16, Vec<u8>)> {
    let configured = policy().options.into_iter().map(|option| (option.code.0, option.data.into_vec()));
    let mut others: Vec<_> = configured.filter(|(code, _)| asks_for(asked, *code)).collect();
    match boot(asked) {
        Some("ipxe") => {
            others.push((59, format!("http://{HOST}/mac/{mac}/boot.efi?arch=x86_64&payload={IPXE}").into()));
        }
        Some("http") => {
            others.push((59, format!("http://{HOST}/mac/{mac}/boot.efi?arch=x86_64&payload={HTTP}").into()));
            others.push((16, b"\0\0\x01\x57\0\x0aHTTPClient".to_vec()));
        }
        Some(_) => others.push((59, format!("tftp://{HOST}/{mac}/ipxe.efi").into())),
        None => {}
    }
    others.sort();
    others
}

/// Where boot files are, and what the machines in the captures are: x86-64, by PXE and by HTTP.
const HOST: &str = "[2001:db8:123:4567:1::1]";
const IPXE: &str = "eyJhcmNoaXRlY3R1cmVzIjpbIkVGSSB4ODYtNjQiXX0%3D";
const HTTP: &str = "eyJhcmNoaXRlY3R1cmVzIjpbIkVGSSB4ODYtNjQgYm9vdCBmcm9tIEhUVFAiXX0%3D";

fn asks_for(asked: &Message, code: u16) -> bool {
    // A refresh time is for those who ask for nothing else.
    let is_refresh_time = code == 32 && asked.msg_type() != MessageType::InformationRequest;
    let requested = match asked.opts().get(OptionCode::ORO) {
        Some(DhcpOption::ORO(requested)) => requested.opts.iter().any(|option| u16::from(*option) == code),
        _ => false,
    };
    requested && !is_refresh_time
}

fn boot(asked: &Message) -> Option<&'static str> {
    let vendor = match asked.opts().get(OptionCode::VendorClass) {
        Some(DhcpOption::VendorClass(class)) => class.data.first()?,
        _ => return None,
    };
    let is_ipxe = asked.opts().get(OptionCode::UserClass).is_some();
    match () {
        () if is_ipxe => Some("ipxe"),
        () if vendor.starts_with(b"HTTPClient") => Some("http"),
        () if vendor.starts_with(b"PXEClient") => Some("pxe"),
        () => None,
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
