//! The client's name.

use crate::wire::Malformed;

/// The client's name and what it asks a server to do about it (RFC 4704 section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fqdn<'a> {
    /// Its S bit: is the server to update the name's address record?
    pub wants_update: bool,
    /// The name as on the wire.
    pub name: &'a [u8],
}

impl<'a> Fqdn<'a> {
    /// Bit S of the flags.
    const SERVER_UPDATES: u8 = 1;
    /// The longest name (RFC 1035 section 3.1).
    const NAME_MAX: usize = 255;

    /// Reads the option. `None` where what it holds is no name: that is not repeated, and no reason to leave a machine without
    /// its address.
    ///
    /// # Errors
    ///
    /// An option without flags, or longer than any name.
    pub(super) fn read(data: &'a [u8]) -> Result<Option<Self>, Malformed> {
        let (flags, name) = data.split_first().ok_or(Malformed::OptionLength)?;
        if name.len() > Self::NAME_MAX {
            return Err(Malformed::OptionLength);
        }
        Ok(is_name(name).then_some(Self { wants_update: flags & Self::SERVER_UPDATES != 0, name }))
    }
}

/// Labels one after the other, with nothing behind the empty one; without it the name is partial (RFC 4704 section 4.2).
fn is_name(mut name: &[u8]) -> bool {
    const LABEL_MAX: u8 = 63;
    while let [length, rest @ ..] = name {
        match (*length, rest.split_at_checked(usize::from(*length))) {
            (0, _) => return rest.is_empty(),
            (1..=LABEL_MAX, Some((_, next))) => name = next,
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_labels() {
        for name in [&b""[..], b"\0", b"\x04host", b"\x04host\0", b"\x01a\x01b\0"] {
            assert!(is_name(name), "{name:?}");
        }
        for no_name in [&b"\x05host"[..], b"\x04host\0\0", b"\x04host\0\x01a", b"\xc0\x0c", b"host"] {
            assert!(!is_name(no_name), "{no_name:?}");
        }
    }

    #[test]
    fn the_s_bit_asks_for_an_update() {
        let read = |data| Fqdn::read(data).map(|fqdn| fqdn.map(|fqdn| fqdn.wants_update));
        assert_eq!(read(b"\x01\x01a"), Ok(Some(true)));
        assert_eq!(read(b"\x04\x01a"), Ok(Some(false)));
        assert_eq!(read(b"\x01\x02a"), Ok(None));
        assert_eq!(read(b""), Err(Malformed::OptionLength));
        assert_eq!(read(&[0; 257]), Err(Malformed::OptionLength));
    }
}
