//! What to say to a client. Nothing is written here.

use std::net::Ipv6Addr;

use super::Reason;
use crate::{
    policy::Policy,
    wire::dhcpv6::{Association, AssociationKind, Message, MessageType, StatusCode},
};

/// A client's message, and whose it is.
pub(super) struct Request<'a> {
    pub(super) message: Message<'a>,
    /// The one address of the machine.
    pub(super) address: Ipv6Addr,
    /// Was it sent to any server rather than to us?
    pub(super) to_group: bool,
}

/// What a reply says, whoever it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) kind: MessageType,
    /// Status of the whole message. None means success (RFC 9915 section 21.13).
    pub(super) status: Option<StatusCode>,
    pub(super) associations: Associations,
    pub(super) rapid_commit: bool,
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

const ASSIGN: Decision =
    Decision { kind: MessageType::Reply, status: None, associations: Associations::Assigned, rapid_commit: false };

pub(super) fn decide(request: &Request<'_>, policy: &Policy) -> Result<Decision, Reason> {
    let message = &request.message;
    match message.kind {
        MessageType::Solicit => {
            check_for_any_server(request)?;
            Ok(if message.rapid_commit {
                Decision { rapid_commit: true, ..ASSIGN }
            } else {
                Decision { kind: MessageType::Advertise, ..ASSIGN }
            })
        }
        MessageType::Request => {
            check_for_this_server(message, policy)?;
            Ok(ASSIGN)
        }
        MessageType::Renew => {
            check_for_this_server(message, policy)?;
            Ok(Decision { associations: Associations::Extended, ..ASSIGN })
        }
        MessageType::Rebind => {
            check_for_any_server(request)?;
            Ok(Decision { associations: Associations::Extended, ..ASSIGN })
        }
        MessageType::Confirm => {
            check_for_any_server(request)?;
            confirm(request)
        }
        MessageType::Release | MessageType::Decline => {
            check_for_this_server(message, policy)?;
            let status = Some(StatusCode::Success);
            Ok(Decision { status, associations: Associations::Absent, ..ASSIGN })
        }
        MessageType::InformationRequest => {
            check_information_request(request, policy)?;
            Ok(Decision { associations: Associations::Absent, ..ASSIGN })
        }
        MessageType::Advertise
        | MessageType::Reply
        | MessageType::Reconfigure
        | MessageType::RelayForward
        | MessageType::RelayReply => Err(Reason::ForClients),
    }
}

/// Is every address that the client names the right one (RFC 9915 section 18.3.3)?
fn confirm(request: &Request<'_>) -> Result<Decision, Reason> {
    let named = || request.message.associations().filter(is_non_temporary).flat_map(|named| named.addresses());
    if named().next().is_none() {
        return Err(Reason::NothingToConfirm);
    }
    let (status, associations) = if named().all(|address| address == request.address) {
        (StatusCode::Success, Associations::Confirmed)
    } else {
        (StatusCode::NotOnLink, Associations::Absent)
    };
    Ok(Decision { status: Some(status), associations, ..ASSIGN })
}

fn is_non_temporary(association: &Association<'_>) -> bool {
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
    if request.to_group { Ok(()) } else { Err(Reason::Unicast) }
}

fn check_server_id(server_id: &[u8], policy: &Policy) -> Result<(), Reason> {
    if server_id == policy.server_duid.as_bytes() { Ok(()) } else { Err(Reason::OtherServerId) }
}
