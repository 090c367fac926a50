//! Finds what a build or a test run needs, and installs what is missing. A second run installs nothing.

use anyhow::{Context as _, Result};

use crate::{
    apt, command,
    toolchain::{self, BPF_LINKER, Compiler, Linker},
    workspace,
};

/// A compiler that can build `core` for BPF: Debian's stands beside rustup's and needs no network but the distribution's.
const COMPILER_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

/// A program that the tests run, the Debian package that holds it, and why.
struct Needed {
    program: &'static str,
    package: &'static str,
    why: &'static str,
}

const TEST_PROGRAMS: [Needed; 6] = [
    Needed { program: "dhclient", package: "isc-dhcp-client", why: "a real client" },
    Needed { program: "dhcpcd", package: "dhcpcd-base", why: "a real client" },
    Needed { program: "systemd-networkd", package: "systemd", why: "a real client" },
    Needed { program: "ip", package: "iproute2", why: "shows links, addresses and what is attached to them" },
    Needed { program: "ping", package: "iputils-ping", why: "other traffic that must pass" },
    Needed { program: "nft", package: "nftables", why: "loses frames on purpose, counts what the host sees" },
];

/// What the build of the steering program needs.
///
/// # Errors
///
/// When something is missing and cannot be installed: says what to do.
pub(crate) fn build() -> Result<(Compiler, Linker)> {
    let compiler = match toolchain::find_compiler() {
        Some(compiler) => compiler,
        None => {
            apt::install(&COMPILER_PACKAGES, "a rustc with the sources of its library, for the steering program")?;
            toolchain::find_compiler().with_context(|| {
                format!(
                    "{} did not bring a rustc that fits; a nightly of rustup with rust-src does as well",
                    COMPILER_PACKAGES.join(" ")
                )
            })?
        }
    };
    println!("compiler of the steering program: {}", compiler.name);
    let linker = match Linker::find(&compiler)? {
        Some(linker) => linker,
        None => {
            install_linker()?;
            Linker::find(&compiler)?.context("the bpf-linker just installed does not run with the compiler's LLVM")?
        }
    };
    println!("linker of the steering program: {}", linker.program.display());
    Ok((compiler, linker))
}

fn install_linker() -> Result<()> {
    println!("installing bpf-linker {BPF_LINKER} into {}: takes a minute or two", workspace::tools().display());
    let mut install = command::cargo();
    install.args(["install", "--quiet", "--locked", "bpf-linker", "--version", BPF_LINKER, "--root"]);
    command::run(install.arg(workspace::tools()))
        .with_context(|| format!("cannot install bpf-linker {BPF_LINKER}; one on PATH does as well"))
}

/// What the tests need besides.
///
/// # Errors
///
/// When something is missing and cannot be installed: says what to do.
pub(crate) fn tests() -> Result<()> {
    let missing: Vec<_> = TEST_PROGRAMS.iter().filter(|needed| command::find(needed.program).is_none()).collect();
    for needed in &missing {
        println!("{} is missing: {}", needed.program, needed.why);
    }
    if missing.is_empty() {
        println!("programs of the tests: all there");
        return Ok(());
    }
    let packages: Vec<_> = missing.iter().map(|needed| needed.package).collect();
    apt::install(&packages, "programs that the tests run")
}
