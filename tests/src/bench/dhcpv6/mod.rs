//! The bench: what the daemon does with exchanges of four messages, beside what the rings alone can do with the same frames.
//!
//! Three contenders, each on a veth pair of its own, take turns in the same run, so that a busy machine is busy for all of them:
//!
//! * the *bare echo* on the interface itself, which waits at its ring for every frame: no XDP, no steering link, no DHCPv6;
//! * the *worker's echo*, which naps before it waits, as the daemon's workers do;
//! * the *daemon*, whole and real.

mod contender;
mod report;
mod sample;
mod verdict;

use std::{
    io::{self, Write as _},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use dhcpv6macd::datapath::worker::pin;

pub use self::contender::echo;
use self::{
    contender::{Contender, Kind},
    report::Report,
    sample::{Sample, Samples},
};
use super::{client_cpu, kernel, seconds};
use crate::{
    lab::{Mode, ModeArgs},
    progress::Progress,
};

/// Closed-loop exchanges of four messages against the real daemon, beside a bare ring echo of the same frames
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Machines that take turns
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    machines: u32,
    /// Rounds of each contender at each window; medians are shown
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// How long a round lasts
    #[arg(long, default_value_t = 2.0, value_parser = seconds)]
    seconds: f64,
    /// Exchanges under way at any moment
    #[arg(long, value_delimiter = ',', default_values_t = [1, 64, 1000])]
    windows: Vec<u32>,
    #[command(flatten)]
    mode: ModeArgs,
    /// Workers of the daemon; its own default when not given
    #[arg(long)]
    workers: Option<u32>,
    /// Succeed even where a threshold is missed
    #[arg(long)]
    report_only: bool,
}

impl Options {
    /// Arguments of the daemon besides interface and prefix.
    fn daemon_arguments(&self) -> Vec<String> {
        let mut arguments = self.mode.mode().unwrap_or(Mode::Auto).arguments().to_vec();
        let workers = self.workers.map(|count| count.to_string());
        arguments.extend(workers.as_deref().into_iter().flat_map(|count| ["--workers", count]));
        arguments.into_iter().map(str::to_owned).collect()
    }

    fn round(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}

/// Measures, and tells whether every threshold was met.
///
/// # Errors
///
/// Without root's rights, where a contender does not start, or where the daemon answered anything wrong.
pub fn run(options: &Options) -> Result<bool> {
    for window in &options.windows {
        ensure!((1..=options.machines).contains(window), "a window of {window}: not from 1 to {}", options.machines);
    }
    // The contenders first: what they start would otherwise be tied to the client's CPU.
    let start = |kind| Contender::start(kind, options);
    let mut contenders = Kind::ALL.into_iter().map(start).collect::<Result<Vec<_>>>()?;
    writeln!(io::stdout(), "{}", opening(options)?)?;
    pin(client_cpu()).context("cannot tie the client to a CPU")?;

    let samples = measure(options, &mut contenders)?;
    let daemon = contenders.into_iter().find(|contender| contender.kind() == Kind::Daemon);
    let report = Report { samples, daemon: daemon.context("no daemon took part")?.finish()? };
    write!(io::stdout(), "{report}")?;
    Ok(report.is_met() || options.report_only)
}

/// All rounds at all windows, the contenders in turns.
fn measure(options: &Options, contenders: &mut [Contender]) -> Result<Samples> {
    let rounds = u64::from(options.rounds) * u64::try_from(options.windows.len() * contenders.len())?;
    let mut progress = Progress::new("measuring".into(), rounds, "rounds");
    let mut samples = Samples::default();
    let mut done = 0;
    let mut elapsed = Duration::ZERO;
    for &window in &options.windows {
        for _ in 0..options.rounds {
            for contender in &mut *contenders {
                progress.show(done);
                let sample = contender.measure(usize::try_from(window)?, options.round())?;
                elapsed += sample.elapsed;
                samples.add(window, contender.kind(), sample);
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
        0 => "client and server share the only CPU".to_owned(),
        client => format!("server on CPU 0, client on CPU {client}"),
    };
    Ok(format!(
        "Exchanges of four messages (Solicit, Advertise, Request, Reply) with {} machines over veth, closed loop.
{} rounds of {} s for each contender at each window, in turns; medians. Linux {}; {cpus}.

bare echo       rings on the interface itself, every frame sent straight back, waits for every frame
worker's echo   the same, but naps before it waits, as the daemon's workers do
daemon          dhcpv6macd {}
",
        options.machines,
        options.rounds,
        options.seconds,
        kernel()?,
        options.daemon_arguments().join(" "),
    ))
}
