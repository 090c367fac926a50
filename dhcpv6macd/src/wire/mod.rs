//! Bytes become types, and types become bytes. Nothing else in the daemon indexes into a packet.

mod mac;

pub use mac::{MacAddr, ParseMacError};
