//! What a responder tells of a request that it answered, to whoever keeps the machines' histories.

use super::request::Request;
use crate::{
    policy::BootStage,
    wire::{
        MacAddr,
        dhcpv6::{MessageType, OptionCode},
        link_layer_of,
    },
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
    /// Its transaction ID: the same where it asks again.
    pub transaction: [u8; 3],
    /// Was it told a boot file?
    pub is_told_boot_file: bool,
    /// Can only firmware, or iPXE, have said it?
    pub is_firmware: bool,
}

impl<'a> Observation<'a> {
    pub(super) fn of(request: &Request<'a>, is_told_boot_file: bool) -> Self {
        let message = &request.message;
        let client_id = message.client_id.unwrap_or_default();
        Self {
            mac: request.mac,
            kind: message.kind,
            stage: request.stage,
            client_id,
            transaction: message.transaction,
            is_told_boot_file,
            is_firmware: is_firmware(request),
        }
    }

    /// The MAC in a DUID that was made from another one: that of a dongle or a dock that the system was installed with.
    #[must_use]
    pub fn foreign_mac(&self) -> Option<MacAddr> {
        link_layer_of(self.client_id).filter(|mac| *mac != self.mac)
    }
}

/// Systems do not say what they can boot; EDK2's IP stack does not either, and asks for DNS servers and nothing else (`Ip6Config`,
/// `Dhcp6Dxe`).
fn is_firmware(request: &Request<'_>) -> bool {
    let message = &request.message;
    request.stage != BootStage::Other
        || message.architectures.count() > 0
        || message.requested().eq([OptionCode::DNS_SERVERS])
}
