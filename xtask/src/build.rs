//! The steering program, then the daemon that holds it.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};

use crate::{
    command, setup,
    toolchain::{Compiler, Linker},
    workspace,
};

/// What the steering program tells about each frame.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Steering {
    /// Nothing: what is used in earnest.
    Silent,
    /// A line in the daemon's log.
    Logging,
}

/// Builds what changed, and returns where the daemon is.
///
/// # Errors
///
/// When a tool is missing and cannot be installed, or a build fails.
pub(crate) fn all(steering: Steering) -> Result<PathBuf> {
    all_with(steering, &[])
}

/// Like [`all`], and builds what else `arguments` tell cargo: in one go, so that what both stand on is compiled once.
///
/// # Errors
///
/// As [`all`].
pub(crate) fn all_with(steering: Steering, arguments: &[&str]) -> Result<PathBuf> {
    let (compiler, linker) = setup::build()?;
    command::stage("compiling the steering program (half a minute, when nothing is there yet)", || {
        steering_program(&compiler, &linker, steering)
    })?;
    command::stage("compiling the daemon (two minutes, when nothing is there yet)", || {
        let daemon = ["build", "--quiet", "--release", "--package", "dhcpv6macd", "--bin", "dhcpv6macd"];
        command::run(command::cargo().args(daemon).args(arguments))
    })?;
    Ok(workspace::daemon())
}

/// Leaves the object where the daemon's build script looks for it; untouched when it is the same as before.
pub(crate) fn steering_program(compiler: &Compiler, linker: &Linker, steering: Steering) -> Result<()> {
    let directory = workspace::target().join("bpf");
    let mut build = compiler.building(&compiler.cargo, linker);
    build.args(["build", "--quiet", "--release", "--package", "dhcpv6macd-ebpf", "--bin", "dhcpv6macd-ebpf"]);
    build.args(["-Zbuild-std=core", "--target", "bpfel-unknown-none", "--target-dir"]).arg(&directory);
    if steering == Steering::Logging {
        build.args(["--features", "log"]);
    }
    command::run(&mut build).context("the steering program does not build")?;
    let built = directory.join("bpfel-unknown-none/release/dhcpv6macd-ebpf");
    let object = fs::read(&built).with_context(|| format!("cannot read {}", built.display()))?;
    let place = workspace::bpf_object();
    if fs::read(&place).is_ok_and(|before| before == object) {
        return Ok(());
    }
    fs::write(&place, object).with_context(|| format!("cannot write {}", place.display()))
}
