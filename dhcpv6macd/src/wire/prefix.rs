//! Prefixes of addresses.

use std::{fmt, net::Ipv6Addr, str::FromStr};

/// The addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    address: Ipv6Addr,
    bits: u8,
}

impl Prefix {
    /// The link-local addresses (RFC 4291 section 2.4).
    pub const LINK_LOCAL: Self = Self { address: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), bits: 10 };

    /// The addresses whose first `bits`, 128 at most, are those of `address`.
    #[must_use]
    pub fn new(address: Ipv6Addr, bits: u8) -> Self {
        let bits = bits.min(128);
        Self { address: Ipv6Addr::from_bits(address.to_bits() & mask(bits)), bits }
    }

    /// Its address, zero below the prefix.
    #[must_use]
    pub const fn address(self) -> Ipv6Addr {
        self.address
    }

    /// How many bits it has: 0 to 128.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.bits
    }

    /// Is this one of its addresses?
    #[must_use]
    pub fn contains(self, address: Ipv6Addr) -> bool {
        address.to_bits() & mask(self.bits) == self.address.to_bits()
    }
}

fn mask(bits: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0)
}

/// As it is written on the command line.
impl fmt::Display for Prefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.address, self.bits)
    }
}

/// Why a text is no prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParsePrefixError {
    /// Not an address, a slash and a length.
    #[error("not an IPv6 prefix; write one such as 2001:db8:0:1::/64")]
    NotPrefix,
    /// Something below the prefix.
    #[error("bits are set below the prefix; did you mean {0}?")]
    BitsBelow(Prefix),
}

/// An address with nothing below the prefix, a slash, and 0 to 128.
impl FromStr for Prefix {
    type Err = ParsePrefixError;

    fn from_str(text: &str) -> Result<Self, ParsePrefixError> {
        let (address, bits) = text.split_once('/').ok_or(ParsePrefixError::NotPrefix)?;
        let address: Ipv6Addr = address.parse().map_err(|_| ParsePrefixError::NotPrefix)?;
        let bits: u8 = bits.parse().ok().filter(|bits| *bits <= 128).ok_or(ParsePrefixError::NotPrefix)?;
        let prefix = Self::new(address, bits);
        if prefix.address == address { Ok(prefix) } else { Err(ParsePrefixError::BitsBelow(prefix)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_read_as_it_is_written() {
        for text in ["2001:db8:0:1::/64", "2001:db8::/33", "2000::/3", "fd00::1/128", "::/0"] {
            assert_eq!(text.parse::<Prefix>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_prefix_is_refused() {
        for text in ["", "2001:db8::", "2001:db8::/129", "2001:db8::/", "2001:db8::/-1", "10.0.0.0/8"] {
            assert_eq!(text.parse::<Prefix>(), Err(ParsePrefixError::NotPrefix), "{text}");
        }
        let meant = "2001:db8::/64".parse().unwrap();
        assert_eq!("2001:db8::1/64".parse::<Prefix>(), Err(ParsePrefixError::BitsBelow(meant)));
    }

    #[test]
    fn a_prefix_holds_what_begins_with_it() {
        let prefix: Prefix = "2001:db8::/33".parse().unwrap();
        assert!(prefix.contains("2001:db8:7fff::1".parse().unwrap()));
        assert!(!prefix.contains("2001:db8:8000::1".parse().unwrap()));
        assert!("::/0".parse::<Prefix>().unwrap().contains(Ipv6Addr::LOCALHOST));
        assert!(Prefix::LINK_LOCAL.contains("febf::1".parse().unwrap()));
    }
}
