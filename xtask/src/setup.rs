//! Finds what a build, a test run or a gate needs, and installs what is missing. A second run installs nothing.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::{
    apt, command,
    toolchain::{self, BPF_LINKER, Compiler, Linker},
    workspace,
};

/// A compiler that can build `core` for BPF: Debian's stands beside rustup's and needs no network but the distribution's.
const COMPILER_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];
/// The clippy of that compiler.
const CLIPPY_PACKAGE: &str = "rust-web-clippy";
/// The cargo-deny that .cargo/deny.toml was written for.
const CARGO_DENY: &str = "0.20.2";

/// A program that is run, the Debian package that holds it, and why.
pub(crate) struct Needed {
    pub(crate) program: &'static str,
    pub(crate) package: &'static str,
    pub(crate) why: &'static str,
}

const LAB_PROGRAMS: [Needed; 1] =
    [Needed { program: "ip", package: "iproute2", why: "makes links, shows addresses and what is attached" }];

const DNSMASQ: Needed = Needed {
    program: "dnsmasq",
    package: "dnsmasq-base",
    why: "a real relay agent, and a TFTP server that others use",
};

const OPENSSL: Needed =
    Needed { program: "openssl", package: "openssl", why: "makes certificates, and a real client of TLS" };

const TEST_PROGRAMS: [Needed; 15] = [
    Needed { program: "dhclient", package: "isc-dhcp-client", why: "a real client" },
    Needed { program: "dhcpcd", package: "dhcpcd-base", why: "a real client" },
    Needed { program: "systemd-networkd", package: "systemd", why: "a real client" },
    Needed { program: "qemu-system-x86_64", package: "qemu-system-x86", why: "a machine that boots" },
    Needed { program: "/usr/share/OVMF/OVMF_CODE_4M.fd", package: "ovmf", why: "real firmware" },
    Needed { program: "dhcrelay", package: "isc-dhcp-relay", why: "a real relay agent" },
    Needed { program: "curl", package: "curl", why: "a real client of TFTP and HTTP" },
    OPENSSL,
    Needed { program: "atftp", package: "atftp", why: "a real TFTP client, with windows" },
    Needed { program: "tftp", package: "tftp-hpa", why: "a real TFTP client, of text too" },
    DNSMASQ,
    Needed { program: "ping", package: "iputils-ping", why: "other traffic that must pass" },
    Needed { program: "nft", package: "nftables", why: "loses frames on purpose, counts what the host sees" },
    Needed { program: "chromedriver", package: "chromium-driver", why: "a real browser, told what to do" },
    Needed { program: "tshark", package: "tshark", why: "reads what the daemon sends, and says what is wrong with it" },
];

/// What most programs are for.
const LAB: &str = "programs of the lab";

const FUZZ_PROGRAMS: [Needed; 1] = [Needed { program: "c++", package: "g++", why: "compiles libFuzzer" }];

const IPXE_PROGRAMS: [Needed; 4] = [
    Needed { program: "gcc", package: "gcc", why: "compiles iPXE" },
    Needed { program: "make", package: "make", why: "knows how iPXE is compiled" },
    Needed { program: "perl", package: "perl", why: "runs in iPXE's build" },
    Needed { program: "patch", package: "patch", why: "changes a copy of iPXE" },
];

const IPXE_TRUST_PROGRAMS: [Needed; 1] =
    [Needed { program: "openssl", package: "openssl", why: "reads the certificate that iPXE is to trust" }];

/// TFTP servers that others use, below the root of their packages. Debian installs one of them at a time, and starts it.
const TFTP_SERVERS: [(&str, &str); 2] = [("atftpd", "usr/sbin/atftpd"), ("tftpd-hpa", "usr/sbin/in.tftpd")];
/// The libraries of both.
const TFTP_SERVER_LIBRARIES: [&str; 2] = ["libpcre2-8-0", "libwrap0"];

/// A server of HTTP that others use, below the root of its package, and its libraries.
const NGINX: (&str, &str) = ("nginx", "usr/sbin/nginx");
const NGINX_LIBRARIES: [&str; 4] = ["libcrypt1", "libpcre2-8-0", "libssl3", "zlib1g"];

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
            cargo_install("bpf-linker", BPF_LINKER, &[])?;
            Linker::find(&compiler)?.context("the bpf-linker just installed does not run with the compiler's LLVM")?
        }
    };
    println!("linker of the steering program: {}", linker.program.display());
    Ok((compiler, linker))
}

/// What the demo and the bench need besides.
///
/// # Errors
///
/// When something is missing and cannot be installed: says what to do.
pub(crate) fn lab() -> Result<()> {
    programs(LAB_PROGRAMS.iter(), LAB)
}

/// What the bench of TFTP needs besides: the servers of others, unpacked beside the builds, and not installed.
///
/// # Errors
///
/// As [`lab`].
pub(crate) fn tftp_bench() -> Result<()> {
    programs(LAB_PROGRAMS.iter().chain([&DNSMASQ]), LAB)?;
    let place = workspace::tools().join("debian");
    let missing: Vec<_> = TFTP_SERVERS.iter().filter(|(_, file)| !place.join(file).is_file()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    apt::install(&TFTP_SERVER_LIBRARIES, "libraries of the TFTP servers to compare with")?;
    missing.into_iter().try_for_each(|(package, _)| apt::unpack(package, &place))
}

/// What the bench of HTTP needs besides, likewise.
///
/// # Errors
///
/// As [`lab`].
pub(crate) fn http_bench() -> Result<()> {
    programs(LAB_PROGRAMS.iter().chain([&OPENSSL]), LAB)?;
    let place = workspace::tools().join("debian");
    if place.join(NGINX.1).is_file() {
        return Ok(());
    }
    apt::install(&NGINX_LIBRARIES, "libraries of nginx, to compare with")?;
    apt::unpack(NGINX.0, &place)
}

/// What the tests need besides.
///
/// # Errors
///
/// As [`lab`].
pub(crate) fn tests() -> Result<()> {
    programs(LAB_PROGRAMS.iter().chain(&TEST_PROGRAMS), LAB)
}

/// What the fuzz targets need besides.
///
/// # Errors
///
/// As [`lab`].
pub(crate) fn fuzz() -> Result<()> {
    programs(FUZZ_PROGRAMS.iter(), LAB)
}

/// What a build of iPXE needs besides; with a compiler for others where it is for others.
///
/// # Errors
///
/// As [`lab`].
pub(crate) fn ipxe(cross_compiler: Option<&Needed>, is_certificate_trusted: bool) -> Result<()> {
    let openssl = IPXE_TRUST_PROGRAMS.iter().filter(|_| is_certificate_trusted);
    programs(IPXE_PROGRAMS.iter().chain(openssl).chain(cross_compiler), "programs that build iPXE")
}

fn programs<'a>(needed: impl Iterator<Item = &'a Needed>, what: &str) -> Result<()> {
    let missing: Vec<_> = needed.filter(|needed| !is_there(needed.program)).collect();
    for Needed { program, why, .. } in &missing {
        println!("{program} is missing: {why}");
    }
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<_> = missing.iter().map(|needed| needed.package).collect();
    apt::install(&packages, what)
}

/// A program by its name, or a file by its path.
fn is_there(needed: &str) -> bool {
    if needed.starts_with('/') { Path::new(needed).exists() } else { command::find(needed).is_some() }
}

/// The clippy of the steering program's compiler.
///
/// # Errors
///
/// When it is missing and cannot be installed: says what to do.
pub(crate) fn clippy(compiler: &Compiler) -> Result<PathBuf> {
    if let Some(clippy) = compiler.find_clippy() {
        return Ok(clippy);
    }
    if !compiler.is_systems() {
        bail!("{} has no clippy: `rustup component add clippy` for that toolchain", compiler.name);
    }
    apt::install(&[CLIPPY_PACKAGE], "the lints of the steering program")?;
    compiler.find_clippy().with_context(|| format!("{CLIPPY_PACKAGE} did not bring a clippy for {}", compiler.name))
}

/// cargo-deny: the one on PATH, or else one of our own.
///
/// # Errors
///
/// When it is missing and cannot be installed: says what to do.
pub(crate) fn cargo_deny() -> Result<PathBuf> {
    let ours = workspace::tools().join("bin/cargo-deny");
    if let Some(found) = command::find("cargo-deny").or_else(|| Some(ours.clone()).filter(|ours| ours.exists())) {
        return Ok(found);
    }
    // It runs for a second: an optimised build would take longer than it ever saves.
    cargo_install("cargo-deny", CARGO_DENY, &["--debug"])?;
    Ok(ours)
}

/// Beside the builds, not in the user's own place.
fn cargo_install(name: &str, version: &str, args: &[&str]) -> Result<()> {
    let place: &Path = &workspace::tools();
    command::stage(&format!("installing {name} {version} into {} (one or two minutes)", place.display()), || {
        let mut install = command::cargo();
        install.args(["install", "--quiet", "--locked", name, "--version", version, "--root"]).arg(place).args(args);
        command::run(&mut install).with_context(|| format!("cannot install {name} {version}; one on PATH does as well"))
    })
}
