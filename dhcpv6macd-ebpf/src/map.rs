//! The maps that the steering program and the daemon share: names as in the BPF object, shapes in bytes.

use crate::Verdict;

/// Name of the XDP program.
pub const PROGRAM: &str = "dhcpv6macd";

/// `DEVMAP`, one entry: interface index of the steering link's end on our side. Empty means: pass everything.
pub const STEERING_LINK: &str = "STEERING_LINK";

/// `HASH`, key: an IPv6 address of our interface in network byte order (16 bytes); value: one byte, without meaning.
pub const OWN_ADDRESSES: &str = "OWN_ADDRESSES";
/// Most addresses of one interface that are known to be ours.
pub const OWN_ADDRESSES_MAX: u32 = 256;

/// `PERCPU_ARRAY` of `u64`: frames by [`Verdict::index`].
pub const COUNTERS: &str = "COUNTERS";
/// Entries of [`COUNTERS`].
#[expect(clippy::cast_possible_truncation, reason = "eleven")]
pub const COUNTERS_LEN: u32 = Verdict::ALL.len() as u32;

/// Global `u16`, set before the program is loaded: UDP port of DHCPv6, host byte order.
pub const DHCPV6_PORT: &str = "DHCPV6_PORT";
/// Global `u16`, set before the program is loaded: UDP port of TFTP, host byte order; 0 where TFTP is not served.
pub const TFTP_PORT: &str = "TFTP_PORT";
