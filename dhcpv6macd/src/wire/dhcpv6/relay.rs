//! Relay agents' messages.

use std::net::Ipv6Addr;

use super::{MessageType, OPTIONS_MAX, OptionCode, Options};
use crate::wire::{MacAddr, Malformed};

/// Relay agents that a message may come through (RFC 9915 section 7.6, `HOP_COUNT_LIMIT`).
pub const RELAYS_MAX: usize = 8;

/// What one relay agent put around a message (RFC 9915 section 9).
///
/// ```text
/// type (1), hop count (1), link address (16), peer address (16), options
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RelayForward<'a> {
    /// Relay agents between this one and the machine.
    pub hop_count: u8,
    /// An address on the machine's link, or `::` from a lightweight relay agent (RFC 6221), which has none.
    pub link_address: Ipv6Addr,
    /// Whom the relay agent has the message from: the machine, or the relay agent before it.
    pub peer_address: Ipv6Addr,
    /// Names the relay agent's interface, opaque, to be echoed (RFC 9915 section 21.18).
    pub interface_id: Option<&'a [u8]>,
    /// The port of the relay agent before this one, to be echoed (RFC 8357 section 4).
    pub source_port: Option<[u8; 2]>,
    /// The machine's MAC as the relay agent saw it (RFC 6939).
    pub client_link_layer: Option<MacAddr>,
    /// What it relays: a machine's message, or another relay agent's.
    pub relayed: &'a [u8],
}

/// Bytes of a relay agent's message before its options.
const HEADER: usize = 34;
/// The hardware type of Ethernet (IANA "Hardware Types").
const ETHERNET: [u8; 2] = [0, 1];

impl<'a> RelayForward<'a> {
    /// Reads the outermost layer.
    fn parse(payload: &'a [u8]) -> Result<Self, Malformed> {
        let (header, options) = payload.split_first_chunk::<HEADER>().ok_or(Malformed::MessageLength)?;
        let [_, hop_count, addresses @ ..] = header;
        let (link, peer) = addresses.split_first_chunk::<16>().ok_or(Malformed::MessageLength)?;
        let mut relay = Self {
            hop_count: *hop_count,
            link_address: Ipv6Addr::from(*link),
            peer_address: Ipv6Addr::from(*peer.first_chunk::<16>().ok_or(Malformed::MessageLength)?),
            interface_id: None,
            source_port: None,
            client_link_layer: None,
            relayed: &[],
        };
        let mut read = OnlyOnce::default();
        for (index, option) in Options(options).enumerate() {
            let (code, data) = option?;
            if index >= OPTIONS_MAX {
                return Err(Malformed::TooManyOptions);
            }
            read.note(code)?;
            relay.read(code, data)?;
        }
        if relay.relayed.is_empty() { Err(Malformed::NothingRelayed) } else { Ok(relay) }
    }

    fn read(&mut self, code: OptionCode, data: &'a [u8]) -> Result<(), Malformed> {
        match code {
            OptionCode::RELAY_MESSAGE => self.relayed = data,
            OptionCode::INTERFACE_ID => self.interface_id = Some(data),
            OptionCode::RELAY_SOURCE_PORT => {
                self.source_port = Some(data.try_into().map_err(|_| Malformed::OptionLength)?);
            }
            // Another kind of link is no reason to leave a machine without its address: other sources may know its MAC.
            OptionCode::CLIENT_LINK_LAYER_ADDRESS => {
                self.client_link_layer =
                    data.strip_prefix(&ETHERNET).and_then(|mac| Some(MacAddr(mac.try_into().ok()?)));
            }
            _ => {}
        }
        Ok(())
    }
}

/// Which of the options that a relay agent's message has once (RFC 9915 section 21) were seen: whom to believe of two is nobody's guess.
#[derive(Default)]
struct OnlyOnce([bool; 4]);

impl OnlyOnce {
    fn note(&mut self, code: OptionCode) -> Result<(), Malformed> {
        let [message, interface_id, source_port, link_layer] = &mut self.0;
        let seen = match code {
            OptionCode::RELAY_MESSAGE => message,
            OptionCode::INTERFACE_ID => interface_id,
            OptionCode::RELAY_SOURCE_PORT => source_port,
            OptionCode::CLIENT_LINK_LAYER_ADDRESS => link_layer,
            _ => return Ok(()),
        };
        if std::mem::replace(seen, true) { Err(Malformed::DuplicateRelayOption) } else { Ok(()) }
    }
}

/// The relay agents that a message came through, checked: none at all for a machine on the link.
#[derive(Clone, Copy, Debug)]
pub struct Relays<'a>(&'a [u8]);

impl<'a> Relays<'a> {
    /// Takes the relay agents' layers off: they, and the message inside.
    ///
    /// # Errors
    ///
    /// A layer that is none, or more than [`RELAYS_MAX`] of them.
    pub fn unwrap(payload: &'a [u8]) -> Result<(Self, &'a [u8]), Malformed> {
        let mut message = payload;
        for _ in 0..RELAYS_MAX {
            if MessageType::of(message)? != MessageType::RelayForward {
                return Ok((Self(payload), message));
            }
            message = RelayForward::parse(message)?.relayed;
        }
        if MessageType::of(message)? == MessageType::RelayForward {
            return Err(Malformed::TooManyRelays);
        }
        Ok((Self(payload), message))
    }

    /// Is the message relayed at all?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !is_relayed(self.0)
    }

    /// Each layer, the one next to us first.
    pub fn outside_in(self) -> impl Iterator<Item = RelayForward<'a>> {
        std::iter::successors(layer(self.0), |outer| layer(outer.relayed))
    }
}

fn layer(payload: &[u8]) -> Option<RelayForward<'_>> {
    is_relayed(payload).then(|| RelayForward::parse(payload).ok()).flatten()
}

fn is_relayed(payload: &[u8]) -> bool {
    MessageType::of(payload) == Ok(MessageType::RelayForward)
}

/// The message for a client that a server's message holds: itself, or what is inside of its Relay-replies.
///
/// # Errors
///
/// A layer that is none, or more than [`RELAYS_MAX`] of them.
pub fn for_client(payload: &[u8]) -> Result<&[u8], Malformed> {
    let mut message = payload;
    for _ in 0..=RELAYS_MAX {
        if MessageType::of(message)? != MessageType::RelayReply {
            return Ok(message);
        }
        // Both directions have one form (RFC 9915 section 9).
        message = RelayForward::parse(message)?.relayed;
    }
    Err(Malformed::TooManyRelays)
}
