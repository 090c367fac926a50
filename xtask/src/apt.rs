//! Debian packages.

use std::{
    fs,
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::{Context as _, Result, bail};

use crate::command;

/// The package lists are as new as this process.
static UPDATED: AtomicBool = AtomicBool::new(false);

/// Installs packages without their recommendations.
///
/// # Errors
///
/// Without apt, without root's rights, or when apt-get fails: names the packages.
pub(crate) fn install(packages: &[&str], why: &str) -> Result<()> {
    let names = packages.join(" ");
    if command::find("apt-get").is_none() {
        bail!(
            "there is no apt-get here; install what these Debian packages hold, then run this again: {names} ({why})"
        );
    }
    command::stage(&format!("installing {names}: {why}"), || {
        let failed = || format!("cannot install {names} ({why}); install them by hand, then run this again");
        update(&names).with_context(failed)?;
        let install = ["--yes", "--no-install-recommends", "install"];
        command::quietly(apt_get(&names)?.args(install).args(packages)).with_context(failed)
    })
}

/// Fetches a package's file into a directory, and installs nothing.
///
/// # Errors
///
/// Without apt, or when apt-get fails.
fn download(package: &str, directory: &Path) -> Result<()> {
    if command::find("apt-get").is_none() {
        bail!("there is no apt-get here to fetch the Debian package {package} with");
    }
    let fetch = || {
        let mut fetch = command::foreign("apt-get");
        fetch.current_dir(directory).args(["--quiet", "--quiet", "--option", "APT::Sandbox::User="]);
        command::quietly(fetch.args(["download", package]))
    };
    // Package lists that are missing or old are worth root's rights, others are not.
    fetch().or_else(|_| update(package).and_then(|()| fetch()))
}

/// Fetches a package and unpacks it below a directory, without what its scripts would do.
///
/// # Errors
///
/// Those of [`download`], or when the package is none.
pub(crate) fn unpack(package: &str, directory: &Path) -> Result<()> {
    let scratch = directory.join(package);
    fs::create_dir_all(&scratch).with_context(|| format!("cannot make {}", scratch.display()))?;
    command::stage(&format!("fetching Debian's package {package}"), || download(package, &scratch))?;
    let file = fs::read_dir(&scratch)?.next().context("apt-get has left nothing")??.path();
    command::quietly(command::foreign("dpkg-deb").arg("--extract").arg(&file).arg(directory))?;
    fs::remove_dir_all(&scratch).with_context(|| format!("cannot remove {}", scratch.display()))
}

/// Brings the package lists up to date, once.
fn update(names: &str) -> Result<()> {
    if !UPDATED.swap(true, Ordering::Relaxed) {
        command::quietly(apt_get(names)?.arg("update"))?;
    }
    Ok(())
}

/// As root, asking nothing, and waiting a while for whoever else installs something.
fn apt_get(names: &str) -> Result<Command> {
    let mut command = if command::is_root()? {
        command::foreign("env")
    } else if command::find("sudo").is_some() {
        let mut sudo = command::foreign("sudo");
        sudo.arg("env");
        sudo
    } else {
        bail!(
            "not root, and there is no sudo; as root, run: apt-get update && apt-get install --no-install-recommends {names}"
        );
    };
    command.args(["DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8"]);
    command.args(["apt-get", "--quiet", "--quiet", "--option", "DPkg::Lock::Timeout=300"]);
    Ok(command)
}
