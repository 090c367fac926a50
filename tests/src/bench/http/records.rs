//! Records of TLS 1.3 (RFC 8446 section 5): those with the header of an answer are decrypted, those with the file are counted.

use std::net::TcpStream;

use anyhow::Result;
use rustix::net::RecvFlags;
use rustls::ClientConnection;

use super::client::{Problem, header_end, receive};

/// Type, version and length.
const HEADER: usize = 5;
/// What a record holds beside its bytes: their type, and the tag of AES-GCM.
const OVERHEAD: usize = 17;
/// Type of what is encrypted.
const APPLICATION_DATA: u8 = 23;

/// What comes over a connection, record by record.
pub(super) struct Records {
    session: ClientConnection,
    header: [u8; HEADER],
    /// Bytes of the header that are there.
    begun: usize,
    /// Bytes of the record behind its header that are still to come.
    left: usize,
    /// The record, while it is to be decrypted.
    kept: Vec<u8>,
    answer: Vec<u8>,
}

impl Records {
    pub(super) fn new(session: ClientConnection) -> Self {
        Self { session, header: [0; HEADER], begun: 0, left: 0, kept: Vec::new(), answer: Vec::new() }
    }

    /// What is to be sent for these bytes.
    pub(super) fn encrypt(&mut self, bytes: &[u8]) -> Result<Vec<u8>> {
        std::io::Write::write_all(&mut self.session.writer(), bytes)?;
        let mut encrypted = Vec::new();
        while self.session.wants_write() {
            self.session.write_tls(&mut encrypted)?;
        }
        Ok(encrypted)
    }

    /// Takes what is there, up to so much as there is room for.
    pub(super) fn take(
        &mut self,
        stream: &TcpStream,
        left: &mut Option<u64>,
        room: &mut [u8],
        length: u64,
    ) -> Result<(), Problem> {
        let mut turn = room.len();
        while turn > 0 && *left != Some(0) {
            if self.begun < HEADER {
                let header = self.header.get_mut(self.begun..).unwrap_or_default();
                self.begun += receive(stream, header, RecvFlags::empty())?;
                if self.begun == HEADER {
                    self.begin(left)?;
                }
                continue;
            }
            let flags = if left.is_some() { RecvFlags::TRUNC } else { RecvFlags::empty() };
            let place = room.get_mut(..self.left).unwrap_or_default();
            let taken = receive(stream, place, flags)?;
            if left.is_none() {
                self.kept.extend_from_slice(place.get(..taken).unwrap_or_default());
            }
            self.left -= taken;
            turn = turn.saturating_sub(taken);
            if self.left == 0 {
                self.begun = 0;
                if left.is_none() {
                    *left = self.decrypt(length)?;
                }
            }
        }
        Ok(())
    }

    /// A record begins: what it holds is counted as if it were there already, unless it is to be decrypted.
    fn begin(&mut self, left: &mut Option<u64>) -> Result<(), Problem> {
        let [kind, _, _, high, low] = self.header;
        self.left = u16::from_be_bytes([high, low]).into();
        if kind != APPLICATION_DATA || self.left <= OVERHEAD {
            return Err(Problem::Answer(format!("a record of type {kind}, {} bytes", self.left)));
        }
        match left {
            None => self.kept.extend_from_slice(&self.header),
            Some(left) => {
                let held = (self.left - OVERHEAD) as u64;
                *left = left.checked_sub(held).ok_or_else(|| Problem::Answer("it is too long".into()))?;
            }
        }
        Ok(())
    }

    /// Decrypts what was kept; with the header of an answer in it, what is left of the file.
    fn decrypt(&mut self, length: u64) -> Result<Option<u64>, Problem> {
        let wrong = |error: &dyn std::error::Error| Problem::Answer(error.to_string());
        let mut kept = self.kept.as_slice();
        while !kept.is_empty() {
            self.session.read_tls(&mut kept).map_err(|error| wrong(&error))?;
            self.session.process_new_packets().map_err(|error| wrong(&error))?;
        }
        self.kept.clear();
        let mut read = [0; 1 << 14];
        while let Ok(count) = std::io::Read::read(&mut self.session.reader(), &mut read) {
            self.answer.extend_from_slice(read.get(..count).unwrap_or_default());
        }
        let Some(end) = header_end(&self.answer, length)? else { return Ok(None) };
        Ok(Some(length - (self.answer.len() - end) as u64))
    }
}
