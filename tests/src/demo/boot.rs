//! The machines: power on, and then stage by stage to their operating systems, all of them at once.

use std::{
    io::{BufReader, Read as _},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use super::{
    download::{self, Loaded, Wish},
    scene::Scene,
    watch::Watch,
};
use crate::{
    lab::ROUTER_MAC,
    population::{self, Arrivals, Counterpart, Population, Stage, mac_of, oracle},
    progress::Progress,
    tftp::{self, Terms},
};

/// How long all machines together may take to load iPXE.
const TFTP_LIMIT: Duration = Duration::from_secs(120);
/// Machines that load iPXE at a time: they share one cable, other than real ones, and the kernel holds no more than 1000 packets that are
/// on their way through it (`net.core.netdev_max_backlog`).
const AT_A_TIME: usize = 200;
/// What EDK2 asks for where the packets of the link hold it.
const TERMS: Terms = Terms { block_size: 1428, window: 4 };
/// Until a machine is switched on again: within four seconds the daemon does not tell anew of who says the same.
const PAUSE: Duration = Duration::from_secs(5);
/// Between two pieces that a slow machine takes.
const SLOWLY: Duration = Duration::from_millis(1500);
/// Bytes that the kernel keeps for a machine that reads no more.
const SMALL: usize = 1 << 14;

/// What became of the machines.
#[derive(Debug, Default)]
pub(super) struct Boot {
    /// Machines that are in their operating systems, every step of theirs told of.
    pub(super) booted: u64,
    /// All three exchanges of DHCPv6.
    pub(super) asked: population::Outcome,
    pub(super) tftp: tftp::Outcome,
    pub(super) http: Loaded,
    /// Events that were told.
    pub(super) events: u64,
    /// From the first Solicit to the last event.
    pub(super) elapsed: Duration,
    /// What was wrong; a stage in which something was is the last.
    pub(super) faults: Vec<String>,
}

/// So many machines, the first of all.
#[derive(Debug)]
pub(super) struct Machines<'s> {
    scene: &'s Scene,
    population: Population,
}

impl<'s> Machines<'s> {
    pub(super) fn new(scene: &'s Scene, count: usize) -> Self {
        Self { scene, population: Population::new(count, Counterpart::Server(scene.base)) }
    }

    fn count(&self) -> usize {
        self.population.size()
    }

    fn progress(&self, name: &str, what: &'static str) -> Progress {
        Progress::new(name.to_owned(), self.count() as u64, what)
    }

    /// Boots all of them while somebody watches.
    pub(super) fn boot(&mut self, watch: &Watch) -> Result<Boot> {
        let began = Instant::now();
        let mut boot = Boot::default();
        if self.go(&mut boot)? {
            let (progress, heard) = (self.progress("events", "boots told in order"), Instant::now());
            watch.wait_for_systems(self.count())?;
            let seen = watch.look(self.scene, self.count())?;
            boot.elapsed = began.elapsed();
            (boot.booted, boot.events) = (seen.right, seen.events);
            boot.faults.extend(seen.faults);
            progress.finish(boot.booted, heard.elapsed())?;
        }
        Ok(boot)
    }

    /// Takes one step after the other; false where one was the last.
    fn go(&mut self, boot: &mut Boot) -> Result<bool> {
        let urls = self.ask(Stage::Pxe, boot)?;
        if boot.faults.is_empty() {
            self.load_ipxe(&urls, boot)?;
        }
        let urls = if boot.faults.is_empty() { self.ask(Stage::Ipxe, boot)? } else { Vec::new() };
        if boot.faults.is_empty() {
            self.load_boot_file(urls, boot)?;
        }
        if boot.faults.is_empty() {
            self.ask(Stage::System, boot)?;
        }
        Ok(boot.faults.is_empty())
    }

    /// An exchange of each machine; what each is told to load. A machine that is told something else than it should be is at fault.
    pub(super) fn ask(&mut self, stage: Stage, boot: &mut Boot) -> Result<Vec<String>> {
        let (name, what, scheme) = match stage {
            Stage::Pxe => ("firmware", "told where iPXE is", "tftp://"),
            Stage::Ipxe => ("iPXE", "told their boot URL", "http://"),
            Stage::System => ("system", "have their address", ""),
        };
        self.population.enter(stage);
        let load = population::Load { arrivals: Arrivals::Window(self.count()), goal: population::Goal::OnceEach };
        let mut progress = self.progress(name, what);
        let mut port = self.scene.port()?;
        let show = |outcome: &population::Outcome| progress.show(outcome.exchanges);
        let outcome = self.population.drive_at(&mut port, load, show).context("the machines cannot ask")?;
        progress.finish(outcome.exchanges, outcome.elapsed)?;
        boot.asked.merge(&outcome);
        let findings = oracle::check(&self.population, self.scene.base);
        boot.faults.extend(findings.wrong.iter().map(|(mac, what)| format!("{mac} {what}")));
        boot.faults.extend(findings.unanswered.iter().map(|mac| format!("{mac} is not answered")));
        if let Some((mac, fault)) = &outcome.first_wrong {
            boot.faults.push(format!("{} answers are wrong, the first: {mac} {fault}", outcome.wrong));
        }
        let urls: Vec<_> = oracle::boot_urls(&self.population).into_iter().map(Option::unwrap_or_default).collect();
        let is_wrong = |url: &str| if scheme.is_empty() { !url.is_empty() } else { !url.starts_with(scheme) };
        for (number, url) in (0..).zip(&urls).filter(|(_, url)| is_wrong(url)) {
            boot.faults.push(format!("{} is told to load {url:?} in {name}", mac_of(number)));
        }
        Ok(urls)
    }

    /// Every machine loads what it was told, from the server that it was told.
    pub(super) fn load_ipxe(&self, urls: &[String], boot: &mut Boot) -> Result<()> {
        let server = tftp::Server { mac: ROUTER_MAC, base: self.scene.base };
        let ours = format!("tftp://[{}]/", self.scene.base.prefix());
        let names = urls.iter().map(|url| url.strip_prefix(&ours).map(str::to_owned)).collect::<Option<Vec<_>>>();
        let names = names.with_context(|| format!("not all machines load from {ours}"))?;
        let goal = tftp::Goal::OnceEach(TFTP_LIMIT);
        let load = tftp::Load { clients: AT_A_TIME, terms: TERMS, goal, loss: 0.0, seed: 0 };
        let mut progress = Progress::new("TFTP".to_owned(), names.len() as u64, "have loaded iPXE");
        let count = names.len();
        let mut clients = tftp::Clients::new(server, names, self.scene.ipxe.clone());
        let mut port = self.scene.port()?;
        // They all are at its end at the same moment: the bytes tell how far they are.
        let length = self.scene.ipxe.len() as u64;
        for first in (0..count).step_by(AT_A_TIME) {
            let before = boot.tftp.bytes;
            let show = |outcome: &tftp::Outcome| progress.show((before + outcome.bytes) / length.max(1));
            clients.begin_with(first);
            boot.tftp.merge(&clients.drive_at(&mut port, load, show).context("the machines cannot load iPXE")?);
        }
        progress.finish(boot.tftp.transfers, boot.tftp.elapsed)?;
        if let Some((mac, fault)) = &boot.tftp.first_failed {
            boot.faults.push(format!("{} do not load iPXE, the first: {mac} {fault}", boot.tftp.failed));
        }
        if boot.tftp.unfinished > 0 {
            boot.faults.push(format!("{} have not loaded iPXE in {TFTP_LIMIT:?}", boot.tftp.unfinished));
        }
        Ok(())
    }

    fn load_boot_file(&self, urls: Vec<String>, boot: &mut Boot) -> Result<()> {
        let mut progress = self.progress("HTTP", "have loaded boot.efi");
        let wishes: Vec<_> = (0..).zip(urls).map(|(number, url)| self.wish(number, url)).collect();
        let file = &self.scene.boot_file;
        boot.http = download::load_all(self.scene.machines()?, &wishes, file, |done| progress.show(done))?;
        progress.finish(boot.http.whole, boot.http.elapsed)?;
        boot.faults.append(&mut boot.http.faults);
        Ok(())
    }

    fn wish(&self, number: u32, url: String) -> Wish {
        Wish { address: self.scene.base.address_of(mac_of(number)), url }
    }
}

/// The first machines are switched on again, two more of them stand still at each step, and one in the middle of its file; that one's
/// connection stands as long as what is returned.
pub(super) fn stand_still(scene: &Scene, machines: usize) -> Result<TcpStream> {
    thread::sleep(PAUSE);
    let boot = &mut Boot::default();
    let first = |count: usize| Machines::new(scene, count.min(machines));
    let mut urls = first(6).ask(Stage::Pxe, boot)?;
    urls.truncate(4);
    first(4).load_ipxe(&urls, boot)?;
    let urls = first(2).ask(Stage::Ipxe, boot)?;
    ensure!(boot.faults.is_empty(), "{}", boot.faults.join(", "));
    let wish = first(1).wish(0, urls.into_iter().next().context("no boot URL")?);
    let stream = scene.machines()?.run(|| download::ask(&wish, Some(SMALL)))??;
    let mut answer = BufReader::new(stream);
    let length = download::head(&mut answer)?;
    for _ in 0..2 {
        answer.read_exact(&mut vec![0; length / 4]).context("a quarter of the file")?;
        // Once a second the daemon tells how far a slow transfer is.
        thread::sleep(SLOWLY);
    }
    Ok(answer.into_inner())
}
