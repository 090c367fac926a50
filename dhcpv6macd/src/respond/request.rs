//! A client's message, and whose it is.

use std::net::Ipv6Addr;

use super::{Reason, Site};
use crate::{
    policy::{BootStage, MacSource},
    wire::{
        Datagram, MacAddr,
        dhcpv6::{Message, MessageType, RelayForward, Relays},
        link_layer_of,
    },
};

/// A client's message, and whose it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) message: Message<'a>,
    /// The relay agents that it came through.
    pub(super) relays: Relays<'a>,
    /// The machine's MAC.
    pub(super) mac: MacAddr,
    /// The one address of the machine.
    pub(super) address: Ipv6Addr,
    /// Which stage of a boot asks.
    pub(super) stage: BootStage,
    /// May it be for any server? What a machine sent to one of our addresses is for us alone.
    pub(super) is_for_any: bool,
}

impl<'a> Request<'a> {
    /// Reads the message that a datagram holds, without its relay agents' layers, and finds out which machine asks.
    pub(super) fn read(
        datagram: &Datagram<'a>,
        relays: Relays<'a>,
        payload: &'a [u8],
        site: &Site,
    ) -> Result<Self, Reason> {
        site.check_machine(datagram.ethernet_source)?;
        check_relay_agent(datagram, relays, site)?;
        check_kind(MessageType::of(payload)?)?;
        let message = Message::parse(payload)?;
        let mac = machine(datagram, relays, &message, site)?;
        site.check_access(mac)?;
        let address = site.policy.base_address.address_of(mac);
        if site.local.addresses.binary_search(&address).is_ok() {
            return Err(Reason::OwnAddress);
        }
        Ok(Self {
            message,
            relays,
            mac,
            address,
            stage: BootStage::of(message.classes),
            is_for_any: datagram.destination.is_multicast() || !relays.is_empty(),
        })
    }
}

/// May whoever relays this be where it is?
fn check_relay_agent(datagram: &Datagram<'_>, relays: Relays<'_>, site: &Site) -> Result<(), Reason> {
    let is_allowed = || site.policy.relay_from.iter().any(|prefix| prefix.contains(datagram.source));
    if relays.is_empty() || is_allowed() { Ok(()) } else { Err(Reason::RelayNotAllowed) }
}

/// Servers answer clients, and relay agents for them (RFC 9915 section 16).
fn check_kind(kind: MessageType) -> Result<(), Reason> {
    match kind {
        MessageType::Advertise
        | MessageType::Reply
        | MessageType::Reconfigure
        | MessageType::RelayForward
        | MessageType::RelayReply => Err(Reason::ForClients),
        MessageType::Solicit
        | MessageType::Request
        | MessageType::Confirm
        | MessageType::Renew
        | MessageType::Rebind
        | MessageType::Release
        | MessageType::Decline
        | MessageType::InformationRequest => Ok(()),
    }
}

/// The MAC of the machine, from the first source that knows it.
fn machine(datagram: &Datagram<'_>, relays: Relays<'_>, message: &Message<'_>, site: &Site) -> Result<MacAddr, Reason> {
    let known = |source| match source {
        MacSource::Ethernet => has_sent_itself(datagram, relays).then_some(datagram.ethernet_source),
        MacSource::Relay => relayed_mac(relays),
        MacSource::Duid => message.client_id.and_then(link_layer_of),
        MacSource::Eui64 => MacAddr::of_link_local(machine_address(datagram, relays)),
    };
    let mac = site.policy.mac_sources.iter().find_map(known).ok_or(Reason::UnknownMac)?;
    site.check_machine(mac).map(|()| mac)
}

/// Is the frame from the machine itself? A lightweight relay agent is a switch that puts its layer around the machine's message and
/// leaves the frame's addresses alone (RFC 6221 section 5).
fn has_sent_itself(datagram: &Datagram<'_>, relays: Relays<'_>) -> bool {
    relays.outside_in().all(|relay| relay.link_address.is_unspecified() && relay.peer_address == datagram.source)
}

/// The MAC that the relay agent next to the machine saw, which no other can know (RFC 6939 section 5).
fn relayed_mac(relays: Relays<'_>) -> Option<MacAddr> {
    innermost(relays)?.client_link_layer
}

fn machine_address(datagram: &Datagram<'_>, relays: Relays<'_>) -> Ipv6Addr {
    innermost(relays).map_or(datagram.source, |relay| relay.peer_address)
}

fn innermost(relays: Relays<'_>) -> Option<RelayForward<'_>> {
    relays.outside_in().last()
}
