//! The servers under a worker: they answer from what the interface and the policy are at this moment.

use std::{
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::{ArcSwap, Cache};
use dhcpv6macd_ebpf::Service;

use super::{files::WorkerFiles, live::Live, observe::Observer};
use crate::{
    datapath::{Answer, Full, Transmit},
    respond::{Responder, Site},
    tftp::{Scene, Tftp, Unanswered},
    wire::Datagram,
};

/// Everything that answers, and the site that it answers for.
pub(super) struct Answerer {
    /// Looked at for every frame: a load and a comparison as long as nothing has changed.
    site: Cache<Arc<ArcSwap<Site>>, Arc<Site>>,
    servers: Servers,
    live: Arc<Live>,
    /// When it is to be shown what was counted; `None` where nothing was since.
    show: Option<Instant>,
}

/// How long what was counted is kept back.
const SHOW: Duration = Duration::from_secs(1);

struct Servers {
    responder: Responder,
    tftp: Tftp,
    files: WorkerFiles,
    observer: Observer,
    answered: Answered,
}

/// What was answered since the last batch.
#[derive(Clone, Copy, Default)]
struct Answered {
    dhcpv6: u64,
    tftp: u64,
}

impl Answerer {
    pub(super) fn new(site: Arc<ArcSwap<Site>>, tftp: Tftp, files: WorkerFiles, observer: Observer) -> Self {
        let servers = Servers { responder: Responder::default(), tftp, files, observer, answered: Answered::default() };
        let live = Arc::new(Live::new(servers.counters()));
        Self { site: Cache::new(site), servers, live, show: None }
    }

    /// What it counts, to be read by others.
    pub(super) fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live)
    }

    /// Shows what was counted.
    pub(super) fn show_all(&self) {
        self.live.show(self.servers.counters(), self.servers.tftp.sessions());
    }

    /// Shows it where it is time.
    fn show(&mut self, now: Instant) {
        if self.show.is_some_and(|show| show <= now) {
            self.show_all();
            self.show = None;
        }
    }
}

impl Answer for Answerer {
    fn answer(&mut self, frame: &[u8], now: Instant, transmit: &mut impl Transmit) -> Result<(), Full> {
        let site = self.site.load();
        self.show.get_or_insert(now + SHOW);
        // What is not ours, the responder has counted.
        let Ok(datagram) = self.servers.responder.read(frame, site) else { return Ok(()) };
        match datagram.service {
            Service::Dhcpv6 => self.servers.dhcpv6(&datagram, site, now, transmit),
            Service::Tftp => self.servers.tftp(&datagram, site, now, transmit),
        }
    }

    fn resume(&mut self, now: Instant, transmit: &mut impl Transmit) -> Option<Instant> {
        let Servers { tftp, files, observer, .. } = &mut self.servers;
        let site = self.site.load();
        let observe = &mut |seen| observer.tell_transfer(seen, now);
        let due = tftp.resume(&mut Scene { site, files: &mut files.at(site), observe, now }, transmit);
        self.show(now);
        // What happens when it is due is shown too.
        if due.is_some() {
            self.show.get_or_insert(now + SHOW);
        }
        [due, self.show].into_iter().flatten().min()
    }

    fn served(&mut self, took: Duration) {
        let Answered { dhcpv6, tftp } = mem::take(&mut self.servers.answered);
        if dhcpv6 > 0 {
            self.live.dhcpv6.add_alone(took, dhcpv6);
        }
        if tftp > 0 {
            self.live.tftp.add_alone(took, tftp);
        }
    }
}

impl Servers {
    fn counters(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let dropped = ("observation_dropped", self.observer.dropped());
        self.responder.counters().each().chain(self.tftp.counters().each()).chain([dropped])
    }

    fn dhcpv6(
        &mut self,
        datagram: &Datagram<'_>,
        site: &Site,
        now: Instant,
        transmit: &mut impl Transmit,
    ) -> Result<(), Full> {
        if !transmit.has_room(1) {
            return Err(Full);
        }
        transmit.transmit(|buffer| {
            // Why not, the responder has counted.
            let answered = self.responder.answer(datagram, site, buffer).ok()?;
            let observation = answered.reply.observation();
            if self.observer.tell(&observation, now) {
                self.files.note(observation.mac, answered.reply.architectures());
            }
            self.answered.dhcpv6 += 1;
            Some(answered.length)
        });
        Ok(())
    }

    fn tftp(
        &mut self,
        datagram: &Datagram<'_>,
        site: &Site,
        now: Instant,
        transmit: &mut impl Transmit,
    ) -> Result<(), Full> {
        let observe = &mut |seen| self.observer.tell_transfer(seen, now);
        let mut scene = Scene { site, files: &mut self.files.at(site), observe, now };
        match self.tftp.take(datagram, &mut scene, transmit) {
            Ok(()) => {
                self.answered.tftp += 1;
                Ok(())
            }
            Err(Unanswered::Full) => Err(Full),
            Err(Unanswered::Dropped(reason)) => {
                self.responder.dropped(reason);
                Ok(())
            }
        }
    }
}
