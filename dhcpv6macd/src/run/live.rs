//! Counters of workers that can be read while they count on.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::totals::Totals;
use crate::datapath::worker::WorkerCounters;

/// What one worker has counted, as of a moment ago. Written by the worker alone.
#[derive(Debug)]
pub(super) struct Live(Box<[(&'static str, AtomicU64)]>);

impl Live {
    /// Room for these.
    pub(super) fn new(counters: impl Iterator<Item = (&'static str, u64)>) -> Self {
        Self(counters.map(|(name, count)| (name, AtomicU64::new(count))).collect())
    }

    /// Shows how far the same have come.
    pub(super) fn show(&self, counters: impl Iterator<Item = (&'static str, u64)>) {
        for ((_, shown), (_, count)) in self.0.iter().zip(counters) {
            shown.store(count, Ordering::Relaxed);
        }
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
            let live = live.0.iter().map(|(name, count)| (*name, count));
            for (name, count) in worker.each().into_iter().chain(live) {
                totals.add(name, count.load(Ordering::Relaxed));
            }
        }
    }
}
