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
//! Behind relay agents it says and hears the same, with a Relay-reply for each Relay-forward around it.
//!
//! First the [request] is read, down to the machine that asks; then it is [decided](decide) what to say; [`Reply::emit`] writes it.

mod counters;
mod decide;
mod observation;
mod reason;
mod reply;
mod request;
mod site;

pub use counters::Counters;
use dhcpv6macd_ebpf::Service;
pub use observation::Observation;
pub use reason::Reason;
pub use reply::Reply;
use request::Request;
pub use site::Site;

use crate::wire::{
    Datagram, Malformed,
    dhcpv6::{MessageType, Relays},
};

/// Answers requests, and counts what it does.
#[derive(Debug, Default)]
pub struct Responder {
    counters: Counters,
}

/// A frame was answered.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a> {
    /// Bytes of the reply, a whole frame.
    pub length: usize,
    /// What it says.
    pub reply: Reply<'a>,
}

impl Responder {
    /// What was counted.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Counts a frame that somebody else could not answer either.
    pub fn dropped(&mut self, reason: Reason) {
        self.counters.dropped(reason);
    }

    /// Answers one frame, where DHCPv6 is all that is served: writes the reply, a whole frame.
    ///
    /// # Errors
    ///
    /// Why there is no reply.
    pub fn frame<'a>(&mut self, frame: &'a [u8], site: &'a Site, reply: &mut [u8]) -> Result<Answered<'a>, Reason> {
        let datagram = self.read(frame, site)?;
        self.answer(&datagram, site, reply)
    }

    /// Reads a frame of ours.
    ///
    /// # Errors
    ///
    /// Why it is none.
    pub fn read<'a>(&mut self, frame: &'a [u8], site: &Site) -> Result<Datagram<'a>, Reason> {
        let datagram = Datagram::parse(frame, &site.local).map_err(Reason::from);
        datagram.and_then(|ours| ours.ok_or(Reason::NotOurs)).inspect_err(|reason| self.counters.dropped(*reason))
    }

    /// Answers a DHCPv6 message: writes the reply, a whole frame.
    ///
    /// # Errors
    ///
    /// Why there is no reply.
    pub fn answer<'a>(
        &mut self,
        datagram: &Datagram<'a>,
        site: &'a Site,
        reply: &mut [u8],
    ) -> Result<Answered<'a>, Reason> {
        let answered = self.decide(datagram, site, reply);
        answered.inspect_err(|reason| self.counters.dropped(*reason))
    }

    fn decide<'a>(
        &mut self,
        datagram: &Datagram<'a>,
        site: &'a Site,
        buffer: &mut [u8],
    ) -> Result<Answered<'a>, Reason> {
        match datagram.service {
            Service::Tftp => return Err(Reason::TftpNotServed),
            Service::Dhcpv6 => {}
        }
        let (relays, message) = self.receive(datagram.payload)?;
        let request = Request::read(datagram, relays, message, site)?;
        let reply = Reply::new(datagram, request, decide::decide(&request, site)?, site);
        let length = reply.emit(buffer).map_err(|_| Reason::ReplyTooLong)?;
        self.counters.sent(reply.kind());
        if !relays.is_empty() {
            self.counters.sent(MessageType::RelayReply);
        }
        Ok(Answered { length, reply })
    }

    /// Takes the relay agents' layers off a message, and counts both: the relay agents', and the machine's inside.
    fn receive<'a>(&mut self, payload: &'a [u8]) -> Result<(Relays<'a>, &'a [u8]), Malformed> {
        self.counters.received(MessageType::of(payload)?);
        let (relays, message) = Relays::unwrap(payload)?;
        if !relays.is_empty() {
            self.counters.received(MessageType::of(message)?);
        }
        Ok((relays, message))
    }
}
