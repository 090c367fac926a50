//! Every gate of the project, one after the other. A failure keeps none of the others from running.

use std::{
    fmt,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    build::{self, Embedded},
    command, fuzz,
    lab::{self, Scene},
    setup, tidy, toolchain, workspace,
};

/// A gate that was not run says why.
enum Outcome {
    Passed,
    Failed(String),
    NotRun(&'static str),
}

struct Gate {
    name: &'static str,
    check: fn() -> Result<Outcome>,
}

/// Seconds that each fuzz target runs: enough to go again over what was changed.
const FUZZ_SECONDS: u32 = 60;

/// What needs little first; what the later ones stand on, the build, before them.
const GATES: [Gate; 12] = [
    Gate { name: "format", check: format },
    Gate { name: "tidy", check: || passed(tidy::run()) },
    Gate { name: "build", check: || passed(build::all(&Embedded::LEAST).map(drop)) },
    Gate { name: "clippy", check: clippy },
    Gate { name: "clippy for BPF", check: clippy_for_bpf },
    Gate { name: "documentation", check: documentation },
    Gate { name: "tests", check: || passed(lab::test(&[])) },
    Gate { name: "demo", check: demo },
    Gate { name: "fuzz targets", check: || passed(fuzz::run(FUZZ_SECONDS)) },
    Gate { name: "dependencies", check: dependencies },
    Gate { name: "Miri", check: miri },
    Gate { name: "flake", check: flake },
];

/// Runs every gate, says how each ended, and sums up.
///
/// # Errors
///
/// When a gate failed.
pub(crate) fn run() -> Result<()> {
    let results = GATES.map(|gate| {
        println!("=== {}", gate.name);
        let start = Instant::now();
        let outcome = (gate.check)().unwrap_or_else(|error| Outcome::Failed(format!("{error:#}")));
        let result = Ended { name: gate.name, outcome, took: start.elapsed() };
        println!("=== {result}\n");
        result
    });
    for result in &results {
        println!("{result}");
    }
    let failed = results.iter().filter(|result| matches!(result.outcome, Outcome::Failed(_))).count();
    if failed > 0 {
        bail!("{failed} of {} gates failed", results.len());
    }
    Ok(())
}

struct Ended {
    name: &'static str,
    outcome: Outcome,
    took: Duration,
}

impl fmt::Display for Ended {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:16} {:6.1} s  ", self.name, self.took.as_secs_f64())?;
        match &self.outcome {
            Outcome::Passed => formatter.write_str("passed"),
            Outcome::Failed(why) => write!(formatter, "FAILED: {why}"),
            Outcome::NotRun(why) => write!(formatter, "not run: {why}"),
        }
    }
}

fn passed(result: Result<()>) -> Result<Outcome> {
    result.map(|()| Outcome::Passed)
}

fn demo() -> Result<Outcome> {
    match lab::play(Scene::Demo, &[])? {
        ExitCode::SUCCESS => Ok(Outcome::Passed),
        _ => Ok(Outcome::Failed("see above".to_owned())),
    }
}

fn format() -> Result<Outcome> {
    command::run(command::cargo().args(["fmt", "--all", "--check"]))?;
    passed(command::run(command::cargo().args(["fmt", "--check", "--manifest-path"]).arg(workspace::fuzz())))
}

fn clippy() -> Result<Outcome> {
    let arguments = ["clippy", "--quiet", "--workspace", "--all-targets", "--", "--deny", "warnings"];
    passed(command::run(command::cargo().args(arguments)))
}

/// On the host the program behind the classifier is compiled out: this is where its lints are.
fn clippy_for_bpf() -> Result<Outcome> {
    let (compiler, linker) = setup::build()?;
    let clippy = setup::clippy(&compiler)?;
    let mut check = compiler.building(&clippy, &linker);
    check.args(["clippy", "--quiet", "--release", "--package", "dhcpv6macd-ebpf", "-Zbuild-std=core"]);
    check.args(["--target", "bpfel-unknown-none", "--target-dir"]).arg(workspace::target().join("bpf"));
    passed(command::run(check.args(["--", "--deny", "warnings"])))
}

fn documentation() -> Result<Outcome> {
    let arguments = ["doc", "--quiet", "--workspace", "--no-deps", "--document-private-items"];
    passed(command::run(command::cargo().args(arguments).env("RUSTDOCFLAGS", "-Dwarnings")))
}

/// Advisories are left out: their database is no part of the package registry.
fn dependencies() -> Result<Outcome> {
    let mut deny = command::foreign(setup::cargo_deny()?);
    deny.args(["--config", ".cargo/deny.toml", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"]);
    passed(command::run(&mut deny))
}

/// The order in which slots change hands is plain memory: what there can be undefined about it, Miri sees.
fn miri() -> Result<Outcome> {
    let Some(miri) = toolchain::find_miri() else {
        return Ok(Outcome::NotRun("no toolchain here has Miri"));
    };
    let cargo = miri.with_file_name("cargo");
    let mut test = command::foreign(miri);
    test.args(["miri", "test", "--package", "dhcpv6macd", "--lib", "datapath::ring"]);
    passed(command::run(test.env("CARGO", cargo)))
}

fn flake() -> Result<Outcome> {
    let Some(nix) = command::find("nix") else {
        return Ok(Outcome::NotRun("there is no nix here"));
    };
    let mut check = command::foreign(nix);
    check.args(["--extra-experimental-features", "nix-command flakes", "flake", "check", "--no-build"]);
    passed(command::run(&mut check)).context("flake.nix does not evaluate")
}
