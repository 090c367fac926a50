//! Names of files, as clients write them.

use std::fmt;

use crate::wire::{MacAddr, hex_byte};

/// Bytes of a name at most.
pub const NAME_MAX: usize = 128;

/// A file that a client asks for: `ipxe.efi`, or `52:54:00:12:34:56/ipxe.efi` for one of a machine's own. Of a fixed size, so that it
/// takes no memory to remember it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileName {
    /// The machine in front of it, in whatever spelling.
    pub mac: Option<MacAddr>,
    length: u8,
    bytes: [u8; NAME_MAX],
}

impl FileName {
    /// Reads a name: percent-encoded or not, with or without a slash in front. `None` where it is too long, or no name.
    #[must_use]
    pub fn parse(name: &[u8]) -> Option<Self> {
        let mut bytes = [0; NAME_MAX];
        let length = decode(name, &mut bytes)?;
        let decoded = bytes.get(..length)?;
        let text = str::from_utf8(decoded).ok()?.trim_start_matches('/');
        if text.is_empty() || text.contains(char::is_control) {
            return None;
        }
        let of_machine = text.split_once('/').and_then(|(mac, rest)| Some((mac.parse().ok()?, rest)));
        let (mac, rest) = of_machine.map_or((None, text), |(mac, rest)| (Some(mac), rest.trim_start_matches('/')));
        let start = length - rest.len();
        bytes.copy_within(start..length, 0);
        let rest = u8::try_from(length - start).ok()?;
        bytes.get_mut(usize::from(rest)..)?.fill(0);
        (rest > 0).then_some(Self { mac, length: rest, bytes })
    }

    /// The name without the machine.
    #[must_use]
    pub fn file(&self) -> &str {
        self.bytes.get(..self.length.into()).and_then(|name| str::from_utf8(name).ok()).unwrap_or_default()
    }
}

/// With the machine in front, where there is one.
impl fmt::Display for FileName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(mac) = self.mac {
            write!(formatter, "{mac}/")?;
        }
        formatter.write_str(self.file())
    }
}

impl fmt::Debug for FileName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.to_string())
    }
}

/// Undoes the percent-encoding (RFC 3986 section 2.1); a percent sign without two digits behind it is one.
fn decode(name: &[u8], decoded: &mut [u8; NAME_MAX]) -> Option<usize> {
    let mut rest = name;
    let mut length = 0;
    while let [byte, behind @ ..] = rest {
        let escaped = match rest {
            [b'%', high, low, behind @ ..] => hex_byte(*high, *low).map(|byte| (byte, behind)),
            _ => None,
        };
        let (byte, behind) = escaped.unwrap_or((*byte, behind));
        *decoded.get_mut(length)? = byte;
        length += 1;
        rest = behind;
    }
    Some(length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(name: &[u8]) -> Option<String> {
        FileName::parse(name).map(|name| name.to_string())
    }

    #[test]
    fn a_machine_is_spelt_in_many_ways_and_is_one_machine() {
        for name in [
            "52:54:00:12:34:5a/ipxe.efi",
            "/52:54:00:12:34:5A/ipxe.efi",
            "52-54-00-12-34-5a/ipxe.efi",
            "52540012345A//ipxe.efi",
            "52%3A54%3a00%3A12%3A34%3A5a/ipxe.efi",
            "//52:54:00:12:34:5a%2fipxe%2Eefi",
        ] {
            let expected = Some("52:54:00:12:34:5a/ipxe.efi".to_owned());
            assert_eq!(shown(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn anything_else_is_a_file() {
        for (name, expected) in
            [("ipxe.efi", "ipxe.efi"), ("/ipxe.efi", "ipxe.efi"), ("a/b/c", "a/b/c"), ("100%", "100%"), ("%zz", "%zz")]
        {
            assert_eq!(shown(name.as_bytes()).as_deref(), Some(expected));
        }
        assert_eq!(FileName::parse(b"a/b").unwrap().mac, None);
    }

    #[test]
    fn what_is_no_name_is_none() {
        for name in
            [&b""[..], b"/", b"///", b"a\nb", b"a%00b", b"\xff\xfe", b"52:54:00:12:34:5a/", &[b'a'; NAME_MAX + 1]]
        {
            assert_eq!(shown(name), None, "{name:?}");
        }
        assert!(shown(&[b'a'; NAME_MAX]).is_some());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_name_or_none(name in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Some(name) = FileName::parse(&name) {
                prop_assert!(!name.file().is_empty() && !name.file().starts_with('/'));
            }
        }
    }
}
