//! The control plane: keeps what is known of the machines, and tells what is worth telling.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, info, warn};

use super::{
    observe::{Observations, Sighting},
    totals::Totals,
};
use crate::{
    machine::{ConflictSign, Finding, MACHINES_MAX, Machines},
    respond::Observation,
    tftp::{self, Happening},
    wire::{Hexadecimal, MacAddr},
};

/// How long an observation waits at most: nobody notices, and no worker has to wake anybody.
const LOOK: Duration = Duration::from_millis(20);
/// Findings that are told of in a second: who forges MACs should not fill the disk.
const TOLD_MAX: u32 = 20;

/// Whoever keeps the machines' histories.
pub(super) struct Control {
    observations: Observations,
    machines: Machines,
    findings: Totals,
    /// Findings that may still be told of in the second that began then.
    left: (Instant, u32),
}

impl Control {
    pub(super) fn new(observations: Observations) -> Self {
        let left = (Instant::now(), TOLD_MAX);
        Self { observations, machines: Machines::new(MACHINES_MAX), findings: Totals::default(), left }
    }

    /// Looks at what the workers saw, for ever.
    pub(super) async fn look(&mut self) -> Infallible {
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.take(Instant::now());
        }
    }

    /// Takes everything that the workers saw until now.
    fn take(&mut self, now: Instant) {
        for _ in 0..self.observations.len() {
            match self.observations.next() {
                None => return,
                Some(Sighting::Message(sighting)) => self.take_message(&sighting.observation(), now),
                Some(Sighting::Transfer(seen)) => self.take_transfer(&seen, now),
            }
        }
    }

    fn take_message(&mut self, seen: &Observation<'_>, now: Instant) {
        for finding in self.machines.observe(seen, now) {
            self.findings.add(finding.name(), 1);
            if may_tell(&mut self.left, now) {
                tell(seen.mac, &finding);
            } else {
                self.findings.add("finding_not_logged", 1);
            }
        }
    }

    /// A boot that stands still for want of its file is worth a line.
    fn take_transfer(&mut self, seen: &tftp::Observation, now: Instant) {
        let tftp::Observation { mac, name, total, .. } = *seen;
        let Happening::Failed(failure) = seen.happening else {
            return debug!(%mac, file = %name, total, happening = ?seen.happening, "TFTP");
        };
        if may_tell(&mut self.left, now) {
            warn!(%mac, file = %name, "a TFTP transfer has failed: {failure}");
        } else {
            self.findings.add("finding_not_logged", 1);
        }
    }

    /// Takes what is left and adds what was counted.
    pub(super) fn count(&mut self, totals: &mut Totals) {
        self.take(Instant::now());
        totals.extend(&self.findings);
        totals.add("machine_forgotten", self.machines.forgotten());
    }
}

fn may_tell(left: &mut (Instant, u32), now: Instant) -> bool {
    if now.saturating_duration_since(left.0) >= Duration::from_secs(1) {
        *left = (now, TOLD_MAX);
    }
    let may = left.1 > 0;
    left.1 = left.1.saturating_sub(1);
    may
}

fn tell(mac: MacAddr, finding: &Finding) {
    match finding {
        Finding::MacConflict { sign, client_id, other } => {
            let (client_id, other) = (Hexadecimal(client_id), Hexadecimal(other));
            match sign {
                ConflictSign::Alternating => {
                    warn!(%mac, %client_id, %other, "mac_conflict: two machines seem to have one MAC, their DUIDs take turns");
                }
                ConflictSign::Declined => {
                    warn!(%mac, %client_id, %other, "mac_conflict: the machine has declined its address, somebody else uses it");
                }
            }
        }
        Finding::ForeignMac(of) => {
            info!(%mac, %of, "the machine's DUID was made from another MAC: a dongle's or a dock's?");
        }
    }
}
