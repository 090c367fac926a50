//! Options, one after the other.

use crate::wire::Malformed;

/// Code of an option (IANA "DHCPv6 Option Codes").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionCode(pub u16);

/// Those that we read or write.
#[expect(missing_docs, reason = "the field's own names")]
impl OptionCode {
    pub const CLIENT_ID: Self = Self(1);
    pub const SERVER_ID: Self = Self(2);
    pub const IA_NA: Self = Self(3);
    pub const IA_TA: Self = Self(4);
    pub const IA_ADDR: Self = Self(5);
    pub const OPTION_REQUEST: Self = Self(6);
    pub const PREFERENCE: Self = Self(7);
    pub const ELAPSED_TIME: Self = Self(8);
    pub const RELAY_MESSAGE: Self = Self(9);
    pub const STATUS_CODE: Self = Self(13);
    pub const RAPID_COMMIT: Self = Self(14);
    pub const USER_CLASS: Self = Self(15);
    pub const VENDOR_CLASS: Self = Self(16);
    pub const INTERFACE_ID: Self = Self(18);
    pub const DNS_SERVERS: Self = Self(23);
    pub const DOMAIN_SEARCH_LIST: Self = Self(24);
    pub const IA_PD: Self = Self(25);
    pub const IA_PREFIX: Self = Self(26);
    pub const SNTP_SERVERS: Self = Self(31);
    pub const INFORMATION_REFRESH_TIME: Self = Self(32);
    pub const CLIENT_FQDN: Self = Self(39);
    pub const POSIX_TIMEZONE: Self = Self(41);
    pub const TZDB_TIMEZONE: Self = Self(42);
    pub const NTP_SERVERS: Self = Self(56);
    pub const BOOT_FILE_URL: Self = Self(59);
    pub const CLIENT_ARCHITECTURE: Self = Self(61);
    pub const CLIENT_LINK_LAYER_ADDRESS: Self = Self(79);
    pub const SOL_MAX_RT: Self = Self(82);
    pub const RELAY_SOURCE_PORT: Self = Self(135);
}

/// Status codes (RFC 9915 section 21.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum StatusCode {
    /// Done.
    Success = 0,
    /// There is no address for this IA.
    NoAddrsAvail = 2,
    /// An address does not belong on this link.
    NotOnLink = 4,
    /// There is no prefix for this IA.
    NoPrefixAvail = 6,
}

/// Walks options: code and data of each. What runs over the end is an error, and the last item.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a>(pub &'a [u8]);

impl<'a> Iterator for Options<'a> {
    type Item = Result<(OptionCode, &'a [u8]), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let [code_high, code_low, length_high, length_low, rest @ ..] = self.0 else {
            let left = std::mem::take(&mut self.0);
            return (!left.is_empty()).then_some(Err(Malformed::OptionOverrun));
        };
        let length = usize::from(u16::from_be_bytes([*length_high, *length_low]));
        let Some((data, rest)) = rest.split_at_checked(length) else {
            self.0 = &[];
            return Some(Err(Malformed::OptionOverrun));
        };
        self.0 = rest;
        Some(Ok((OptionCode(u16::from_be_bytes([*code_high, *code_low])), data)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_walked_to_the_last_byte() {
        let options: Vec<_> = Options(&[0, 1, 0, 2, 7, 8, 0, 14, 0, 0]).collect();
        assert_eq!(options, [Ok((OptionCode(1), &[7, 8][..])), Ok((OptionCode(14), &[][..]))]);
        assert_eq!(Options(&[]).next(), None);
    }

    #[test]
    fn an_option_that_runs_over_is_an_error_and_the_last() {
        for bytes in [&[0][..], &[0, 1, 0], &[0, 1, 0, 1], &[0, 1, 0xff, 0xff, 0, 0]] {
            let mut options = Options(bytes);
            assert_eq!(options.next(), Some(Err(Malformed::OptionOverrun)), "{bytes:?}");
            assert_eq!(options.next(), None);
        }
    }
}
