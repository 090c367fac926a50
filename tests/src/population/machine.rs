//! One simulated machine: its names, and where it is in its exchange.

use std::time::Instant;

use dhcpv6macd::wire::MacAddr;

/// Most machines of a population: their number is the lower half of their MAC.
pub(crate) const MACHINES_MAX: usize = 1 << 24;

/// The MAC of a machine: the prefix of QEMU's and then its number.
#[must_use]
pub const fn mac_of(number: u32) -> MacAddr {
    let [_, high, middle, low] = number.to_be_bytes();
    MacAddr([0x52, 0x54, 0x00, high, middle, low])
}

/// The machine with this MAC.
pub(crate) fn number_of(mac: MacAddr) -> Option<usize> {
    let [0x52, 0x54, 0x00, high, middle, low] = mac.0 else { return None };
    usize::try_from(u32::from_be_bytes([0, high, middle, low])).ok()
}

/// The two halves of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Solicit, to be answered by an Advertise.
    Solicit,
    /// Request, to be answered by a Reply.
    Request,
}

impl Step {
    pub(super) const BOTH: [Self; 2] = [Self::Solicit, Self::Request];
}

/// A machine in the middle of an exchange.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asking {
    /// What it has sent last.
    pub(super) step: Step,
    /// Transaction ID of that, 24 bits.
    pub(super) transaction: u32,
    /// How often it has sent that.
    pub(super) tries: u32,
    /// When it has sent that last.
    pub(super) sent: Instant,
    /// When it has sent its first Solicit of this exchange.
    pub(super) began: Instant,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_is_a_number_and_back() {
        assert_eq!(mac_of(0x01_0203).to_string(), "52:54:00:01:02:03");
        for number in [0, 1, 255, 256, 9_999, 0xff_ffff] {
            assert_eq!(number_of(mac_of(number)), usize::try_from(number).ok());
        }
        assert_eq!(number_of(MacAddr([2, 0, 0, 0, 0, 1])), None);
    }
}
