//! Router Solicitations and Router Advertisements: what ICMPv6 carries of router discovery (RFC 4861 sections 4.1 and 4.2).

use std::net::Ipv6Addr;

use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    network_endian::{U16, U32},
};

use super::{MacAddr, Prefix};

/// ICMPv6 type of a Router Solicitation.
pub const ROUTER_SOLICITATION: u8 = 133;
/// ICMPv6 type of a Router Advertisement.
const ROUTER_ADVERTISEMENT: u8 = 134;
/// Hop limit of both: whoever is not on the link cannot send it.
pub const HOP_LIMIT: u8 = 255;

/// Types of options (RFC 4861 section 4.6).
const SOURCE_LINK_LAYER_ADDRESS: u8 = 1;
const PREFIX_INFORMATION: u8 = 3;
/// What the length of an option counts.
const OPTION_UNIT: usize = 8;

/// A host asks the routers of its link to advertise themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouterSolicitation {
    /// Where it came from; unspecified where the host has no address yet.
    pub source: Ipv6Addr,
    /// Hardware address that the host says it has.
    pub link_layer: Option<MacAddr>,
}

/// Why an ICMPv6 message is no valid Router Solicitation (RFC 4861 section 6.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidSolicitation {
    /// Another type of ICMPv6.
    Type,
    /// Another hop limit than [`HOP_LIMIT`]: it was forwarded.
    HopLimit,
    /// Another code than 0.
    Code,
    /// It ends inside its header, or is longer than a packet of one Ethernet frame.
    Length,
    /// An option that is nothing, or longer than the message.
    OptionLength,
    /// A source link-layer address, from nowhere.
    LinkLayer,
}

impl InvalidSolicitation {
    /// Every kind, in order of declaration.
    pub const ALL: [Self; 6] =
        [Self::Type, Self::HopLimit, Self::Code, Self::Length, Self::OptionLength, Self::LinkLayer];

    /// Name of its counter.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Type => "drop_router_solicitation_type",
            Self::HopLimit => "drop_router_solicitation_hop_limit",
            Self::Code => "drop_router_solicitation_code",
            Self::Length => "drop_router_solicitation_length",
            Self::OptionLength => "drop_router_solicitation_option_length",
            Self::LinkLayer => "drop_router_solicitation_link_layer",
        }
    }
}

impl RouterSolicitation {
    /// Reads an ICMPv6 message whose checksum was right.
    ///
    /// # Errors
    ///
    /// What RFC 4861 section 6.1.1 has a router discard.
    pub fn parse(message: &[u8], source: Ipv6Addr, hop_limit: u8) -> Result<Self, InvalidSolicitation> {
        // Type, code, checksum, reserved.
        let Some((&[kind, code, ..], options)) = message.split_first_chunk::<8>() else {
            return Err(InvalidSolicitation::Length);
        };
        if kind != ROUTER_SOLICITATION {
            return Err(InvalidSolicitation::Type);
        }
        if hop_limit != HOP_LIMIT {
            return Err(InvalidSolicitation::HopLimit);
        }
        if code != 0 {
            return Err(InvalidSolicitation::Code);
        }
        let link_layer = link_layer_in(options)?;
        if link_layer.is_some() && source.is_unspecified() {
            return Err(InvalidSolicitation::LinkLayer);
        }
        Ok(Self { source, link_layer })
    }
}

/// The Source Link-Layer Address among these options, all of which are looked at.
fn link_layer_in(mut options: &[u8]) -> Result<Option<MacAddr>, InvalidSolicitation> {
    let mut link_layer = None;
    while let [kind, units, ..] = options {
        let length = usize::from(*units) * OPTION_UNIT;
        let (option, rest) = options.split_at_checked(length).ok_or(InvalidSolicitation::OptionLength)?;
        let Some((&[_, _, a, b, c, d, e, f], _)) = option.split_first_chunk::<OPTION_UNIT>() else {
            return Err(InvalidSolicitation::OptionLength);
        };
        if *kind == SOURCE_LINK_LAYER_ADDRESS {
            link_layer = link_layer.or(Some(MacAddr([a, b, c, d, e, f])));
        }
        options = rest;
    }
    if options.is_empty() { Ok(link_layer) } else { Err(InvalidSolicitation::OptionLength) }
}

/// What a machine is to ask DHCPv6 for (RFC 4861 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ConfigurationFlag {
    /// M: addresses, and everything else with them.
    Managed = 0x80,
    /// O: everything but addresses.
    Other = 0x40,
}

/// A Router Advertisement that makes nobody send packets our way: its router lifetime is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouterAdvertisement {
    /// What DHCPv6 is to be asked for.
    pub flag: ConfigurationFlag,
    /// Hardware address of the interface that it leaves by.
    pub link_layer: MacAddr,
    /// A prefix whose addresses are on the link.
    pub prefix: Option<Prefix>,
}

/// The message without its options; every time and limit that is 0 is not specified (RFC 4861 section 4.2).
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct AdvertisementHeader {
    kind: u8,
    code: u8,
    checksum: U16,
    hop_limit: u8,
    flags: u8,
    router_lifetime: U16,
    reachable_time: U32,
    retransmission_timer: U32,
}

/// RFC 4861 section 4.6.2, with its type and length.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct PrefixInformation {
    kind: u8,
    units: u8,
    prefix_length: u8,
    flags: u8,
    valid_lifetime: U32,
    preferred_lifetime: U32,
    reserved: U32,
    prefix: [u8; 16],
}

impl PrefixInformation {
    fn of(prefix: Prefix) -> Self {
        Self {
            kind: PREFIX_INFORMATION,
            units: 4,
            prefix_length: prefix.bits(),
            flags: ON_LINK,
            valid_lifetime: VALID_LIFETIME.into(),
            preferred_lifetime: PREFERRED_LIFETIME.into(),
            reserved: U32::ZERO,
            prefix: prefix.address().octets(),
        }
    }
}

/// L: the prefix is on the link. A, that machines make themselves addresses in it, stays off: theirs come from DHCPv6.
const ON_LINK: u8 = 0x80;
/// AdvValidLifetime and AdvPreferredLifetime as they are by default, in seconds (RFC 4861 section 6.2.1).
const VALID_LIFETIME: u32 = 30 * 86_400;
const PREFERRED_LIFETIME: u32 = 7 * 86_400;

impl RouterAdvertisement {
    /// The message, its checksum left to the kernel (RFC 3542 section 3.1).
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let header = AdvertisementHeader {
            kind: ROUTER_ADVERTISEMENT,
            code: 0,
            checksum: U16::ZERO,
            hop_limit: 0,
            flags: self.flag as u8,
            router_lifetime: U16::ZERO,
            reachable_time: U32::ZERO,
            retransmission_timer: U32::ZERO,
        };
        let link_layer = [&[SOURCE_LINK_LAYER_ADDRESS, 1][..], &self.link_layer.0].concat();
        let prefix = self.prefix.map(PrefixInformation::of);
        [header.as_bytes(), &link_layer, prefix.as_ref().map(PrefixInformation::as_bytes).unwrap_or_default()].concat()
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const SOURCE: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
    const MAC: MacAddr = MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]);
    /// A Router Solicitation with its host's hardware address.
    const SOLICITATION: [u8; 16] = [133, 0, 0xca, 0xfe, 0, 0, 0, 0, 1, 1, 0x52, 0x54, 0, 0x12, 0x34, 0x56];

    fn parse(message: &[u8]) -> Result<RouterSolicitation, InvalidSolicitation> {
        RouterSolicitation::parse(message, SOURCE, HOP_LIMIT)
    }

    #[test]
    fn a_host_says_who_it_is_or_does_not() {
        assert_eq!(parse(&SOLICITATION), Ok(RouterSolicitation { source: SOURCE, link_layer: Some(MAC) }));
        let nowhere = RouterSolicitation { source: Ipv6Addr::UNSPECIFIED, link_layer: None };
        assert_eq!(RouterSolicitation::parse(&SOLICITATION[..8], nowhere.source, HOP_LIMIT), Ok(nowhere));
        // An option that nobody knows (RFC 4861 section 4.6) before the one that we do.
        let longer = [&SOLICITATION[..8], &[253, 2], &[0; 14], &SOLICITATION[8..]].concat();
        assert_eq!(parse(&longer).unwrap().link_layer, Some(MAC));
    }

    #[test]
    fn what_a_router_discards_has_a_name() {
        let with = |index: usize, byte| {
            let mut message = SOLICITATION;
            message[index] = byte;
            parse(&message)
        };
        assert_eq!(with(0, 134), Err(InvalidSolicitation::Type));
        assert_eq!(with(1, 1), Err(InvalidSolicitation::Code));
        assert_eq!(with(9, 0), Err(InvalidSolicitation::OptionLength));
        assert_eq!(with(9, 2), Err(InvalidSolicitation::OptionLength));
        assert_eq!(parse(&SOLICITATION[..9]), Err(InvalidSolicitation::OptionLength));
        assert_eq!(parse(&SOLICITATION[..7]), Err(InvalidSolicitation::Length));
        assert_eq!(RouterSolicitation::parse(&SOLICITATION, SOURCE, 254), Err(InvalidSolicitation::HopLimit));
        let nowhere = Ipv6Addr::UNSPECIFIED;
        assert_eq!(RouterSolicitation::parse(&SOLICITATION, nowhere, HOP_LIMIT), Err(InvalidSolicitation::LinkLayer));
    }

    #[test]
    fn an_advertisement_says_what_it_is_told_to_and_no_more() {
        let mut advertisement = RouterAdvertisement { flag: ConfigurationFlag::Managed, link_layer: MAC, prefix: None };
        let managed = [134, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0x52, 0x54, 0, 0x12, 0x34, 0x56];
        assert_eq!(advertisement.bytes(), managed);
        advertisement.flag = ConfigurationFlag::Other;
        assert_eq!(advertisement.bytes()[5], 0x40);
        advertisement.prefix = Some("2001:db8:0:1::/64".parse().unwrap());
        let option = [&[3, 4, 64, 0x80, 0, 0x27, 0x8d, 0, 0, 9, 0x3a, 0x80, 0, 0, 0, 0][..], &[0x20, 1, 0xd, 0xb8]];
        let option = [&option.concat()[..], &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
        assert_eq!(advertisement.bytes()[24..], option);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_solicitation_or_have_a_name(
            head in prop_oneof![Just(SOLICITATION[..8].to_vec()), vec(any::<u8>(), 0..16)],
            rest in vec(prop_oneof![0..4_u8, any::<u8>()], 0..200),
            source in prop_oneof![Just(Ipv6Addr::UNSPECIFIED), Just(SOURCE)],
            hop_limit in prop_oneof![Just(HOP_LIMIT), any::<u8>()],
        ) {
            let message = [head, rest].concat();
            match RouterSolicitation::parse(&message, source, hop_limit) {
                Ok(solicitation) => {
                    prop_assert!(hop_limit == 255 && message.starts_with(&[133, 0]) && message.len() % 8 == 0);
                    prop_assert!(!source.is_unspecified() || solicitation.link_layer.is_none());
                }
                Err(invalid) => prop_assert!(invalid.name().starts_with("drop_router_solicitation_")),
            }
        }
    }
}
