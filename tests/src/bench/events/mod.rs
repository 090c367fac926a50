//! The bench of events: machines boot at a pace, while nobody, one, or a thousand hear of it.
//!
//! The same daemon, started anew for every round, with audiences in turns: that nobody listens is what the others are measured by.

mod audience;
mod report;
mod round;
mod verdict;

use std::{
    io::{self, Write as _},
    time::Duration,
};

use anyhow::{Context as _, Result};
use clap::Args;
use dhcpv6macd::datapath::worker::pin;
use rustix::process::setpriority_process;

use self::{
    audience::Audience,
    report::Report,
    round::{Sample, Scene},
};
use super::{client_cpu, kernel, say_ready, seconds};
use crate::{
    lab::{Mode, ModeArgs},
    progress::Progress,
    subscribers::{Crowd, dial},
};

/// Machines that boot at a fixed pace, while thousands hear of it
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Machines that begin in a second
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pace: u32,
    /// How long they do in each round
    #[arg(long, default_value_t = 10.0, value_parser = seconds)]
    seconds: f64,
    /// Rounds of each audience; medians are shown
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Subscribers that read, where there are many
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=4000))]
    subscribers: u32,
    /// Subscribers beside them that never read
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    deaf: u32,
    #[command(flatten)]
    mode: ModeArgs,
    /// Succeed even where a threshold is missed
    #[arg(long)]
    report_only: bool,
}

impl Options {
    fn audiences(&self) -> [Audience; 4] {
        let Self { subscribers, deaf, .. } = *self;
        [(0, 0), (1, 0), (subscribers, 0), (subscribers, deaf)].map(|(readers, deaf)| Audience { readers, deaf })
    }

    /// Machines of a round; each begins once.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "both factors have their bounds")]
    fn machines(&self) -> usize {
        (f64::from(self.pace) * self.seconds).ceil() as usize
    }

    fn mode(&self) -> Mode {
        self.mode.mode().unwrap_or(Mode::Auto)
    }
}

/// Measures, and tells whether every threshold was met.
///
/// # Errors
///
/// Without root's rights, where the daemon does not start, or where it answered anything wrong.
pub fn run(options: &Options) -> Result<bool> {
    let mut scene = Scene::new()?;
    writeln!(io::stdout(), "{}", opening(options)?)?;
    let report = Report { samples: measure(options, &mut scene)?, pace: options.pace };
    write!(io::stdout(), "{report}")?;
    Ok(report.is_met() || options.report_only)
}

/// All rounds, the audiences in turns.
fn measure(options: &Options, scene: &mut Scene) -> Result<Vec<(Audience, Sample)>> {
    let audiences = options.audiences();
    let mut progress = Progress::new("measuring".into(), u64::from(options.rounds) * audiences.len() as u64, "rounds");
    let (mut samples, mut elapsed, mut done) = (Vec::new(), Duration::ZERO, 0);
    for _ in 0..options.rounds {
        for audience in audiences {
            progress.show(done);
            let sample = scene.round(options, audience)?;
            elapsed += sample.outcome.elapsed;
            samples.push((audience, sample));
            done += 1;
        }
    }
    progress.finish(done, elapsed)?;
    Ok(samples)
}

/// What is measured, where, and how.
fn opening(options: &Options) -> Result<String> {
    let cpus = match client_cpu() {
        0 => "everybody shares the only CPU".to_owned(),
        client => {
            format!("the daemon's worker on CPU 0, machines and subscribers on CPU {client}, other threads anywhere")
        }
    };
    Ok(format!(
        "{} machines a second over veth, open loop, in UEFI PXE (Solicit, Advertise, Request, Reply), each once; subscribers over loopback.
{} rounds of {} s for each audience, in turns, each with a daemon of its own; medians. Linux {}; {cpus}.
",
        options.pace,
        options.rounds,
        options.seconds,
        kernel()?,
    ))
}

/// What the process of the subscribers is told.
#[derive(Clone, Debug, Args)]
pub struct SubscriberOptions {
    #[arg(long)]
    readers: usize,
    #[arg(long)]
    deaf: usize,
    #[arg(long)]
    machines: usize,
    #[arg(long, value_parser = seconds)]
    seconds: f64,
}

/// Lower than everything else: subscribers are other computers, and may be late.
const SUBSCRIBERS_NICE: i32 = 15;

/// What the process of the subscribers does.
///
/// # Errors
///
/// Where the daemon does not take them in, or tells what is no event.
pub fn subscribe(options: &SubscriberOptions) -> Result<()> {
    pin(client_cpu()).context("cannot tie the subscribers to a CPU")?;
    setpriority_process(None, SUBSCRIBERS_NICE)?;
    let crowd = Crowd::subscribe(options.readers, options.machines)?;
    let _deaf = (0..options.deaf).map(|_| dial()).collect::<Result<Vec<_>>>()?;
    say_ready();
    let heard = crowd.listen(Duration::from_secs_f64(options.seconds))?;
    Ok(writeln!(io::stdout(), "{heard}")?)
}
