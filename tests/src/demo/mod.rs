//! The demo: power comes back to a rack, all of its machines ask for their address at once, and everybody can see what happens.

mod report;
mod scene;

use std::io::{self, Write as _};

use anyhow::{Context as _, Result};
use clap::Parser;
use dhcpv6macd::policy::BaseAddress;

use self::{report::Report, scene::Scene};
use crate::{
    lab::{Mode, ModeArgs},
    progress::Progress,
};

/// Where the machines' addresses come from: the prefix for documentation (RFC 3849).
const PREFIX: &str = "2001:db8:0:1::/80";

/// Power comes back to a rack: all machines ask the real daemon for their address at once, in every mode unless one is named.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo xtask demo", bin_name = "cargo xtask demo")]
pub struct Options {
    /// Machines in the rack
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    machines: u32,
    #[command(flatten)]
    mode: ModeArgs,
}

/// One after another, where no mode is asked for.
const MODES: [Mode; 3] = [Mode::Native, Mode::Generic, Mode::Packet];

/// Plays the demo, and tells whether every machine got exactly its address.
///
/// # Errors
///
/// Without root's rights, or where the daemon does not start or end well.
pub fn play(options: &Options) -> Result<bool> {
    let base: BaseAddress = PREFIX.parse().context("the prefix of the demo")?;
    let machines = options.machines;
    let mut out = io::stdout();
    writeln!(out, "{}", opening(machines, base))?;
    let scene = Scene::build()?;
    let mut reports = Vec::new();
    for mode in options.mode.mode().map_or(MODES.to_vec(), |mode| vec![mode]) {
        let mut progress = Progress::new(mode.to_string(), machines.into(), "have their address");
        let report = scene.play(mode, machines, base, |outcome| progress.show(outcome.exchanges))?;
        progress.finish(report.outcome.exchanges, report.outcome.elapsed)?;
        reports.push((mode, report));
    }
    report::write(&mut out, &reports, base, machines)?;
    Ok(reports.iter().all(|(_, report)| report.is_right()))
}

/// What is to be seen.
fn opening(machines: u32, base: BaseAddress) -> String {
    format!(
        "Power comes back to a rack: {machines} machines ask for an address at once.

   machines ─── switch ─── rack0 of the router: dhcpv6macd

Each machine has its own MAC, and a DUID that does not show it.
It is to get {base} + MAC.
Real: the daemon, the kernel, XDP, the links in network namespaces.
Simulated: the machines.
"
    )
}
