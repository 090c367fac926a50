//! One table of what comes in and what becomes of it. Each row is run by the classifier and the responder on the host
//! (`tests/golden.rs`), and by the steering program in the kernel (`tests/parity.rs`).
//!
//! A row is named after the rule that it is about: E and U rules are what EDK2 and U-Boot insist on, D rules a server's duties
//! (the number is a section of RFC 9915), FQDN rules those of RFC 4704, L rules our own limits, S rules the steering, W rules the
//! wire below DHCPv6. To add a row, add it to the table of its kind.

mod answer;
mod clients;
mod duties;
mod judge;
mod limits;
mod packet;
mod steering;

use std::{collections::BTreeSet, net::Ipv6Addr};

pub use answer::{Answer, Association, decode, open};
use anyhow::Result;
use dhcpv6macd::{
    local::Local,
    policy::{Lifetimes, Policy},
    respond::Reason,
    wire::MacAddr,
};
use dhcpv6macd_ebpf::{PassReason, Service, Verdict};
pub use judge::{judge, judge_message};
pub use packet::{Envelope, Message, SOLICIT, message, right};

use crate::capture::Capture;

/// The prefix of every machine.
pub const BASE: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x123, 0x4567, 0, 0, 0, 0);
/// Hardware address of our interface.
pub const LOCAL_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
/// Link-local address of our interface.
pub const OUR_LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0xff, 0xfe00, 1);
/// Another address of our interface.
pub const OUR_ADDRESS: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x123, 0x4567, 1, 0, 0, 1);
/// DUID of the server: the DUID-LL of our interface.
pub const SERVER_DUID: &[u8] = &[0, 3, 0, 1, 2, 0, 0, 0, 0, 1];
/// The machine that most rows are about.
pub const MACHINE: MacAddr = MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]);
/// UDP port of the server.
pub const SERVER_PORT: u16 = 547;

/// A frame, and what becomes of it.
#[derive(Clone, Debug)]
pub struct Row {
    /// The rule that it is about.
    pub name: &'static str,
    /// What it is, in words.
    pub description: &'static str,
    /// What comes in.
    pub frame: Vec<u8>,
    /// Is it for the daemon?
    pub verdict: Verdict,
    /// What the daemon makes of it.
    pub outcome: Outcome,
}

/// What the daemon makes of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is answered.
    Answered(Box<Answer>),
    /// It is not, for this reason.
    Dropped(Reason),
}

impl Row {
    fn answered(name: &'static str, description: &'static str, message: &Message, answer: Answer) -> Self {
        Self::steered(name, description, message.frame(), Outcome::Answered(Box::new(answer)))
    }

    fn dropped(name: &'static str, description: &'static str, message: &Message, reason: impl Into<Reason>) -> Self {
        Self::steered(name, description, message.frame(), Outcome::Dropped(reason.into()))
    }

    fn steered(name: &'static str, description: &'static str, frame: Vec<u8>, outcome: Outcome) -> Self {
        Self { name, description, frame, verdict: Verdict::Steer(Service::Dhcpv6), outcome }
    }

    fn passed(name: &'static str, description: &'static str, frame: Vec<u8>, reason: PassReason) -> Self {
        let outcome = Outcome::Dropped(Reason::NotOurs);
        Self { name, description, frame, verdict: Verdict::Pass(reason), outcome }
    }
}

/// Every row.
#[must_use]
pub fn rows() -> Vec<Row> {
    [clients::rows(), duties::rows(), limits::rows(), steering::rows()].concat()
}

/// The frames of every row and of every capture, each once.
///
/// # Errors
///
/// Those of [`Capture::all`].
pub fn known_frames() -> Result<BTreeSet<Vec<u8>>> {
    let captured = Capture::all()?.into_iter().flat_map(|capture| capture.frames);
    Ok(rows().into_iter().map(|row| row.frame).chain(captured).collect())
}

/// Our interface.
#[must_use]
pub fn local() -> Local {
    let mut addresses = [OUR_ADDRESS, OUR_LINK_LOCAL];
    addresses.sort();
    Local {
        mac: LOCAL_MAC,
        link_local: OUR_LINK_LOCAL,
        addresses: addresses.into(),
        dhcpv6_port: SERVER_PORT,
        tftp_port: Some(69),
    }
}

/// What the operator decided: nothing but the prefix.
#[must_use]
pub fn policy() -> Policy {
    Policy {
        base_address: BASE.to_string().parse().expect("a /80 prefix"),
        lifetimes: Lifetimes::default(),
        server_duid: dhcpv6macd::wire::Duid::link_layer(LOCAL_MAC),
    }
}
