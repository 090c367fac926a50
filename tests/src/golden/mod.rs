//! One table of what comes in and what becomes of it. Each row is run by the classifier and the responder on the host
//! (`tests/golden.rs`), and by the steering program in the kernel (`tests/parity.rs`).
//!
//! A row is named after the rule that it is about: E and U rules are what EDK2 and U-Boot insist on, D rules a server's duties
//! (the number is a section of RFC 9915), FQDN rules those of RFC 4704, P, H, I and S rules those of PXE, HTTP boot, iPXE and shim,
//! R rows relay agents, O and A rows what the operator decided, L rules our own limits, S rules without a number the steering, W rules
//! the wire below DHCPv6. To add a row, add it to the table of its kind.

mod answer;
mod boot;
mod clients;
mod configured;
mod duties;
mod judge;
mod limits;
mod packet;
mod relay;
mod steering;

use std::{collections::BTreeSet, net::Ipv6Addr, sync::Arc};

pub use answer::{Answer, Association, decode, open};
use anyhow::Result;
pub use boot::X86_64;
use dhcpv6macd::{
    local::Local,
    policy::{Access, BaseAddress, BootPolicy, ImageSet, Policy, TftpPolicy, UrlTemplate},
    respond::{Reason, Site},
    wire::{
        Duid, MacAddr,
        dhcpv6::{NtpServer, ServerOption},
    },
};
use dhcpv6macd_ebpf::{PassReason, Service, Verdict};
pub use judge::{judge, judge_configured, judge_message};
pub use packet::{Envelope, Message, REQUEST, SOLICIT, message, right};

use crate::capture::Capture;

/// The prefix of every machine.
pub const BASE: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x123, 0x4567, 0, 0, 0, 0);
/// Hardware address of our interface.
pub const LOCAL_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
/// Link-local address of our interface.
pub const OUR_LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0xff, 0xfe00, 1);
/// Another address of our interface.
pub const OUR_ADDRESS: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x123, 0x4567, 1, 0, 0, 1);
/// That of our addresses which a machine would get whose MAC is 00:00:00:00:00:01.
pub const OUR_ADDRESS_IN_PREFIX: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x123, 0x4567, 0, 0, 0, 1);
/// DUID of the server: the DUID-LL of our interface.
pub const SERVER_DUID: &[u8] = &[0, 3, 0, 1, 2, 0, 0, 0, 0, 1];
/// The machine that most rows are about.
pub const MACHINE: MacAddr = MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]);
/// A machine that is not served.
pub const DENIED: MacAddr = MacAddr([2, 0, 0, 0, 0, 0x66]);
/// Another machine.
pub const OTHER_MACHINE: MacAddr = MacAddr([2, 0, 0, 0, 0, 0x77]);
/// A server of names and of time.
pub const NAME_SERVER: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x53);
/// The template of HTTP boot URLs.
pub const TEMPLATE: &str =
    "http://[2001:db8:123:4567:1::1]/mac/{{.MAC}}/boot.efi?arch={{.Arch}}&payload={{.Payload | urlquery}}";
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
    /// What the operator decided.
    pub policy: fn() -> Policy,
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
        Self { name, description, frame, verdict: Verdict::Steer(Service::Dhcpv6), outcome, policy }
    }

    fn passed(name: &'static str, description: &'static str, frame: Vec<u8>, reason: PassReason) -> Self {
        let outcome = Outcome::Dropped(Reason::NotOurs);
        Self { name, description, frame, verdict: Verdict::Pass(reason), outcome, policy }
    }
}

/// Every row.
#[must_use]
pub fn rows() -> Vec<Row> {
    [clients::rows(), boot::rows(), duties::rows(), relay::rows(), limits::rows(), steering::rows()].concat()
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
    let mut addresses = [OUR_ADDRESS, OUR_LINK_LOCAL, OUR_ADDRESS_IN_PREFIX];
    addresses.sort();
    Local {
        mac: LOCAL_MAC,
        link_local: OUR_LINK_LOCAL,
        addresses: addresses.into(),
        mtu: 1500,
        dhcpv6_port: SERVER_PORT,
        tftp_port: Some(69),
    }
}

/// What the operator decided: everything that there is to decide, so that each row is about a daemon that has it all.
///
/// # Panics
///
/// Never: what is in it is right.
#[must_use]
pub fn policy() -> Policy {
    let base_address: BaseAddress = BASE.to_string().parse().expect("a /80 prefix");
    let domain = ["lab.example".parse().expect("a domain")];
    let ntp_server = NtpServer::Address(NAME_SERVER);
    let http = UrlTemplate::new(TEMPLATE, base_address, "eth1").expect("a template");
    Policy {
        options: [
            ServerOption::dns_servers(&[NAME_SERVER]),
            ServerOption::domain_search(&domain),
            ServerOption::ntp_server(&ntp_server),
            ServerOption::sntp_servers(&[NAME_SERVER]),
            ServerOption::posix_timezone("UTC0"),
            ServerOption::tzdb_timezone("Etc/UTC"),
            ServerOption::sol_max_rt(3600),
            ServerOption::information_refresh_time(7200),
        ]
        .into(),
        boot: BootPolicy {
            http: Some(http),
            tftp: Some(TftpPolicy {
                port: 69,
                server: Some(OUR_ADDRESS),
                images: ImageSet { x86_64: true, arm64: true, riscv64: true },
            }),
        },
        access: Access { allow: None, deny: DENIED.to_string().parse().ok() },
        ..Policy::new(base_address, Duid::link_layer(LOCAL_MAC))
    }
}

/// The same, for nobody but one machine.
#[must_use]
pub fn exclusive_policy() -> Policy {
    Policy { access: Access { allow: OTHER_MACHINE.to_string().parse().ok(), deny: None }, ..policy() }
}

/// Our interface, and what the operator decided.
#[must_use]
pub fn site() -> Site {
    Site::new(local(), Arc::new(policy()), Arc::default())
}
