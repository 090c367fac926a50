//! Why a frame is not answered.

use crate::wire::Malformed;

/// Why a frame is not answered: each has a counter of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The bytes are no message.
    Malformed(Malformed),
    /// Somebody else's frame. The steering program passes these; a ring on the interface itself sees some.
    NotOurs,
    /// TFTP, where there are no files: in a replay.
    TftpNotServed,
    /// A TFTP packet of a client that has no session: its session is over.
    TftpNoSession,
    /// A TFTP packet from the address and port of a machine that has a session, but from another MAC.
    TftpOtherMac,
    /// A TFTP request, and no room for a session more.
    TftpSessionsFull,
    /// A TFTP request, while it is looked for as many files as there is room for.
    TftpLookupsFull,
    /// The Ethernet source is a group.
    MulticastMac,
    /// The Ethernet source is all zero.
    ZeroMac,
    /// The Ethernet source is our interface's own.
    OwnMac,
    /// The address that the machine would get is our interface's own.
    OwnAddress,
    /// A relay agent outside of the prefixes where they may be.
    RelayNotAllowed,
    /// Nothing says what the machine's MAC is: behind a relay agent, it is often not known.
    UnknownMac,
    /// The machine is in the deny list.
    DeniedMac,
    /// The machine is not in the allow list.
    NotAllowedMac,
    /// A message that only servers and relay agents send (RFC 9915 section 16).
    ForClients,
    /// No Client Identifier (RFC 9915 section 16).
    NoClientId,
    /// No Server Identifier, in a message to a certain server (RFC 9915 section 16).
    NoServerId,
    /// Another server's Server Identifier (RFC 9915 section 16).
    OtherServerId,
    /// A Server Identifier, in a message to any server (RFC 9915 section 16).
    UnexpectedServerId,
    /// A message to any server, sent to one (RFC 9915 section 18.4).
    Unicast,
    /// An Information-request with an identity association (RFC 9915 section 16.12).
    UnexpectedAssociation,
    /// A Confirm with nothing to confirm (RFC 9915 section 18.3.3).
    NothingToConfirm,
    /// The reply would not fit one packet.
    ReplyTooLong,
}

impl Reason {
    /// How many there are.
    pub const COUNT: usize = Self::OWN.len() + Malformed::ALL.len();

    /// All but the malformed ones.
    const OWN: [Self; 23] = [
        Self::NotOurs,
        Self::TftpNotServed,
        Self::TftpNoSession,
        Self::TftpOtherMac,
        Self::TftpSessionsFull,
        Self::TftpLookupsFull,
        Self::MulticastMac,
        Self::ZeroMac,
        Self::OwnMac,
        Self::OwnAddress,
        Self::RelayNotAllowed,
        Self::UnknownMac,
        Self::DeniedMac,
        Self::NotAllowedMac,
        Self::ForClients,
        Self::NoClientId,
        Self::NoServerId,
        Self::OtherServerId,
        Self::UnexpectedServerId,
        Self::Unicast,
        Self::UnexpectedAssociation,
        Self::NothingToConfirm,
        Self::ReplyTooLong,
    ];

    /// Every reason, in the order of [`Reason::index`].
    pub fn all() -> impl Iterator<Item = Self> {
        Malformed::ALL.into_iter().map(Self::Malformed).chain(Self::OWN)
    }

    /// Its place among [`Reason::all`].
    #[must_use]
    pub const fn index(self) -> usize {
        let own = match self {
            Self::Malformed(malformed) => return malformed as usize,
            Self::NotOurs => 0,
            Self::TftpNotServed => 1,
            Self::TftpNoSession => 2,
            Self::TftpOtherMac => 3,
            Self::TftpSessionsFull => 4,
            Self::TftpLookupsFull => 5,
            Self::MulticastMac => 6,
            Self::ZeroMac => 7,
            Self::OwnMac => 8,
            Self::OwnAddress => 9,
            Self::RelayNotAllowed => 10,
            Self::UnknownMac => 11,
            Self::DeniedMac => 12,
            Self::NotAllowedMac => 13,
            Self::ForClients => 14,
            Self::NoClientId => 15,
            Self::NoServerId => 16,
            Self::OtherServerId => 17,
            Self::UnexpectedServerId => 18,
            Self::Unicast => 19,
            Self::UnexpectedAssociation => 20,
            Self::NothingToConfirm => 21,
            Self::ReplyTooLong => 22,
        };
        Malformed::ALL.len() + own
    }

    /// Name of its counter.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed(malformed) => malformed.name(),
            Self::NotOurs => "drop_not_ours",
            Self::TftpNotServed => "drop_tftp_not_served",
            Self::TftpNoSession => "drop_tftp_no_session",
            Self::TftpOtherMac => "drop_tftp_other_mac",
            Self::TftpSessionsFull => "drop_tftp_sessions_full",
            Self::TftpLookupsFull => "drop_tftp_lookups_full",
            Self::MulticastMac => "drop_multicast_mac",
            Self::ZeroMac => "drop_zero_mac",
            Self::OwnMac => "drop_own_mac",
            Self::OwnAddress => "drop_own_address",
            Self::RelayNotAllowed => "drop_relay_not_allowed",
            Self::UnknownMac => "drop_unknown_mac",
            Self::DeniedMac => "drop_denied_mac",
            Self::NotAllowedMac => "drop_not_allowed_mac",
            Self::ForClients => "drop_for_clients",
            Self::NoClientId => "drop_no_client_id",
            Self::NoServerId => "drop_no_server_id",
            Self::OtherServerId => "drop_other_server_id",
            Self::UnexpectedServerId => "drop_unexpected_server_id",
            Self::Unicast => "drop_unicast",
            Self::UnexpectedAssociation => "drop_unexpected_association",
            Self::NothingToConfirm => "drop_nothing_to_confirm",
            Self::ReplyTooLong => "drop_reply_too_long",
        }
    }
}

impl From<Malformed> for Reason {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_reason_has_a_counter_of_its_own() {
        let names: HashSet<_> = Reason::all().map(Reason::name).collect();
        assert_eq!(names.len(), Reason::COUNT);
        for (index, reason) in Reason::all().enumerate() {
            assert_eq!(reason.index(), index, "{}", reason.name());
        }
    }
}
