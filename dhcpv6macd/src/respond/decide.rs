//! What to say to a client. Nothing is written here.

use super::{Reason, Site, request::Request};
use crate::{
    policy::{Boot, Policy},
    wire::dhcpv6::{Association, AssociationKind, Fqdn, Message, MessageType, OptionCode, StatusCode},
};

/// What a reply says, whoever it is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decision<'a> {
    pub(super) kind: MessageType,
    /// Status of the whole message. None means success (RFC 9915 section 21.13).
    pub(super) status: Option<StatusCode>,
    pub(super) associations: Associations,
    pub(super) rapid_commit: bool,
    /// Is what the operator configured, and the client asks for, told?
    pub(super) is_configured: bool,
    /// Where to load the boot file from.
    pub(super) boot: Option<Boot<'a>>,
    /// The client's name, to be told that nobody updates it.
    pub(super) fqdn: Option<Fqdn<'a>>,
}

/// What a reply says about the identity associations in the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Associations {
    /// Nothing.
    Absent,
    /// The first IA_NA gets the address, all others are told that there is nothing for them.
    Assigned,
    /// The same; addresses that the client should not have end now.
    Extended,
    /// Every IA_NA that names the address gets it back: EDK2 ends its session on a success without its IA.
    Confirmed,
}

/// Success, and nothing else.
const ACKNOWLEDGE: Decision<'static> = Decision {
    kind: MessageType::Reply,
    status: Some(StatusCode::Success),
    associations: Associations::Absent,
    rapid_commit: false,
    is_configured: false,
    boot: None,
    fqdn: None,
};

pub(super) fn decide<'a>(request: &Request<'a>, site: &'a Site) -> Result<Decision<'a>, Reason> {
    let message = &request.message;
    let policy = &site.policy;
    match message.kind {
        MessageType::Solicit => {
            check_for_any_server(request)?;
            let kind = if message.rapid_commit { MessageType::Reply } else { MessageType::Advertise };
            Ok(Decision { kind, rapid_commit: message.rapid_commit, ..assign(request, site, Associations::Assigned) })
        }
        MessageType::Request => {
            check_for_this_server(message, policy)?;
            Ok(assign(request, site, Associations::Assigned))
        }
        MessageType::Renew => {
            check_for_this_server(message, policy)?;
            Ok(assign(request, site, Associations::Extended))
        }
        MessageType::Rebind => {
            check_for_any_server(request)?;
            Ok(assign(request, site, Associations::Extended))
        }
        MessageType::Confirm => {
            check_for_any_server(request)?;
            confirm(request)
        }
        MessageType::Release | MessageType::Decline => {
            check_for_this_server(message, policy)?;
            Ok(ACKNOWLEDGE)
        }
        MessageType::InformationRequest => {
            check_information_request(request, policy)?;
            Ok(configure(request, site))
        }
        MessageType::Advertise
        | MessageType::Reply
        | MessageType::Reconfigure
        | MessageType::RelayForward
        | MessageType::RelayReply => Err(Reason::ForClients),
    }
}

/// Addresses, and everything else that a machine is configured with. A client that sent its name and asks for it hears what
/// becomes of it (RFC 4704 section 6).
fn assign<'a>(request: &Request<'a>, site: &'a Site, associations: Associations) -> Decision<'a> {
    let fqdn = request.message.fqdn.filter(|_| request.message.requests(OptionCode::CLIENT_FQDN));
    Decision { associations, fqdn, ..configure(request, site) }
}

/// Everything that a machine is configured with but addresses.
fn configure<'a>(request: &Request<'a>, site: &'a Site) -> Decision<'a> {
    let Request { stage, mac, address, message, .. } = *request;
    let boot = site.boot_files.of(stage, mac, address, message.architectures);
    Decision { status: None, is_configured: true, boot, ..ACKNOWLEDGE }
}

/// Is every address that the client names the right one (RFC 9915 section 18.3.3)?
fn confirm<'a>(request: &Request<'a>) -> Result<Decision<'a>, Reason> {
    let named = || request.message.associations().filter(is_non_temporary).flat_map(|named| named.addresses());
    if named().next().is_none() {
        return Err(Reason::NothingToConfirm);
    }
    let (status, associations) = if named().all(|address| address == request.address) {
        (StatusCode::Success, Associations::Confirmed)
    } else {
        (StatusCode::NotOnLink, Associations::Absent)
    };
    Ok(Decision { status: Some(status), associations, ..ACKNOWLEDGE })
}

pub(super) fn is_non_temporary(association: &Association<'_>) -> bool {
    association.kind == AssociationKind::NonTemporary
}

/// Solicit, Confirm and Rebind name no server, and go to the group (RFC 9915 sections 16.2, 16.5, 16.7 and 18.4).
fn check_for_any_server(request: &Request<'_>) -> Result<(), Reason> {
    check_group(request)?;
    if request.message.client_id.is_none() {
        return Err(Reason::NoClientId);
    }
    if request.message.server_id.is_some() {
        return Err(Reason::UnexpectedServerId);
    }
    Ok(())
}

/// Request, Renew, Release and Decline name this server (RFC 9915 sections 16.4, 16.6, 16.8 and 16.9).
fn check_for_this_server(message: &Message<'_>, policy: &Policy) -> Result<(), Reason> {
    if message.client_id.is_none() {
        return Err(Reason::NoClientId);
    }
    check_server_id(message.server_id.ok_or(Reason::NoServerId)?, policy)
}

/// An Information-request may name its sender and a server, and has no address (RFC 9915 section 16.12).
fn check_information_request(request: &Request<'_>, policy: &Policy) -> Result<(), Reason> {
    check_group(request)?;
    if request.message.associations().next().is_some() {
        return Err(Reason::UnexpectedAssociation);
    }
    request.message.server_id.map_or(Ok(()), |server_id| check_server_id(server_id, policy))
}

fn check_group(request: &Request<'_>) -> Result<(), Reason> {
    if request.is_for_any { Ok(()) } else { Err(Reason::Unicast) }
}

fn check_server_id(server_id: &[u8], policy: &Policy) -> Result<(), Reason> {
    if server_id == policy.server_duid.as_bytes() { Ok(()) } else { Err(Reason::OtherServerId) }
}
