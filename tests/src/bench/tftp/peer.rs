//! The TFTP servers of others, from Debian.

use std::{
    env,
    ffi::OsString,
    fs,
    net::{Ipv6Addr, UdpSocket},
    os::{fd::OwnedFd, unix::process::CommandExt as _},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    lab::{Host, Process, ROUTER_INTERFACE, target},
    tftp::SERVER_PORT,
};

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
            // By itself it hears IPv4 alone: it is started as inetd starts it. With more threads it ends, for `select` takes no file
            // descriptor above 1023.
            Self::Atftpd => &[
                "atftpd",
                "--tftpd-timeout",
                "86400",
                "--logfile",
                "/dev/null",
                "--verbose=3",
                "--user",
                "root",
                "--group",
                "root",
                "--maxthread",
                "480",
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
        let mut words = self.words().iter();
        let program = find(words.next().context("a command without words")?);
        let mut command = match self {
            Self::Atftpd => {
                let mut inetd = Command::new(env::current_exe().context("where this program is")?);
                inetd.arg("inetd").arg(program);
                inetd
            }
            Self::Dnsmasq | Self::TftpdHpa => Command::new(program),
        };
        for word in words {
            match *word {
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

/// Becomes a server that finds port 69 of IPv6 at its standard input, as inetd hands it over (`nowait` is for others).
///
/// # Errors
///
/// Where the port is taken, or there is no such program.
pub fn inetd(command: &[OsString]) -> Result<()> {
    let (program, arguments) = command.split_first().context("no program")?;
    let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, SERVER_PORT)).context("cannot take port 69")?;
    let error = Command::new(program).args(arguments).stdin(OwnedFd::from(socket)).exec();
    Err(error).with_context(|| format!("cannot become {}", program.display()))
}

/// Does anybody listen on port 69?
fn is_heard(host: &Host) -> Result<bool> {
    let sockets = host.run(|| fs::read_to_string("/proc/thread-self/net/udp6"))?;
    Ok(sockets.context("cannot read the host's sockets")?.contains(PORT_69))
}

/// Beside the builds, where `cargo xtask bench` has unpacked it, or else the one on PATH.
fn find(name: &str) -> PathBuf {
    let unpacked = target().join("tools/debian/usr/sbin").join(name);
    if unpacked.exists() { unpacked } else { name.into() }
}
