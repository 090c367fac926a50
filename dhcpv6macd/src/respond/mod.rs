//! A request and the policy become an outcome. Pure: no socket, no clock, no thread.
//!
//! What a client says, and what it hears (RFC 9915 sections 18.2 and 18.3); there are no leases, so that every message is
//! answered from the machine's MAC alone:
//!
//! | client | server | says |
//! |---|---|---|
//! | Solicit | Advertise, preference 255 | this is your address |
//! | Solicit with Rapid Commit | Reply | the same, at once |
//! | Request, Renew, Rebind | Reply | this is your address, for so long |
//! | Confirm | Reply | Success with the address, or NotOnLink |
//! | Release, Decline | Reply | Success |
//! | Information-request | Reply | options only |
//!
//! First it is [decided](decide) what to say; [`Reply::emit`] then writes it.

mod counters;
mod decide;
mod reason;
mod reply;

pub use counters::Counters;
use dhcpv6macd_ebpf::Service;
pub use reason::Reason;
pub use reply::Reply;

use crate::{
    local::Local,
    policy::Policy,
    wire::{
        Datagram,
        dhcpv6::{Message, MessageType},
    },
};

/// Answers requests, and counts what it does.
#[derive(Debug)]
pub struct Responder {
    policy: Policy,
    counters: Counters,
}

impl Responder {
    /// Nothing is counted yet.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self { policy, counters: Counters::default() }
    }

    /// What was counted.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Answers one frame that came in on the interface `local`: writes the reply, a whole frame, and returns its length.
    ///
    /// # Errors
    ///
    /// Why there is no reply.
    pub fn frame(&mut self, frame: &[u8], local: &Local, reply: &mut [u8]) -> Result<usize, Reason> {
        let answered = self.answer(frame, local, reply);
        match answered {
            Ok((kind, length)) => {
                self.counters.sent(kind);
                Ok(length)
            }
            Err(reason) => {
                self.counters.dropped(reason);
                Err(reason)
            }
        }
    }

    fn answer(&mut self, frame: &[u8], local: &Local, buffer: &mut [u8]) -> Result<(MessageType, usize), Reason> {
        let datagram = Datagram::parse(frame, local)?.ok_or(Reason::NotOurs)?;
        if datagram.service == Service::Dhcpv6 {
            self.counters.received(MessageType::of(datagram.payload)?);
        }
        let reply = self.handle(&datagram, local)?;
        let length = reply.emit(buffer).map_err(|_| Reason::ReplyTooLong)?;
        Ok((reply.kind(), length))
    }

    /// Decides what to say to one datagram.
    ///
    /// # Errors
    ///
    /// Why there is nothing to say.
    pub fn handle<'a>(&'a self, datagram: &Datagram<'a>, local: &Local) -> Result<Reply<'a>, Reason> {
        check_source(datagram, local)?;
        match datagram.service {
            Service::Tftp => return Err(Reason::TftpNotServed),
            Service::Dhcpv6 => {}
        }
        match MessageType::of(datagram.payload)? {
            MessageType::RelayForward => return Err(Reason::RelayForward),
            MessageType::Advertise | MessageType::Reply | MessageType::Reconfigure | MessageType::RelayReply => {
                return Err(Reason::ForClients);
            }
            MessageType::Solicit
            | MessageType::Request
            | MessageType::Confirm
            | MessageType::Renew
            | MessageType::Rebind
            | MessageType::Release
            | MessageType::Decline
            | MessageType::InformationRequest => {}
        }
        let message = Message::parse(datagram.payload)?;
        let address = self.policy.base_address.address_of(datagram.ethernet_source);
        let request = decide::Request { message, address, to_group: datagram.destination.is_multicast() };
        let decision = decide::decide(&request, &self.policy)?;
        Ok(Reply::new(&request, decision, reply::headers(datagram, local), &self.policy))
    }
}

/// A machine's MAC is its own and nobody else's (IEEE 802-2014 section 8.2).
fn check_source(datagram: &Datagram<'_>, local: &Local) -> Result<(), Reason> {
    if datagram.ethernet_source.is_multicast() {
        Err(Reason::MulticastMac)
    } else if datagram.ethernet_source.is_zero() {
        Err(Reason::ZeroMac)
    } else if datagram.ethernet_source == local.mac {
        Err(Reason::OwnMac)
    } else {
        Ok(())
    }
}
