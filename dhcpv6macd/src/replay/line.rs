//! What is printed.

use std::{fmt, time::Duration};

use crate::{
    machine::{ConflictSign, Finding},
    policy::BootStage,
    respond::Reply,
    wire::{
        Hexadecimal, MacAddr, Overheard,
        dhcpv6::{Message, MessageType, Relays},
    },
};

/// What became of a frame.
#[derive(Clone, Debug)]
pub(super) struct Line<'a> {
    /// Counted from 1, as others show it.
    pub(super) number: u64,
    pub(super) elapsed: Elapsed,
    /// The machine, or at least who sent the frame.
    pub(super) who: Option<MacAddr>,
    pub(super) asked: Asked,
    pub(super) outcome: Outcome<'a>,
}

/// Since the first frame; clocks can go back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Elapsed {
    pub(super) first: Duration,
    pub(super) now: Duration,
}

/// What a frame asks for, as far as it can be read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    kind: Option<MessageType>,
    stage: Option<BootStage>,
    relays: usize,
}

/// What is made of a frame.
#[derive(Clone, Debug)]
pub(super) enum Outcome<'a> {
    /// It is answered.
    Answered(Box<Reply<'a>>),
    /// It is not, and this is the counter.
    Named(&'static str),
    /// There is too little of it to say.
    Cut {
        /// Bytes in the capture.
        captured: usize,
        /// Bytes on the wire.
        length: usize,
    },
    /// It begins with something else than an Ethernet header.
    ForeignLinkType(i32),
}

impl Asked {
    /// What is said in a frame of DHCPv6, whoever it is for.
    pub(super) fn of(frame: &[u8]) -> Self {
        let Some(sent) = Overheard::read(frame).filter(Overheard::is_dhcpv6) else { return Self::default() };
        let Ok((relays, payload)) = Relays::unwrap(sent.payload) else {
            return Self { kind: MessageType::of(sent.payload).ok(), ..Self::default() };
        };
        Self {
            kind: MessageType::of(payload).ok(),
            stage: Message::parse(payload).ok().map(|message| BootStage::of(message.classes)),
            relays: relays.outside_in().count(),
        }
    }
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:>5} {} ", self.number, self.elapsed)?;
        match self.who {
            Some(mac) => write!(formatter, "{mac} ")?,
            None => write!(formatter, "{:17} ", "-")?,
        }
        write!(formatter, "{}-> {}", self.asked, self.outcome)
    }
}

/// Seconds, to the microsecond.
impl fmt::Display for Elapsed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.now < self.first { "-" } else { "" };
        let elapsed = self.now.abs_diff(self.first);
        let text = format!("{sign}{}.{:06}", elapsed.as_secs(), elapsed.subsec_micros());
        write!(formatter, "{text:>12}")
    }
}

/// With a blank behind it, where there is anything.
impl fmt::Display for Asked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(kind) = self.kind else { return Ok(()) };
        formatter.write_str(kind.name())?;
        if let Some(stage) = self.stage.filter(|stage| *stage != BootStage::Other) {
            write!(formatter, ", {}", stage.name())?;
        }
        match self.relays {
            0 => {}
            1 => write!(formatter, ", 1 relay agent")?,
            relays => write!(formatter, ", {relays} relay agents")?,
        }
        formatter.write_str(" ")
    }
}

impl fmt::Display for Outcome<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered(reply) => answer(formatter, reply),
            Self::Named(name) => formatter.write_str(name),
            Self::Cut { captured, length } => write!(formatter, "frame_cut: {captured} of {length} bytes"),
            Self::ForeignLinkType(link_type) => write!(formatter, "not_ethernet: link type {link_type}"),
        }
    }
}

fn answer(formatter: &mut fmt::Formatter<'_>, reply: &Reply<'_>) -> fmt::Result {
    formatter.write_str(reply.kind().name())?;
    if let Some(status) = reply.status() {
        write!(formatter, " {status:?}")?;
    }
    if let Some(address) = reply.address() {
        write!(formatter, " {address}")?;
    }
    reply.boot_url().map_or(Ok(()), |url| write!(formatter, " {url}"))
}

/// What was found out about a machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'a> {
    pub(super) mac: MacAddr,
    pub(super) finding: &'a Finding,
}

impl fmt::Display for Found<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mac, finding } = self;
        write!(formatter, "{:18} {mac} {}: ", "", finding.name())?;
        match finding {
            Finding::MacConflict { sign, client_id, other } => {
                let sign = match sign {
                    ConflictSign::Alternating => "DUIDs take turns",
                    ConflictSign::Declined => "the machine has declined its address",
                };
                write!(formatter, "{sign}, {} and {}", duid(client_id), duid(other))
            }
            Finding::ForeignMac(of) => write!(formatter, "the DUID was made from {of}"),
        }
    }
}

fn duid(bytes: &[u8]) -> String {
    if bytes.is_empty() { "none before it".to_owned() } else { Hexadecimal(bytes).to_string() }
}
