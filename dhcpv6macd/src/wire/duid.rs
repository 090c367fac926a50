//! DHCP Unique Identifiers.

use std::{fmt, str::FromStr};

use crate::wire::{MacAddr, hex_byte};

/// A DUID of our own: type and identifier, 3 to 130 bytes, opaque to everyone but its owner (RFC 9915 section 11.1).
#[derive(Clone, PartialEq, Eq)]
pub struct Duid(Box<[u8]>);

/// The shortest DUID: its type and one byte.
pub const DUID_MIN: usize = 3;
/// The longest DUID: its type and 128 bytes.
pub const DUID_MAX: usize = 130;

/// Can a DUID be these bytes? That they are long enough for their type is all that is ever asked of them.
pub(super) fn is_duid(bytes: &[u8]) -> bool {
    (shortest_of_type(bytes)..=DUID_MAX).contains(&bytes.len())
}

/// Bytes of the shortest DUID of this type: its fixed fields, and one byte where more is to follow.
fn shortest_of_type(bytes: &[u8]) -> usize {
    match bytes {
        // DUID-LLT: type, hardware type, time (RFC 9915 section 11.2).
        [0, 1, ..] => 9,
        // DUID-EN: type, enterprise number (section 11.3).
        [0, 2, ..] => 7,
        // DUID-LL: type, hardware type (section 11.4).
        [0, 3, ..] => 5,
        // DUID-UUID: type, UUID (RFC 6355 section 4).
        [0, 4, ..] => 18,
        _ => DUID_MIN,
    }
}

/// The MAC in a DUID-LLT or DUID-LL of an Ethernet interface.
#[must_use]
pub fn link_layer_of(duid: &[u8]) -> Option<MacAddr> {
    let mac = match duid {
        [0, 1, 0, 1, _, _, _, _, mac @ ..] | [0, 3, 0, 1, mac @ ..] => mac,
        _ => return None,
    };
    mac.try_into().ok().map(MacAddr)
}

/// Bytes in lower case with colons.
#[derive(Clone, Copy, Debug)]
pub struct Hexadecimal<'a>(pub &'a [u8]);

impl fmt::Display for Hexadecimal<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(formatter, "{colon}{byte:02x}")?;
        }
        Ok(())
    }
}

/// DUID-LL, the hardware type of Ethernet (RFC 9915 section 11.4).
const DUID_LL_ETHERNET: [u8; 4] = [0, 3, 0, 1];

impl Duid {
    /// The DUID-LL of an Ethernet interface.
    #[must_use]
    pub fn link_layer(mac: MacAddr) -> Self {
        Self([&DUID_LL_ETHERNET[..], &mac.0].concat().into())
    }

    /// The DUID of these bytes, where they are one.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        is_duid(bytes).then(|| Self(bytes.into()))
    }

    /// Its bytes, type included.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Why a text is no DUID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseDuidError {
    /// Something that is not hexadecimal.
    #[error("not a DUID; write its bytes in hexadecimal, such as 00:03:00:01:52:54:00:12:34:56")]
    NotHexadecimal,
    /// Too short or too long.
    #[error("{0} bytes; a DUID has {DUID_MIN} to {DUID_MAX}, and as many as its type asks for")]
    Length(usize),
}

/// Pairs of hexadecimal digits, with or without a colon or a hyphen between them.
impl FromStr for Duid {
    type Err = ParseDuidError;

    fn from_str(text: &str) -> Result<Self, ParseDuidError> {
        let mut bytes = Vec::with_capacity(text.len() / 2);
        let mut rest = text.as_bytes();
        while let [high, low, behind @ ..] = rest {
            bytes.push(hex_byte(*high, *low).ok_or(ParseDuidError::NotHexadecimal)?);
            rest = match behind {
                [b':' | b'-', next @ ..] if !next.is_empty() => next,
                behind => behind,
            };
        }
        match rest {
            [_, ..] => Err(ParseDuidError::NotHexadecimal),
            [] => Self::of(&bytes).ok_or(ParseDuidError::Length(bytes.len())),
        }
    }
}

/// Lower case with colons, as [`FromStr`] reads it.
impl fmt::Display for Duid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Hexadecimal(&self.0), formatter)
    }
}

impl fmt::Debug for Duid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duid_is_read_as_it_is_written() {
        let own = Duid::link_layer(MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]));
        assert_eq!(own.to_string(), "00:03:00:01:52:54:00:12:34:56");
        for text in ["00:03:00:01:52:54:00:12:34:56", "00030001525400123456", "00-03-00-01-52-54-00-12-34-56"] {
            assert_eq!(text.parse(), Ok(own.clone()), "{text}");
        }
    }

    #[test]
    fn what_is_no_duid_is_refused() {
        for text in ["0003zz", "00:03:", "000", "00::03:01", ":000301"] {
            assert_eq!(text.parse::<Duid>(), Err(ParseDuidError::NotHexadecimal), "{text}");
        }
        assert_eq!("".parse::<Duid>(), Err(ParseDuidError::Length(0)));
        assert_eq!("0003".parse::<Duid>(), Err(ParseDuidError::Length(2)));
        assert_eq!("00".repeat(131).parse::<Duid>(), Err(ParseDuidError::Length(131)));
    }

    #[test]
    fn every_type_has_its_shortest_duid() {
        for (number, shortest) in [(0, 3), (1, 9), (2, 7), (3, 5), (4, 18), (5, 3)] {
            let mut bytes = [0; DUID_MAX + 1];
            bytes[1] = number;
            for length in 0..bytes.len() {
                let expected = (shortest..=DUID_MAX).contains(&length);
                assert_eq!(is_duid(&bytes[..length]), expected, "type {number}, {length} bytes");
            }
        }
    }
}
