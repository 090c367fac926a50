//! The servers under a worker: they answer from what the interface and the policy are at this moment.

use std::{sync::Arc, time::Instant};

use arc_swap::{ArcSwap, Cache};
use dhcpv6macd_ebpf::Service;

use super::{files::WorkerFiles, observe::Observer, totals::Totals};
use crate::{
    datapath::{Answer, Full, Transmit},
    respond::{Responder, Site},
    tftp::{Observation, Scene, Tftp, Unanswered},
    wire::Datagram,
};

/// A responder, a TFTP server, and the site that they answer for.
pub(super) struct Answerer {
    responder: Responder,
    tftp: Tftp,
    files: WorkerFiles,
    /// Looked at for every frame: a load and a comparison as long as nothing has changed.
    site: Cache<Arc<ArcSwap<Site>>, Arc<Site>>,
    observer: Observer,
}

impl Answerer {
    pub(super) fn new(site: Arc<ArcSwap<Site>>, tftp: Tftp, files: WorkerFiles, observer: Observer) -> Self {
        Self { responder: Responder::default(), tftp, files, site: Cache::new(site), observer }
    }

    /// Adds what was counted.
    pub(super) fn count(&self, totals: &mut Totals) {
        for (name, count) in self.responder.counters().each().chain(self.tftp.counters().each()) {
            totals.add(name, count);
        }
        totals.add("observation_dropped", self.observer.dropped());
    }

    fn answer_dhcpv6(
        &mut self,
        datagram: &Datagram<'_>,
        now: Instant,
        transmit: &mut impl Transmit,
    ) -> Result<(), Full> {
        if !transmit.has_room(1) {
            return Err(Full);
        }
        let site = self.site.load();
        transmit.transmit(|buffer| {
            // Why not, the responder has counted.
            let answered = self.responder.answer(datagram, site, buffer).ok()?;
            let observation = answered.reply.observation();
            self.files.note(observation.mac, answered.reply.architectures());
            self.observer.tell(&observation, now);
            Some(answered.length)
        });
        Ok(())
    }

    fn take_tftp(&mut self, datagram: &Datagram<'_>, now: Instant, transmit: &mut impl Transmit) -> Result<(), Full> {
        let site = self.site.load();
        let mut observe = |seen: &Observation<'_>| self.observer.tell_transfer(seen);
        let mut scene = Scene { site, files: &mut self.files.at(site), observe: &mut observe, now };
        match self.tftp.take(datagram, &mut scene, transmit) {
            Ok(()) => Ok(()),
            Err(Unanswered::Full) => Err(Full),
            Err(Unanswered::Dropped(reason)) => {
                self.responder.dropped(reason);
                Ok(())
            }
        }
    }
}

impl Answer for Answerer {
    fn answer(&mut self, frame: &[u8], now: Instant, transmit: &mut impl Transmit) -> Result<(), Full> {
        let Ok(datagram) = self.responder.read(frame, self.site.load()) else { return Ok(()) };
        match datagram.service {
            Service::Dhcpv6 => self.answer_dhcpv6(&datagram, now, transmit),
            Service::Tftp => self.take_tftp(&datagram, now, transmit),
        }
    }

    fn resume(&mut self, now: Instant, transmit: &mut impl Transmit) -> Option<Instant> {
        let site = self.site.load();
        let mut observe = |seen: &Observation<'_>| self.observer.tell_transfer(seen);
        self.tftp.resume(&mut Scene { site, files: &mut self.files.at(site), observe: &mut observe, now }, transmit)
    }
}
