//! The TFTP servers of others, from Debian.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use crate::lab::{Host, Process, ROUTER_INTERFACE};

/// How long one may take to start.
const START_LIMIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);
/// A line of `/proc/net/udp6` for a socket on port 69 (`Documentation/networking/proc_net_tcp.rst`).
const PORT_69: &str = ":0045 ";
/// Where a directory stands in a command line.
const DIRECTORY: &str = "DIRECTORY";

/// Somebody else's server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    Dnsmasq,
    Atftpd,
    TftpdHpa,
}

impl Peer {
    /// Program and arguments: in the foreground, as many clients as come, nothing logged for each.
    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Dnsmasq => &[
                "dnsmasq",
                "--keep-in-foreground",
                "--conf-file=/dev/null",
                "--log-facility=-",
                "--pid-file=",
                "--user=root",
                "--port=0",
                "--interface",
                ROUTER_INTERFACE,
                "--enable-tftp",
                "--quiet-tftp",
                "--tftp-max=4096",
                "--tftp-root",
                DIRECTORY,
            ],
            Self::Atftpd => &[
                "atftpd",
                "--daemon",
                "--no-fork",
                "--logfile",
                "-",
                "--verbose=3",
                "--user",
                "root.root",
                "--maxthread",
                "4096",
                "--bind-address",
                "::",
                DIRECTORY,
            ],
            Self::TftpdHpa => &["in.tftpd", "--foreground", "--ipv6", "--user", "root", "--secure", DIRECTORY],
        }
    }

    /// How it is started.
    pub(super) fn command_line(self) -> String {
        self.words().join(" ")
    }

    /// Starts it on a host, and waits until its port is taken.
    pub(super) fn start(self, host: &Host, directory: &Path) -> Result<Process> {
        let (name, arguments) = self.words().split_first().context("a command without words")?;
        let mut command = Command::new(find(name));
        for argument in arguments {
            match *argument {
                DIRECTORY => command.arg(directory),
                other => command.arg(other),
            };
        }
        let process = host.start(&command)?;
        let started = Instant::now();
        while !is_heard(host)? {
            ensure!(started.elapsed() < START_LIMIT, "`{}` does not listen: {}", self.command_line(), process.output());
            thread::sleep(POLL);
        }
        Ok(process)
    }
}

/// Does anybody listen on port 69?
fn is_heard(host: &Host) -> Result<bool> {
    let sockets = host.run(|| fs::read_to_string("/proc/thread-self/net/udp6"))?;
    Ok(sockets.context("cannot read the host's sockets")?.contains(PORT_69))
}

/// Beside the builds, where `cargo xtask bench` has unpacked it, or else the one on PATH.
fn find(name: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let target = env::var_os("CARGO_TARGET_DIR").map_or(target, PathBuf::from);
    let unpacked = target.join("tools/debian/usr/sbin").join(name);
    if unpacked.exists() { unpacked } else { name.into() }
}
