//! What workers see of machines, on its way to the one who keeps their histories.

use std::sync::Arc;

use crossbeam_queue::ArrayQueue;

use crate::respond::Observation;

/// Observations on their way: more than all workers make between two looks at them, at the rate of a power-on.
const QUEUE: usize = 8192;

/// The queue between the workers and the control plane.
#[derive(Clone)]
pub(super) struct Observations(Arc<ArrayQueue<Observation>>);

impl Observations {
    pub(super) fn new() -> Self {
        Self(Arc::new(ArrayQueue::new(QUEUE)))
    }

    /// A worker's end.
    pub(super) fn observer(&self) -> Observer {
        Observer { queue: Arc::clone(&self.0), dropped: 0 }
    }

    /// How many are on their way.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The next one, if there is one.
    pub(super) fn next(&self) -> Option<Observation> {
        self.0.pop()
    }
}

/// A worker's end of the queue.
pub(super) struct Observer {
    queue: Arc<ArrayQueue<Observation>>,
    dropped: u64,
}

impl Observer {
    /// Tells, without waiting: what finds the queue full is dropped and counted.
    pub(super) fn tell(&mut self, observation: Observation) {
        if self.queue.push(observation).is_err() {
            self.dropped += 1;
        }
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }
}
