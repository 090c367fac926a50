//! Writes messages: every length is that of what was written.

use std::{
    fmt::{self, Write as _},
    net::Ipv6Addr,
};

use super::{Association, Fqdn, MessageType, OptionCode, RELAYS_MAX, RelayForward, StatusCode};
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

    /// Writes an option with this text.
    ///
    /// # Errors
    ///
    /// [`NoSpace`].
    pub fn text(&mut self, code: OptionCode, text: impl fmt::Display) -> Result<(), NoSpace> {
        self.nested(code, |writer| write!(writer, "{text}").map_err(|_| NoSpace))
    }

    /// Writes a vendor class of one item under Intel's enterprise number, as UEFI firmware has it (RFC 9915 section 21.16).
    ///
    /// # Errors
    ///
    /// [`NoSpace`].
    pub fn vendor_class(&mut self, class: &[u8]) -> Result<(), NoSpace> {
        const INTEL: u32 = 343;
        self.nested(OptionCode::VENDOR_CLASS, |writer| {
            writer.bytes(&INTEL.to_be_bytes())?;
            writer.bytes(&u16::try_from(class.len()).map_err(|_| NoSpace)?.to_be_bytes())?;
            writer.bytes(class)
        })
    }

    /// Writes a Relay-reply for each of the relay agents, the outermost first, around the message that `fill` writes
    /// (RFC 9915 section 19.3).
    ///
    /// # Errors
    ///
    /// [`NoSpace`].
    pub fn relayed<'a>(
        &mut self,
        mut relays: impl Iterator<Item = RelayForward<'a>>,
        fill: impl FnOnce(&mut Self) -> Result<(), NoSpace>,
    ) -> Result<(), NoSpace> {
        let mut length_fields = [0; RELAYS_MAX];
        let mut unused = length_fields.iter_mut();
        for relay in relays.by_ref() {
            self.relay_reply(&relay)?;
            *unused.next().ok_or(NoSpace)? = self.open(OptionCode::RELAY_MESSAGE)?;
        }
        let left = unused.len();
        fill(self)?;
        length_fields.iter().rev().skip(left).try_for_each(|length_at| self.close(*length_at))
    }

    /// The head of a Relay-reply, and what of the Relay-forward is to be echoed.
    fn relay_reply(&mut self, relay: &RelayForward<'_>) -> Result<(), NoSpace> {
        self.bytes(&[MessageType::RelayReply as u8, relay.hop_count])?;
        self.bytes(&relay.link_address.octets())?;
        self.bytes(&relay.peer_address.octets())?;
        if let Some(interface_id) = relay.interface_id {
            self.option(OptionCode::INTERFACE_ID, interface_id)?;
        }
        relay.source_port.map_or(Ok(()), |port| self.option(OptionCode::RELAY_SOURCE_PORT, &port))
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
        self.nested(OptionCode::IA_ADDR, |writer| {
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
        self.nested(OptionCode::STATUS_CODE, |writer| {
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
        self.nested(OptionCode::CLIENT_FQDN, |writer| {
            writer.bytes(&[flags])?;
            writer.bytes(fqdn.name)
        })
    }

    fn nested(&mut self, code: OptionCode, fill: impl FnOnce(&mut Self) -> Result<(), NoSpace>) -> Result<(), NoSpace> {
        let length_at = self.open(code)?;
        fill(self)?;
        self.close(length_at)
    }

    /// Writes an option's code, leaves room for its length, and returns where that is.
    fn open(&mut self, code: OptionCode) -> Result<usize, NoSpace> {
        self.bytes(&code.0.to_be_bytes())?;
        let length_at = self.length;
        self.bytes(&[0, 0])?;
        Ok(length_at)
    }

    /// The option is as long as what was written since it was opened.
    fn close(&mut self, length_at: usize) -> Result<(), NoSpace> {
        let start = length_at + 2;
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

/// Text, byte by byte.
impl fmt::Write for Writer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes()).map_err(|NoSpace| fmt::Error)
    }
}
