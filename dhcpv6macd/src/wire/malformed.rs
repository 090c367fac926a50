//! What can be wrong with bytes.

/// Why a frame of ours is not even a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The lengths of frame, IPv6 and UDP do not agree.
    Length,
    /// The UDP checksum is wrong.
    Checksum,
    /// There is no UDP checksum, which IPv6 demands (RFC 8200 section 8.1).
    NoChecksum,
    /// The source address is not a unicast one.
    Source,
    /// The message ends inside its header.
    MessageLength,
    /// A message type that RFC 9915 section 7.3 does not know.
    MessageType,
    /// An option is longer than what it is in.
    OptionOverrun,
    /// An option is shorter or longer than its kind can be.
    OptionLength,
    /// A DUID that is shorter than its type asks for, or longer than any can be (RFC 9915 section 11).
    DuidLength,
    /// A second Client Identifier or Server Identifier.
    DuplicateIdentifier,
    /// A second Relay Message, Interface-Id, relay source port or client link-layer address in one relay agent's message.
    DuplicateRelayOption,
    /// A relay agent's message with nothing in it.
    NothingRelayed,
    /// More relay agents than [`RELAYS_MAX`](super::dhcpv6::RELAYS_MAX).
    TooManyRelays,
    /// More options than [`OPTIONS_MAX`](super::dhcpv6::OPTIONS_MAX), or in a TFTP request more than any client has.
    TooManyOptions,
    /// More identity associations than [`ASSOCIATIONS_MAX`](super::dhcpv6::ASSOCIATIONS_MAX).
    TooManyAssociations,
    /// A TFTP packet that ends inside its header.
    TftpLength,
    /// A TFTP packet of a kind that RFC 1350 and RFC 2347 do not know.
    TftpOpcode,
    /// A TFTP request with a text that does not end.
    TftpText,
}

impl Malformed {
    /// Every kind, in order of declaration.
    pub const ALL: [Self; 18] = [
        Self::Length,
        Self::Checksum,
        Self::NoChecksum,
        Self::Source,
        Self::MessageLength,
        Self::MessageType,
        Self::OptionOverrun,
        Self::OptionLength,
        Self::DuidLength,
        Self::DuplicateIdentifier,
        Self::DuplicateRelayOption,
        Self::NothingRelayed,
        Self::TooManyRelays,
        Self::TooManyOptions,
        Self::TooManyAssociations,
        Self::TftpLength,
        Self::TftpOpcode,
        Self::TftpText,
    ];

    /// Name of its counter.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Length => "drop_length",
            Self::Checksum => "drop_checksum",
            Self::NoChecksum => "drop_no_checksum",
            Self::Source => "drop_source",
            Self::MessageLength => "drop_message_length",
            Self::MessageType => "drop_message_type",
            Self::OptionOverrun => "drop_option_overrun",
            Self::OptionLength => "drop_option_length",
            Self::DuidLength => "drop_duid_length",
            Self::DuplicateIdentifier => "drop_duplicate_identifier",
            Self::DuplicateRelayOption => "drop_duplicate_relay_option",
            Self::NothingRelayed => "drop_nothing_relayed",
            Self::TooManyRelays => "drop_too_many_relays",
            Self::TooManyOptions => "drop_too_many_options",
            Self::TooManyAssociations => "drop_too_many_associations",
            Self::TftpLength => "drop_tftp_length",
            Self::TftpOpcode => "drop_tftp_opcode",
            Self::TftpText => "drop_tftp_text",
        }
    }
}
