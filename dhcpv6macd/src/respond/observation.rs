//! What a responder tells of a request that it answered, to whoever keeps the machines' histories.

use super::request::Request;
use crate::{
    policy::BootStage,
    wire::{MacAddr, dhcpv6::MessageType, link_layer_of},
};

/// A machine was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation<'a> {
    /// The machine.
    pub mac: MacAddr,
    /// What it said.
    pub kind: MessageType,
    /// Which stage of its boot said it.
    pub stage: BootStage,
    /// Under which DUID; empty where it did not say.
    pub client_id: &'a [u8],
}

impl<'a> Observation<'a> {
    pub(super) fn of(request: &Request<'a>) -> Self {
        let client_id = request.message.client_id.unwrap_or_default();
        Self { mac: request.mac, kind: request.message.kind, stage: request.stage, client_id }
    }

    /// The MAC in a DUID that was made from another one: that of a dongle or a dock that the system was installed with.
    #[must_use]
    pub fn foreign_mac(&self) -> Option<MacAddr> {
        link_layer_of(self.client_id).filter(|mac| *mac != self.mac)
    }
}
