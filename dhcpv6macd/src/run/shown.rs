//! What is known of the machines, as it is shown.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use bytes::Bytes;
use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use crate::{
    event::Text,
    http::events::feed::Snapshot,
    machine::{Known, Machines},
    wire::MacAddr,
};

/// How old a picture of all machines may be: who asks hears what has happened since.
const FRESH: Duration = Duration::from_millis(200);

/// The last picture of all machines: when the power comes back, so do all who watch.
#[derive(Debug, Default)]
pub(super) struct Shown(Option<(Instant, Snapshot)>);

impl Shown {
    /// What is known of one machine; `next` is the number of the first event that is not in it.
    pub(super) fn one(machines: &Machines, mac: MacAddr, next: u64) -> Snapshot {
        let json = serde_json::to_vec(&machines.get(mac).map(Picture));
        Snapshot { text: json.unwrap_or_default().into(), next }
    }

    /// What is known of all machines.
    pub(super) fn all(&mut self, machines: &Machines, next: u64) -> Snapshot {
        match &self.0 {
            Some((when, snapshot)) if when.elapsed() < FRESH || snapshot.next == next => snapshot.clone(),
            _ => {
                let snapshot = Snapshot { text: all(machines), next };
                self.0 = Some((Instant::now(), snapshot.clone()));
                snapshot
            }
        }
    }
}

/// `{"<mac>":{"Mac","IPv6Address","Events"},…}`.
fn all(machines: &Machines) -> Bytes {
    let mut json = Vec::new();
    for known in machines.all() {
        let comma = if json.is_empty() { '{' } else { ',' };
        // Memory takes everything, and nothing that is known is no JSON.
        let written = write!(json, "{comma}\"{}\":", known.mac).is_ok()
            && serde_json::to_writer(&mut json, &Picture(known)).is_ok();
        debug_assert!(written, "{known:?}");
    }
    json.extend_from_slice(if json.is_empty() { b"{}" } else { b"}" });
    json.into()
}

/// `{"Mac","IPv6Address","Events"}`.
struct Picture<'a>(Known<'a>);

impl Serialize for Picture<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut machine = serializer.serialize_struct("Machine", 3)?;
        machine.serialize_field("Mac", &Text(format_args!("{}", self.0.mac)))?;
        machine.serialize_field("IPv6Address", &self.0.address)?;
        machine.serialize_field("Events", &Events(self.0))?;
        machine.end()
    }
}

struct Events<'a>(Known<'a>);

impl Serialize for Events<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.events())
    }
}
