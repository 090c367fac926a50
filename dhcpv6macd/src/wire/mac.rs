//! The hardware address: what a machine keeps when everything else about it changes.

use std::{fmt, net::Ipv6Addr, str::FromStr};

use crate::wire::hex_byte;

/// An Ethernet hardware address, 6 bytes as on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// Is the group bit set (IEEE 802-2014 section 8.2.2)? No machine sends from such an address.
    #[must_use]
    pub const fn is_multicast(self) -> bool {
        let [first, ..] = self.0;
        first & 1 == 1
    }

    /// All six bytes zero: nobody's.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        matches!(self.0, [0, 0, 0, 0, 0, 0])
    }

    /// The link-local address that an interface with this MAC gives itself (RFC 4291 appendix A, modified EUI-64).
    #[must_use]
    pub fn link_local(self) -> Ipv6Addr {
        let [a, b, c, d, e, f] = self.0;
        Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
    }

    /// The MAC that such a link-local address was made from, where it was.
    #[must_use]
    pub fn of_link_local(address: Ipv6Addr) -> Option<Self> {
        match address.octets() {
            [0xfe, 0x80, 0, 0, 0, 0, 0, 0, a, b, c, 0xff, 0xfe, d, e, f] => Some(Self([a ^ 2, b, c, d, e, f])),
            _ => None,
        }
    }
}

/// Lower case with colons.
impl fmt::Display for MacAddr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        // In one piece: boot URLs are written for every machine.
        let mut text = [b':'; 17];
        for (byte, pair) in self.0.iter().zip(text.chunks_mut(3)) {
            for (nibble, letter) in [byte >> 4, byte & 15].into_iter().zip(pair) {
                *letter = DIGITS.get(usize::from(nibble)).copied().unwrap_or_default();
            }
        }
        formatter.write_str(str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Not the text of a MAC address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a MAC address: six pairs of hexadecimal digits, as in 52:54:00:12:34:56")]
pub struct ParseMacError;

/// Six pairs of hexadecimal digits, all separated by `:`, all by `-`, or not at all; either case.
impl FromStr for MacAddr {
    type Err = ParseMacError;

    fn from_str(text: &str) -> Result<Self, ParseMacError> {
        let pair = match text.len() {
            12 => 2,
            17 => 3,
            _ => return Err(ParseMacError),
        };
        let separator = text.as_bytes().get(2).copied().filter(|_| pair == 3);
        if !matches!(separator, None | Some(b':' | b'-')) {
            return Err(ParseMacError);
        }
        let mut mac = [0; 6];
        for (byte, digits) in mac.iter_mut().zip(text.as_bytes().chunks(pair)) {
            let &[high, low, ref rest @ ..] = digits else { return Err(ParseMacError) };
            *byte = hex_byte(high, low).ok_or(ParseMacError)?;
            if !rest.is_empty() && rest.first().copied() != separator {
                return Err(ParseMacError);
            }
        }
        Ok(Self(mac))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: MacAddr = MacAddr([0x52, 0x54, 0, 0xAB, 0xcd, 0xef]);

    #[test]
    fn a_link_local_address_is_made_from_a_mac_and_tells_it() {
        let mac = MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]);
        assert_eq!(mac.link_local(), "fe80::5054:ff:fe12:3456".parse::<Ipv6Addr>().unwrap());
        assert_eq!(MacAddr::of_link_local(mac.link_local()), Some(mac));
        for other in ["fe80::1", "2001:db8::5054:ff:fe12:3456", "fe80:1::5054:ff:fe12:3456"] {
            assert_eq!(MacAddr::of_link_local(other.parse().unwrap()), None, "{other}");
        }
    }

    #[test]
    fn every_common_spelling_is_read() {
        for text in ["52:54:00:ab:cd:ef", "52-54-00-AB-CD-EF", "525400abcdef"] {
            assert_eq!(text.parse(), Ok(MAC), "{text}");
        }
        assert_eq!(MAC.to_string(), "52:54:00:ab:cd:ef");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "52:54:00:ab:cd",
            "52:54:00:ab:cd:eg",
            "52:54-00:ab:cd:ef",
            "52.54.00.ab.cd.ef",
            "5254:00abcdef",
            "52:54:00:ab:cd:é",
        ] {
            assert_eq!(text.parse::<MacAddr>(), Err(ParseMacError), "{text}");
        }
    }
}
