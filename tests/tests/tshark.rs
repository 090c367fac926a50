//! Whatever the daemon sends, as tshark sees it: nothing malformed, nothing to warn of.
#![cfg(test)]

use std::{
    io::{Seek as _, Write as _},
    net::Ipv6Addr,
    process::{Command, Stdio},
    sync::Arc,
};

use dhcpv6macd::{
    policy::Policy,
    respond::{Responder, Site},
    wire::router::{ConfigurationFlag, HOP_LIMIT, RouterAdvertisement},
};
use dhcpv6macd_tests::{
    capture::{self, Capture},
    golden::{Envelope, LOCAL_MAC, OUR_LINK_LOCAL, Row, local, open, policy, rows},
};
use etherparse::PacketBuilder;

/// A frame that the daemon sends, and in answer to what.
type Sent = (String, Vec<u8>);

/// Whom Router Advertisements are for.
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_NODES_MAC: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];

#[test]
fn whatever_is_sent_is_well_formed() {
    let sent = [golden(), captured(), advertisements()].concat();
    assert_eq!(complaints(&sent), Vec::<String>::new());
}

/// What is wrong with the length of an option, that is. One that overruns the message tshark leaves out without a word: dhcproto,
/// which reads every answer, does not.
#[test]
fn what_is_wrong_is_found() {
    let (name, whole) = golden().into_iter().find(|(name, _)| name.starts_with("E1_")).unwrap();
    let (_, message) = open(&whole).unwrap();
    let with = |name: &str, option: &[u8]| (name.to_owned(), Envelope::default().around(&[message, option].concat()));
    let preference = with("a Preference of two bytes", &[0, 7, 0, 2, 255, 255]);
    let association = with("an IA_NA without times", &[0, 3, 0, 4, 0, 0, 0, 1]);
    let status = with("half a Status Code", &[0, 13, 0, 1, 0]);
    let cut = ("no message".to_owned(), Envelope::default().around(&message[..3]));
    let mut checksum = ("another checksum".to_owned(), whole.clone());
    *checksum.1.last_mut().unwrap() ^= 1;
    let broken = [preference, association, status, cut, checksum];
    let found = complaints(&[&[(name, whole)], &broken[..]].concat());
    let names: Vec<_> = found.iter().filter_map(|line| Some(line.split_once(": ")?.0)).collect();
    assert_eq!(names, broken.each_ref().map(|(name, _)| name.as_str()), "{found:#?}");
}

/// Answers to the golden rows.
fn golden() -> Vec<Sent> {
    let answered = |row: Row| {
        let reply = reply((row.policy)(), &row.frame)?;
        Some((format!("{}: {}", row.name, row.description), reply))
    };
    rows().into_iter().filter_map(answered).collect()
}

/// Answers to the clients in captures, under the name of the server that they talked to.
fn captured() -> Vec<Sent> {
    let mut sent = Vec::new();
    for capture in Capture::all().unwrap() {
        let server_duid = capture.server().unwrap().unwrap_or(policy().server_duid);
        for (number, frame) in capture.to_server().enumerate() {
            let reply = reply(Policy { server_duid: server_duid.clone(), ..policy() }, frame).unwrap();
            sent.push((format!("{}: message {number}", capture.name), reply));
        }
    }
    sent
}

fn reply(policy: Policy, frame: &[u8]) -> Option<Vec<u8>> {
    let site = Site::new(local(), Arc::new(policy), Arc::default());
    let mut buffer = vec![0xaa; 2048];
    let answered = Responder::default().frame(frame, &site, &mut buffer).ok()?;
    buffer.truncate(answered.length);
    Some(buffer)
}

/// Every kind of Router Advertisement, in the headers and with the checksum that the kernel gives it.
fn advertisements() -> Vec<Sent> {
    let prefix = "2001:db8:0:1::/64".parse().ok();
    let flags = [ConfigurationFlag::Managed, ConfigurationFlag::Other];
    let each = flags.into_iter().flat_map(|flag| [None, prefix].map(|prefix| (flag, prefix)));
    each.map(|(flag, prefix)| {
        let message = RouterAdvertisement { flag, link_layer: LOCAL_MAC, prefix }.bytes();
        let (head, rest) = message.split_first_chunk::<8>().unwrap();
        let mut frame = Vec::new();
        PacketBuilder::ethernet2(LOCAL_MAC.0, ALL_NODES_MAC)
            .ipv6(OUR_LINK_LOCAL.octets(), ALL_NODES.octets(), HOP_LIMIT)
            .icmpv6_raw(head[0], head[1], head[4..].try_into().unwrap())
            .write(&mut frame, rest)
            .unwrap();
        (format!("Router Advertisement, {flag:?}, {prefix:?}"), frame)
    })
    .collect()
}

/// What tshark finds wrong, one line a frame.
fn complaints(sent: &[Sent]) -> Vec<String> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&capture::write(sent.iter().map(|(_, frame)| frame.as_slice())).unwrap()).unwrap();
    file.rewind().unwrap();
    let mut tshark = Command::new("tshark");
    tshark.args(["-n", "-r", "-", "-o", "udp.check_checksum:TRUE", "-Y", "_ws.malformed || _ws.expert"]);
    tshark.args(["-T", "fields", "-e", "frame.number", "-e", "_ws.expert.severity", "-e", "_ws.expert.message"]);
    let output = tshark.stdin(Stdio::from(file)).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| named(line, sent)).collect()
}

/// The frame's name in place of its number.
fn named(line: &str, sent: &[Sent]) -> String {
    let (number, complaint) = line.split_once('\t').unwrap();
    let number: usize = number.parse().unwrap();
    format!("{}: {complaint}", sent[number - 1].0)
}
