//! Writes what was decided.

use std::net::Ipv6Addr;

use super::decide::{Associations, Decision, Request};
use crate::{
    local::Local,
    policy::Policy,
    wire::{
        Datagram, Headers, NoSpace,
        dhcpv6::{Association, AssociationKind, CLIENT_PORT, Message, MessageType, OptionCode, StatusCode, Writer},
    },
};

/// Taken at once by every client, without waiting for other servers (RFC 9915 section 18.2.9).
const PREFERENCE: u8 = 255;

/// The longest message: what one packet of 1500 bytes holds. EDK2 has no room for more than 1472.
const MESSAGE_MAX: usize = 1452;

/// What to say, and to whom; not written yet.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    headers: Headers,
    decision: Decision,
    message: Message<'a>,
    address: Ipv6Addr,
    policy: &'a Policy,
}

/// Back where it came from: to the Ethernet source, so that no neighbour has to be found, and to the port that clients listen
/// on, from the address that the client used, or from the link-local one where that was a group.
pub(super) fn headers(datagram: &Datagram<'_>, local: &Local) -> Headers {
    let is_own = !datagram.destination.is_multicast();
    Headers {
        ethernet_source: local.mac,
        ethernet_destination: datagram.ethernet_source,
        source: if is_own { datagram.destination } else { local.link_local },
        destination: datagram.source,
        source_port: local.dhcpv6_port,
        destination_port: CLIENT_PORT,
    }
}

impl<'a> Reply<'a> {
    pub(super) fn new(request: &Request<'a>, decision: Decision, headers: Headers, policy: &'a Policy) -> Self {
        Self { headers, decision, message: request.message, address: request.address, policy }
    }

    /// Type of the reply: Advertise or Reply.
    #[must_use]
    pub fn kind(&self) -> MessageType {
        self.decision.kind
    }

    /// Writes the reply, a whole frame, and returns its length.
    ///
    /// # Errors
    ///
    /// Where `buffer` is too short, or the reply too long for every client.
    pub fn emit(&self, buffer: &mut [u8]) -> Result<usize, NoSpace> {
        self.headers.emit(buffer, |payload| {
            let room = payload.len().min(MESSAGE_MAX);
            let mut writer = Writer::new(payload.get_mut(..room).unwrap_or_default());
            self.write(&mut writer)?;
            Ok(writer.length())
        })
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), NoSpace> {
        writer.header(self.decision.kind, self.message.transaction)?;
        if let Some(client_id) = self.message.client_id {
            writer.option(OptionCode::ClientId, client_id)?;
        }
        writer.option(OptionCode::ServerId, self.policy.server_duid.as_bytes())?;
        if self.decision.kind == MessageType::Advertise {
            writer.option(OptionCode::Preference, &[PREFERENCE])?;
        }
        if self.decision.rapid_commit {
            writer.option(OptionCode::RapidCommit, &[])?;
        }
        if let Some(status) = self.decision.status {
            writer.status(status, "")?;
        }
        self.write_associations(writer)?;
        self.write_fqdn(writer)
    }

    fn write_associations(&self, writer: &mut Writer<'_>) -> Result<(), NoSpace> {
        let mut is_given = false;
        for association in self.message.associations() {
            let is_non_temporary = association.kind == AssociationKind::NonTemporary;
            match self.decision.associations {
                Associations::Absent => return Ok(()),
                Associations::Confirmed if is_non_temporary && association.addresses().next().is_some() => {
                    self.write_address(writer, &association)?;
                }
                Associations::Confirmed => {}
                Associations::Assigned | Associations::Extended if is_non_temporary && !is_given => {
                    is_given = true;
                    self.write_address(writer, &association)?;
                }
                Associations::Assigned | Associations::Extended => write_refusal(writer, &association)?,
            }
        }
        Ok(())
    }

    /// Exactly one address and nothing else, unless there is an address to end: U-Boot reads no further.
    fn write_address(&self, writer: &mut Writer<'_>, association: &Association<'_>) -> Result<(), NoSpace> {
        let lifetimes = self.policy.lifetimes;
        writer.association(association, (lifetimes.t1(), lifetimes.t2()), |writer| {
            writer.address(self.address, lifetimes.preferred(), lifetimes.valid())?;
            if self.decision.associations == Associations::Extended {
                for wrong in association.addresses().filter(|named| *named != self.address) {
                    writer.address(wrong, 0, 0)?;
                }
            }
            Ok(())
        })
    }

    /// Only where it was sent and asked for, in answer to messages about addresses (RFC 4704 section 6).
    fn write_fqdn(&self, writer: &mut Writer<'_>) -> Result<(), NoSpace> {
        match self.message.fqdn {
            Some(fqdn)
                if matches!(self.decision.associations, Associations::Assigned | Associations::Extended)
                    && self.message.requests(OptionCode::ClientFqdn) =>
            {
                writer.fqdn(fqdn)
            }
            _ => Ok(()),
        }
    }
}

fn write_refusal(writer: &mut Writer<'_>, association: &Association<'_>) -> Result<(), NoSpace> {
    let (status, text) = match association.kind {
        AssociationKind::NonTemporary => (StatusCode::NoAddrsAvail, "one address a machine"),
        AssociationKind::Temporary => (StatusCode::NoAddrsAvail, "no temporary addresses"),
        AssociationKind::PrefixDelegation => (StatusCode::NoPrefixAvail, "no prefixes"),
    };
    writer.association(association, (0, 0), |writer| writer.status(status, text))
}
