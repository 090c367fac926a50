//! Debian packages.

use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::command;

/// Installs packages without their recommendations, after fetching the lists anew.
///
/// # Errors
///
/// Without apt, without root's rights, or when apt-get fails: names the packages.
pub(crate) fn install(packages: &[&str], why: &str) -> Result<()> {
    let names = packages.join(" ");
    println!("installing {names}: {why}");
    if command::find("apt-get").is_none() {
        bail!(
            "there is no apt-get here; install what these Debian packages hold, then run this again: {names} ({why})"
        );
    }
    let failed = || format!("cannot install {names} ({why}); install them by hand, then run this again");
    command::run(as_root(&names)?.args(["apt-get", "--quiet", "--quiet", "update"])).with_context(failed)?;
    let install = ["apt-get", "--quiet", "--quiet", "--yes", "--no-install-recommends", "install"];
    command::run(as_root(&names)?.args(install).args(packages)).with_context(failed)
}

fn as_root(names: &str) -> Result<Command> {
    let mut environment = if command::is_root()? {
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
    environment.args(["DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8"]);
    Ok(environment)
}
