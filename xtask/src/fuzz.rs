//! The fuzz targets: built for libFuzzer, and run for a while.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use anyhow::{Context as _, Result, anyhow, bail};

use crate::{command, setup, toolchain, workspace};

/// The targets.
const TARGETS: [&str; 5] = ["frame", "dhcpv6", "responder", "tftp", "capture"];
/// What cargo-fuzz asks of a compiler, a stable one does it. Without the address sanitizer: what is fuzzed has no unsafe code.
const INSTRUMENTED: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "--cfg fuzzing",
];

/// Builds every target, seeds it with golden rows and captures, and runs them side by side for so many seconds.
///
/// # Errors
///
/// When one does not build, or finds something: it has said where the input is, then.
pub(crate) fn run(seconds: u32) -> Result<()> {
    setup::fuzz()?;
    let programs = build()?;
    command::run(command::cargo().args(["run", "--quiet", "--package", "dhcpv6macd-tests", "--example", "seed"]))?;
    let found = thread::scope(|scope| {
        let running = TARGETS.map(|target| {
            let program = programs.join(target);
            scope.spawn(move || fuzz(target, &program, seconds))
        });
        running.map(|running| running.join().unwrap_or_else(|_| Err(anyhow!("no target was run"))))
    });
    found.into_iter().collect()
}

/// Build scripts stay as they are: only what is built for a named target has the flags.
fn build() -> Result<PathBuf> {
    let host = toolchain::host()?;
    let target = workspace::fuzz().with_file_name("target");
    command::stage("compiling the fuzz targets (two minutes, when nothing is there yet)", || {
        let mut build = command::cargo();
        build.args(["build", "--quiet", "--release", "--bins", "--target", &host, "--target-dir"]).arg(&target);
        command::run(build.arg("--manifest-path").arg(workspace::fuzz()).env("RUSTFLAGS", INSTRUMENTED.join(" ")))
    })?;
    Ok(target.join(host).join("release"))
}

/// Runs a target, and says how often. What it prints while it runs is shown only if it finds something.
fn fuzz(target: &str, program: &Path, seconds: u32) -> Result<()> {
    let place = workspace::fuzz();
    let artifacts = place.with_file_name("artifacts");
    fs::create_dir_all(&artifacts).with_context(|| format!("cannot make {}", artifacts.display()))?;
    let mut fuzzer = Command::new(program);
    fuzzer.arg(place.with_file_name("corpus").join(target)).args(["-max_len=2048", "-timeout=10"]);
    fuzzer.arg(format!("-artifact_prefix={}-", artifacts.join(target).display()));
    let output = fuzzer.arg(format!("-max_total_time={seconds}")).output();
    let output = output.with_context(|| format!("cannot start the fuzz target {target}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("the fuzz target {target} found something: {}\n{said}", output.status);
    }
    println!("{target}: {}", said.lines().last().unwrap_or("it said nothing"));
    Ok(())
}
