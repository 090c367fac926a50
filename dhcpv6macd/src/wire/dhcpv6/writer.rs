//! Writes messages: every length is that of what was written.

use std::net::Ipv6Addr;

use super::{Association, Fqdn, MessageType, OptionCode, StatusCode};
use crate::wire::NoSpace;

/// Writes into a buffer from its start.
#[derive(Debug)]
pub struct Writer<'b> {
    buffer: &'b mut [u8],
    length: usize,
}

impl<'b> Writer<'b> {
    /// Nothing is written yet.
    #[must_use]
    pub fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, length: 0 }
    }

    /// Bytes written.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }

    /// Writes the head of a message.
    ///
    /// # Errors
    ///
    /// [`NoSpace`], as everything here.
    pub fn header(&mut self, kind: MessageType, transaction: [u8; 3]) -> Result<(), NoSpace> {
        self.bytes(&[kind as u8])?;
        self.bytes(&transaction)
    }

    /// Writes an option with these bytes.
    ///
    /// # Errors
    ///
    /// [`NoSpace`].
    pub fn option(&mut self, code: OptionCode, data: &[u8]) -> Result<(), NoSpace> {
        self.nested(code, |writer| writer.bytes(data))
    }

    /// Writes an IA_NA, IA_TA or IA_PD around the options that `fill` writes. `times` is for the kinds that have T1 and T2.
    ///
    /// # Errors
    ///
    /// [`NoSpace`].
    pub fn association(
        &mut self,
        association: &Association<'_>,
        (t1, t2): (u32, u32),
        fill: impl FnOnce(&mut Self) -> Result<(), NoSpace>,
    ) -> Result<(), NoSpace> {
        self.nested(association.kind.code(), |writer| {
            writer.bytes(&association.iaid)?;
            if association.kind.has_times() {
                writer.bytes(&t1.to_be_bytes())?;
                writer.bytes(&t2.to_be_bytes())?;
            }
            fill(writer)
        })
    }

    /// Writes an IAADDR: an address that is good for these seconds (RFC 9915 section 21.6).
    ///
    /// # Errors
    ///
    /// [`NoSpace`].
    pub fn address(&mut self, address: Ipv6Addr, preferred: u32, valid: u32) -> Result<(), NoSpace> {
        self.nested(OptionCode::IaAddr, |writer| {
            writer.bytes(&address.octets())?;
            writer.bytes(&preferred.to_be_bytes())?;
            writer.bytes(&valid.to_be_bytes())
        })
    }

    /// Writes a Status Code with its text, for a person with a packet analyser.
    ///
    /// # Errors
    ///
    /// [`NoSpace`].
    pub fn status(&mut self, code: StatusCode, text: &str) -> Result<(), NoSpace> {
        self.nested(OptionCode::StatusCode, |writer| {
            writer.bytes(&(code as u16).to_be_bytes())?;
            writer.bytes(text.as_bytes())
        })
    }

    /// Writes the Client FQDN of a server that updates no DNS: N set, S clear, and O where that is not what the client
    /// asked for (RFC 4704 section 6).
    ///
    /// # Errors
    ///
    /// [`NoSpace`].
    pub fn fqdn(&mut self, fqdn: Fqdn<'_>) -> Result<(), NoSpace> {
        const NO_UPDATE: u8 = 4;
        const OVERRIDDEN: u8 = 2;
        let flags = NO_UPDATE | if fqdn.wants_update { OVERRIDDEN } else { 0 };
        self.nested(OptionCode::ClientFqdn, |writer| {
            writer.bytes(&[flags])?;
            writer.bytes(fqdn.name)
        })
    }

    fn nested(&mut self, code: OptionCode, fill: impl FnOnce(&mut Self) -> Result<(), NoSpace>) -> Result<(), NoSpace> {
        self.bytes(&(code as u16).to_be_bytes())?;
        let length_at = self.length;
        self.bytes(&[0, 0])?;
        let start = self.length;
        fill(self)?;
        let length = u16::try_from(self.length - start).map_err(|_| NoSpace)?;
        let field = self.buffer.get_mut(length_at..start).ok_or(NoSpace)?;
        field.copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), NoSpace> {
        let end = self.length + bytes.len();
        self.buffer.get_mut(self.length..end).ok_or(NoSpace)?.copy_from_slice(bytes);
        self.length = end;
        Ok(())
    }
}
