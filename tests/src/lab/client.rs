//! A real client on a machine, and the address that the machine has from it.

use std::{
    fs,
    net::Ipv6Addr,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use super::{Host, MACHINE_INTERFACE, Process};

/// How long anything may take on a machine that is busy with something else.
const LIMIT: Duration = Duration::from_secs(40);
const POLL: Duration = Duration::from_millis(100);

/// What Debian's script does with an address, and nothing else. One that somebody else uses is declined (status 3): the kernel takes an
/// address away that it has found a duplicate of, if it was to end anyway.
const DHCLIENT_SCRIPT: &str = r#"#!/bin/sh
[ -n "$new_ip6_address$old_ip6_address" ] || exit 0
show() { ip -6 -oneline address show dev "$interface" to "$new_ip6_address" "$@"; }
case "$reason" in
BOUND6|RENEW6|REBIND6)
    ip -6 address replace "$new_ip6_address/128" dev "$interface" \
        valid_lft "$new_max_life" preferred_lft "$new_preferred_life" || exit
    while [ -n "$(show tentative)" ]; do sleep 0.1; done
    [ -n "$(show)" ] || exit 3 ;;
EXPIRE6|FAIL6|STOP6|RELEASE6)
    exec ip -6 address delete "$old_ip6_address/128" dev "$interface" ;;
esac
"#;

/// Starts Debian's dhclient on a machine's interface, all its files in `state`.
///
/// # Errors
///
/// Where it cannot be started, or a file not be written.
pub fn dhclient(machine: &Host, state: &Path, arguments: &[&str]) -> Result<Process> {
    let script = state.join("script");
    fs::write(&script, DHCLIENT_SCRIPT)?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    let mut command = Command::new("dhclient");
    command.args(["-6", "-d", "-v"]).args(arguments).arg("-sf").arg(script);
    command.arg("-lf").arg(state.join("leases")).arg("-pf").arg(state.join("pid"));
    if !arguments.contains(&"-cf") {
        command.args(["-cf", "/dev/null"]);
    }
    machine.start(command.arg(MACHINE_INTERFACE))
}

/// The one address that a machine is to have from its client.
#[derive(Clone, Copy, Debug)]
pub struct Tenure<'a> {
    /// The machine.
    pub machine: &'a Host,
    /// Its address.
    pub address: Ipv6Addr,
}

impl Tenure<'_> {
    /// Seconds that the address is still valid; `None` where the machine does not have it yet.
    ///
    /// # Errors
    ///
    /// Where the machine has another one.
    pub fn valid(&self) -> Result<Option<u32>> {
        let shown = self.machine.ip(&format!("-6 -oneline address show dev {MACHINE_INTERFACE} scope global"))?;
        let addresses: Vec<_> = shown.lines().filter(|line| !line.contains("tentative")).collect();
        ensure!(addresses.len() <= 1, "more than one address: {shown}");
        let Some(line) = addresses.first() else { return Ok(None) };
        ensure!(line.contains(&format!(" {}/128 ", self.address)), "another address: {line}");
        let seconds = line.split_once("valid_lft ").and_then(|(_, valid)| valid.split_once("sec"));
        let (seconds, _) = seconds.with_context(|| format!("no end: {line}"))?;
        Ok(Some(seconds.parse()?))
    }

    /// Waits until the machine has its address.
    ///
    /// # Errors
    ///
    /// Where it has none in time, or another one.
    pub fn wait_until_bound(&self, client: &Process) -> Result<()> {
        let started = Instant::now();
        while self.valid()?.is_none() {
            ensure!(started.elapsed() < LIMIT, "no address: {}", client.output());
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// Waits until the address has been given more time so often; it must be there all the while.
    ///
    /// # Errors
    ///
    /// Where that is not so.
    pub fn wait_until_extended(&self, times: u32, client: &Process) -> Result<()> {
        let started = Instant::now();
        let mut before = u32::MAX;
        let mut extended = 0;
        while extended < times {
            let valid = self.valid()?.with_context(|| format!("the address is gone: {}", client.output()))?;
            extended += u32::from(valid > before);
            before = valid;
            ensure!(started.elapsed() < LIMIT, "not extended {times} times: {}", client.output());
            thread::sleep(POLL);
        }
        Ok(())
    }
}
