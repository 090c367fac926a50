//! Prefixes of addresses.

use std::{fmt, net::Ipv6Addr, str::FromStr};

/// The addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    address: Ipv6Addr,
    length: u8,
}

impl Prefix {
    /// The link-local addresses (RFC 4291 section 2.4).
    pub const LINK_LOCAL: Self = Self { address: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), length: 10 };

    /// The addresses whose first `length` bits, 128 at most, are those of `address`.
    #[must_use]
    pub fn new(address: Ipv6Addr, length: u8) -> Self {
        let length = length.min(128);
        Self { address: Ipv6Addr::from_bits(address.to_bits() & mask(length)), length }
    }

    /// Is this one of them?
    #[must_use]
    pub fn contains(&self, address: Ipv6Addr) -> bool {
        address.to_bits() & mask(self.length) == self.address.to_bits()
    }
}

fn mask(length: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)
}

/// As it is read.
impl fmt::Display for Prefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.address, self.length)
    }
}

/// An address, a slash and a length; without them it is this address alone.
impl FromStr for Prefix {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        const WRONG: &str = "not an IPv6 prefix such as 2001:db8::/32";
        let (address, length) = text.split_once('/').unwrap_or((text, "128"));
        let address = address.parse().map_err(|_| WRONG)?;
        let length: u8 = length.parse().ok().filter(|length| *length <= 128).ok_or(WRONG)?;
        let prefix = Self::new(address, length);
        if prefix.address == address { Ok(prefix) } else { Err("bits are set behind the prefix length") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_holds_what_begins_with_it() {
        let prefix: Prefix = "2001:db8::/33".parse().unwrap();
        assert!(prefix.contains("2001:db8:7fff::1".parse().unwrap()));
        assert!(!prefix.contains("2001:db8:8000::1".parse().unwrap()));
        assert!("::/0".parse::<Prefix>().unwrap().contains(Ipv6Addr::LOCALHOST));
        assert_eq!("2001:db8::1".parse::<Prefix>().unwrap().to_string(), "2001:db8::1/128");
        assert!(Prefix::LINK_LOCAL.contains("febf::1".parse().unwrap()));
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in ["", "2001:db8::/129", "2001:db8::1/64", "10.0.0.0/8", "2001:db8::/", "2001:db8::/-1"] {
            assert!(text.parse::<Prefix>().is_err(), "{text}");
        }
    }
}
