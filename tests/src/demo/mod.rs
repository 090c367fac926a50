//! The demo: power comes back to a rack, all of its machines boot at once, and everybody can see what happens.
//!
//! * [`scene`]: the rack, and what its router serves. [`boot`]: the machines, stage by stage. [`download`]: their files over HTTP.
//! * [`watch`]: what everybody is told of them. [`door`]: the live page, for whoever runs the demo.
//! * [`report`]: what it came to.

mod boot;
mod door;
mod download;
mod report;
mod scene;
mod watch;

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    thread,
};

use anyhow::{Context as _, Result};
use clap::Parser;
use dhcpv6macd::policy::BaseAddress;

use self::{
    boot::{Boot, Machines, stand_still},
    report::Report,
    scene::Scene,
    watch::Watch,
};
use crate::lab::{Daemon, Mode, ModeArgs};

/// Where the machines' addresses come from: the prefix for documentation (RFC 3849).
const PREFIX: &str = "2001:db8:0:1::/80";

/// Power comes back to a rack: all machines boot at once, from their firmware to their operating systems, against the real daemon; in
/// every mode unless one is named.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo xtask demo", bin_name = "cargo xtask demo")]
pub struct Options {
    /// Machines in the rack
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=2000))]
    machines: u32,
    /// Leave the rack and its live page up until Ctrl-C, with some machines that stand still
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    mode: ModeArgs,
}

/// One after another, where no mode is asked for.
const MODES: [Mode; 3] = [Mode::Generic, Mode::Packet, Mode::Native];

/// Plays the demo, and tells whether every machine booted as it should.
///
/// # Errors
///
/// Without root's rights, or where the daemon does not start or end well.
pub fn play(options: &Options) -> Result<bool> {
    let base: BaseAddress = PREFIX.parse().context("the prefix of the demo")?;
    let mut out = io::stdout();
    let scene = Scene::build(base)?;
    let page = door::open(scene.router())?;
    writeln!(out, "{}", opening(options, &scene, page))?;
    let modes = options.mode.mode().map_or(MODES.to_vec(), |mode| vec![mode]);
    let mut reports = Vec::new();
    let mut kept = None;
    for (number, mode) in modes.iter().enumerate() {
        let is_kept = options.keep && number + 1 == modes.len();
        let (report, daemon) = scene.play(*mode, usize::try_from(options.machines)?, is_kept)?;
        reports.push(report);
        kept = daemon;
    }
    report::write(&mut out, &reports, base, options.machines)?;
    if kept.is_some() {
        keep(&scene, usize::try_from(options.machines)?, page)?;
    }
    Ok(reports.iter().all(Report::is_right))
}

impl Scene {
    /// Starts the daemon, lets every machine boot at once, and stops the daemon, unless it is to be kept.
    fn play(&self, mode: Mode, machines: usize, is_kept: bool) -> Result<(Report, Option<Daemon>)> {
        let daemon = self.daemon(mode)?;
        let datapath = daemon.says("datapath")?;
        writeln!(io::stdout(), "\n{datapath}")?;
        let watch = Watch::start(self)?;
        let boot: Boot = Machines::new(self, machines).boot(&watch)?;
        let (stopped, daemon) = if is_kept { (None, Some(daemon)) } else { (Some(daemon.stop()?), None) };
        Ok((Report { datapath, machines, boot, stopped }, daemon))
    }
}

/// Leaves everything as it is, but for some machines that do not boot to their end, until a signal ends this process.
fn keep(scene: &Scene, machines: usize, page: SocketAddr) -> Result<()> {
    writeln!(io::stdout(), "\nSome machines are switched on once more, and stand still on their way:")?;
    let _standing = stand_still(scene, machines)?;
    writeln!(
        io::stdout(),
        "\nWithin a minute http://{page}/ says why. The rack stays up until Ctrl-C, which leaves nothing behind."
    )?;
    loop {
        thread::park();
    }
}

/// What is to be seen.
fn opening(options: &Options, scene: &Scene, page: SocketAddr) -> String {
    let machines = options.machines;
    let how_long = if options.keep { "" } else { " (--keep leaves it up to look at)" };
    let (base, length) = (scene.base, scene.boot_file.len() >> 20);
    let ipxe = if scene.has_stand_in() { "a stand-in for iPXE" } else { "iPXE" };
    let size = scene.ipxe.len() >> 10;
    format!(
        "Power comes back to a rack: {machines} machines boot at once.

   machines ─── switch ─── rack0 of the router: dhcpv6macd

Each machine has its own MAC, and a DUID that does not show it. In its firmware's PXE, in iPXE
and in its operating system it is to get {base} + MAC, and to load
{ipxe} ({size} KiB) by TFTP, then boot.efi ({length} MiB) over HTTP.
Real: the daemon, the kernel, XDP, TCP, the links in network namespaces.
Simulated: the machines.

The rack, live, while this runs: http://{page}/{how_long}"
    )
}
