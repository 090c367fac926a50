//! What a responder tells of a request that it answered, to whoever keeps the machines' histories.

use super::request::Request;
use crate::{
    policy::BootStage,
    wire::{DUID_MAX, Hexadecimal, MacAddr, dhcpv6::MessageType, link_layer_of},
};

/// A machine was seen. Of a fixed size, so that it can leave a worker without taking memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The machine.
    pub mac: MacAddr,
    /// What it said.
    pub kind: MessageType,
    /// Which stage of its boot said it.
    pub stage: BootStage,
    /// Under which DUID.
    pub client_id: ClientId,
}

impl Observation {
    pub(super) fn of(request: &Request<'_>) -> Self {
        let client_id = ClientId::new(request.message.client_id.unwrap_or_default());
        Self { mac: request.mac, kind: request.message.kind, stage: request.stage, client_id }
    }

    /// The MAC in a DUID that was made from another one: that of a dongle or a dock that the system was installed with.
    #[must_use]
    pub fn foreign_mac(&self) -> Option<MacAddr> {
        link_layer_of(self.client_id.as_bytes()).filter(|mac| *mac != self.mac)
    }
}

/// A client's DUID, opaque; empty where it did not say.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ClientId {
    bytes: [u8; DUID_MAX],
    length: u8,
}

impl ClientId {
    /// These bytes; none where they are longer than a DUID can be.
    #[must_use]
    pub fn new(duid: &[u8]) -> Self {
        let mut client_id = Self { bytes: [0; _], length: 0 };
        // A message's DUID is never longer.
        if let (Some(room), Ok(length)) = (client_id.bytes.get_mut(..duid.len()), u8::try_from(duid.len())) {
            room.copy_from_slice(duid);
            client_id.length = length;
        }
        client_id
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

/// Lower case with colons.
impl std::fmt::Display for ClientId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&Hexadecimal(self.as_bytes()), formatter)
    }
}

impl std::fmt::Debug for ClientId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, formatter)
    }
}
