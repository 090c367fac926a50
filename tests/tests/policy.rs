//! What the operator decided, while the daemon runs: lists of machines that change, MACs that two machines have, the boot server's
//! address that goes and comes back.
#![cfg(test)]

use std::{cell::Cell, fs, path::PathBuf, time::Duration};

use dhcpv6macd::{policy::BaseAddress, wire::MacAddr};
use dhcpv6macd_tests::{
    golden::{Answer, MACHINE, Message, SOLICIT, X86_64, message},
    lab::{Daemon, MACHINE_INTERFACE, Process, ROUTER_INTERFACE, Rack, Tenure, dhclient, machine_mac},
    population::Port,
};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

const BASE: &str = "2001:db8:0:1::";
const LEAST: [&str; 4] = ["--interface", ROUTER_INTERFACE, "--base-address", BASE];
const NO_TFTP: [&str; 2] = ["--tftp-listen-addr", "off"];
/// Two seconds to the first Renew.
const SHORT: [&str; 8] = ["--preferred-lifetime", "20s", "--valid-lifetime", "40s", "--t1", "2s", "--t2", "6s"];
/// How long anything may take on a machine that is busy with something else.
const LIMIT: Duration = Duration::from_secs(20);
/// How long an answer may take before there is none.
const SILENCE: Duration = Duration::from_millis(500);
const MTU: u32 = 1500;

/// The option that a machine is told its boot file in.
const BOOT_FILE_URL: u16 = 59;

/// A rack, a daemon on its router, and a port where one frame at a time is sent.
struct Scene {
    rack: Rack,
    port: Port,
    files: TempDir,
}

impl Scene {
    fn new(machines: u16) -> Self {
        let rack = Rack::new(machines).unwrap();
        let machine = &rack.machines[0];
        let interface = machine.index_of(MACHINE_INTERFACE).unwrap();
        let port = machine.run(|| Port::open(interface, MTU)).unwrap().unwrap();
        Self { rack, port, files: TempDir::new().unwrap() }
    }

    fn daemon(&self, arguments: &[&[&str]]) -> Daemon {
        Daemon::start(&self.rack.router, &[&LEAST[..], &arguments.concat()].concat()).unwrap()
    }

    /// A file for this name with this text.
    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.files.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// The answer to a message of our machine.
    fn asks(&mut self, message: &Message) -> Option<Answer> {
        self.port.send(&message.frame()).unwrap();
        let frames = self.port.frames(SILENCE).unwrap();
        let is_ours = |answer: &Answer| answer.envelope.ethernet_destination == MACHINE;
        let mut answers = frames.iter().filter_map(|frame| Answer::read(frame).ok()).filter(is_ours);
        let answer = answers.next()?;
        assert_eq!(answers.next(), None, "two answers");
        Some(answer)
    }

    fn client(&self, machine: usize, duid: &str) -> Process {
        let state = self.files.path().join(machine.to_string());
        fs::create_dir(&state).unwrap();
        dhclient(&self.rack.machines[machine], &state, &["-D", duid]).unwrap()
    }

    fn tenure(&self, machine: usize, mac: MacAddr) -> Tenure<'_> {
        let address = BASE.parse::<BaseAddress>().unwrap().address_of(mac);
        Tenure { machine: &self.rack.machines[machine], address }
    }
}

fn solicit() -> Message {
    message(SOLICIT).ia_na(1, &[])
}

fn pxe_solicit() -> Message {
    solicit().pxe(X86_64)
}

fn boot_url(answer: &Answer) -> Option<String> {
    let (_, url) = answer.others.iter().find(|(code, _)| *code == BOOT_FILE_URL)?;
    Some(String::from_utf8(url.clone()).unwrap())
}

/// Waits for a line of the log with this in its message, and returns it.
fn told(daemon: &Daemon, words: &str) -> Value {
    let says = |line: &Value| line["message"].as_str().is_some_and(|message| message.contains(words));
    let line = daemon.process().wait_for(LIMIT, |line| serde_json::from_str(line).is_ok_and(|line| says(&line)));
    serde_json::from_str(&line.unwrap()).unwrap()
}

fn lines_with(log: &str, words: &str) -> usize {
    log.lines().filter(|line| line.contains(words)).count()
}

/// Has the daemon read its lists again, and waits until so many lines say what came of it.
fn reload(daemon: &Daemon, words: &str, times: usize) {
    daemon.process().signal(Signal::HUP).unwrap();
    let seen = Cell::new(0);
    let is_last = |line: &str| line.contains(words) && seen.replace(seen.get() + 1) + 1 == times;
    daemon.process().wait_for(LIMIT, is_last).unwrap();
}

const READ_AGAIN: &str = "lists of machines read again";
const AS_THEY_WERE: &str = "the lists of machines stay as they were";

#[test]
fn lists_of_machines_are_read_again() {
    let mut scene = Scene::new(1);
    let deny = scene.file("deny", "52:54:00 # the whole vendor\n");
    let daemon = scene.daemon(&[&NO_TFTP, &["--deny-macs", deny.to_str().unwrap()]]);
    assert_eq!(scene.asks(&solicit()), None);

    fs::write(&deny, "52:54:00:12:34:57\n").unwrap();
    assert_eq!(scene.asks(&solicit()), None, "nobody has said that the file has changed");
    reload(&daemon, READ_AGAIN, 1);
    assert!(scene.asks(&solicit()).is_some());

    fs::write(&deny, "52:54:00:12:34:57\n52:54:00:12:34:5x\n").unwrap();
    reload(&daemon, AS_THEY_WERE, 1);
    let line = told(&daemon, AS_THEY_WERE);
    let said = line["message"].as_str().unwrap();
    assert!(said.contains(deny.to_str().unwrap()) && said.contains("line 2") && said.contains("34:5x"), "{said}");
    assert!(scene.asks(&solicit()).is_some(), "the old list stays");

    fs::remove_file(&deny).unwrap();
    reload(&daemon, AS_THEY_WERE, 2);
    assert!(scene.asks(&solicit()).is_some(), "the old list stays");

    fs::write(&deny, MACHINE.to_string()).unwrap();
    reload(&daemon, READ_AGAIN, 2);
    assert_eq!(scene.asks(&solicit()), None);
    let stopped = daemon.stop().unwrap();
    assert_eq!((stopped.counter("drop_denied_mac"), stopped.counter("send_advertise")), (3, 3), "{stopped:?}");
}

#[test]
fn who_is_not_in_the_allow_list_is_not_served() {
    let mut scene = Scene::new(1);
    let allow = scene.file("allow", "02:00:00\n");
    let daemon = scene.daemon(&[&NO_TFTP, &["--allow-macs", allow.to_str().unwrap()]]);
    assert_eq!(scene.asks(&solicit()), None);
    fs::write(&allow, format!("02:00:00\n{MACHINE}\n")).unwrap();
    reload(&daemon, READ_AGAIN, 1);
    assert!(scene.asks(&solicit()).is_some());
    let stopped = daemon.stop().unwrap();
    assert_eq!((stopped.counter("drop_not_allowed_mac"), stopped.counter("send_advertise")), (1, 1), "{stopped:?}");
}

#[test]
fn a_hangup_without_lists_ends_nothing() {
    let mut scene = Scene::new(1);
    let daemon = scene.daemon(&[&NO_TFTP]);
    reload(&daemon, READ_AGAIN, 1);
    assert!(scene.asks(&solicit()).is_some());
    daemon.stop().unwrap();
}

/// A DUID as it is logged.
fn duid_ll(mac: MacAddr) -> String {
    format!("00:03:00:01:{mac}")
}

#[test]
fn two_machines_with_one_mac_are_told_of() {
    let scene = Scene::new(2);
    let mac = machine_mac(0);
    scene.rack.machines[1].ip(&format!("link set dev {MACHINE_INTERFACE} address {mac}")).unwrap();
    let daemon = scene.daemon(&[&NO_TFTP, &SHORT]);
    let (one, other) = (scene.client(0, "LL"), scene.client(1, "LLT"));
    let line = told(&daemon, "mac_conflict");
    drop((one, other));
    let mut duids = ["client_id", "other"].map(|name| line[name].as_str().unwrap());
    duids.sort_unstable();
    let [with_time, without] = duids;
    assert_eq!((line["mac"].as_str(), without), (Some(&*mac.to_string()), &*duid_ll(mac)), "{line}");
    assert!(with_time.starts_with("00:01:00:01:") && with_time.ends_with(&mac.to_string()), "{line}");
    let stopped = daemon.stop().unwrap();
    assert!(stopped.counter("mac_conflict") >= 1, "{stopped:?}");
    assert_eq!(stopped.counter("duid_of_another_mac"), 0, "{stopped:?}");
}

#[test]
fn a_declined_address_is_a_conflict() {
    let scene = Scene::new(2);
    let mac = machine_mac(0);
    let address = scene.tenure(0, mac).address;
    scene.rack.machines[1].ip(&format!("-6 address add {address}/64 dev {MACHINE_INTERFACE}")).unwrap();
    scene.rack.machines[0].sysctl(&format!("net.ipv6.conf.{MACHINE_INTERFACE}.accept_dad"), "1").unwrap();
    let daemon = scene.daemon(&[&NO_TFTP]);
    let client = scene.client(0, "LL");
    let line = told(&daemon, "mac_conflict: the machine has declined its address");
    assert_eq!((&line["mac"], &line["client_id"]), (&mac.to_string().into(), &duid_ll(mac).into()), "{line}");
    drop(client);
    let stopped = daemon.stop().unwrap();
    assert!(stopped.counter("receive_decline") >= 1 && stopped.counter("mac_conflict") >= 1, "{stopped:?}");
}

#[test]
fn a_duid_of_another_mac_is_told_of_once() {
    let scene = Scene::new(1);
    let dock = MacAddr([2, 0, 0, 0, 0, 0x99]);
    let ip = |words: &str| scene.rack.machines[0].ip(&format!("link set dev {MACHINE_INTERFACE} {words}")).unwrap();
    let daemon = scene.daemon(&[&NO_TFTP, &SHORT]);
    ip(&format!("address {dock}"));
    let client = scene.client(0, "LL");
    scene.tenure(0, dock).wait_until_bound(&client).unwrap();
    ip(&format!("address {}", machine_mac(0)));
    let line = told(&daemon, "DUID was made from another MAC");
    assert_eq!((&line["mac"], &line["of"]), (&machine_mac(0).to_string().into(), &dock.to_string().into()), "{line}");
    let stopped = daemon.stop().unwrap();
    assert_eq!(stopped.counter("duid_of_another_mac"), 1, "{stopped:?}");
    assert_eq!(lines_with(&stopped.ended.output, "another MAC"), 1);
    assert!(stopped.counter("receive_renew") + stopped.counter("receive_rebind") >= 1, "{stopped:?}");
}

#[test]
fn the_boot_server_goes_and_comes_back() {
    const ANOTHER: &str = "2001:db8:0:1::77";
    let mut scene = Scene::new(1);
    scene.rack.router.own(BASE.parse().unwrap()).unwrap();
    let daemon = scene.daemon(&[]);
    let address = |scene: &Scene, words: &str| {
        scene.rack.router.ip(&format!("-6 address {words}/64 dev {ROUTER_INTERFACE}")).unwrap();
    };
    let load = |scene: &mut Scene| boot_url(&scene.asks(&pxe_solicit()).expect("an address, in any case"));
    let from = |server: &str| Some(format!("tftp://[{server}]/{MACHINE}/ipxe.efi"));
    assert_eq!(load(&mut scene), from(BASE));

    address(&scene, &format!("delete {BASE}"));
    let line = told(&daemon, "are not told where to load iPXE from");
    assert_eq!(line["level"], "WARN", "{line}");
    assert_eq!(load(&mut scene), None);

    for server in [ANOTHER, BASE] {
        address(&scene, &format!("add {server}"));
        let is_told = |line: &str| line.contains("to load iPXE from here now") && line.contains(&format!("{server:?}"));
        daemon.process().wait_for(LIMIT, is_told).unwrap();
        assert_eq!(load(&mut scene), from(server));
    }
    daemon.stop().unwrap();
}
