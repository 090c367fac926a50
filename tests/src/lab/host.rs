//! Hosts and the cables between them.

use std::{
    fs,
    net::{Ipv6Addr, UdpSocket},
    os::fd::{AsFd as _, AsRawFd as _},
    process::{self, Command},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use dhcpv6macd::{datapath::namespace::Namespace, policy::BaseAddress, wire::MacAddr};
use rustix::net::netdevice::name_to_index;

use super::{Ended, Process, ROUTER_INTERFACE};

/// How long a command that configures something may take on a busy machine.
const CONFIGURATION_LIMIT: Duration = Duration::from_secs(10);
/// How long an interface may take to have its addresses.
const ADDRESSES_LIMIT: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(5);

/// A host: a network namespace without a name that ends with this and with the last process in it. Its loopback interface is
/// up. Duplicate-address detection is off until a [`sysctl`](Self::sysctl) turns it on.
#[derive(Clone, Debug)]
pub struct Host {
    name: String,
    namespace: Arc<Namespace>,
}

impl Host {
    /// A host without interfaces; `name` is for error messages.
    ///
    /// # Errors
    ///
    /// Without root's rights.
    pub fn new(name: &str) -> Result<Self> {
        let namespace = Namespace::anonymous().context("cannot make a network namespace: root's rights are needed")?;
        let host = Self { name: name.to_owned(), namespace: Arc::new(namespace) };
        host.sysctl("net.ipv6.conf.default.accept_dad", "0")?;
        host.ip("link set lo up")?;
        Ok(host)
    }

    /// Its name in error messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its namespace.
    #[must_use]
    pub fn namespace(&self) -> &Arc<Namespace> {
        &self.namespace
    }

    /// Runs `work` inside, on a thread of its own: sockets that it opens stay there.
    ///
    /// # Errors
    ///
    /// Where no thread can be started.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        self.namespace.run(work).with_context(|| format!("cannot enter the namespace of {}", self.name))
    }

    /// Starts a program inside. Of the command its program, arguments, environment and directory are used.
    ///
    /// # Errors
    ///
    /// Where it cannot be started.
    pub fn start(&self, command: &Command) -> Result<Process> {
        Process::start(Arc::clone(&self.namespace), command).with_context(|| format!("on {}", self.name))
    }

    /// Runs a program inside to its end, which comes within `limit`, and returns what it wrote and how it ended.
    ///
    /// # Errors
    ///
    /// Where it cannot be started, or does not end in time: it is killed then.
    pub fn execute(&self, command: &Command, limit: Duration) -> Result<Ended> {
        self.start(command)?.wait(limit).with_context(|| format!("on {}", self.name))
    }

    /// Runs `ip` with these arguments, separated by blanks, and returns what it says.
    ///
    /// # Errors
    ///
    /// Where it fails, with what it said.
    pub fn ip(&self, arguments: &str) -> Result<String> {
        let mut ip = Command::new("ip");
        ip.args(arguments.split_whitespace());
        self.execute(&ip, CONFIGURATION_LIMIT)?.success().with_context(|| format!("on {}", self.name))
    }

    /// Gives the router's interface the base address, as a router in earnest has it. Once is as good as twice.
    ///
    /// # Errors
    ///
    /// Where there is no such interface.
    pub fn own(&self, base: BaseAddress) -> Result<()> {
        self.ip(&format!("-6 address replace {}/64 dev {ROUTER_INTERFACE} nodad", base.prefix())).map(drop)
    }

    /// Sets a kernel parameter of this host, such as `net.ipv6.conf.all.forwarding`.
    ///
    /// # Errors
    ///
    /// Where there is none of that name, or it does not take the value.
    pub fn sysctl(&self, name: &str, value: &str) -> Result<()> {
        let file = format!("/proc/sys/{}", name.replace('.', "/"));
        self.run(|| fs::write(&file, value))?.with_context(|| format!("cannot set {name} to {value} on {}", self.name))
    }

    /// The number of an interface.
    ///
    /// # Errors
    ///
    /// Where there is none of that name.
    pub fn index_of(&self, interface: &str) -> Result<u32> {
        let socket = self.run(|| UdpSocket::bind("127.0.0.1:0"))??;
        name_to_index(&socket, interface).with_context(|| format!("{} has no interface {interface}", self.name))
    }

    /// The IPv6 addresses of an interface as soon as there is one and none is tentative any more.
    ///
    /// # Errors
    ///
    /// Where that takes longer than five seconds.
    pub fn addresses(&self, interface: &str) -> Result<Vec<Ipv6Addr>> {
        let started = Instant::now();
        loop {
            let shown = self.ip(&format!("-6 -oneline address show dev {interface}"))?;
            if !shown.is_empty() && !shown.contains("tentative") {
                return Ok(shown.lines().filter_map(address_in).collect());
            }
            if started.elapsed() > ADDRESSES_LIMIT {
                bail!("{interface} of {} has no usable address after {ADDRESSES_LIMIT:?}: {shown}", self.name);
            }
            thread::sleep(POLL);
        }
    }

    /// Makes a bridge, up, with these interfaces as its ports, that has no address and floods what it does not know.
    ///
    /// # Errors
    ///
    /// Where one of them does not exist.
    pub fn bridge(&self, name: &str, ports: &[String]) -> Result<()> {
        self.ip(&format!("link add name {name} type bridge stp_state 0 mcast_snooping 0"))?;
        for port in ports {
            self.ip(&format!("link set dev {port} master {name}"))?;
        }
        self.ip(&format!("link set dev {name} up"))?;
        Ok(())
    }
}

/// The address in a line such as `2: eth0    inet6 fe80::1/64 scope link ...`.
fn address_in(line: &str) -> Option<Ipv6Addr> {
    let mut words = line.split_whitespace().skip_while(|word| *word != "inet6").skip(1);
    words.next()?.split('/').next()?.parse().ok()
}

/// One end of a cable.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    /// Whose interface this is.
    pub host: &'a Host,
    /// Name of the interface.
    pub interface: &'a str,
    /// Its hardware address; `None` for one that the kernel makes up.
    pub mac: Option<MacAddr>,
}

impl End<'_> {
    fn address(&self) -> String {
        self.mac.map(|mac| format!("address {mac}")).unwrap_or_default()
    }
}

/// Connects two hosts, or a host with itself, by a veth pair, and sets both ends up.
///
/// # Errors
///
/// Where an interface of such a name exists.
pub fn cable(one: End<'_>, other: End<'_>) -> Result<()> {
    let place = format!("/proc/{}/fd/{}", process::id(), other.host.namespace.as_fd().as_raw_fd());
    one.host.ip(&format!(
        "link add name {} {} type veth peer name {} {} netns {place}",
        one.interface,
        one.address(),
        other.interface,
        other.address()
    ))?;
    for end in [one, other] {
        end.host.ip(&format!("link set dev {} up", end.interface))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_in_its_line() {
        let line =
            "2: eth0    inet6 fe80::5054:ff:fe00:1/64 scope link \\       valid_lft forever preferred_lft forever";
        assert_eq!(address_in(line), "fe80::5054:ff:fe00:1".parse().ok());
        assert_eq!(address_in("2: eth0    inet 192.0.2.1/24"), None);
    }
}
