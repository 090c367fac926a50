//! The body of an answer of HTTP/1.1 without an end (RFC 9112 section 7.1).

use anyhow::{Context as _, Result, ensure};

/// Most bytes of a header.
const HEADER_MAX: usize = 4096;

/// How far an answer has come.
#[derive(Debug)]
pub(super) enum Chunked {
    /// What there is of its header.
    Header(Vec<u8>),
    /// The line with a chunk's size, as far as it is there.
    Size(Vec<u8>),
    /// So many bytes of a chunk are to come.
    Data(usize),
    /// So many bytes are to come behind a chunk.
    End(usize),
}

impl Default for Chunked {
    fn default() -> Self {
        Self::Header(Vec::new())
    }
}

impl Chunked {
    /// Takes what has come, and hands on what is in the chunks.
    pub(super) fn take(&mut self, mut bytes: &[u8], mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        while let Some((&first, rest)) = bytes.split_first() {
            match self {
                Self::Data(left) => {
                    let (data, rest) = bytes.split_at((*left).min(bytes.len()));
                    each(data)?;
                    bytes = rest;
                    *left -= data.len();
                    if *left == 0 {
                        *self = Self::End(2);
                    }
                    continue;
                }
                Self::Header(header) => {
                    header.push(first);
                    ensure!(header.len() <= HEADER_MAX, "a long header");
                    if header.ends_with(b"\r\n\r\n") {
                        let header = String::from_utf8_lossy(header).to_ascii_lowercase();
                        ensure!(header.starts_with("http/1.1 200 "), "an answer without events: {header}");
                        ensure!(header.contains("\r\ntransfer-encoding: chunked\r\n"), "no chunks: {header}");
                        *self = Self::Size(Vec::new());
                    }
                }
                Self::Size(size) => {
                    size.push(first);
                    ensure!(size.len() <= 18, "no size of a chunk");
                    if let Some(size) = size.strip_suffix(b"\r\n") {
                        let size = str::from_utf8(size).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
                        let size = size.context("no size of a chunk")?;
                        ensure!(size > 0, "the daemon has ended the answer");
                        *self = Self::Data(size);
                    }
                }
                Self::End(1) => *self = Self::Size(Vec::new()),
                Self::End(left) => *left -= 1,
            }
            bytes = rest;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\nb\r\neleven more\r\n";

    fn read(pieces: &[&[u8]]) -> Result<String> {
        let mut chunked = Chunked::default();
        let mut text = Vec::new();
        for piece in pieces {
            chunked.take(piece, |data| {
                text.extend_from_slice(data);
                Ok(())
            })?;
        }
        Ok(String::from_utf8(text)?)
    }

    #[test]
    fn an_answer_is_read_wherever_it_is_cut() {
        for cut in 0..ANSWER.len() {
            let (first, rest) = ANSWER.split_at(cut);
            assert_eq!(read(&[first, rest]).unwrap(), "foureleven more", "cut at {cut}");
        }
    }

    #[test]
    fn an_end_and_an_error_are_no_events() {
        assert!(read(&[ANSWER, b"0\r\n\r\n"]).is_err());
        assert!(read(&[b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n"]).is_err());
        assert!(read(&[ANSWER, b"x\r\n"]).is_err());
    }
}
