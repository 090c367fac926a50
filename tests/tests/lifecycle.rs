//! The daemon through its life: what keeps it from starting, what happens to its interface, and what it leaves behind.
#![cfg(test)]

use std::{
    collections::BTreeSet,
    fs,
    net::UdpSocket,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use aya::{
    EbpfLoader,
    programs::{Xdp, XdpMode, loaded_programs},
};
use dhcpv6macd::datapath::steering::STEERING_PROGRAM;
use dhcpv6macd_tests::{
    golden,
    lab::{Daemon, Ended, Host, MACHINE_INTERFACE, ROUTER_INTERFACE, Rack},
    population::{Arrivals, Counterpart, Goal, Load, Outcome, Population, Port},
};
use rustix::process::{Pid, Signal};

const BASE: &str = "2001:db8:0:1::";
const LEAST: [&str; 6] =
    ["--interface", ROUTER_INTERFACE, "--base-address", BASE, "--boot-server-address", "2001:db8:b::1"];
const NATIVE: [&str; 2] = ["--xdp-mode", "native"];
const GENERIC: [&str; 2] = ["--xdp-mode", "generic"];
const PACKET: [&str; 2] = ["--datapath", "packet"];
const MTU: u32 = 1500;
/// How long anything may take on a machine that is busy with something else.
const LIMIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);

fn start(rack: &Rack, arguments: &[&str]) -> Daemon {
    Daemon::start(&rack.router, &[&LEAST[..], arguments].concat()).unwrap()
}

/// Simulated machines at the first machine's port have an exchange each.
fn exchanges(rack: &Rack, machines: usize, goal: Goal) -> Outcome {
    let machine = &rack.machines[0];
    let interface = machine.index_of(MACHINE_INTERFACE).unwrap();
    let mut port = machine.run(|| Port::open(interface, MTU)).unwrap().unwrap();
    let mut population = Population::new(machines, Counterpart::Server(BASE.parse().unwrap()));
    population.drive_at(&mut port, Load { arrivals: Arrivals::Window(64), goal }, |_| {}).unwrap()
}

fn all_are_answered(rack: &Rack) {
    let outcome = exchanges(rack, 50, Goal::OnceEach);
    assert_eq!((outcome.exchanges, outcome.wrong, outcome.unanswered), (50, 0, 0), "{outcome:?}");
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < LIMIT, "not in time: {what}");
        thread::sleep(POLL);
    }
}

/// Status 2, and one line that says all this.
fn refuses(ended: &Ended, words: &[&str]) {
    assert_eq!(ended.status.code(), Some(2), "{}", ended.output);
    let lines: Vec<_> = ended.output.lines().collect();
    assert_eq!(lines.len(), 1, "{}", ended.output);
    assert!(words.iter().all(|words| lines[0].contains(words)), "{words:?} in {}", ended.output);
}

#[test]
fn an_interface_goes_down_and_comes_up_again() {
    for datapath in [NATIVE, GENERIC, PACKET] {
        let rack = Rack::new(1).unwrap();
        let daemon = start(&rack, &datapath);
        all_are_answered(&rack);
        rack.router.ip(&format!("link set {ROUTER_INTERFACE} down")).unwrap();
        rack.router.ip(&format!("link set {ROUTER_INTERFACE} up")).unwrap();
        rack.router.addresses(ROUTER_INTERFACE).unwrap();
        all_are_answered(&rack);
        assert_eq!(daemon.stop().unwrap().counter("send_reply"), 100);
    }
}

#[test]
fn groups_are_joined_again_after_the_interface_had_no_ipv6() {
    let rack = Rack::new(1).unwrap();
    let daemon = start(&rack, &NATIVE);
    let groups = || rack.router.ip(&format!("-6 maddress show dev {ROUTER_INTERFACE}")).unwrap();
    let joined = || groups().contains("ff02::1:2") && groups().contains("ff05::1:3");
    assert!(joined());
    rack.router.ip(&format!("link set {ROUTER_INTERFACE} mtu 1200")).unwrap();
    wait_until("out of the groups", || !joined());
    rack.router.ip(&format!("link set {ROUTER_INTERFACE} mtu 1500")).unwrap();
    wait_until("in the groups again", joined);
    all_are_answered(&rack);
    daemon.stop().unwrap();
}

#[test]
fn an_address_is_ours_as_long_as_the_interface_has_it() {
    const ADDRESS: &str = "2001:db8:0:1:1::1";
    let rack = Rack::new(1).unwrap();
    let daemon = start(&rack, &NATIVE);
    let machine = &rack.machines[0];
    machine.ip(&format!("-6 address add 2001:db8:0:1:2::2/64 dev {MACHINE_INTERFACE} nodad")).unwrap();
    let mac = dhcpv6macd_tests::lab::ROUTER_MAC;
    machine.ip(&format!("-6 neigh replace {ADDRESS} lladdr {mac} dev {MACHINE_INTERFACE}")).unwrap();
    let socket = machine.run(|| UdpSocket::bind("[2001:db8:0:1:2::2]:546")).unwrap().unwrap();
    let changed =
        |line: &str, how: &str| line.contains("addresses changed") && line.contains(&format!("\"{how}\":\"[{ADDRESS}"));

    rack.router.ip(&format!("-6 address add {ADDRESS}/64 dev {ROUTER_INTERFACE}")).unwrap();
    daemon.process().wait_for(LIMIT, |line| changed(line, "added")).unwrap();
    for _ in 0..3 {
        socket.send_to(&[1, 2, 3, 4], (ADDRESS, 547)).unwrap();
    }
    rack.router.ip(&format!("-6 address delete {ADDRESS}/64 dev {ROUTER_INTERFACE}")).unwrap();
    daemon.process().wait_for(LIMIT, |line| changed(line, "removed")).unwrap();
    for _ in 0..2 {
        socket.send_to(&[1, 2, 3, 4], (ADDRESS, 547)).unwrap();
    }
    let stopped = daemon.stop().unwrap();
    let counted = ["steer_dhcpv6", "drop_unicast", "drop_no_client_id", "pass_other_address"];
    let counted = counted.map(|name| stopped.counter(name));
    assert_eq!((counted[0], counted[1] + counted[2], counted[3]), (3, 3, 2), "{stopped:?}");
}

#[test]
fn of_more_addresses_than_the_program_can_know_it_knows_those_that_machines_need() {
    const SERVER: &str = "2001:db8:0:1::";
    let rack = Rack::new(1).unwrap();
    let daemon = start(&rack, &[&NATIVE[..], &["--boot-server-address", SERVER]].concat());
    for number in (1..=300).rev() {
        rack.router.ip(&format!("-6 address add 2001:db8:0:1:1::{number:x}/64 dev {ROUTER_INTERFACE}")).unwrap();
    }
    rack.router.ip(&format!("-6 address add {SERVER}/64 dev {ROUTER_INTERFACE} nodad")).unwrap();
    daemon.process().wait_for(LIMIT, |line| line.contains("\"count\":302")).unwrap();
    all_are_answered(&rack);
    let machine = &rack.machines[0];
    machine.ip(&format!("-6 address add 2001:db8:0:1:2::2/64 dev {MACHINE_INTERFACE} nodad")).unwrap();
    let socket = machine.run(|| UdpSocket::bind("[2001:db8:0:1:2::2]:0")).unwrap().unwrap();
    socket.send_to(&[], (SERVER, 69)).unwrap();
    let stopped = daemon.stop().unwrap();
    assert_eq!((stopped.counter("steer_tftp"), stopped.counter("pass_other_address")), (1, 0), "{stopped:?}");
}

#[test]
fn a_daemon_without_its_interface_ends_and_says_so() {
    for datapath in [NATIVE, PACKET] {
        let rack = Rack::new(1).unwrap();
        let daemon = start(&rack, &datapath);
        rack.router.ip(&format!("link delete {ROUTER_INTERFACE}")).unwrap();
        let ended = daemon.wait().unwrap();
        assert_eq!(ended.status.code(), Some(1), "{}", ended.output);
        assert!(ended.output.contains("the interface is gone"), "{}", ended.output);
    }
}

/// The number of the XDP program on the router's interface.
fn program_on(router: &Host) -> Option<u32> {
    let shown = router.ip(&format!("-details link show dev {ROUTER_INTERFACE}")).unwrap();
    let (_, behind) = shown.split_once("prog/xdp id ")?;
    behind.split_whitespace().next()?.parse().ok()
}

fn is_loaded(program: u32) -> bool {
    loaded_programs().filter_map(Result::ok).any(|loaded| loaded.id() == program)
}

/// The network namespaces that a process holds by a file descriptor, as `/proc` names them.
fn namespaces_held(pid: Pid) -> BTreeSet<String> {
    let files = fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero())).into_iter().flatten();
    let links = files.filter_map(Result::ok).filter_map(|file| fs::read_link(file.path()).ok());
    links.filter_map(|link| link.to_str().map(str::to_owned)).filter(|link| link.starts_with("net:[")).collect()
}

fn all_processes() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
}

#[test]
fn a_killed_daemon_leaves_nothing() {
    for mode in [NATIVE, GENERIC] {
        let rack = Rack::new(1).unwrap();
        let links = rack.router.ip("-brief link").unwrap();
        let daemon = start(&rack, &mode);
        assert_eq!(rack.router.ip("-brief link").unwrap(), links, "the steering link is nobody else's business");
        let program = program_on(&rack.router).expect("a program on the interface");
        assert!(is_loaded(program));
        let namespaces = namespaces_held(daemon.pid());
        assert_eq!(namespaces.len(), 1, "{namespaces:?}");
        daemon.kill().unwrap();
        assert_eq!(program_on(&rack.router), None);
        wait_until("the program is gone", || !is_loaded(program));
        assert!(all_processes().all(|pid| namespaces_held(pid).is_disjoint(&namespaces)));
        assert_eq!(rack.router.ip("-brief link").unwrap(), links);
        let next = start(&rack, &mode);
        all_are_answered(&rack);
        next.stop().unwrap();
    }
}

#[test]
fn either_signal_ends_it_at_once_with_its_counters_summed() {
    for (signal, datapath) in [(Signal::TERM, NATIVE), (Signal::INT, NATIVE), (Signal::TERM, PACKET)] {
        let rack = Rack::new(1).unwrap();
        let daemon = start(&rack, &[&datapath[..], &["--workers", "3"]].concat());
        all_are_answered(&rack);
        let stopped = daemon.stop_by(signal).unwrap();
        assert!(stopped.took < Duration::from_secs(5), "{:?}", stopped.took);
        assert_eq!(
            ["receive_solicit", "send_advertise", "receive_request", "send_reply"].map(|name| stopped.counter(name)),
            [50; 4]
        );
    }
}

#[test]
fn who_asked_before_the_end_is_answered() {
    let rack = Rack::new(1).unwrap();
    let daemon = start(&rack, &NATIVE);
    let stopped = thread::scope(|scope| {
        let load = scope.spawn(|| exchanges(&rack, 200, Goal::Lasting(Duration::from_secs(1))));
        thread::sleep(Duration::from_millis(300));
        let stopped = daemon.stop().unwrap();
        let outcome = load.join().unwrap();
        assert!(outcome.exchanges > 0 && outcome.wrong == 0, "{outcome:?}");
        stopped
    });
    let count = |name| stopped.counter(name);
    assert_eq!(count("steer_dhcpv6"), count("receive_solicit") + count("receive_request"), "{stopped:?}");
    assert_eq!(count("sent"), count("send_advertise") + count("send_reply"), "{stopped:?}");
    assert_eq!(count("sent"), count("steer_dhcpv6"), "{stopped:?}");
}

#[test]
fn what_the_steering_link_loses_is_counted() {
    let rack = Rack::new(1).unwrap();
    let daemon = start(&rack, &GENERIC);
    let machine = &rack.machines[0];
    let interface = machine.index_of(MACHINE_INTERFACE).unwrap();
    let mut port = machine.run(|| Port::open(interface, MTU)).unwrap().unwrap();
    let links = fs::read_dir(format!("/proc/{}/fd", daemon.pid().as_raw_nonzero())).unwrap().map(|file| file.unwrap());
    let mut namespaces = links.filter(|file| fs::read_link(file.path()).unwrap().to_string_lossy().starts_with("net:"));
    let namespace = namespaces.next().unwrap().path();
    let mut down = Command::new("nsenter");
    down.arg(format!("--net={}", namespace.display())).args(["ip", "link", "set", "far", "down"]);
    rack.router.execute(&down, LIMIT).unwrap().success().unwrap();
    for _ in 0..5 {
        port.send(&golden::message(golden::SOLICIT).frame()).unwrap();
    }
    let stopped = daemon.stop().unwrap();
    assert_eq!((stopped.counter("steer_dhcpv6"), stopped.counter("link_dropped")), (5, 5), "{stopped:?}");
}

#[test]
fn a_second_daemon_is_told_of_the_first() {
    let rack = Rack::new(1).unwrap();
    for first in [NATIVE, GENERIC] {
        let daemon = start(&rack, &first);
        for second in [NATIVE, GENERIC, PACKET] {
            let ended =
                Daemon::refusal(&rack.router, &[&LEAST[..], &second[..], &["--workers", "1"]].concat()).unwrap();
            refuses(&ended, &[ROUTER_INTERFACE, "another dhcpv6macd serves it already", "stop that one first"]);
        }
        all_are_answered(&rack);
        daemon.stop().unwrap();
    }
    let daemon = start(&rack, &PACKET);
    let ended = Daemon::refusal(&rack.router, &LEAST).unwrap();
    refuses(&ended, &["UDP port 547", ROUTER_INTERFACE, "stop dhcpv6macd first"]);
    assert_eq!(program_on(&rack.router), None, "nothing is half started");
    daemon.stop().unwrap();
}

#[test]
fn a_port_in_the_way_is_named_with_its_holder() {
    let rack = Rack::new(1).unwrap();
    let own = fs::read_to_string("/proc/self/comm").unwrap();
    // What is odd besides is not the line that says what to mend.
    let odd = ["--http-boot-url-template", "http://boot.lab/"];
    for port in [547, 69] {
        let held = rack.router.run(|| UdpSocket::bind(("::", port))).unwrap().unwrap();
        for datapath in [NATIVE, PACKET] {
            let ended = Daemon::refusal(&rack.router, &[&LEAST[..], &datapath, &odd].concat()).unwrap();
            refuses(
                &ended,
                &[&format!("UDP port {port} on {ROUTER_INTERFACE}"), &format!("stop {} first", own.trim_end())],
            );
        }
        assert_eq!(program_on(&rack.router), None, "nothing is half started");
        if port == 69 {
            start(&rack, &["--tftp-listen-addr", "off"]).stop().unwrap();
        }
        drop(held);
    }
    start(&rack, &[]).stop().unwrap();
}

#[test]
fn another_xdp_program_in_the_way_is_named() {
    let rack = Rack::new(1).unwrap();
    // Our own object under another program's name, of the same length.
    let mut object = STEERING_PROGRAM.to_vec();
    let (ours, other) = (b"\0dhcpv6macd\0", b"\0other_prog\0");
    let places: Vec<_> =
        object.windows(ours.len()).enumerate().filter(|(_, bytes)| bytes == ours).map(|(at, _)| at).collect();
    assert!(!places.is_empty());
    for place in places {
        object[place..place + other.len()].copy_from_slice(other);
    }
    let mut loaded = EbpfLoader::new().load(&object).unwrap();
    let program: &mut Xdp = loaded.program_mut("other_prog").unwrap().try_into().unwrap();
    program.load().unwrap();
    let interface = rack.router.index_of(ROUTER_INTERFACE).unwrap();
    rack.router.run(|| program.attach_to_if_index(interface, XdpMode::Skb).map(drop)).unwrap().unwrap();
    let ended = Daemon::refusal(&rack.router, &LEAST).unwrap();
    refuses(&ended, &[ROUTER_INTERFACE, "the XDP program other_prog", "--datapath packet"]);
    let daemon = start(&rack, &PACKET);
    all_are_answered(&rack);
    daemon.stop().unwrap();
}

#[test]
fn a_bridge_that_takes_the_frames_away_is_named() {
    let rack = Rack::new(1).unwrap();
    rack.router.bridge("br7", &[ROUTER_INTERFACE.to_owned()]).unwrap();
    let ended = Daemon::refusal(&rack.router, &[&LEAST[..], &PACKET].concat()).unwrap();
    refuses(&ended, &[ROUTER_INTERFACE, "br7 takes its frames", "--interface br7"]);
    let daemon = start(&rack, &GENERIC);
    all_are_answered(&rack);
    daemon.stop().unwrap();
}

#[test]
fn a_bridge_that_comes_to_take_the_frames_away_is_told_of_once() {
    let rack = Rack::new(1).unwrap();
    let daemon = start(&rack, &PACKET);
    rack.router.bridge("br7", &[ROUTER_INTERFACE.to_owned()]).unwrap();
    let is_told = |line: &str| line.contains("a port of") && line.contains("br7");
    daemon.process().wait_for(LIMIT, is_told).unwrap();
    rack.router.ip(&format!("-6 address add 2001:db8:0:1:1::1/64 dev {ROUTER_INTERFACE}")).unwrap();
    daemon.process().wait_for(LIMIT, |line| line.contains("2001:db8:0:1:1::1")).unwrap();
    let log = daemon.stop().unwrap().ended.output;
    assert_eq!(log.lines().filter(|line| is_told(line)).count(), 1, "{log}");
}

#[test]
fn a_missing_proc_is_named() {
    let rack = Rack::new(0).unwrap();
    for datapath in [NATIVE, PACKET] {
        let daemon = Daemon::command(&[&LEAST[..], &datapath].concat()).unwrap();
        let mut without = Command::new("unshare");
        without.args(["--mount", "--propagation", "private", "sh", "-c", r#"umount --lazy /proc && exec "$@""#, "sh"]);
        without.arg(daemon.get_program()).args(daemon.get_args());
        refuses(&rack.router.execute(&without, LIMIT).unwrap(), &["/proc is not mounted"]);
    }
}

#[test]
fn a_link_that_is_down_is_told_of() {
    let rack = Rack::new(1).unwrap();
    rack.switch.ip("link set dev uplink down").unwrap();
    let daemon = start(&rack, &NATIVE);
    daemon.process().wait_for(LIMIT, |line| line.contains("no carrier")).unwrap();
    rack.switch.ip("link set dev uplink up").unwrap();
    daemon.process().wait_for(LIMIT, |line| line.contains("the interface is up")).unwrap();
    rack.router.ip(&format!("link set dev {ROUTER_INTERFACE} down")).unwrap();
    daemon.process().wait_for(LIMIT, |line| line.contains("the interface is down")).unwrap();
    daemon.stop().unwrap();
}

#[test]
fn too_few_file_descriptors_are_named_before_anything_is_opened() {
    let rack = Rack::new(1).unwrap();
    for datapath in [NATIVE, PACKET] {
        let daemon = Daemon::command(&[&LEAST[..], &datapath].concat()).unwrap();
        let mut few = Command::new("prlimit");
        few.arg("--nofile=20").arg(daemon.get_program()).args(daemon.get_args());
        let ended = rack.router.execute(&few, LIMIT).unwrap();
        refuses(&ended, &["file descriptors", "20", "ulimit -n"]);
    }
}

#[test]
fn a_listen_address_that_is_not_there_is_named() {
    let rack = Rack::new(1).unwrap();
    let listen = ["--tftp-listen-addr", "[2001:db8::9]:69"];
    let ended = Daemon::refusal(&rack.router, &[&LEAST[..], &listen].concat()).unwrap();
    refuses(&ended, &["it has no address 2001:db8::9, for --tftp-listen-addr"]);
}

#[test]
fn what_is_missing_is_named() {
    let rack = Rack::new(1).unwrap();
    let ended = Daemon::refusal(&rack.router, &["--interface", "rack9", "--base-address", BASE]).unwrap();
    refuses(&ended, &["interface rack9", "there is no such interface", ROUTER_INTERFACE]);

    let ended = Daemon::refusal(&rack.router, &["--interface", "lo", "--base-address", BASE]).unwrap();
    refuses(&ended, &["interface lo", "no Ethernet address"]);

    for datapath in [NATIVE, PACKET] {
        let daemon = Daemon::command(&[&LEAST[..], &datapath].concat()).unwrap();
        let mut without = Command::new("setpriv");
        without
            .args(["--bounding-set=-all", "--inh-caps=-all", "--"])
            .arg(daemon.get_program())
            .args(daemon.get_args());
        refuses(
            &rack.router.execute(&without, LIMIT).unwrap(),
            &["the process lacks CAP_NET_ADMIN, CAP_NET_RAW", "root"],
        );
    }

    rack.router.ip(&format!("link set {ROUTER_INTERFACE} mtu 1200")).unwrap();
    let ended = Daemon::refusal(&rack.router, &LEAST).unwrap();
    refuses(&ended, &[ROUTER_INTERFACE, "cannot join the DHCPv6 groups", "is its MTU below 1280"]);
}
