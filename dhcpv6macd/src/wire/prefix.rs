//! Prefixes of a link.

use std::{fmt, net::Ipv6Addr, str::FromStr};

/// A prefix whose addresses are on the link; the bits below it are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnLinkPrefix {
    address: Ipv6Addr,
    length: u8,
}

impl OnLinkPrefix {
    /// Its address, zero below the prefix.
    #[must_use]
    pub const fn address(self) -> Ipv6Addr {
        self.address
    }

    /// How many bits it has: 1 to 128.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.length
    }
}

/// As it is written on the command line.
impl fmt::Display for OnLinkPrefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.address, self.length)
    }
}

/// Why a text is no prefix of a link.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParsePrefixError {
    /// Not an address, a slash and a length.
    #[error("not an IPv6 prefix; write one such as 2001:db8:0:1::/64")]
    NotPrefix,
    /// Something below the prefix.
    #[error("bits are set below the prefix; did you mean {0}?")]
    BitsBelow(OnLinkPrefix),
    /// No addresses of machines.
    #[error("{0}, which no router advertises")]
    NotUnicast(&'static str),
}

/// An address with nothing below the prefix, a slash, and 1 to 128.
impl FromStr for OnLinkPrefix {
    type Err = ParsePrefixError;

    fn from_str(text: &str) -> Result<Self, ParsePrefixError> {
        let (address, length) = text.split_once('/').ok_or(ParsePrefixError::NotPrefix)?;
        let address: Ipv6Addr = address.parse().map_err(|_| ParsePrefixError::NotPrefix)?;
        let length = length.parse().ok().filter(|length| (1..=128).contains(length));
        let length: u8 = length.ok_or(ParsePrefixError::NotPrefix)?;
        if address.is_multicast() {
            return Err(ParsePrefixError::NotUnicast("it is a multicast prefix"));
        }
        if address.is_unicast_link_local() {
            return Err(ParsePrefixError::NotUnicast("it is in the link-local prefix fe80::/10"));
        }
        let below = u128::MAX.checked_shr(length.into()).unwrap_or(0);
        let prefix = Self { address: Ipv6Addr::from_bits(address.to_bits() & !below), length };
        if prefix.address.is_unspecified() {
            return Err(ParsePrefixError::NotUnicast("it begins with nothing but zeros"));
        }
        if prefix.address == address { Ok(prefix) } else { Err(ParsePrefixError::BitsBelow(prefix)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_read_as_it_is_written() {
        for text in ["2001:db8:0:1::/64", "2001:db8::/33", "2000::/3", "fd00::1/128", "8000::/1"] {
            assert_eq!(text.parse::<OnLinkPrefix>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_no_router_advertises_is_refused() {
        let meant = "2001:db8::/64".parse().unwrap();
        for (text, error) in [
            ("2001:db8::", ParsePrefixError::NotPrefix),
            ("2001:db8::/0", ParsePrefixError::NotPrefix),
            ("2001:db8::/129", ParsePrefixError::NotPrefix),
            ("2001:db8::/", ParsePrefixError::NotPrefix),
            ("10.0.0.0/8", ParsePrefixError::NotPrefix),
            ("2001:db8::1/64", ParsePrefixError::BitsBelow(meant)),
            ("::/64", ParsePrefixError::NotUnicast("it begins with nothing but zeros")),
            ("fe80::/64", ParsePrefixError::NotUnicast("it is in the link-local prefix fe80::/10")),
            ("ff02::/16", ParsePrefixError::NotUnicast("it is a multicast prefix")),
        ] {
            assert_eq!(text.parse::<OnLinkPrefix>(), Err(error), "{text}");
        }
    }
}
