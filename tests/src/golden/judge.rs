//! What holds for every frame, whatever is in it.

use dhcpv6macd::{
    respond::{Reason, Responder},
    wire::MacAddr,
};

use super::{Answer, Envelope, local, policy};

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
    let (answered, reply) = answer(frame, 0);
    assert_eq!((answered, reply.clone()), answer(frame, 0xff), "another answer to the same");
    if answered.is_ok() {
        assert!(reply.len() <= FRAME_MAX, "{} bytes", reply.len());
        judge_answer(&Answer::read(&reply).expect("other decoders read the reply, whole"), frame);
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

fn answer(frame: &[u8], filler: u8) -> (Result<usize, Reason>, Vec<u8>) {
    let mut buffer = vec![filler; ROOM];
    let answered = Responder::new(policy()).frame(frame, &local(), &mut buffer);
    buffer.truncate(answered.unwrap_or(0));
    (answered, buffer)
}

fn judge_answer(answer: &Answer, frame: &[u8]) {
    let mac = answer.envelope.ethernet_destination;
    assert_eq!(frame.get(6..12), Some(&mac.0[..]), "sent to another machine");
    assert!(!mac.is_multicast() && !answer.envelope.destination.is_multicast(), "sent to a group");
    assert_eq!(frame.get(63..66), Some(&answer.transaction[..]), "another transaction");
    judge_addresses(answer, mac);
}

fn judge_addresses(answer: &Answer, mac: MacAddr) {
    let own = policy().base_address.address_of(mac);
    for (address, preferred, valid) in answer.associations.iter().flat_map(|association| &association.addresses) {
        assert!(*address == own || (*preferred, *valid) == (0, 0), "{address} for {mac}");
    }
}
