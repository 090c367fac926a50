//! The bench of HTTP: a file that many load at once from the daemon, beside nginx, plain and over TLS.
//!
//! Both servers are on one host, and their clients load over its loopback interface. Each server has the first CPU, the clients the last.

mod client;
mod contender;
mod records;
mod report;

use std::{
    io::{self, Write as _},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use dhcpv6macd::datapath::worker::pin;

use self::{
    client::load,
    contender::{Contender, Kind, Scene},
    report::{Report, Sample},
};
use super::{client_cpu, kernel, spent::Spent};
use crate::progress::Progress;

/// Downloads of a file from the real daemon, beside nginx
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Rounds of each contender with 256 downloads, and four times as many with 16, which are shorter; medians are shown
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// How long the file is, MiB
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=4096))]
    size: u32,
    /// Congestion control of all connections. BBR paces each by what it believes of it: rounds differ by chance then
    #[arg(long, default_value = "reno")]
    congestion_control: String,
    /// Which scenarios; all when not given
    #[arg(long, value_enum, value_delimiter = ',')]
    scenarios: Vec<Scenario>,
    /// Succeed even where a threshold is missed
    #[arg(long)]
    report_only: bool,
}

impl Options {
    fn scenarios(&self) -> Vec<Scenario> {
        let all = Scenario::ALL.into_iter();
        all.filter(|scenario| self.scenarios.is_empty() || self.scenarios.contains(scenario)).collect()
    }

    fn rounds(&self, scenario: Scenario) -> u32 {
        self.rounds * if scenario.downloads() < 256 { 4 } else { 1 }
    }

    fn length(&self) -> u64 {
        u64::from(self.size) << 20
    }
}

/// How many load at once, and over what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Scenario {
    Plain16,
    Plain256,
    Tls16,
    Tls256,
}

impl Scenario {
    const ALL: [Self; 4] = [Self::Plain16, Self::Plain256, Self::Tls16, Self::Tls256];

    const fn downloads(self) -> u32 {
        match self {
            Self::Plain16 | Self::Tls16 => 16,
            Self::Plain256 | Self::Tls256 => 256,
        }
    }

    const fn is_encrypted(self) -> bool {
        matches!(self, Self::Tls16 | Self::Tls256)
    }
}

impl std::fmt::Display for Scenario {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let over = if self.is_encrypted() { "TLS 1.3, AES-128-GCM" } else { "plain" };
        write!(formatter, "{} downloads, {over}", self.downloads())
    }
}

/// Measures, and tells whether every threshold was met.
///
/// # Errors
///
/// Without root's rights, where a contender does not start, or where anybody was given a wrong byte.
pub fn run(options: &Options) -> Result<bool> {
    let scene = Scene::new(options.length(), &options.congestion_control)?;
    let contenders = start(&scene)?;
    writeln!(io::stdout(), "{}", opening(options)?)?;
    pin(client_cpu()).context("cannot tie the clients to a CPU")?;
    for contender in &contenders {
        for scenario in options.scenarios() {
            scene.check(contender, scenario)?;
        }
    }
    let report = Report { samples: measure(options, &scene, &contenders)? };
    write!(io::stdout(), "{report}")?;
    Ok(report.is_met() || options.report_only)
}

/// All contenders, tied to the first CPU by the thread that starts them.
fn start(scene: &Scene) -> Result<Vec<Contender>> {
    thread::scope(|scope| {
        let start = || {
            pin(0).context("cannot tie the servers to a CPU")?;
            Kind::ALL.into_iter().map(|kind| Contender::start(kind, scene)).collect()
        };
        scope.spawn(start).join().map_err(|_| anyhow::anyhow!("the contenders' thread panicked"))?
    })
}

/// All rounds of all scenarios, the contenders in turns.
fn measure(options: &Options, scene: &Scene, contenders: &[Contender]) -> Result<Vec<(Scenario, Kind, Sample)>> {
    let scenarios = options.scenarios();
    let rounds: u32 = scenarios.iter().map(|scenario| options.rounds(*scenario)).sum();
    let mut progress = Progress::new("measuring".into(), u64::from(rounds) * contenders.len() as u64, "rounds");
    let (mut samples, mut elapsed, mut done) = (Vec::new(), Duration::ZERO, 0);
    for scenario in scenarios {
        for _ in 0..options.rounds(scenario) {
            for contender in contenders {
                progress.show(done);
                let sample = round(options.length(), scene, contender, scenario)?;
                elapsed += sample.elapsed;
                samples.push((scenario, contender.kind(), sample));
                done += 1;
            }
        }
    }
    progress.finish(done, elapsed)?;
    Ok(samples)
}

/// Every connection is there, and its handshake made, before the clock starts.
fn round(length: u64, scene: &Scene, contender: &Contender, scenario: Scenario) -> Result<Sample> {
    let downloads = scene.connect(contender, scenario)?;
    let (server_before, client_before) = (contender.executed()?, Spent::by_this_thread()?);
    let elapsed = load(downloads, length)
        .with_context(|| format!("{scenario} from {}: it said: {}", contender.kind(), contender.output()))?;
    let server = contender.executed()?.saturating_sub(server_before);
    let client = Spent::by_this_thread()?.since(client_before);
    let bytes = length * u64::from(scenario.downloads());
    Ok(Sample { elapsed, bytes, server, client })
}

/// What is measured, where, and how.
fn opening(options: &Options) -> Result<String> {
    let cpus = match client_cpu() {
        0 => "clients and servers share the only CPU".to_owned(),
        client => format!("each server on CPU 0, the clients on CPU {client}"),
    };
    Ok(format!(
        "Downloads of a file of {} MiB over loopback, all at once. {} rounds of each contender with 256 downloads and four times as many with 16, in turns; medians.
Linux {}, TCP with {}; {cpus}. Clients throw away what they load, encrypted as it is; one download of each kind was compared byte by byte before.",
        options.size,
        options.rounds,
        kernel()?,
        options.congestion_control,
    ))
}
