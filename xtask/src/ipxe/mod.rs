//! iPXE for the daemon to give: Debian's as it is, or one made from its source, with a boot script and a change of our own.

mod source;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};

use self::source::Build;
use crate::{apt, workspace};

/// The Debian package.
const PACKAGE: &str = "ipxe";
/// Where it has had the program for x86-64 with drivers of its own; the other name is then a link.
const PLACES: [&str; 2] = ["usr/lib/ipxe/ipxe.efi", "boot/ipxe.efi"];

/// Which iPXE is wanted.
#[derive(Args)]
pub(crate) struct Wanted {
    /// A checkout of iPXE's source to make it from, instead of taking Debian's; it is copied, not touched
    #[arg(long, value_name = "DIR")]
    source: Option<PathBuf>,
    /// Processor of the machines
    #[arg(long, value_enum, default_value = "x86_64")]
    arch: Arch,
    /// Certificate (PEM) of the only authority that it is to trust for HTTPS
    #[arg(long, value_name = "CA.pem", requires = "source")]
    trust: Option<PathBuf>,
    /// Script that it is to run, instead of xtask/ipxe/boot.ipxe
    #[arg(long, value_name = "SCRIPT", requires = "source")]
    embed: Option<PathBuf>,
}

/// What iPXE is built for, by the names that iPXE has for it.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Arch {
    /// Intel and AMD
    #[value(name = "x86_64")]
    X86_64,
    /// Arm, 64 bits
    #[value(name = "arm64")]
    Arm64,
}

impl Arch {
    const fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }
}

/// Finds an iPXE or makes one, and returns where it is.
///
/// # Errors
///
/// When it can be neither fetched nor built: says what is missing.
pub(crate) fn find_or_make(wanted: &Wanted) -> Result<PathBuf> {
    let Wanted { source, arch, trust, embed } = wanted;
    check("--trust", trust.as_deref(), "-----BEGIN CERTIFICATE-----")?;
    check("--embed", embed.as_deref(), "#!ipxe")?;
    match (source, arch) {
        (Some(source), arch) => Build { source, arch: *arch, trust: trust.as_deref(), script: embed.as_deref() }.make(),
        (None, Arch::X86_64) => debian(),
        (None, Arch::Arm64) => {
            bail!("Debian's package {PACKAGE} has none for arm64; make one from source: --source DIR")
        }
    }
}

/// Refuses a file that is not what a flag is for, before minutes go by.
fn check(flag: &str, file: Option<&Path>, holds: &str) -> Result<()> {
    let Some(file) = file else { return Ok(()) };
    let text = fs::read_to_string(file).with_context(|| format!("{flag} {}: cannot be read", file.display()))?;
    if !text.lines().any(|line| line.trim_end() == holds) {
        bail!("{flag} {}: there is no line {holds} in it", file.display());
    }
    Ok(())
}

/// Debian's, for x86-64: what was fetched before, or is installed, or else fetched now.
///
/// # Errors
///
/// When it cannot be fetched.
pub(crate) fn debian() -> Result<PathBuf> {
    let directory = workspace::ipxe().join("debian");
    let place = directory.join("ipxe.efi");
    if place.is_file() {
        return Ok(place);
    }
    let installed = in_package(Path::new("/"));
    let found = match installed {
        Some(installed) => installed,
        None => fetch(&directory)?,
    };
    copy(&found, &place)?;
    Ok(place)
}

/// Downloads the package and unpacks it.
fn fetch(directory: &Path) -> Result<PathBuf> {
    let scratch = directory.join("package");
    make_anew(&scratch)?;
    apt::unpack(PACKAGE, &scratch).context("cannot fetch iPXE; one of your own does as well: --source DIR")?;
    in_package(&scratch).with_context(|| format!("Debian's package {PACKAGE} has no ipxe.efi where one was"))
}

/// The program below the root of a package. A link in it leads elsewhere.
fn in_package(root: &Path) -> Option<PathBuf> {
    let is_file = |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file());
    PLACES.iter().map(|place| root.join(place)).find(is_file)
}

/// An empty directory, whatever was there.
fn make_anew(directory: &Path) -> Result<()> {
    if directory.exists() {
        fs::remove_dir_all(directory).with_context(|| format!("cannot replace {}", directory.display()))?;
    }
    fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(directory) = to.parent() {
        fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    }
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_that_is_none_is_named_before_minutes_go_by() {
        let embed = Some(workspace::root().join("README.md"));
        let wanted = Wanted { source: Some(workspace::root().to_owned()), arch: Arch::X86_64, trust: None, embed };
        let error = find_or_make(&wanted).unwrap_err().to_string();
        assert!(error.starts_with("--embed ") && error.ends_with("there is no line #!ipxe in it"), "{error}");
    }

    #[test]
    fn debian_has_none_for_arm64() {
        let wanted = Wanted { source: None, arch: Arch::Arm64, trust: None, embed: None };
        let error = find_or_make(&wanted).unwrap_err().to_string();
        assert!(error.contains("--source DIR"), "{error}");
    }

    #[test]
    fn what_is_no_checkout_is_named_before_anything_is_installed() {
        let source = Some(workspace::root().to_owned());
        let wanted = Wanted { source, arch: Arch::X86_64, trust: None, embed: None };
        let error = find_or_make(&wanted).unwrap_err().to_string();
        assert!(error.contains(&workspace::root().display().to_string()) && error.contains("no checkout"), "{error}");
    }
}
