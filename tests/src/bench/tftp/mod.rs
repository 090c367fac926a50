//! The bench of TFTP: files read from the daemon by simulated machines, beside what its rings can do at best, and beside others.
//!
//! The contenders, each on a veth pair of its own, take turns in the same run. Every server has the first CPU, all its threads and
//! children together; the machines have the last.

mod contender;
mod peer;
mod report;
mod sample;
mod scenario;
mod verdict;

use std::{
    collections::BTreeSet,
    io::{self, Write as _},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use clap::Args;
use dhcpv6macd::datapath::worker::pin;

pub use self::{
    contender::{BareOptions, bare},
    peer::inetd,
};
use self::{
    contender::{Contender, Kind},
    report::Report,
    sample::Samples,
    scenario::Scenario,
};
use super::{client_cpu, kernel, seconds};
use crate::{
    lab::{Mode, ModeArgs},
    progress::Progress,
};

/// Transfers of a file of 1 MiB from the real daemon, beside a bare ring and beside the TFTP servers of others
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Rounds of each contender in each scenario; medians are shown
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// How long a round lasts
    #[arg(long, default_value_t = 2.0, value_parser = seconds)]
    seconds: f64,
    /// Which scenarios; all when not given
    #[arg(long, value_enum, value_delimiter = ',')]
    scenarios: Vec<Scenario>,
    /// Which contenders; all when not given
    #[arg(long, value_enum, value_delimiter = ',')]
    contenders: Vec<Kind>,
    #[command(flatten)]
    mode: ModeArgs,
    /// Succeed even where a threshold is missed
    #[arg(long)]
    report_only: bool,
}

impl Options {
    /// Arguments of the daemon besides interface, prefix and directory.
    fn daemon_arguments(&self) -> [&'static str; 2] {
        self.mode.mode().unwrap_or(Mode::Auto).arguments()
    }

    fn round(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    fn scenarios(&self) -> Vec<Scenario> {
        let all = Scenario::ALL.into_iter();
        all.filter(|scenario| self.scenarios.is_empty() || self.scenarios.contains(scenario)).collect()
    }

    fn contenders(&self) -> Vec<Kind> {
        let all = Kind::ALL.into_iter();
        all.filter(|kind| self.contenders.is_empty() || self.contenders.contains(kind)).collect()
    }

    /// Who takes part how often: what others do with a thousand clients or with a lossy network takes them long, and once is enough. A
    /// bare ring is nothing for networks that lose frames, as the clients' own ring does that is shorter than a thousand windows.
    fn rounds(&self, scenario: Scenario, kind: Kind) -> u32 {
        if kind.is_bare() && (scenario.is_lossy() || scenario == Scenario::ThousandWindows) {
            0
        } else if kind.is_peer() && !scenario.is_lasting() {
            1
        } else {
            self.rounds
        }
    }
}

/// Measures, and tells whether every threshold was met.
///
/// # Errors
///
/// Without root's rights, where a contender does not start, or where anybody was given a wrong byte.
pub fn run(options: &Options) -> Result<bool> {
    let mut contenders = start(options)?;
    writeln!(io::stdout(), "{}", opening(options)?)?;
    pin(client_cpu()).context("cannot tie the clients to a CPU")?;
    let samples = measure(options, &mut contenders)?;
    let mut report = Report { samples, daemon: None };
    for contender in contenders {
        report.daemon = contender.finish()?.or(report.daemon);
    }
    write!(io::stdout(), "{report}")?;
    Ok(report.is_met() || options.report_only)
}

/// All contenders, tied to the first CPU by the thread that starts them.
fn start(options: &Options) -> Result<Vec<Contender>> {
    thread::scope(|scope| {
        let start = || {
            pin(0).context("cannot tie the servers to a CPU")?;
            options.contenders().into_iter().map(|kind| Contender::start(kind, options)).collect()
        };
        scope.spawn(start).join().map_err(|_| anyhow::anyhow!("the contenders' thread panicked"))?
    })
}

/// All rounds of all scenarios, the contenders in turns.
fn measure(options: &Options, contenders: &mut [Contender]) -> Result<Samples> {
    let scenarios = options.scenarios();
    let pairs = scenarios.iter().flat_map(|scenario| contenders.iter().map(|contender| (*scenario, contender.kind())));
    let rounds = pairs.map(|(scenario, kind)| u64::from(options.rounds(scenario, kind))).sum();
    let mut progress = Progress::new("measuring".into(), rounds, "rounds");
    let mut samples = Samples::default();
    let mut gone = BTreeSet::new();
    let mut elapsed = Duration::ZERO;
    let mut done = 0;
    for scenario in scenarios {
        for round in 0..options.rounds {
            for contender in &mut *contenders {
                let kind = contender.kind();
                if gone.contains(&kind) || round >= options.rounds(scenario, kind) {
                    continue;
                }
                progress.show(done);
                match contender.measure(scenario.load(options.round(), round)) {
                    Ok(sample) => {
                        elapsed += sample.elapsed;
                        samples.add(scenario, kind, sample);
                    }
                    // What ours can do is measured even so.
                    Err(error) if kind.is_peer() => {
                        writeln!(io::stdout(), "{scenario}: {error:#}")?;
                        gone.insert(kind);
                    }
                    Err(error) => return Err(error),
                }
                done += 1;
            }
        }
    }
    progress.finish(done, elapsed)?;
    Ok(samples)
}

/// What is measured, where, and how.
fn opening(options: &Options) -> Result<String> {
    let cpus = match client_cpu() {
        0 => "clients and servers share the only CPU".to_owned(),
        client => format!("each server on CPU 0, the clients on CPU {client}"),
    };
    let mut text = format!(
        "A file of 1 MiB in blocks of {} bytes to simulated machines over veth, every byte checked.
{} rounds for each contender in each scenario, in turns, of {} s or one file for each client; medians.
Linux {}; {cpus}.

bare ring    rings on the interface itself, no sessions: an acknowledgement is answered by the blocks behind it
napping ring the same, but naps before it waits, as the daemon's workers do
daemon       dhcpv6macd {}
",
        scenario::BLOCK_SIZE,
        options.rounds,
        options.seconds,
        kernel()?,
        options.daemon_arguments().join(" "),
    );
    for kind in options.contenders() {
        if let Some(command) = kind.command_line() {
            text.push_str(&format!("{kind:12} {command}\n"));
        }
    }
    Ok(text)
}
