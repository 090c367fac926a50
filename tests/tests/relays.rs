//! Machines behind real relay agents: each gets its prefix and its own MAC, and keeps them, though the daemon never sees a frame of theirs.
#![cfg(test)]

use std::{cell::Cell, process::Command, time::Duration};

use dhcpv6macd::{policy::BaseAddress, wire::MacAddr};
use dhcpv6macd_tests::lab::{
    Daemon, End, Host, MACHINE_INTERFACE, Process, ROUTER_INTERFACE, Rack, Stopped, Tenure, cable, dhclient,
};
use tempfile::TempDir;

const BASE: &str = "2001:db8:0:1::";
/// Two seconds to the first Renew.
const SHORT: [&str; 8] = ["--preferred-lifetime", "20s", "--valid-lifetime", "40s", "--t1", "2s", "--t2", "6s"];
/// How long anything may take on a machine that is busy with something else.
const LIMIT: Duration = Duration::from_secs(20);

const NATIVE: [&str; 2] = ["--xdp-mode", "native"];
const PACKET: [&str; 2] = ["--datapath", "packet"];

/// The relay agent's interface to the router, and the one to its machine, with the address that names the machine's link.
const UP: &str = MACHINE_INTERFACE;
const DOWN: &str = "down0";
const LINK: &str = "2001:db8:0:a::1";
/// The machine behind it; nothing on the router's link has this MAC.
const MACHINE: MacAddr = MacAddr([0x02, 0, 0, 0, 0x02, 0x01]);

/// A router and a relay agent on one link, a machine on another.
struct Scene {
    rack: Rack,
    machine: Host,
    state: TempDir,
}

impl Scene {
    fn new() -> Self {
        let rack = Rack::new(1).unwrap();
        let machine = Host::new("machine behind the relay agent").unwrap();
        let port = End { host: &rack.machines[0], interface: DOWN, mac: None };
        cable(End { host: &machine, interface: MACHINE_INTERFACE, mac: Some(MACHINE) }, port).unwrap();
        let scene = Self { rack, machine, state: TempDir::new().unwrap() };
        scene.relay().ip(&format!("-6 address add {LINK}/64 dev {DOWN}")).unwrap();
        for (host, interface) in [(scene.relay(), DOWN), (&scene.machine, MACHINE_INTERFACE)] {
            host.addresses(interface).unwrap();
        }
        scene
    }

    fn relay(&self) -> &Host {
        &self.rack.machines[0]
    }

    fn daemon(&self, arguments: &[&str]) -> Daemon {
        let least = ["--interface", ROUTER_INTERFACE, "--base-address", BASE, "--tftp-listen-addr", "off"];
        Daemon::start(&self.rack.router, &[&least[..], &SHORT, arguments].concat()).unwrap()
    }

    fn dhcrelay(&self, arguments: &[&str]) -> Process {
        let mut command = Command::new("dhcrelay");
        command.args(["-6", "-d", "--no-pid", "-u", UP]).args(arguments);
        let relay = self.relay().start(&command).unwrap();
        relay.wait_for(LIMIT, |line| line.contains("Sending on   Socket/")).unwrap();
        relay
    }

    fn dnsmasq(&self) -> Process {
        let mut command = Command::new("dnsmasq");
        command.args(["--keep-in-foreground", "--log-facility=-", "--log-dhcp", "--port=0", "--conf-file=/dev/null"]);
        command.args(["--user=root", "--pid-file=", &format!("--dhcp-relay={LINK},ff05::1:3,{UP}")]);
        let relay = self.relay().start(&command).unwrap();
        relay.wait_for(LIMIT, |line| line.contains("DHCP relay from")).unwrap();
        relay
    }

    fn dhclient(&self, arguments: &[&str]) -> Process {
        dhclient(&self.machine, self.state.path(), arguments).unwrap()
    }

    fn tenure(&self) -> Tenure<'_> {
        let address = BASE.parse::<BaseAddress>().unwrap().address_of(MACHINE);
        Tenure { machine: &self.machine, address }
    }

    /// A client with this kind of DUID behind the relay agent gets its machine's address, and keeps it.
    fn shows(&self, relay: &Process, duid: &str, arguments: &[&str]) {
        let daemon = self.daemon(arguments);
        let client = self.dhclient(&["-D", duid]);
        let tenure = self.tenure();
        let kept = tenure.wait_until_bound(&client).and_then(|()| tenure.wait_until_extended(2, &client));
        drop(client);
        let stopped = daemon.stop().unwrap();
        kept.unwrap_or_else(|error| panic!("{error:#}\n{}\n{}", relay.output(), stopped.ended.output));
        let asked = counted(&stopped, ["receive_solicit", "receive_request", "receive_renew"]);
        let said = counted(&stopped, ["send_advertise", "send_reply"]);
        assert!(asked[0] >= 1 && asked[1] >= 1 && asked[2] >= 2, "{stopped:?}");
        assert_eq!(said, [asked[0], asked[1] + asked[2]], "{stopped:?}");
        let relayed = counted(&stopped, ["receive_relay_forward", "send_relay_reply"]);
        assert_eq!(relayed, [asked.iter().sum::<u64>(); 2], "{stopped:?}");
        assert!(stopped.counters.keys().all(|name| !name.starts_with("drop_")), "{stopped:?}");
    }

    /// Whatever the machine asks is dropped under this name, as long as the daemon is so.
    fn drops(&self, name: &str, arguments: &[&str]) {
        let daemon = self.daemon(arguments);
        let client = self.dhclient(&["-D", "LL"]);
        let sent = Cell::new(0);
        let is_second = |line: &str| line.starts_with("XMT: Solicit") && sent.replace(sent.get() + 1) == 1;
        client.wait_for(LIMIT, is_second).unwrap();
        drop(client);
        let stopped = daemon.stop().unwrap();
        let asked = stopped.counter("receive_solicit");
        assert!(asked >= 1, "{stopped:?}");
        assert_eq!(counted(&stopped, [name, "receive_relay_forward", "send_relay_reply"]), [asked, asked, 0]);
        assert_eq!(self.tenure().valid().unwrap(), None);
    }
}

fn counted<const N: usize>(stopped: &Stopped, names: [&str; N]) -> [u64; N] {
    names.map(|name| stopped.counter(name))
}

#[test]
fn a_machine_behind_dhcrelay_keeps_its_address() {
    for datapath in [NATIVE, PACKET] {
        let scene = Scene::new();
        scene.shows(&scene.dhcrelay(&["-I", "-l", DOWN]), "LL", &datapath);
    }
}

/// dhcrelay has two interfaces with one link address: only the Interface-Id that it gets back tells where the machine is.
#[test]
fn an_interface_id_comes_back() {
    for lower in [[DOWN, "down1"], ["down1", DOWN]] {
        let scene = Scene::new();
        let [one, other] = ["down1", "spare"].map(|interface| End { host: scene.relay(), interface, mac: None });
        cable(one, other).unwrap();
        scene.relay().ip(&format!("-6 address add {LINK}/128 dev down1")).unwrap();
        scene.relay().addresses("down1").unwrap();
        let relay = scene.dhcrelay(&["-I", "-l", lower[0], "-l", lower[1]]);
        scene.shows(&relay, "LL", &NATIVE);
    }
}

/// dhcrelay knows no option 79: what is left is the DUID, or the link-local address.
#[test]
fn dhcrelay_tells_no_mac() {
    let scene = Scene::new();
    let relay = scene.dhcrelay(&["-l", DOWN]);
    scene.drops("drop_unknown_mac", &["--mac-source", "ethernet,relay"]);
    scene.shows(&relay, "LLT", &["--mac-source", "ethernet,relay,duid"]);
}

#[test]
fn a_link_local_address_tells_the_mac() {
    let scene = Scene::new();
    scene.shows(&scene.dhcrelay(&["-l", DOWN]), "LL", &["--mac-source", "eui64"]);
}

/// dnsmasq puts option 79 in.
#[test]
fn a_machine_behind_dnsmasq_keeps_its_address() {
    for datapath in [NATIVE, PACKET] {
        let scene = Scene::new();
        scene.shows(&scene.dnsmasq(), "LL", &[&datapath[..], &["--mac-source", "relay"]].concat());
    }
}

#[test]
fn a_relay_agent_from_elsewhere_is_not_heard() {
    for datapath in [NATIVE, PACKET] {
        let scene = Scene::new();
        let relay = scene.dhcrelay(&["-l", DOWN]);
        for relay_from in ["2001:db8:0:a::/64", "off"] {
            scene.drops("drop_relay_not_allowed", &[&datapath[..], &["--relay-from", relay_from]].concat());
        }
        scene.shows(&relay, "LL", &datapath);
    }
}
