//! What workers have counted, to be read while they count on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::totals::Totals;
use crate::{
    datapath::worker::WorkerCounters,
    histogram::{Counted, Histogram},
};

/// As far as the first bucket of a service time reaches.
const SHORTEST: Duration = Duration::from_micros(1);

/// What one worker has counted. Written by the worker alone.
#[derive(Debug)]
pub(super) struct Live {
    /// As of a moment ago.
    counters: Box<[(&'static str, AtomicU64)]>,
    /// TFTP sessions, likewise.
    sessions: AtomicU64,
    /// For each message of DHCPv6 that was answered.
    pub(super) dhcpv6: Histogram,
    /// For each packet of TFTP that was not dropped.
    pub(super) tftp: Histogram,
}

impl Live {
    /// Room for these.
    pub(super) fn new(counters: impl Iterator<Item = (&'static str, u64)>) -> Self {
        let counters = counters.map(|(name, count)| (name, AtomicU64::new(count))).collect();
        let [dhcpv6, tftp] = [(); 2].map(|()| Histogram::new(SHORTEST));
        Self { counters, sessions: AtomicU64::new(0), dhcpv6, tftp }
    }

    /// Shows how far the same have come, and how many sessions there are.
    pub(super) fn show(&self, counters: impl Iterator<Item = (&'static str, u64)>, sessions: usize) {
        for ((_, shown), (_, count)) in self.counters.iter().zip(counters) {
            shown.store(count, Ordering::Relaxed);
        }
        self.sessions.store(sessions as u64, Ordering::Relaxed);
    }
}

/// Those of all workers.
#[derive(Clone, Debug, Default)]
pub(super) struct LiveCounters(Vec<(Arc<WorkerCounters>, Arc<Live>)>);

impl LiveCounters {
    pub(super) fn push(&mut self, worker: Arc<WorkerCounters>, live: Arc<Live>) {
        self.0.push((worker, live));
    }

    /// Adds them all.
    pub(super) fn count(&self, totals: &mut Totals) {
        for (worker, live) in &self.0 {
            let live = live.counters.iter().map(|(name, count)| (*name, count));
            for (name, count) in worker.each().into_iter().chain(live) {
                totals.add(name, count.load(Ordering::Relaxed));
            }
        }
    }

    /// How many TFTP sessions there are.
    pub(super) fn sessions(&self) -> u64 {
        self.0.iter().map(|(_, live)| live.sessions.load(Ordering::Relaxed)).sum()
    }

    /// How long what was answered took, by service.
    pub(super) fn service_times(&self) -> [(&'static str, Counted); 2] {
        let live = || self.0.iter().map(|(_, live)| live);
        [
            ("dhcpv6", Counted::read(live().map(|live| &live.dhcpv6))),
            ("tftp", Counted::read(live().map(|live| &live.tftp))),
        ]
    }
}
