//! What holds for every frame, whatever is in it.

use std::{net::Ipv6Addr, sync::LazyLock};

use dhcpv6macd::{
    policy::{MacSources, Policy},
    respond::{Reason, Responder, Site},
    wire::{MacAddr, Prefix},
};

use super::{Answer, Envelope, OTHER_MACHINE, OUR_ADDRESS, configured::sites, site};

/// Made once: compiling a template takes longer than a frame.
static SITE: LazyLock<Site> = LazyLock::new(site);
static SITES: LazyLock<Vec<Site>> = LazyLock::new(sites);

/// An address neither on the link nor in the prefix.
const FAR: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xbad, 0, 0, 0, 0, 1);
/// More room than a reply may take.
const ROOM: usize = 2048;
/// An Ethernet frame without its check sequence.
const FRAME_MAX: usize = 1514;

/// Sends a frame through the responder, twice.
///
/// # Errors
///
/// Why it is not answered.
///
/// # Panics
///
/// Where it is not answered as any frame must be: the same each time, whole, in one Ethernet frame, to the machine that asked,
/// and with no other address than its own.
pub fn judge(frame: &[u8]) -> Result<usize, Reason> {
    judge_at(&SITE, frame)
}

/// The same for a message, in a frame whose lengths and checksum are right.
///
/// # Errors
///
/// Those of [`judge`].
///
/// # Panics
///
/// As [`judge`] does.
pub fn judge_message(payload: &[u8]) -> Result<usize, Reason> {
    judge(&Envelope::default().around(payload))
}

/// The same where the operator has decided otherwise: two bytes choose how, and who sends; the others are a message.
///
/// # Errors
///
/// Those of [`judge`].
///
/// # Panics
///
/// As [`judge`] does.
pub fn judge_configured(input: &[u8]) -> Result<usize, Reason> {
    let (&[site, sender], payload) = input.split_first_chunk().unwrap_or((&[0; 2], input));
    let site = SITES.iter().cycle().nth(site.into()).expect("there is at least one");
    judge_at(site, &sent_by(sender).around(payload))
}

/// A machine or a relay agent, on the link or far away, to the group or to us.
fn sent_by(sender: u8) -> Envelope {
    let is_set = |bit: u8| sender >> bit & 1 == 1;
    let direct = Envelope::default();
    Envelope {
        source: if is_set(0) { FAR } else { direct.source },
        source_port: if is_set(1) { 547 } else { direct.source_port },
        destination: if is_set(2) { OUR_ADDRESS } else { direct.destination },
        ethernet_source: if is_set(3) { OTHER_MACHINE } else { direct.ethernet_source },
        ..direct
    }
}

fn judge_at(site: &Site, frame: &[u8]) -> Result<usize, Reason> {
    let (answered, reply, mac) = answer(site, frame, 0);
    assert_eq!((answered, reply.clone(), mac), answer(site, frame, 0xff), "another answer to the same");
    if let Some(mac) = mac {
        assert!(reply.len() <= FRAME_MAX, "{} bytes", reply.len());
        let answer = Answer::read(&reply).expect("other decoders read the reply, whole");
        judge_answer(&answer, frame, mac, &site.policy);
        judge_addresses(&answer, site.policy.base_address.address_of(mac));
    }
    answered
}

fn answer(site: &Site, frame: &[u8], filler: u8) -> (Result<usize, Reason>, Vec<u8>, Option<MacAddr>) {
    let mut buffer = vec![filler; ROOM];
    let answered = Responder::default().frame(frame, site, &mut buffer);
    let length = answered.map(|answered| answered.length);
    buffer.truncate(length.unwrap_or(0));
    (length, buffer, answered.ok().map(|answered| answered.reply.observation().mac))
}

fn judge_answer(answer: &Answer, frame: &[u8], mac: MacAddr, policy: &Policy) {
    let to = answer.envelope.ethernet_destination;
    assert_eq!(frame.get(6..12), Some(&to.0[..]), "sent to another machine");
    assert!(!to.is_multicast() && !answer.envelope.destination.is_multicast(), "sent to a group");
    assert!(!mac.is_multicast() && !mac.is_zero() && policy.access.check(mac).is_ok(), "{mac} is served");
    if answer.relays.is_empty() {
        assert!(mac == to || policy.mac_sources != MacSources::default(), "somebody else's address");
        assert_eq!(frame.get(63..66), Some(&answer.transaction[..]), "another transaction");
    } else {
        let is_allowed = |prefix: &Prefix| prefix.contains(answer.envelope.destination);
        assert!(policy.relay_from.iter().any(is_allowed), "a relay agent that is not allowed");
    }
}

fn judge_addresses(answer: &Answer, own: Ipv6Addr) {
    for (address, preferred, valid) in answer.associations.iter().flat_map(|association| &association.addresses) {
        assert!(*address == own || (*preferred, *valid) == (0, 0), "{address} instead of {own}");
    }
}
