//! Writes what was decided.

use std::net::Ipv6Addr;

use super::{
    Observation, Site,
    decide::{Associations, Decision, is_non_temporary},
    request::Request,
};
use crate::{
    local::Local,
    policy::{BootUrl, Policy},
    wire::{
        Datagram, Headers, NoSpace,
        dhcpv6::{
            Architectures, Association, AssociationKind, CLIENT_PORT, HTTP_CLIENT, MessageType, OptionCode,
            RelayForward, Relays, SERVER_PORT, StatusCode, Writer,
        },
    },
};

/// The longest message: what one packet of 1500 bytes holds. EDK2 has no room for more than 1472.
const MESSAGE_MAX: usize = 1452;

/// What to say, and to whom; not written yet.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    headers: Headers,
    request: Request<'a>,
    decision: Decision<'a>,
    policy: &'a Policy,
}

/// Back where it came from: to the Ethernet source, so that no neighbour has to be found, from the address that was asked, or, where
/// that was a group, from the link-local one to machines, and to relay agents, which may be on another link, from one that gets there.
fn headers(datagram: &Datagram<'_>, request: &Request<'_>, local: &Local) -> Headers {
    let source = match datagram.destination {
        own if !own.is_multicast() => own,
        _ if request.relays.is_empty() => local.link_local,
        _ => local.source_to(datagram.source),
    };
    Headers {
        ethernet_source: local.mac,
        ethernet_destination: datagram.ethernet_source,
        source,
        destination: datagram.source,
        source_port: local.dhcpv6_port,
        destination_port: destination_port(datagram, request.relays),
    }
}

/// The port that clients listen on, or the one of relay agents; a relay agent that says so listens where it sends from
/// (RFC 8357 section 5.2).
fn destination_port(datagram: &Datagram<'_>, relays: Relays<'_>) -> u16 {
    match relays.outside_in().next() {
        None => CLIENT_PORT,
        Some(RelayForward { source_port: Some(_), .. }) => datagram.source_port,
        Some(RelayForward { source_port: None, .. }) => SERVER_PORT,
    }
}

impl<'a> Reply<'a> {
    pub(super) fn new(datagram: &Datagram<'_>, request: Request<'a>, decision: Decision<'a>, site: &'a Site) -> Self {
        Self { headers: headers(datagram, &request, &site.local), request, decision, policy: &site.policy }
    }

    /// Who asked, and what.
    #[must_use]
    pub fn observation(&self) -> Observation<'a> {
        Observation::of(&self.request, self.decision.boot.is_some())
    }

    /// What the machine says that it can boot.
    #[must_use]
    pub fn architectures(&self) -> Architectures<'a> {
        self.request.message.architectures
    }

    /// The machine's address, where the reply gives it one.
    #[must_use]
    pub fn address(&self) -> Option<Ipv6Addr> {
        let has_association = self.request.message.associations().any(|association| is_non_temporary(&association));
        (has_association && self.decision.associations != Associations::Absent).then_some(self.request.address)
    }

    /// Status of the whole message, where it has one.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.decision.status
    }

    /// Where the machine is told to boot from.
    #[must_use]
    pub fn boot_url(&self) -> Option<BootUrl<'a>> {
        self.decision.boot.map(|boot| boot.url)
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
            writer.relayed(self.request.relays.outside_in(), |writer| self.write(writer))?;
            Ok(writer.length())
        })
    }

    /// The boot file comes first: EDK2 reads its URL up to a NUL, which is the first byte of the next option's code, and shim reads
    /// the first 1024 bytes.
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), NoSpace> {
        writer.header(self.decision.kind, self.request.message.transaction)?;
        self.write_boot(writer)?;
        if let Some(client_id) = self.request.message.client_id {
            writer.option(OptionCode::CLIENT_ID, client_id)?;
        }
        writer.option(OptionCode::SERVER_ID, self.policy.server_duid.as_bytes())?;
        if self.decision.kind == MessageType::Advertise {
            writer.option(OptionCode::PREFERENCE, &[self.policy.preference])?;
        }
        if self.decision.rapid_commit {
            writer.option(OptionCode::RAPID_COMMIT, &[])?;
        }
        if let Some(status) = self.decision.status {
            writer.status(status, "")?;
        }
        self.write_associations(writer)?;
        self.write_options(writer)?;
        self.decision.fqdn.map_or(Ok(()), |fqdn| writer.fqdn(fqdn))
    }

    fn write_boot(&self, writer: &mut Writer<'_>) -> Result<(), NoSpace> {
        let Some(boot) = self.decision.boot else { return Ok(()) };
        writer.text(OptionCode::BOOT_FILE_URL, boot.url)?;
        if boot.is_http_offer { writer.vendor_class(HTTP_CLIENT) } else { Ok(()) }
    }

    /// What was configured and is asked for; a refresh time only where there is nothing else to be refreshed (RFC 9915 section 21.23).
    fn write_options(&self, writer: &mut Writer<'_>) -> Result<(), NoSpace> {
        let message = &self.request.message;
        let is_told = |code| {
            self.decision.is_configured
                && message.requests(code)
                && (code != OptionCode::INFORMATION_REFRESH_TIME || message.kind == MessageType::InformationRequest)
        };
        let mut told = self.policy.options.iter().filter(|option| is_told(option.code));
        told.try_for_each(|option| writer.option(option.code, &option.data))
    }

    fn write_associations(&self, writer: &mut Writer<'_>) -> Result<(), NoSpace> {
        let mut is_given = false;
        for association in self.request.message.associations() {
            let is_non_temporary = is_non_temporary(&association);
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
            writer.address(self.request.address, lifetimes.preferred(), lifetimes.valid())?;
            if self.decision.associations == Associations::Extended {
                for wrong in association.addresses().filter(|named| *named != self.request.address) {
                    writer.address(wrong, 0, 0)?;
                }
            }
            Ok(())
        })
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
