//! The steering program, then the daemon that holds it.

use std::{env, ffi::OsString, fs, path::PathBuf};

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

/// What the daemon holds.
pub(crate) struct Embedded {
    pub(crate) steering: Steering,
    /// Files with iPXE, one for a kind of processor, which the daemon's build script looks at.
    images: Option<OsString>,
}

impl Embedded {
    /// A steering program that is silent, and no images but those that the environment names.
    pub(crate) const LEAST: Self = Self { steering: Steering::Silent, images: None };

    /// This steering program, and these images.
    ///
    /// # Errors
    ///
    /// Where there is no such file.
    pub(crate) fn new(steering: Steering, images: &[PathBuf]) -> Result<Self> {
        let absolute = |image: &PathBuf| {
            image.canonicalize().with_context(|| format!("--embed-ipxe {}: cannot be read", image.display()))
        };
        let absolute = images.iter().map(absolute).collect::<Result<Vec<_>>>()?;
        let listed = env::join_paths(absolute).context("--embed-ipxe takes no path with a colon in it")?;
        Ok(Self { steering, images: Some(listed).filter(|listed| !listed.is_empty()) })
    }

    /// What the daemon's build script is to find in its environment.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&'static str, &OsString)> {
        self.images.iter().map(|listed| ("DHCPV6MACD_EMBED_IPXE", listed))
    }
}

/// Builds what changed, and returns where the daemon is.
///
/// # Errors
///
/// When a tool is missing and cannot be installed, or a build fails.
pub(crate) fn all(embedded: &Embedded) -> Result<PathBuf> {
    all_with(embedded, &[])
}

/// Like [`all`], and builds what else `arguments` tell cargo: in one go, so that what both stand on is compiled once.
///
/// # Errors
///
/// As [`all`].
pub(crate) fn all_with(embedded: &Embedded, arguments: &[&str]) -> Result<PathBuf> {
    let (compiler, linker) = setup::build()?;
    command::stage("compiling the steering program (half a minute, when nothing is there yet)", || {
        steering_program(&compiler, &linker, embedded.steering)
    })?;
    command::stage("compiling the daemon (two minutes, when nothing is there yet)", || {
        let daemon = ["build", "--quiet", "--release", "--package", "dhcpv6macd", "--bin", "dhcpv6macd"];
        command::run(command::cargo().args(daemon).args(arguments).envs(embedded.variables()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_named_so_that_a_build_elsewhere_finds_them() {
        let variables = |images: &[&str]| {
            let images: Vec<_> = images.iter().map(PathBuf::from).collect();
            let embedded = Embedded::new(Steering::Silent, &images)?;
            anyhow::Ok(embedded.variables().map(|(_, listed)| listed.clone()).collect::<Vec<_>>())
        };
        assert_eq!(variables(&[]).unwrap(), Vec::<OsString>::new());
        let here = env::current_dir().unwrap();
        let expected = env::join_paths([here.join("Cargo.toml"), here.join("src/main.rs")]).unwrap();
        assert_eq!(variables(&["Cargo.toml", "src/../src/main.rs"]).unwrap(), [expected]);
        let error = format!("{:#}", variables(&["no-such-file"]).unwrap_err());
        assert!(error.starts_with("--embed-ipxe no-such-file: cannot be read: No such file"), "{error}");
    }
}
