//! `prefix/80 + MAC`.

use std::{fmt, net::Ipv6Addr, str::FromStr};

use crate::wire::{MacAddr, Prefix};

/// The prefix, 80 bits, in front of every machine's MAC; the 48 bits below it are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BaseAddress(Ipv6Addr);

const MAC_BITS: u128 = (1 << 48) - 1;

impl BaseAddress {
    /// The address of the machine with this MAC.
    #[must_use]
    pub fn address_of(self, mac: MacAddr) -> Ipv6Addr {
        let [a, b, c, d, e, f] = mac.0;
        let mac = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        Ipv6Addr::from_bits(self.0.to_bits() | u128::from(mac))
    }

    /// Does this address lie in the prefix?
    #[must_use]
    pub fn contains(self, address: Ipv6Addr) -> bool {
        address.to_bits() & !MAC_BITS == self.0.to_bits()
    }

    /// The addresses of all machines.
    #[must_use]
    pub fn as_prefix(self) -> Prefix {
        Prefix::new(self.0, 80)
    }

    /// The prefix itself, as an address.
    #[must_use]
    pub fn prefix(self) -> Ipv6Addr {
        self.0
    }
}

/// As it is written on the command line.
impl fmt::Display for BaseAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/80", self.0)
    }
}

/// Why a text is no base address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaseAddressError {
    /// Not an IPv6 address.
    #[error("not an IPv6 address; give a /80 prefix such as 2001:db8:0:1::")]
    NotIpv6,
    /// Another prefix length than 80.
    #[error("the prefix length must be 80: the last 48 bits are each machine's MAC")]
    PrefixLength,
    /// Something is in the way of the MAC.
    #[error("bits are set below /80, where each machine's MAC goes; did you mean {0}?")]
    BitsBelow(Ipv6Addr),
    /// An address that no machine can have.
    #[error("{0}, which no machine can have")]
    NotUnicast(&'static str),
}

/// An address with nothing below /80, with or without `/80` behind it.
impl FromStr for BaseAddress {
    type Err = BaseAddressError;

    fn from_str(text: &str) -> Result<Self, BaseAddressError> {
        let (address, length) = text.split_once('/').unwrap_or((text, "80"));
        let address: Ipv6Addr = address.parse().map_err(|_| BaseAddressError::NotIpv6)?;
        if length != "80" {
            return Err(BaseAddressError::PrefixLength);
        }
        if address.is_multicast() {
            return Err(BaseAddressError::NotUnicast("it is a multicast address"));
        }
        if address.is_unicast_link_local() {
            return Err(BaseAddressError::NotUnicast("it is in the link-local prefix fe80::/10"));
        }
        let prefix = Ipv6Addr::from_bits(address.to_bits() & !MAC_BITS);
        // `::/80` holds the unspecified, the loopback and the IPv4-mapped addresses (RFC 4291 section 2.5).
        if prefix.is_unspecified() {
            return Err(BaseAddressError::NotUnicast(
                "it is in ::/80, the home of the unspecified and the loopback address",
            ));
        }
        if prefix != address {
            return Err(BaseAddressError::BitsBelow(prefix));
        }
        Ok(Self(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mac_goes_below_the_prefix() {
        let base: BaseAddress = "2001:db8:123:4567::".parse().unwrap();
        let address = base.address_of(MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]));
        assert_eq!(address, "2001:db8:123:4567:0:5254:12:3456".parse::<Ipv6Addr>().unwrap());
        assert!(base.contains(address));
        assert!(!base.contains("2001:db8:123:4567:1::".parse().unwrap()));
        assert_eq!("2001:db8:123:4567::/80".parse(), Ok(base));
    }

    #[test]
    fn a_base_address_leaves_room_for_the_mac() {
        for (text, error) in [
            ("10.0.0.0", BaseAddressError::NotIpv6),
            ("", BaseAddressError::NotIpv6),
            ("2001:db8::/64", BaseAddressError::PrefixLength),
            ("2001:db8::1", BaseAddressError::BitsBelow("2001:db8::".parse().unwrap())),
            ("ff05::", BaseAddressError::NotUnicast("it is a multicast address")),
            ("fe80::", BaseAddressError::NotUnicast("it is in the link-local prefix fe80::/10")),
        ] {
            assert_eq!(text.parse::<BaseAddress>(), Err(error), "{text}");
        }
        for text in ["::", "::1", "::ffff:192.0.2.1"] {
            assert!(matches!(text.parse::<BaseAddress>(), Err(BaseAddressError::NotUnicast(_))), "{text}");
        }
    }
}
