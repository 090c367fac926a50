//! The tests package: the demo, the bench and the tests, all of them root's in network namespaces.

use std::{ffi::OsString, process::Command};

use anyhow::{Context as _, Result, bail};

use crate::{
    build::{self, Steering},
    command, setup, workspace,
};

/// A program of the tests package.
#[derive(Clone, Copy)]
pub(crate) enum Scene {
    /// A rack that boots.
    Demo,
    /// Numbers.
    Bench,
}

/// Builds, then runs a program of the tests package.
///
/// # Errors
///
/// Without root's rights, or when a step fails.
pub(crate) fn play(scene: Scene, args: &[OsString]) -> Result<()> {
    let name = match scene {
        Scene::Demo => "demo",
        Scene::Bench => "bench",
    };
    let mut cargo = ready(name)?;
    cargo.args(["run", "--quiet", "--release", "--package", "dhcpv6macd-tests", "--bin", name, "--"]).args(args);
    command::run(&mut cargo)
}

/// Builds, then runs every test of the workspace.
///
/// # Errors
///
/// Without root's rights, or when a step or a test fails.
pub(crate) fn test(args: &[OsString]) -> Result<()> {
    let mut cargo = ready("test")?;
    command::run(cargo.args(["test", "--workspace"]).args(args))
}

/// Everything installed and built, and a cargo that runs what it builds as root.
fn ready(task: &str) -> Result<Command> {
    let runner = root_runner(task)?;
    setup::tests()?;
    let daemon = build::all(Steering::Silent)?;
    let mut cargo = command::cargo();
    cargo.env("DHCPV6MACD", daemon).env("DHCPV6MACD_BPF_OBJECT", workspace::bpf_object()).envs(runner);
    Ok(cargo)
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
    let version = command::output(Command::new("rustc").arg("-vV").current_dir(workspace::root()))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    let variable = format!("CARGO_TARGET_{}_RUNNER", host.to_uppercase().replace('-', "_"));
    Ok(Some((variable, "sudo --preserve-env")))
}
