//! The responder under a worker: it answers from what the interface and the policy are at this moment.

use std::{sync::Arc, time::Instant};

use arc_swap::{ArcSwap, Cache};

use super::{observe::Observer, totals::Totals};
use crate::{
    datapath::{Answer, Full, Transmit},
    respond::{Responder, Site},
};

/// A responder, and the site that it answers for.
pub(super) struct Answerer {
    responder: Responder,
    /// Looked at for every frame: a load and a comparison as long as nothing has changed.
    site: Cache<Arc<ArcSwap<Site>>, Arc<Site>>,
    observer: Observer,
}

impl Answerer {
    pub(super) fn new(site: Arc<ArcSwap<Site>>, observer: Observer) -> Self {
        Self { responder: Responder::default(), site: Cache::new(site), observer }
    }

    /// Adds what was counted.
    pub(super) fn count(&self, totals: &mut Totals) {
        for (name, count) in self.responder.counters().each() {
            totals.add(name, count);
        }
        totals.add("observation_dropped", self.observer.dropped());
    }
}

impl Answer for Answerer {
    fn answer(&mut self, frame: &[u8], now: Instant, transmit: &mut impl Transmit) -> Result<(), Full> {
        if !transmit.has_room(1) {
            return Err(Full);
        }
        transmit.transmit(|reply| {
            // Why not, the responder has counted.
            let answered = self.responder.frame(frame, self.site.load(), reply).ok()?;
            self.observer.tell(&answered.reply.observation(), now);
            Some(answered.length)
        });
        Ok(())
    }

    fn resume(&mut self, _: Instant, _: &mut impl Transmit) -> Option<Instant> {
        None
    }
}
