//! What happens to machines, as it is told to whoever watches: the steps of a boot, and what is odd about them.

use std::{
    fmt,
    io::{self, Write},
    net::Ipv6Addr,
};

use jiff::Timestamp;
use serde::{
    Serialize, Serializer,
    ser::{SerializeMap as _, SerializeStruct as _},
};

use crate::wire::MacAddr;

/// Bytes of a file between two events that tell of it.
pub const MARK: u64 = 5 << 20;

/// A step of a boot. A machine is in the one that it has taken last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// It was seen for the first time.
    Init,
    /// Its firmware asks for an address.
    FirmwareInit,
    /// UEFI HTTP boot was told a boot URL.
    HttpBoot,
    /// PXE was told where iPXE is.
    PointPxeToIpxeOverTftp,
    /// It loads iPXE.
    ServeIpxeOverTftp,
    /// It has loaded iPXE.
    ServedIpxeOverTftp,
    /// iPXE was told a boot URL.
    PointIpxeToHttpBoot,
    /// It loads what that names.
    HttpFetchUki,
    /// Its operating system asks for an address.
    OsInit,
}

impl Step {
    /// All of them, in the order of a boot.
    pub const ALL: [Self; 9] = [
        Self::Init,
        Self::FirmwareInit,
        Self::HttpBoot,
        Self::PointPxeToIpxeOverTftp,
        Self::ServeIpxeOverTftp,
        Self::ServedIpxeOverTftp,
        Self::PointIpxeToHttpBoot,
        Self::HttpFetchUki,
        Self::OsInit,
    ];

    /// Its name in an event.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::FirmwareInit => "firmware_init",
            Self::HttpBoot => "http_boot",
            Self::PointPxeToIpxeOverTftp => "point_pxe_to_ipxe_over_tftp",
            Self::ServeIpxeOverTftp => "serve_ipxe_over_tftp",
            Self::ServedIpxeOverTftp => "served_ipxe_over_tftp",
            Self::PointIpxeToHttpBoot => "point_ipxe_to_http_boot",
            Self::HttpFetchUki => "http_fetch_uki",
            Self::OsInit => "os_init",
        }
    }
}

/// What kind of event it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A step of a boot.
    Step(Step),
    /// The next step does not follow from the last one.
    JumpTo,
    /// Something odd, or a file that its operating system loads: no step.
    Fyi,
    /// The machine has stood still for longer than it should.
    Stalled,
    /// It moves again.
    Resumed,
}

impl EventKind {
    /// Its name in an event.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Step(step) => step.name(),
            Self::JumpTo => "jump_to",
            Self::Fyi => "fyi",
            Self::Stalled => "stalled",
            Self::Resumed => "resumed",
        }
    }
}

/// Something that happened to a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// When.
    pub time: Timestamp,
    /// Is it the step that the machine is in already, or more of what its system loads? Such an event is told, and not kept.
    pub is_repeated: bool,
    /// More about it.
    pub detail: Option<Box<Detail>>,
}

impl Event {
    /// Does it tell how far a file is?
    #[must_use]
    pub fn is_transfer(&self) -> bool {
        matches!(self.detail.as_deref(), Some(Detail::Transfer(_)))
    }
}

/// More about an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Detail {
    /// Of a file that is loaded.
    Transfer(Transfer),
    /// Of what is odd.
    Message {
        /// In words.
        message: Box<str>,
    },
    /// Of a machine that stands still.
    Reason {
        /// What it was told, and what it does not do.
        reason: Box<str>,
    },
}

impl Detail {
    /// Has a transfer ended, and something is missing?
    #[must_use]
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Transfer(transfer) if transfer.state == TransferState::Error)
    }
}

/// How far a transfer is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Transfer {
    /// How the file goes.
    pub protocol: Protocol,
    /// Its name.
    pub file_name: Box<str>,
    /// How it is going.
    pub state: TransferState,
    /// Bytes that have gone.
    pub sent_bytes: u64,
    /// Bytes that there are.
    pub total_bytes: u64,
    /// Why it has ended before its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Box<str>>,
}

/// How a file goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the field's own names")]
pub enum Protocol {
    Tftp,
    Http,
    Https,
}

impl fmt::Display for Protocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Tftp => "TFTP",
            Self::Http => "HTTP",
            Self::Https => "HTTPS",
        })
    }
}

/// How a transfer is going.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TransferState {
    /// It has just begun.
    Init,
    /// It is under way.
    Sending,
    /// All of it has gone.
    Complete,
    /// It has ended before.
    Error,
}

/// Something that happened, and to which machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The machine.
    pub mac: MacAddr,
    /// Its address.
    pub address: Ipv6Addr,
    /// What happened.
    pub event: Event,
}

impl Change {
    /// Writes it as it stands in a stream of events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).
    ///
    /// # Errors
    ///
    /// Where the stream takes no more.
    pub fn write(&self, mut stream: impl Write) -> io::Result<()> {
        stream.write_all(b"data: ")?;
        serde_json::to_writer(&mut stream, self)?;
        stream.write_all(b"\n\n")
    }
}

/// `{"event","timestamp","repeat_event","detail"}`.
impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut event = serializer.serialize_struct("Event", 4)?;
        event.serialize_field("event", self.kind.name())?;
        event.serialize_field("timestamp", &Text(format_args!("{:.9}", self.time)))?;
        event.serialize_field("repeat_event", &self.is_repeated)?;
        event.serialize_field("detail", &self.detail)?;
        event.end()
    }
}

/// `{"mac","ipv6_address","event"}`.
impl Serialize for Change {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut change = serializer.serialize_map(Some(3))?;
        change.serialize_entry("mac", &Text(format_args!("{}", self.mac)))?;
        change.serialize_entry("ipv6_address", &self.address)?;
        change.serialize_entry("event", &self.event)?;
        change.end()
    }
}

/// A text in JSON, without one in memory.
pub(crate) struct Text<'a>(pub(crate) fmt::Arguments<'a>);

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: MacAddr = MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]);

    fn told(kind: EventKind, is_repeated: bool, detail: Option<Detail>) -> String {
        let time = "2026-01-02T03:04:05.000006789Z".parse().unwrap();
        let event = Event { kind, time, is_repeated, detail: detail.map(Box::new) };
        serde_json::to_string(&Change { mac: MAC, address: "2001:db8::5254:12:3456".parse().unwrap(), event }).unwrap()
    }

    #[test]
    fn an_event_is_json_byte_for_byte() {
        assert_eq!(
            told(EventKind::Step(Step::FirmwareInit), false, None),
            r#"{"mac":"52:54:00:12:34:56","ipv6_address":"2001:db8::5254:12:3456","event":{"event":"firmware_init","timestamp":"2026-01-02T03:04:05.000006789Z","repeat_event":false,"detail":null}}"#
        );
        let reason = Detail::Reason { reason: "Advertise sent, no Request for 10 s".into() };
        assert!(told(EventKind::Stalled, false, Some(reason)).ends_with(
            r#""event":"stalled","timestamp":"2026-01-02T03:04:05.000006789Z","repeat_event":false,"detail":{"reason":"Advertise sent, no Request for 10 s"}}}"#
        ));
    }

    #[test]
    fn a_transfer_tells_how_far_it_is() {
        let transfer = Transfer {
            protocol: Protocol::Tftp,
            file_name: "ipxe.efi".into(),
            state: TransferState::Sending,
            sent_bytes: 5,
            total_bytes: 10,
            error: None,
        };
        let kind = EventKind::Step(Step::ServeIpxeOverTftp);
        assert!(told(kind, true, Some(Detail::Transfer(transfer.clone()))).ends_with(
            r#""repeat_event":true,"detail":{"protocol":"tftp","file_name":"ipxe.efi","state":"sending","sent_bytes":5,"total_bytes":10}}}"#
        ));
        let failed = Transfer { state: TransferState::Error, error: Some("cut off".into()), ..transfer };
        assert!(
            told(kind, true, Some(Detail::Transfer(failed)))
                .ends_with(r#""state":"error","sent_bytes":5,"total_bytes":10,"error":"cut off"}}}"#)
        );
    }
}
