//! TFTP packets as a client writes and reads them (RFC 1350 section 5, RFC 2347 to 2349, RFC 7440).

use std::{iter, str::FromStr};

/// UDP port on which a server hears requests.
pub const SERVER_PORT: u16 = 69;

/// Opcodes.
pub(super) const READ: u16 = 1;
pub(super) const DATA: u16 = 3;
pub(super) const ACKNOWLEDGEMENT: u16 = 4;
pub(super) const ERROR: u16 = 5;
pub(super) const OPTION_ACKNOWLEDGEMENT: u16 = 6;
/// Bytes of opcode and block number.
pub(super) const HEADER: usize = 4;
/// "Not defined, see error message": what a client says that has lost interest.
const NOT_DEFINED: u16 = 0;

/// Option names.
pub(super) const BLOCK_SIZE: &str = "blksize";
pub(super) const WINDOW_SIZE: &str = "windowsize";
pub(super) const TRANSFER_SIZE: &str = "tsize";

/// In what pieces a file travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Bytes of a block.
    pub block_size: u16,
    /// Blocks of a window; 1 is lock-step, and not asked for.
    pub window: u16,
}

impl Terms {
    /// Those of a server that knows no options.
    pub(super) const PLAIN: Self = Self { block_size: 512, window: 1 };
}

/// RRQ, with the options that a client of today has.
pub(super) fn request(file: &str, wish: Terms) -> Vec<u8> {
    let mut options = vec![(BLOCK_SIZE, wish.block_size), (TRANSFER_SIZE, 0)];
    if wish.window > 1 {
        options.push((WINDOW_SIZE, wish.window));
    }
    let options: String = options.iter().map(|(name, value)| format!("{name}\0{value}\0")).collect();
    [&READ.to_be_bytes(), file.as_bytes(), b"\0octet\0", options.as_bytes()].concat()
}

/// ACK of a block.
pub(super) fn acknowledgement(block: u16) -> [u8; HEADER] {
    header(ACKNOWLEDGEMENT, block)
}

/// ERROR of a client that goes away.
pub(super) fn farewell() -> [u8; HEADER + 1] {
    let [a, b, c, d] = header(ERROR, NOT_DEFINED);
    [a, b, c, d, 0]
}

/// Opcode and number.
pub(super) fn header(opcode: u16, number: u16) -> [u8; HEADER] {
    let ([a, b], [c, d]) = (opcode.to_be_bytes(), number.to_be_bytes());
    [a, b, c, d]
}

/// What a server says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard<'a> {
    /// DATA.
    Data { block: u16, bytes: &'a [u8] },
    /// OACK.
    Options(Options<'a>),
    /// ERROR.
    Error(u16),
}

impl<'a> Heard<'a> {
    /// Reads a datagram's payload; `None` for anything else.
    pub(super) fn read(payload: &'a [u8]) -> Option<Self> {
        let (opcode, rest) = number(payload)?;
        match opcode {
            DATA => number(rest).map(|(block, bytes)| Self::Data { block, bytes }),
            OPTION_ACKNOWLEDGEMENT => Some(Self::Options(Options(rest))),
            ERROR => number(rest).map(|(code, _)| Self::Error(code)),
            _ => None,
        }
    }
}

/// A number in front of something.
pub(super) fn number(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u16::from_be_bytes(*number), rest))
}

/// Names and values, each with a NUL behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Options<'a>(pub(super) &'a [u8]);

impl<'a> Options<'a> {
    /// The number behind a name; `None` where there is none.
    pub(super) fn get<T: FromStr>(self, wanted: &str) -> Option<T> {
        let (_, value) = self.pairs().find(|(name, _)| name.eq_ignore_ascii_case(wanted.as_bytes()))?;
        str::from_utf8(value).ok()?.parse().ok()
    }

    fn pairs(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let mut texts = self.0.split(|byte| *byte == 0);
        iter::from_fn(move || texts.next().zip(texts.next()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_as_firmware_writes_it() {
        let plain = request("ipxe.efi", Terms { block_size: 1428, window: 1 });
        assert_eq!(plain, b"\0\x01ipxe.efi\0octet\0blksize\x001428\0tsize\x000\0");
        let windowed = request("a", Terms { block_size: 8, window: 16 });
        assert_eq!(windowed, b"\0\x01a\0octet\0blksize\x008\0tsize\x000\0windowsize\x0016\0");
    }

    #[test]
    fn what_a_server_says_is_read() {
        assert_eq!(Heard::read(b"\0\x03\x01\x02ab"), Some(Heard::Data { block: 0x102, bytes: b"ab" }));
        assert_eq!(Heard::read(b"\0\x05\0\x01File not found\0"), Some(Heard::Error(1)));
        for other in [&b""[..], b"\0", b"\0\x03\0", b"\0\x04\0\x01", b"\0\x01a\0octet\0"] {
            assert_eq!(Heard::read(other), None);
        }
    }

    #[test]
    fn options_are_found_by_their_names() {
        let Some(Heard::Options(options)) = Heard::read(b"\0\x06BLKSIZE\x001428\0tsize\x0070000\0odd") else {
            panic!()
        };
        assert_eq!((options.get(BLOCK_SIZE), options.get(TRANSFER_SIZE)), (Some(1428_u16), Some(70_000_u32)));
        assert_eq!((options.get::<u16>(TRANSFER_SIZE), options.get::<u16>(WINDOW_SIZE)), (None, None));
    }
}
