//! A round: a daemon, its audience, and machines that boot.

use std::{collections::BTreeMap, thread, time::Duration};

use anyhow::{Context as _, Result, bail};
use dhcpv6macd::datapath::worker::{go_first, pin};
use rustix::process::setpriority_process;

use super::{
    super::{
        client_cpu,
        link::Link,
        own_process,
        spent::{self, Spent},
    },
    Audience, Options,
};
use crate::{
    lab::{Daemon, Host, Process, ROUTER_INTERFACE},
    population::{Arrivals, Counterpart, Goal, Load, Outcome, Population, Port},
    subscribers::Heard,
};

/// How long subscribers may go on reading when the last machine has booted.
const LATE: f64 = 15.0;
/// Above everything else: the machines are the clock that is measured by.
const MACHINES_NICE: i32 = -20;

/// A router, and the machines' end of its cable.
#[derive(Debug)]
pub(super) struct Scene {
    link: Link,
    port: Port,
}

/// What came of a round.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) outcome: Outcome,
    /// `None` where nobody listens.
    pub(super) heard: Option<Heard>,
    /// What the daemon has spent while machines booted.
    pub(super) spent: Spent,
    /// What the machines' thread has.
    pub(super) machines: Spent,
    /// The most memory that the daemon had, in KiB.
    pub(super) memory: u64,
    pub(super) counters: BTreeMap<String, u64>,
}

impl Scene {
    pub(super) fn new() -> Result<Self> {
        let link = Link::new()?;
        let port = link.port()?;
        Ok(Self { link, port })
    }

    pub(super) fn round(&mut self, options: &Options, audience: Audience) -> Result<Sample> {
        let prefix = self.link.base.to_string();
        let least = ["--interface", ROUTER_INTERFACE, "--base-address", &prefix];
        let daemon = Daemon::start(&self.link.router, &[&least[..], &options.mode().arguments()].concat())?;
        let subscribers =
            (audience != Audience::NOBODY).then(|| subscribers(&self.link.router, options, audience)).transpose()?;
        let before = Spent::by_process(daemon.pid())?;
        let (outcome, machines) = self.boot(options)?;
        let spent = Spent::by_process(daemon.pid())?.since(before);
        if let Some((mac, fault)) = &outcome.first_wrong {
            bail!("{} wrong answers, the first: {mac} {fault}", outcome.wrong);
        }
        let heard = subscribers.map(|process| heard(process, options)).transpose()?;
        let memory = spent::memory_peak(daemon.pid())?;
        let counters = daemon.stop()?.counters;
        Ok(Sample { outcome, heard, spent, machines, memory, counters })
    }

    /// Every machine boots once, driven by a thread that is tied to the last CPU.
    fn boot(&mut self, options: &Options) -> Result<(Outcome, Spent)> {
        let mut population = Population::new(options.machines(), Counterpart::Server(self.link.base)).in_pxe();
        let load = Load { arrivals: Arrivals::Pace(options.pace), goal: Goal::OnceEach };
        let port = &mut self.port;
        thread::scope(|scope| {
            let drive = || -> Result<_> {
                pin(client_cpu()).context("cannot tie the machines to a CPU")?;
                setpriority_process(None, MACHINES_NICE).context("cannot have the machines go first")?;
                go_first().context("cannot have the machines go first")?;
                let before = Spent::by_this_thread()?;
                let outcome = population.drive_at(port, load, |_| {})?;
                Ok((outcome, Spent::by_this_thread()?.since(before)))
            };
            scope.spawn(drive).join().map_err(|_| anyhow::anyhow!("the machines' thread panicked"))?
        })
    }
}

/// This very program, as subscribers that have heard what is known.
fn subscribers(router: &Host, options: &Options, audience: Audience) -> Result<Process> {
    let Audience { readers, deaf } = audience;
    let machines = options.machines();
    let seconds = options.seconds + LATE;
    let arguments = format!("subscribers --readers {readers} --deaf {deaf} --machines {machines} --seconds {seconds}");
    own_process(router, &arguments.split(' ').collect::<Vec<_>>())
}

fn heard(process: Process, options: &Options) -> Result<Heard> {
    let ended = process.wait(Duration::from_secs_f64(options.seconds + 2.0 * LATE))?.success()?;
    ended.lines().last().context("the subscribers said nothing")?.parse()
}
