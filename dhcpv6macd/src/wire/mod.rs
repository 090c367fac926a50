//! Bytes become types, and types become bytes. Nothing else in the daemon indexes into a packet.

mod checksum;
mod datagram;
pub mod dhcpv6;
mod duid;
mod mac;
mod malformed;
mod overheard;
mod prefix;
pub mod router;
pub mod tftp;

pub use datagram::{Datagram, Headers};
pub use duid::{DUID_MAX, DUID_MIN, Duid, Hexadecimal, ParseDuidError, link_layer_of};
pub use mac::{MacAddr, ParseMacError};
pub use malformed::Malformed;
pub use overheard::Overheard;
pub use prefix::{ParsePrefixError, Prefix};

/// What is to be written does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the buffer is too short")]
pub struct NoSpace;

/// The byte that two hexadecimal digits of either case write.
pub(crate) fn hex_byte(high: u8, low: u8) -> Option<u8> {
    let digit = |character| char::from(character).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}
