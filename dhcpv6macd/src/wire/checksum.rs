//! The Internet checksum of UDP over IPv6 (RFC 8200 section 8.1, RFC 1071).

use dhcpv6macd_ebpf::header::{Ipv6Header, NEXT_HEADER_UDP};

/// A one's complement sum, not folded yet. The bytes are added in the order of this machine and swapped once at the end, which comes to
/// the same (RFC 1071 section 2B).
#[derive(Clone, Copy)]
struct Sum(u64);

impl Sum {
    /// Of one number.
    fn of(number: u16) -> Self {
        Self(u64::from(number.to_be()))
    }

    /// Adds bytes that start at an even offset. Frames are short: 64 bits do not overflow.
    fn add(self, bytes: &[u8]) -> Self {
        let (words, rest) = bytes.as_chunks::<4>();
        let sum: u64 = words.iter().map(|word| u64::from(u32::from_ne_bytes(*word))).sum();
        let mut last = [0; 4];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        Self(self.0 + sum + u64::from(u32::from_ne_bytes(last)))
    }

    fn fold(self) -> u16 {
        let [a, b, c, d] = [48, 32, 16, 0].map(|shift| self.0 >> shift & 0xffff);
        let sum = a + b + c + d;
        let sum = (sum & 0xffff) + (sum >> 16);
        let [.., high, low] = ((sum & 0xffff) + (sum >> 16)).to_be_bytes();
        u16::from_be(u16::from_be_bytes([high, low]))
    }
}

fn pseudo_header(ipv6: &Ipv6Header, udp_length: u16) -> Sum {
    let next_header = u16::from(NEXT_HEADER_UDP);
    Sum(Sum::of(udp_length).0 + Sum::of(next_header).0).add(&ipv6.source).add(&ipv6.destination)
}

/// Is the checksum in this UDP datagram (header and payload) right, or at least what the sender's offload left of it? A
/// frame from a neighbour on the same host never met the hardware that adds the rest: it carries the sum of the
/// pseudo-header (`CHECKSUM_PARTIAL`, `Documentation/networking/checksum-offloads.rst` of the kernel).
pub(super) fn is_right(ipv6: &Ipv6Header, udp: &[u8], found: u16) -> bool {
    let Ok(length) = u16::try_from(udp.len()) else { return false };
    let pseudo_header = pseudo_header(ipv6, length);
    // The sum over everything, the checksum included, has all bits set.
    pseudo_header.add(udp).fold() == 0xffff || pseudo_header.fold() == found
}

/// The checksum of a UDP datagram, its header with a checksum field of zero.
pub(super) fn of(ipv6: &Ipv6Header, header: &[u8], payload: &[u8], length: u16) -> u16 {
    match !pseudo_header(ipv6, length).add(header).add(payload).fold() {
        // Zero would say that there is none.
        0 => 0xffff,
        checksum => checksum,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carries_wrap_around() {
        assert_eq!(Sum(0).add(&[0xff, 0xff, 0, 1]).fold(), 1);
        assert_eq!(Sum(0).add(&[0xff; 1500]).fold(), 0xffff);
        // RFC 1071 section 3.
        assert_eq!(Sum(0).add(&[0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7]).fold(), 0xddf2);
    }

    #[test]
    fn an_odd_byte_counts_as_the_high_half() {
        assert_eq!(Sum(0).add(&[1]).fold(), 0x0100);
        assert_eq!(Sum(0).add(&[0, 0, 1]).fold(), 0x0100);
    }
}
