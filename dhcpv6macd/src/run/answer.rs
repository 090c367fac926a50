//! The responder under a worker: it answers from what the interface is at this moment.

use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};

use super::totals::Totals;
use crate::{datapath::Answer, local::Local, policy::Policy, respond::Responder};

/// A responder, and the interface that it answers for.
pub(super) struct Answerer {
    responder: Responder,
    /// Looked at for every frame: a load and a comparison as long as nothing has changed.
    local: Cache<Arc<ArcSwap<Local>>, Arc<Local>>,
}

impl Answerer {
    pub(super) fn new(policy: Policy, local: Arc<ArcSwap<Local>>) -> Self {
        Self { responder: Responder::new(policy), local: Cache::new(local) }
    }

    /// Adds what the responder counted.
    pub(super) fn count(&self, totals: &mut Totals) {
        for (name, count) in self.responder.counters().each() {
            totals.add(name, count);
        }
    }
}

impl Answer for Answerer {
    fn answer(&mut self, frame: &[u8], reply: &mut [u8]) -> Option<usize> {
        self.responder.frame(frame, self.local.load(), reply).ok()
    }
}
