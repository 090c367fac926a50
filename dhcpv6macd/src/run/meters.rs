//! Everything that is counted, to be read at any time: the same while the daemon runs and at its end.

use std::{io, sync::Arc};

use super::{ServeError, advertise, live::LiveCounters, metrics::Measured, source::SteeringMeter, totals::Totals};
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
    /// What goes up and down, and how long things take.
    pub(super) fn measure(&self) -> Measured {
        let netboot = self.netboot.iter().map(|(connections, _)| ("netboot", connections));
        let servers = netboot.chain(self.events.iter().map(|connections| ("events", connections)));
        let answers = self.netboot.as_ref().map(|(_, answers)| answers);
        Measured {
            sessions: self.workers.sessions(),
            transfers: answers.map_or(0, |answers| answers.under_way()),
            connections: servers.map(|(server, connections)| (server, connections.open())).collect(),
            service_times: self.workers.service_times().into(),
            transfer_times: answers.map(|answers| answers.times()),
            ..Measured::default()
        }
    }

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
