//! What a responder counts.

use super::Reason;
use crate::wire::dhcpv6::MessageType;

/// Messages received and sent by type, and frames dropped by reason. What is relayed is two messages: the machine's, and the relay
/// agent's around it.
#[derive(Clone, Debug)]
pub struct Counters {
    received: [u64; MessageType::ALL.len()],
    sent: [u64; MessageType::ALL.len()],
    dropped: [u64; Reason::COUNT],
}

impl Default for Counters {
    fn default() -> Self {
        Self { received: [0; _], sent: [0; _], dropped: [0; _] }
    }
}

impl Counters {
    pub(super) fn received(&mut self, kind: MessageType) {
        increment(&mut self.received, kind as usize - 1);
    }

    pub(super) fn sent(&mut self, kind: MessageType) {
        increment(&mut self.sent, kind as usize - 1);
    }

    pub(super) fn dropped(&mut self, reason: Reason) {
        increment(&mut self.dropped, reason.index());
    }

    /// Every counter by its name.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let received = MessageType::ALL.into_iter().map(received_name).zip(self.received);
        let sent = MessageType::ALL.into_iter().map(sent_name).zip(self.sent);
        let dropped = Reason::all().map(Reason::name).zip(self.dropped);
        received.chain(sent).chain(dropped)
    }
}

fn increment(counters: &mut [u64], index: usize) {
    if let Some(counter) = counters.get_mut(index) {
        *counter += 1;
    }
}

const fn received_name(kind: MessageType) -> &'static str {
    match kind {
        MessageType::Solicit => "receive_solicit",
        MessageType::Advertise => "receive_advertise",
        MessageType::Request => "receive_request",
        MessageType::Confirm => "receive_confirm",
        MessageType::Renew => "receive_renew",
        MessageType::Rebind => "receive_rebind",
        MessageType::Reply => "receive_reply",
        MessageType::Release => "receive_release",
        MessageType::Decline => "receive_decline",
        MessageType::Reconfigure => "receive_reconfigure",
        MessageType::InformationRequest => "receive_information_request",
        MessageType::RelayForward => "receive_relay_forward",
        MessageType::RelayReply => "receive_relay_reply",
    }
}

const fn sent_name(kind: MessageType) -> &'static str {
    match kind {
        MessageType::Solicit => "send_solicit",
        MessageType::Advertise => "send_advertise",
        MessageType::Request => "send_request",
        MessageType::Confirm => "send_confirm",
        MessageType::Renew => "send_renew",
        MessageType::Rebind => "send_rebind",
        MessageType::Reply => "send_reply",
        MessageType::Release => "send_release",
        MessageType::Decline => "send_decline",
        MessageType::Reconfigure => "send_reconfigure",
        MessageType::InformationRequest => "send_information_request",
        MessageType::RelayForward => "send_relay_forward",
        MessageType::RelayReply => "send_relay_reply",
    }
}
