//! Where in a file a block begins, and the blocks themselves.

use crate::wire::tftp::Mode;

/// The place in a file from which on it is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    offset: usize,
    /// Of a line end in netascii, which has two bytes, the second one; it did not fit the block before.
    pending: Option<u8>,
}

impl Cursor {
    /// Writes the next block, goes on to the one behind it, and says how long it is: shorter than `block` at the end of the file alone.
    pub(super) fn read(&mut self, file: &[u8], mode: Mode, block: &mut [u8]) -> usize {
        match mode {
            Mode::Octet => {
                let rest = file.get(self.offset..).unwrap_or_default();
                let length = rest.len().min(block.len());
                if let (Some(block), Some(rest)) = (block.get_mut(..length), rest.get(..length)) {
                    block.copy_from_slice(rest);
                }
                self.offset += length;
                length
            }
            Mode::Netascii => {
                let mut length = 0;
                for byte in block {
                    let Some(next) = self.next_of_text(file) else { break };
                    *byte = next;
                    length += 1;
                }
                length
            }
        }
    }

    /// Goes on by a block.
    pub(super) fn skip(&mut self, file: &[u8], mode: Mode, block_size: usize) {
        match mode {
            Mode::Octet => self.offset = (self.offset + block_size).min(file.len()),
            Mode::Netascii => {
                for _ in 0..block_size {
                    self.next_of_text(file);
                }
            }
        }
    }

    /// Bytes of the file before it.
    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    /// A line end is CR LF, and a CR alone CR NUL (RFC 764, as RFC 1350 has it).
    fn next_of_text(&mut self, file: &[u8]) -> Option<u8> {
        if let Some(pending) = self.pending.take() {
            return Some(pending);
        }
        let byte = *file.get(self.offset)?;
        self.offset += 1;
        self.pending = match byte {
            b'\n' => Some(b'\n'),
            b'\r' => Some(0),
            _ => return Some(byte),
        };
        Some(b'\r')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(file: &[u8], mode: Mode, block_size: usize) -> Vec<Vec<u8>> {
        let mut cursor = Cursor::default();
        let mut blocks = Vec::new();
        loop {
            let mut block = vec![0; block_size];
            let before = cursor;
            let length = cursor.read(file, mode, &mut block);
            block.truncate(length);
            blocks.push(block);
            if length < block_size {
                return blocks;
            }
            let mut skipped = before;
            skipped.skip(file, mode, block_size);
            assert_eq!(skipped, cursor);
        }
    }

    #[test]
    fn the_last_block_is_short_or_empty() {
        assert_eq!(blocks(b"abcdef", Mode::Octet, 4), [&b"abcd"[..], b"ef"]);
        assert_eq!(blocks(b"abcd", Mode::Octet, 4), [&b"abcd"[..], b""]);
        assert_eq!(blocks(b"", Mode::Octet, 4), [&b""[..]]);
    }

    #[test]
    fn line_ends_are_those_of_nvt_wherever_the_block_ends() {
        assert_eq!(blocks(b"a\nb\rc", Mode::Netascii, 100), [&b"a\r\nb\r\0c"[..]]);
        assert_eq!(blocks(b"a\nb\rc", Mode::Netascii, 2), [&b"a\r"[..], b"\nb", b"\r\0", b"c"]);
        assert_eq!(blocks(b"abc\n", Mode::Netascii, 4), [&b"abc\r"[..], b"\n"]);
    }
}
