//! `cargo xtask`: everything that a developer or an operator runs.

mod apt;
mod build;
mod ci;
mod command;
mod fuzz;
mod ipxe;
mod lab;
mod setup;
mod tidy;
mod toolchain;
mod workspace;

use std::{
    ffi::OsString,
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Command, ExitCode},
};

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    build::{Embedded, Steering},
    lab::Scene,
};

/// Build, run, show, test and check dhcpv6macd.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Find or install what the build needs; a second run changes nothing
    Setup {
        /// What is wanted besides the build
        #[arg(long)]
        with: Vec<With>,
    },
    /// Build the steering program and the daemon that holds it: target/release/dhcpv6macd
    Build(BuildArgs),
    /// Build, then become the daemon: cargo xtask run -- --interface eth1 ...
    Run {
        #[command(flatten)]
        build: BuildArgs,
        /// Passed to the daemon
        #[arg(last = true)]
        args: Vec<OsString>,
    },
    /// Find or make an iPXE for the daemon to give, a file for --ipxe-x86-64-efi or for `build --embed-ipxe`
    Ipxe(ipxe::Wanted),
    /// Set up, build, and boot a rack of simulated machines in network namespaces (root)
    #[command(disable_help_flag = true)]
    Demo(Passed),
    /// Set up, build, and measure the daemon in network namespaces (root)
    #[command(disable_help_flag = true)]
    Bench(Passed),
    /// Set up, build, and run every test, the real clients included (root)
    #[command(disable_help_flag = true)]
    Test(Passed),
    /// Build the fuzz targets and run them side by side, from golden rows and captures on
    Fuzz {
        /// How long each runs
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
    /// Run every gate of the project and print what ran and how long
    Ci,
    /// Check the rules of the house
    Tidy,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum With {
    /// The DHCPv6 clients and network tools that the tests run
    Tests,
    /// What `cargo xtask ci` checks with
    Gates,
}

#[derive(Args)]
struct BuildArgs {
    /// Let the steering program log each frame that it sees (for debugging: it costs time per frame)
    #[arg(long)]
    log_steering: bool,
    /// Compile this iPXE into the daemon, which then needs no file for machines of its processor; may be given once for each
    #[arg(long, value_name = "FILE")]
    embed_ipxe: Vec<PathBuf>,
}

#[derive(Args)]
struct Passed {
    /// Passed on as they are, --help too
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

impl BuildArgs {
    fn embedded(&self) -> Result<Embedded> {
        Embedded::new(if self.log_steering { Steering::Logging } else { Steering::Silent }, &self.embed_ipxe)
    }
}

fn main() -> ExitCode {
    match perform(Cli::parse().task) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("cargo xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task) -> Result<ExitCode> {
    match task {
        Task::Setup { with } => {
            let (compiler, _) = setup::build()?;
            if with.contains(&With::Tests) {
                setup::tests()?;
            }
            if with.contains(&With::Gates) {
                setup::clippy(&compiler)?;
                setup::cargo_deny()?;
            }
        }
        Task::Build(args) => {
            let daemon = build::all(&args.embedded()?)?;
            println!("built {}", daemon.display());
        }
        Task::Run { build, args } => {
            let daemon = build::all(&build.embedded()?)?;
            let error = Command::new(&daemon).args(args).exec();
            return Err(error).with_context(|| format!("cannot run {}", daemon.display()));
        }
        Task::Ipxe(wanted) => println!("{}", ipxe::find_or_make(&wanted)?.display()),
        Task::Demo(passed) => return lab::play(Scene::Demo, &passed.args),
        Task::Bench(passed) => return lab::play(Scene::Bench, &passed.args),
        Task::Test(passed) => lab::test(&passed.args)?,
        Task::Fuzz { seconds } => fuzz::run(seconds)?,
        Task::Ci => ci::run()?,
        Task::Tidy => tidy::run()?,
    }
    Ok(ExitCode::SUCCESS)
}
