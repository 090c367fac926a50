//! Real clients from Debian as machines of the rack: each gets its prefix and its MAC from the real daemon, and keeps them.
#![cfg(test)]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use dhcpv6macd::policy::BaseAddress;
use dhcpv6macd_tests::lab::{
    self, Daemon, Host, MACHINE_INTERFACE, Process, ROUTER_INTERFACE, Rack, Stopped, Tenure, machine_mac,
};
use rustix::process::Signal;
use tempfile::TempDir;

const BASE: &str = "2001:db8:0:1::";
/// Two seconds to the first Renew.
const SHORT: [&str; 8] = ["--preferred-lifetime", "20s", "--valid-lifetime", "40s", "--t1", "2s", "--t2", "6s"];
/// How long anything may take on a machine that is busy with something else.
const LIMIT: Duration = Duration::from_secs(40);
const POLL: Duration = Duration::from_millis(100);

const NATIVE: [&str; 2] = ["--xdp-mode", "native"];
const GENERIC: [&str; 2] = ["--xdp-mode", "generic"];
const PACKET: [&str; 2] = ["--datapath", "packet"];

/// A machine with a client on it, a daemon at its router, and the client's files.
struct Scene {
    rack: Rack,
    state: TempDir,
}

impl Scene {
    fn new() -> Self {
        Self { rack: Rack::new(1).unwrap(), state: TempDir::new().unwrap() }
    }

    fn machine(&self) -> &Host {
        &self.rack.machines[0]
    }

    fn daemon(&self, arguments: &[&str]) -> Daemon {
        let least = ["--interface", ROUTER_INTERFACE, "--base-address", BASE, "--tftp-listen-addr", "off"];
        Daemon::start(&self.rack.router, &[&least[..], &SHORT, arguments].concat()).unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.state.path().join(name)
    }

    /// The address that the machine is to have.
    fn tenure(&self) -> Tenure<'_> {
        let address = BASE.parse::<BaseAddress>().unwrap().address_of(machine_mac(0));
        Tenure { machine: self.machine(), address }
    }

    fn wait_until_bound(&self, client: &Process) {
        self.tenure().wait_until_bound(client).unwrap();
    }

    fn wait_until_extended(&self, times: u32, client: &Process) {
        self.tenure().wait_until_extended(times, client).unwrap();
    }

    /// The client gets its address, and keeps it over so many renewals.
    fn shows(&self, client: Process, renewals: u32, arguments: &[&str]) -> Stopped {
        let daemon = self.daemon(arguments);
        self.wait_until_bound(&client);
        self.wait_until_extended(renewals, &client);
        drop(client);
        let stopped = daemon.stop().unwrap();
        assert!(stopped.counter("receive_solicit") >= 1, "{stopped:?}");
        assert!(stopped.counter("receive_renew") >= u64::from(renewals), "{stopped:?}");
        assert!(stopped.counters.keys().all(|name| !name.starts_with("drop_")), "{stopped:?}");
        stopped
    }

    fn dhclient(&self, arguments: &[&str]) -> Process {
        lab::dhclient(self.machine(), self.state.path(), arguments).unwrap()
    }

    fn dhcpcd(&self) -> Process {
        self.dhcpcd_as(DHCPCD_CONFIGURATION)
    }

    fn dhcpcd_as(&self, configuration: &str) -> Process {
        fs::write(self.file("dhcpcd.conf"), configuration).unwrap();
        self.in_private(&format!(
            "mkdir -p /var/lib/dhcpcd && mount -t tmpfs tmpfs /var/lib/dhcpcd && exec dhcpcd -6 -B -d -f {} {MACHINE_INTERFACE}",
            shown(&self.file("dhcpcd.conf"))
        ))
    }

    /// systemd-networkd takes an interface without udev where /sys cannot be written.
    fn networkd(&self, configuration: &str) -> Process {
        fs::write(self.file("eth0.network"), configuration).unwrap();
        self.in_private(&format!(
            "mount -t sysfs sysfs /sys && mount -o remount,bind,ro /sys && mkdir -p /run/systemd/network \
             && cp {} /run/systemd/network/ && SYSTEMD_LOG_LEVEL=debug exec /lib/systemd/systemd-networkd",
            shown(&self.file("eth0.network"))
        ))
    }

    /// Runs a client with mounts of its own, so that it finds nothing of this machine's and leaves nothing on it.
    fn in_private(&self, script: &str) -> Process {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &format!("mount -t tmpfs tmpfs /run && {script}")]);
        self.machine().start(&command).unwrap()
    }
}

/// The text of a file that the client writes, as soon as these words are in it.
fn text_with(path: &Path, words: &str, client: &Process) -> String {
    let started = Instant::now();
    loop {
        // Not there yet is as good as empty.
        let text = fs::read_to_string(path).unwrap_or_default();
        if text.contains(words) {
            return text;
        }
        assert!(started.elapsed() < LIMIT, "no {words} in {text:?}: {}", client.output());
        thread::sleep(POLL);
    }
}

fn shown(path: &Path) -> &str {
    path.to_str().unwrap()
}

const DHCPCD_CONFIGURATION: &str = "\
ipv6only
noipv6rs
nohook resolv.conf, hostname, ntp.conf
interface eth0
  ia_na 1
";

const NETWORKD_CONFIGURATION: &str = "\
[Match]
Name=eth0
[Network]
DHCP=ipv6
IPv6AcceptRA=no
[DHCPv6]
WithoutRA=solicit
UseDNS=no
";

/// As networkd is by itself: it asks DHCPv6 when a router says so.
const NETWORKD_TOLD_BY_ROUTERS: &str = "\
[Match]
Name=eth0
[Network]
IPv6AcceptRA=yes
[IPv6AcceptRA]
UseDNS=no
[DHCPv6]
UseDNS=no
";

#[test]
fn dhclient_keeps_its_address_through_native_xdp() {
    let scene = Scene::new();
    let stopped = scene.shows(scene.dhclient(&[]), 2, &NATIVE);
    assert!(stopped.counter("steer_dhcpv6") >= 4, "{stopped:?}");
}

#[test]
fn dhclient_keeps_its_address_through_generic_xdp() {
    let scene = Scene::new();
    let stopped = scene.shows(scene.dhclient(&[]), 2, &GENERIC);
    assert!(stopped.counter("steer_dhcpv6") >= 4, "{stopped:?}");
}

#[test]
fn dhclient_keeps_its_address_without_xdp() {
    let scene = Scene::new();
    scene.shows(scene.dhclient(&[]), 2, &PACKET);
}

#[test]
fn dhcpcd_keeps_its_address() {
    let scene = Scene::new();
    scene.shows(scene.dhcpcd(), 2, &NATIVE);
}

#[test]
fn networkd_keeps_its_address() {
    let scene = Scene::new();
    // Its timers are accurate to ten seconds: with less between T1 and T2 it may begin with a Rebind.
    let times = ["--preferred-lifetime", "60s", "--valid-lifetime", "80s", "--t1", "5s", "--t2", "40s"];
    scene.shows(scene.networkd(NETWORKD_CONFIGURATION), 1, &[&NATIVE[..], &times].concat());
}

#[test]
fn networkd_asks_when_it_is_told_to() {
    let scene = Scene::new();
    let silent = scene.daemon(&NATIVE);
    let client = scene.networkd(NETWORKD_TOLD_BY_ROUTERS);
    client.wait_for(LIMIT, |line| line.contains("Sent Router Solicitation")).unwrap();
    thread::sleep(Duration::from_secs(2));
    assert_eq!(silent.stop().unwrap().counter("receive_solicit"), 0);
    let daemon = scene.daemon(&[&NATIVE[..], &["--router-advertisement", "managed"]].concat());
    scene.wait_until_bound(&client);
    let stopped = daemon.stop().unwrap();
    assert!(
        stopped.counter("send_router_advertisement") >= 1 && stopped.counter("receive_solicit") >= 1,
        "{stopped:?}"
    );
}

#[test]
fn another_server_takes_over_by_rebind() {
    let scene = Scene::new();
    let client = scene.dhclient(&[]);
    let first = scene.daemon(&NATIVE);
    scene.wait_until_bound(&client);
    first.stop().unwrap();
    let second = scene.daemon(&["--server-duid", "00:03:00:01:02:00:00:00:00:99"]);
    scene.wait_until_extended(1, &client);
    let stopped = second.stop().unwrap();
    assert!(stopped.counter("receive_rebind") >= 1, "{stopped:?}");
    assert_eq!(stopped.counter("receive_renew"), stopped.counter("drop_other_server_id"), "{stopped:?}");
}

#[test]
fn two_servers_of_one_duid_renew_for_each_other() {
    let scene = Scene::new();
    let client = scene.dhcpcd();
    let first = scene.daemon(&["--server-duid", "00:03:00:01:02:00:00:00:00:99"]);
    scene.wait_until_bound(&client);
    first.kill().unwrap();
    let second = scene.daemon(&["--server-duid", "00:03:00:01:02:00:00:00:00:99"]);
    scene.wait_until_extended(1, &client);
    let stopped = second.stop().unwrap();
    assert!(stopped.counter("receive_renew") >= 1, "{stopped:?}");
}

#[test]
fn a_lease_is_confirmed_and_given_back() {
    let scene = Scene::new();
    let daemon = scene.daemon(&NATIVE);
    let client = scene.dhclient(&[]);
    scene.wait_until_bound(&client);
    drop(client);
    let again = scene.dhclient(&[]);
    again.wait_for(LIMIT, |line| line.contains("XMT: Confirm")).unwrap();
    again.wait_for(LIMIT, |line| line.contains("RCV: Reply")).unwrap();
    scene.wait_until_extended(1, &again);
    drop(again);
    scene.dhclient(&["-r"]).wait(LIMIT).unwrap().success().unwrap();
    let stopped = daemon.stop().unwrap();
    assert_eq!((stopped.counter("receive_confirm"), stopped.counter("receive_release")), (1, 1), "{stopped:?}");
}

#[test]
fn dhcpcd_gives_its_address_back() {
    let scene = Scene::new();
    let daemon = scene.daemon(&NATIVE);
    let client = scene.dhcpcd();
    scene.wait_until_bound(&client);
    // dhcpcd loses a signal that comes while a hook of it runs.
    for _ in 0..3 {
        client.signal(Signal::ALARM).unwrap();
        thread::sleep(Duration::from_secs(1));
    }
    client.wait(LIMIT).unwrap();
    let stopped = daemon.stop().unwrap();
    assert_eq!(stopped.counter("receive_release"), 1, "{stopped:?}");
}

/// Every option that there is to configure.
const OPTIONS: [&str; 16] = [
    "--dns-servers",
    "2001:db8::53,2001:db8::54",
    "--domain-search",
    "lab.example,rack.lab.example",
    "--ntp-servers",
    "2001:db8::123,time.lab.example",
    "--sntp-servers",
    "2001:db8::124",
    "--posix-timezone",
    "CET-1CEST,M3.5.0,M10.5.0/3",
    "--tzdb-timezone",
    "Europe/Berlin",
    "--sol-max-rt",
    "7200",
    "--information-refresh-time",
    "9000",
];

#[test]
fn dhclient_reads_the_options_that_it_asks_for() {
    let scene = Scene::new();
    let daemon = scene.daemon(&OPTIONS);
    let configuration = "request dhcp6.name-servers, dhcp6.domain-search, dhcp6.sntp-servers, dhcp6.solmax-rt, \
                         dhcp6.new-posix-timezone, dhcp6.new-tzdb-timezone, dhcp6.info-refresh-time;";
    fs::write(scene.file("dhclient.conf"), configuration).unwrap();
    let client = scene.dhclient(&["-cf", shown(&scene.file("dhclient.conf"))]);
    let lease = text_with(&scene.file("leases"), "\n}", &client);
    for option in [
        "dhcp6.name-servers 2001:db8::53,2001:db8::54;",
        r#"dhcp6.domain-search "lab.example.", "rack.lab.example.";"#,
        "dhcp6.sntp-servers 2001:db8::124;",
        "dhcp6.solmax-rt 7200;",
        r#"dhcp6.new-posix-timezone "CET-1CEST,M3.5.0,M10.5.0/3";"#,
        r#"dhcp6.new-tzdb-timezone "Europe/Berlin";"#,
    ] {
        assert!(lease.contains(option), "{option} in {lease}");
    }
    assert!(
        !lease.contains("dhcp6.info-refresh-time"),
        "with an address that ends there is nothing to refresh: {lease}"
    );
    assert!(!lease.contains("dhcp6.unknown-56"), "nobody has asked for time servers: {lease}");
    daemon.stop().unwrap();
}

#[test]
fn dhclient_is_told_when_to_ask_again_where_it_has_no_address() {
    let scene = Scene::new();
    let daemon = scene.daemon(&OPTIONS);
    fs::write(scene.file("dhclient.conf"), "request dhcp6.name-servers, dhcp6.info-refresh-time;").unwrap();
    let client = scene.dhclient(&["-S", "-cf", shown(&scene.file("dhclient.conf"))]);
    client.wait_for(LIMIT, |line| line.contains("Refresh event scheduled in 9000 seconds")).unwrap();
    let stopped = daemon.stop().unwrap();
    assert_eq!(stopped.counter("receive_information_request"), 1, "{stopped:?}");
}

#[test]
fn dhcpcd_reads_the_options_that_it_asks_for() {
    let scene = Scene::new();
    let daemon = scene.daemon(&OPTIONS);
    let (hook, read) = (scene.file("hook"), scene.file("read"));
    fs::write(&hook, format!("#!/bin/sh\n[ $reason != BOUND6 ] || {{ env; echo whole; }} > {}\n", shown(&read)))
        .unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let asks = "option dhcp6_name_servers, dhcp6_domain_search, dhcp6_ntp_server, dhcp6_sntp_servers\n\
                option dhcp6_posix_timezone, dhcp6_tzdb_timezone\n";
    let client = scene.dhcpcd_as(&format!("script {}\n{asks}{DHCPCD_CONFIGURATION}", shown(&hook)));
    let read = text_with(&read, "whole", &client);
    for variable in [
        "name_servers=2001:db8::53 2001:db8::54",
        "domain_search=lab.example rack.lab.example",
        "ntp_server_addr=2001:db8::123",
        "ntp_server_fqdn=time.lab.example",
        "sntp_servers=2001:db8::124",
        "posix_timezone=CET-1CEST,M3.5.0,M10.5.0/3",
        "tzdb_timezone=Europe/Berlin",
        "sol_max_rt=7200",
    ] {
        assert!(read.contains(&format!("\nnew_dhcp6_{variable}\n")), "{variable} in {read}");
    }
    daemon.stop().unwrap();
}
