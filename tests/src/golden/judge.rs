//! What holds for every frame, whatever is in it.

use std::sync::LazyLock;

use dhcpv6macd::{
    respond::{Reason, Responder, Site},
    wire::MacAddr,
};

use super::{Answer, DENIED, Envelope, site};

/// Made once: compiling a template takes longer than a frame.
static SITE: LazyLock<Site> = LazyLock::new(site);

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
    let (answered, reply, mac) = answer(frame, 0);
    assert_eq!((answered, reply.clone(), mac), answer(frame, 0xff), "another answer to the same");
    if let Some(mac) = mac {
        assert!(reply.len() <= FRAME_MAX, "{} bytes", reply.len());
        judge_answer(&Answer::read(&reply).expect("other decoders read the reply, whole"), frame, mac);
    }
    answered
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

fn answer(frame: &[u8], filler: u8) -> (Result<usize, Reason>, Vec<u8>, Option<MacAddr>) {
    let mut buffer = vec![filler; ROOM];
    let answered = Responder::default().frame(frame, &SITE, &mut buffer);
    let length = answered.map(|answered| answered.length);
    buffer.truncate(length.unwrap_or(0));
    (length, buffer, answered.ok().map(|answered| answered.observation.mac))
}

fn judge_answer(answer: &Answer, frame: &[u8], mac: MacAddr) {
    let to = answer.envelope.ethernet_destination;
    assert_eq!(frame.get(6..12), Some(&to.0[..]), "sent to another machine");
    assert!(!to.is_multicast() && !answer.envelope.destination.is_multicast(), "sent to a group");
    assert!(!mac.is_multicast() && !mac.is_zero() && mac != DENIED, "{mac} is served");
    if answer.relays.is_empty() {
        assert_eq!(mac, to, "somebody else's address");
        assert_eq!(frame.get(63..66), Some(&answer.transaction[..]), "another transaction");
    }
    judge_addresses(answer, mac);
}

fn judge_addresses(answer: &Answer, mac: MacAddr) {
    let own = SITE.policy.base_address.address_of(mac);
    for (address, preferred, valid) in answer.associations.iter().flat_map(|association| &association.addresses) {
        assert!(*address == own || (*preferred, *valid) == (0, 0), "{address} for {mac}");
    }
}
