//! Options, one after the other.

use crate::wire::Malformed;

/// Codes of the options that we read or write (IANA "DHCPv6 Option Codes").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
#[expect(missing_docs, reason = "the field's own names")]
pub enum OptionCode {
    ClientId = 1,
    ServerId = 2,
    IaNa = 3,
    IaTa = 4,
    IaAddr = 5,
    OptionRequest = 6,
    Preference = 7,
    ElapsedTime = 8,
    StatusCode = 13,
    RapidCommit = 14,
    IaPd = 25,
    IaPrefix = 26,
    ClientFqdn = 39,
}

impl OptionCode {
    /// The code of this number, where we know it.
    #[must_use]
    pub const fn of(number: u16) -> Option<Self> {
        Some(match number {
            1 => Self::ClientId,
            2 => Self::ServerId,
            3 => Self::IaNa,
            4 => Self::IaTa,
            5 => Self::IaAddr,
            6 => Self::OptionRequest,
            7 => Self::Preference,
            8 => Self::ElapsedTime,
            13 => Self::StatusCode,
            14 => Self::RapidCommit,
            25 => Self::IaPd,
            26 => Self::IaPrefix,
            39 => Self::ClientFqdn,
            _ => return None,
        })
    }
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
    type Item = Result<(u16, &'a [u8]), Malformed>;

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
        Some(Ok((u16::from_be_bytes([*code_high, *code_low]), data)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_walked_to_the_last_byte() {
        let options: Vec<_> = Options(&[0, 1, 0, 2, 7, 8, 0, 14, 0, 0]).collect();
        assert_eq!(options, [Ok((1, &[7, 8][..])), Ok((14, &[][..]))]);
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

    #[test]
    fn codes_are_their_numbers() {
        for number in 0..=u16::from(u8::MAX) {
            assert!(OptionCode::of(number).is_none_or(|code| code as u16 == number));
        }
    }
}
