//! Bytes become types, and types become bytes. Nothing else in the daemon indexes into a packet.

mod duid;
mod mac;

pub use duid::{DUID_MAX, DUID_MIN, Duid, ParseDuidError};
pub use mac::{MacAddr, ParseMacError};

/// The byte that two hexadecimal digits of either case write.
fn hex_byte(high: u8, low: u8) -> Option<u8> {
    let digit = |character| char::from(character).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}
