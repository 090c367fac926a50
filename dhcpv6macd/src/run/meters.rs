//! Everything that is counted, to be read at any time: the same while the daemon runs and at its end.

use std::{io, sync::Arc};

use super::{ServeError, advertise, live::LiveCounters, source::SteeringMeter, totals::Totals};
use crate::{
    datapath::ring::{ReceiveRing, RingMeter},
    http::{connection, netboot},
    log,
};

/// Everybody who counts, but for the control plane itself.
pub(super) struct Meters {
    /// `None` without a steering program.
    pub(super) steering: Option<SteeringMeter>,
    pub(super) rings: Rings,
    pub(super) workers: LiveCounters,
    /// `None` where the operator wants no Router Advertisements.
    pub(super) advertiser: Option<Arc<advertise::Counters>>,
    /// Connections and files; `None` where there is nothing to serve, or nowhere.
    pub(super) netboot: Option<(Arc<connection::Counters>, Arc<netboot::Counters>)>,
    /// `None` where the operator wants none.
    pub(super) events: Option<Arc<connection::Counters>>,
}

impl Meters {
    /// Reads what would be lost otherwise: to be called now and then.
    pub(super) fn keep_up(&self) -> Result<(), ServeError> {
        self.rings.count(&mut Totals::default()).map_err(ServeError::RingCounters)
    }

    /// Adds everything. What cannot be read is left out, and why is said.
    pub(super) fn count(&self, totals: &mut Totals) -> Result<(), ServeError> {
        self.workers.count(totals);
        let connections = self.netboot.iter().map(|(connections, _)| connections).chain(&self.events);
        connections.for_each(|connections| totals.add_each(connections.each()));
        self.netboot.iter().for_each(|(_, answers)| totals.add_each(answers.each()));
        self.advertiser.iter().for_each(|counters| totals.add_each(counters.each()));
        totals.add("log_lines_lost", log::lines_lost());
        let rings = self.rings.count(totals).map_err(ServeError::RingCounters);
        let steering = self.steering.as_ref().map_or(Ok(()), |steering| steering.count(totals));
        steering.map_err(|error| ServeError::SteeringCounters(error.into())).and(rings)
    }
}

/// The receive rings of all workers.
pub(super) struct Rings(Vec<RingMeter>);

impl Rings {
    pub(super) fn new(rings: &[ReceiveRing]) -> io::Result<Self> {
        rings.iter().map(ReceiveRing::meter).collect::<io::Result<_>>().map(Self)
    }

    /// Adds what the kernel has counted.
    pub(super) fn count(&self, totals: &mut Totals) -> io::Result<()> {
        for ring in &self.0 {
            let statistics = ring.read()?;
            totals.add("ring_received", statistics.received);
            totals.add("ring_dropped", statistics.dropped);
        }
        Ok(())
    }
}
