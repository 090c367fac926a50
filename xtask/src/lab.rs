//! The tests package: the demo, the bench and the tests, all of them root's in network namespaces.

use std::{
    ffi::OsString,
    process::{Command, ExitCode},
};

use anyhow::{Result, bail};

use crate::{
    build::{self, Embedded, Steering},
    command, ipxe, setup, toolchain,
};

/// The package.
const TESTS: &str = "dhcpv6macd-tests";

/// A program of the tests package.
#[derive(Clone, Copy)]
pub(crate) enum Scene {
    /// A rack that boots.
    Demo,
    /// Numbers.
    Bench,
}

/// Builds, then runs a program of the tests package, and ends as it does: what is wrong it has said itself.
///
/// # Errors
///
/// Without root's rights, or when a step before it fails.
pub(crate) fn play(scene: Scene, args: &[OsString]) -> Result<ExitCode> {
    let name = match scene {
        Scene::Demo => "demo",
        Scene::Bench => "bench",
    };
    let program = ["--package", TESTS, "--bin", name];
    let embedded = match scene {
        Scene::Demo => with_ipxe()?,
        Scene::Bench => Embedded::LEAST,
    };
    let bench = args.first().filter(|_| matches!(scene, Scene::Bench)).and_then(|bench| bench.to_str());
    let set_up = match bench {
        Some("tftp") => setup::tftp_bench,
        Some("http") => setup::http_bench,
        _ => setup::lab,
    };
    let mut cargo = ready(name, set_up, &embedded, &program)?;
    command::status(cargo.args(["run", "--quiet", "--release"]).args(program).arg("--").args(args))
}

/// Builds, then runs every test of the workspace.
///
/// # Errors
///
/// Without root's rights, or when a step or a test fails.
pub(crate) fn test(args: &[OsString]) -> Result<()> {
    let mut cargo = ready("test", setup::tests, &Embedded::LEAST, &["--package", TESTS])?;
    let of_cargo = args.iter().take_while(|word| *word != "--");
    command::stage("compiling the tests (two minutes, when nothing is there yet)", || {
        command::run(command::cargo().args(["test", "--quiet", "--workspace", "--no-run"]).args(of_cargo))
    })?;
    match ipxe::debian() {
        Ok(image) => drop(cargo.env("TEST_IPXE", image)),
        Err(error) => println!("the tests go without iPXE: {error:#}"),
    }
    command::run(cargo.args(["test", "--workspace"]).args(args))
}

/// Everything installed and built, and a cargo that runs what it builds as root.
fn ready(task: &str, set_up: fn() -> Result<()>, embedded: &Embedded, programs: &[&str]) -> Result<Command> {
    let runner = root_runner(task)?;
    set_up()?;
    let daemon = build::all_with(embedded, programs)?;
    let mut cargo = command::cargo();
    cargo.env("DHCPV6MACD", daemon).envs(runner).envs(embedded.variables());
    Ok(cargo)
}

/// With an iPXE, where one is to be had: a rack needs none to get its addresses.
fn with_ipxe() -> Result<Embedded> {
    match ipxe::debian() {
        Ok(image) => Embedded::new(Steering::Silent, &[image]),
        Err(error) => {
            println!("the daemon goes without iPXE: {error:#}");
            Ok(Embedded::LEAST)
        }
    }
}

/// Builds stay the user's; only the programs built are run through sudo.
fn root_runner(task: &str) -> Result<Option<(String, &'static str)>> {
    if command::is_root()? {
        return Ok(None);
    }
    if command::find("sudo").is_none() {
        bail!("`cargo xtask {task}` makes network namespaces and loads BPF programs: run it as root, or install sudo");
    }
    println!("not root: what makes network namespaces and loads BPF programs is run through sudo");
    let variable = format!("CARGO_TARGET_{}_RUNNER", toolchain::host()?.to_uppercase().replace('-', "_"));
    Ok(Some((variable, "sudo --preserve-env")))
}
