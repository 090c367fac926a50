//! A client's message, checked once.

use std::net::Ipv6Addr;

use super::{Architectures, Classes, Fqdn, OptionCode, Options};
use crate::wire::{Malformed, duid::is_duid};

/// Message types (RFC 9915 section 7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "the field's own names")]
pub enum MessageType {
    Solicit = 1,
    Advertise = 2,
    Request = 3,
    Confirm = 4,
    Renew = 5,
    Rebind = 6,
    Reply = 7,
    Release = 8,
    Decline = 9,
    Reconfigure = 10,
    InformationRequest = 11,
    RelayForward = 12,
    RelayReply = 13,
}

impl MessageType {
    /// Every type, in order of its number.
    pub const ALL: [Self; 13] = [
        Self::Solicit,
        Self::Advertise,
        Self::Request,
        Self::Confirm,
        Self::Renew,
        Self::Rebind,
        Self::Reply,
        Self::Release,
        Self::Decline,
        Self::Reconfigure,
        Self::InformationRequest,
        Self::RelayForward,
        Self::RelayReply,
    ];

    /// Its name (RFC 9915 section 7.3).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Solicit => "Solicit",
            Self::Advertise => "Advertise",
            Self::Request => "Request",
            Self::Confirm => "Confirm",
            Self::Renew => "Renew",
            Self::Rebind => "Rebind",
            Self::Reply => "Reply",
            Self::Release => "Release",
            Self::Decline => "Decline",
            Self::Reconfigure => "Reconfigure",
            Self::InformationRequest => "Information-request",
            Self::RelayForward => "Relay-forward",
            Self::RelayReply => "Relay-reply",
        }
    }

    /// The type of a message.
    ///
    /// # Errors
    ///
    /// Where there is no message, or none of a known type.
    pub fn of(payload: &[u8]) -> Result<Self, Malformed> {
        let first = *payload.first().ok_or(Malformed::MessageLength)?;
        let index = usize::from(first).checked_sub(1);
        index.and_then(|index| Self::ALL.get(index)).copied().ok_or(Malformed::MessageType)
    }
}

/// Most options of a message, those inside others not counted. Firmware sends about ten.
pub const OPTIONS_MAX: usize = 64;
/// Most identity associations of a message, so that the answer to each fits one packet.
pub const ASSOCIATIONS_MAX: usize = 16;

/// A message between client and server, its options checked: every length fits, every DUID is one, none is there twice, and
/// there are not too many.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Its type.
    pub kind: MessageType,
    /// Its transaction ID, to be echoed.
    pub transaction: [u8; 3],
    /// DUID of the client, opaque.
    pub client_id: Option<&'a [u8]>,
    /// DUID of the server that it is for.
    pub server_id: Option<&'a [u8]>,
    /// Does the client take a Reply to its Solicit (RFC 9915 section 21.14)?
    pub rapid_commit: bool,
    /// The client's name.
    pub fqdn: Option<Fqdn<'a>>,
    /// What kind of boot client it is from.
    pub classes: Classes,
    /// What the boot client can run.
    pub architectures: Architectures<'a>,
    requested: &'a [u8],
    options: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads a message that is not a relay agent's.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it.
    pub fn parse(payload: &'a [u8]) -> Result<Self, Malformed> {
        let kind = MessageType::of(payload)?;
        let [_, x, y, z, options @ ..] = payload else { return Err(Malformed::MessageLength) };
        let mut message = Self {
            kind,
            transaction: [*x, *y, *z],
            client_id: None,
            server_id: None,
            rapid_commit: false,
            fqdn: None,
            classes: Classes::default(),
            architectures: Architectures::default(),
            requested: &[],
            options,
        };
        for (index, option) in Options(options).enumerate() {
            let (code, data) = option?;
            if index >= OPTIONS_MAX {
                return Err(Malformed::TooManyOptions);
            }
            message.read(code, data)?;
        }
        if message.associations().nth(ASSOCIATIONS_MAX).is_some() {
            return Err(Malformed::TooManyAssociations);
        }
        Ok(message)
    }

    fn read(&mut self, code: OptionCode, data: &'a [u8]) -> Result<(), Malformed> {
        match code {
            OptionCode::CLIENT_ID => read_duid(&mut self.client_id, data)?,
            OptionCode::SERVER_ID => read_duid(&mut self.server_id, data)?,
            OptionCode::IA_NA | OptionCode::IA_PD => check_association(data, ASSOCIATION_HEADER)?,
            OptionCode::IA_TA => check_association(data, IAID)?,
            OptionCode::OPTION_REQUEST if data.len().is_multiple_of(2) => self.requested = data,
            OptionCode::ELAPSED_TIME if data.len() == 2 => {}
            OptionCode::RAPID_COMMIT if data.is_empty() => self.rapid_commit = true,
            OptionCode::CLIENT_ARCHITECTURE if data.len().is_multiple_of(2) => {
                self.architectures = Architectures::of(data);
            }
            OptionCode::OPTION_REQUEST
            | OptionCode::ELAPSED_TIME
            | OptionCode::RAPID_COMMIT
            | OptionCode::CLIENT_ARCHITECTURE => return Err(Malformed::OptionLength),
            OptionCode::CLIENT_FQDN => self.fqdn = Fqdn::read(data)?,
            OptionCode::USER_CLASS => self.classes.read_user(data),
            OptionCode::VENDOR_CLASS => self.classes.read_vendor(data)?,
            // What is a server's or a relay agent's, what belongs inside others, and what nobody here knows.
            _ => {}
        }
        Ok(())
    }

    /// Did the client ask for this option (RFC 9915 section 21.7)?
    #[must_use]
    pub fn requests(&self, code: OptionCode) -> bool {
        self.requested().any(|requested| requested == code)
    }

    /// The options that the client asks for.
    pub fn requested(&self) -> impl Iterator<Item = OptionCode> + use<'a> {
        self.requested.as_chunks::<2>().0.iter().map(|number| OptionCode(u16::from_be_bytes(*number)))
    }

    /// Its identity associations, in order.
    pub fn associations(&self) -> impl Iterator<Item = Association<'a>> + use<'a> {
        Options(self.options).map_while(Result::ok).filter_map(|(code, data)| Association::read(code, data))
    }
}

fn read_duid<'a>(duid: &mut Option<&'a [u8]>, data: &'a [u8]) -> Result<(), Malformed> {
    if !is_duid(data) {
        return Err(Malformed::DuidLength);
    }
    if duid.replace(data).is_some() {
        return Err(Malformed::DuplicateIdentifier);
    }
    Ok(())
}

/// Bytes of an IAID.
const IAID: usize = 4;
/// Bytes of IAID, T1 and T2.
const ASSOCIATION_HEADER: usize = 12;
/// Bytes of an IAADDR without its options.
const IA_ADDRESS: usize = 24;
/// Bytes of an IAPREFIX without its options.
const IA_PREFIX: usize = 25;

/// An IA, the addresses or prefixes in it, and the options in those.
fn check_association(data: &[u8], header: usize) -> Result<(), Malformed> {
    for option in Options(data.get(header..).ok_or(Malformed::OptionLength)?) {
        let (code, data) = option?;
        let header = match code {
            OptionCode::IA_ADDR => IA_ADDRESS,
            OptionCode::IA_PREFIX => IA_PREFIX,
            _ => continue,
        };
        for option in Options(data.get(header..).ok_or(Malformed::OptionLength)?) {
            option?;
        }
    }
    Ok(())
}

/// What an identity association is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssociationKind {
    /// Addresses (IA_NA).
    NonTemporary,
    /// Temporary addresses (IA_TA).
    Temporary,
    /// Prefixes (IA_PD).
    PrefixDelegation,
}

impl AssociationKind {
    const ALL: [Self; 3] = [Self::NonTemporary, Self::Temporary, Self::PrefixDelegation];

    /// Code of its option.
    #[must_use]
    pub const fn code(self) -> OptionCode {
        match self {
            Self::NonTemporary => OptionCode::IA_NA,
            Self::Temporary => OptionCode::IA_TA,
            Self::PrefixDelegation => OptionCode::IA_PD,
        }
    }

    /// Does it carry T1 and T2?
    #[must_use]
    pub const fn has_times(self) -> bool {
        !matches!(self, Self::Temporary)
    }
}

/// An identity association in a message.
#[derive(Clone, Copy, Debug)]
pub struct Association<'a> {
    /// What it is for.
    pub kind: AssociationKind,
    /// Its number, the client's choice, another at each boot stage.
    pub iaid: [u8; IAID],
    options: &'a [u8],
}

impl<'a> Association<'a> {
    fn read(code: OptionCode, data: &'a [u8]) -> Option<Self> {
        let kind = AssociationKind::ALL.into_iter().find(|kind| kind.code() == code)?;
        let header = if kind.has_times() { ASSOCIATION_HEADER } else { IAID };
        Some(Self { kind, iaid: *data.first_chunk()?, options: data.get(header..)? })
    }

    /// The addresses that the client names in it, in order. None in one for prefixes.
    pub fn addresses(&self) -> impl Iterator<Item = Ipv6Addr> + use<'a> {
        let options = if self.kind == AssociationKind::PrefixDelegation { &[] } else { self.options };
        Options(options)
            .map_while(Result::ok)
            .filter(|(code, _)| *code == OptionCode::IA_ADDR)
            .filter_map(|(_, data)| data.first_chunk::<16>().copied().map(Ipv6Addr::from))
    }
}
