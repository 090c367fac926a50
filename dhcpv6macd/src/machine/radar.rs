//! Do two machines have one MAC?

use std::time::{Duration, Instant};

use crate::policy::BootStage;

/// DUIDs that take turns come back within this time. Two machines that boot at once do; one machine, whose firmware, initial RAM disk and
/// system may each have a DUID of its own, needs longer from its last message to the first of its next boot.
const TURN: Duration = Duration::from_secs(20);

/// The DUIDs that were seen under one MAC, those of each stage of a boot apart: they differ from stage to stage, and it says nothing.
#[derive(Debug, Default)]
pub(super) struct Radar([Track; 4]);

/// The last DUID of a stage, the one before it, and when it took over.
#[derive(Debug, Default)]
struct Track {
    last: Box<[u8]>,
    before: Box<[u8]>,
    changed: Option<Instant>,
}

impl Radar {
    /// Takes notice of a DUID, and returns the one that it has taken turns with.
    pub(super) fn sweep(&mut self, stage: BootStage, client_id: &[u8], now: Instant) -> Option<Box<[u8]>> {
        let [http_boot, pxe, ipxe, other] = &mut self.0;
        let track = match stage {
            BootStage::HttpBoot => http_boot,
            BootStage::Pxe => pxe,
            BootStage::Ipxe => ipxe,
            BootStage::Other => other,
        };
        if client_id.is_empty() || *client_id == *track.last {
            return None;
        }
        let is_back = *client_id == *track.before;
        let is_soon = track.changed.is_some_and(|changed| now.saturating_duration_since(changed) <= TURN);
        track.before = std::mem::replace(&mut track.last, client_id.into());
        track.changed = Some(now);
        (is_back && is_soon).then(|| track.before.clone())
    }

    /// Any DUID but this one; empty where there was none.
    pub(super) fn other_than(&self, client_id: &[u8]) -> Box<[u8]> {
        let seen = self.0.iter().rev().flat_map(|track| [&track.last, &track.before]);
        seen.into_iter().find(|duid| !duid.is_empty() && ***duid != *client_id).cloned().unwrap_or_default()
    }
}
