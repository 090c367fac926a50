//! What is on the wire beside us: the golden rows through the real daemon, and other people's traffic, which it does not touch.
#![cfg(test)]

use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    process::Command,
    thread,
    time::Duration,
};

use dhcpv6macd::respond::Reason;
use dhcpv6macd_ebpf::Verdict;
use dhcpv6macd_tests::{
    golden::{self, BASE, DENIED, MACHINE, OUR_ADDRESS, OUR_ADDRESS_IN_PREFIX, Outcome, Row},
    lab::{Daemon, End, Host, MACHINE_INTERFACE, ROUTER_INTERFACE, ROUTER_MAC, Rack, cable},
    population::{Arrivals, Counterpart, Goal, Load, Population, Port},
};
use tempfile::TempDir;

const MODES: [[&str; 2]; 3] = [["--xdp-mode", "native"], ["--xdp-mode", "generic"], ["--datapath", "packet"]];
const MTU: u32 = 1500;
const MACHINE_ADDRESS: &str = "2001:db8:123:4567:2::2";
/// A host behind the router, and the router's address there.
const OUTSIDE: &str = "2001:db8:9999::1";
const OUTSIDE_ROUTER: &str = "2001:db8:9999::2";
const LIMIT: Duration = Duration::from_secs(20);

fn start(router: &Host, datapath: &[&str]) -> Daemon {
    let base = BASE.to_string();
    let boot_server = OUR_ADDRESS.to_string();
    let least = ["--interface", ROUTER_INTERFACE, "--base-address", &base, "--boot-server-address", &boot_server];
    Daemon::start(router, &[&least[..], datapath].concat()).unwrap()
}

/// A rack with one machine, its router, a host on the router's other side, and the daemon on the router.
struct Scene {
    rack: Rack,
    outside: Host,
    daemon: Daemon,
}

impl Scene {
    fn new(datapath: &[&str]) -> Self {
        let rack = Rack::new(1).unwrap();
        let outside = Host::new("outside").unwrap();
        cable(
            End { host: &rack.router, interface: "up0", mac: None },
            End { host: &outside, interface: MACHINE_INTERFACE, mac: None },
        )
        .unwrap();
        rack.router.sysctl("net.ipv6.conf.all.forwarding", "1").unwrap();
        for (host, interface, address) in [
            (&rack.router, ROUTER_INTERFACE, OUR_ADDRESS.to_string().as_str()),
            (&rack.router, "up0", OUTSIDE_ROUTER),
            (&rack.machines[0], MACHINE_INTERFACE, MACHINE_ADDRESS),
            (&outside, MACHINE_INTERFACE, OUTSIDE),
        ] {
            host.ip(&format!("-6 address add {address}/64 dev {interface}")).unwrap();
        }
        rack.machines[0].ip(&format!("-6 route add default via {OUR_ADDRESS}")).unwrap();
        outside.ip(&format!("-6 route add default via {OUTSIDE_ROUTER}")).unwrap();
        rack.router.addresses(ROUTER_INTERFACE).unwrap();
        let daemon = start(&rack.router, datapath);
        Self { rack, outside, daemon }
    }

    fn machine(&self) -> &Host {
        &self.rack.machines[0]
    }

    fn port(&self) -> Port {
        let interface = self.machine().index_of(MACHINE_INTERFACE).unwrap();
        self.machine().run(|| Port::open(interface, MTU)).unwrap().unwrap()
    }

    fn nft(&self, arguments: &str) -> String {
        let mut nft = Command::new("nft");
        nft.args(arguments.split_whitespace());
        self.rack.router.execute(&nft, LIMIT).unwrap().success().unwrap()
    }

    /// Has the router's kernel count what of DHCPv6 it sees, and what it calls unreachable.
    fn watch(&self) {
        self.nft("add table inet watch");
        self.nft("add chain inet watch seen { type filter hook prerouting priority -300 ; }");
        self.nft("add rule inet watch seen meta l4proto udp udp dport 547 counter");
        self.nft("add chain inet watch said { type filter hook output priority 0 ; }");
        self.nft("add rule inet watch said icmpv6 type destination-unreachable counter");
    }

    /// DHCPv6 packets that the router's kernel saw, and unreachables that it sent.
    fn watched(&self) -> [u64; 2] {
        let rules = self.nft("list table inet watch");
        let packets = |line: &str| Some(line.split_once("counter packets ")?.1.split_once(' ')?.0.parse().unwrap());
        let counts: Vec<_> = rules.lines().filter_map(packets).collect();
        counts.try_into().unwrap_or_else(|_| panic!("two counters in {rules}"))
    }
}

/// A router and a machine on one cable: a switch would drop or mend some of the rows.
fn router_and_port() -> (Host, Port) {
    let (router, machine) = (Host::new("router").unwrap(), Host::new("machine").unwrap());
    cable(
        End { host: &router, interface: ROUTER_INTERFACE, mac: Some(ROUTER_MAC) },
        End { host: &machine, interface: MACHINE_INTERFACE, mac: None },
    )
    .unwrap();
    for address in [OUR_ADDRESS, OUR_ADDRESS_IN_PREFIX] {
        router.ip(&format!("-6 address add {address}/64 dev {ROUTER_INTERFACE} nodad")).unwrap();
    }
    router.addresses(ROUTER_INTERFACE).unwrap();
    let interface = machine.index_of(MACHINE_INTERFACE).unwrap();
    let port = machine.run(|| Port::open(interface, MTU)).unwrap().unwrap();
    (router, port)
}

#[test]
fn golden_rows_come_true_on_the_wire() {
    let directory = TempDir::new().unwrap();
    let denied = directory.path().join("denied");
    fs::write(&denied, DENIED.to_string()).unwrap();
    // Those that the host may send, of a daemon that serves all machines but one.
    let is_here = |row: &Row| (14..1514).contains(&row.frame.len()) && (row.policy)().access.allow.is_none();
    for mode in MODES {
        let (router, mut port) = router_and_port();
        let daemon = start(&router, &[&mode[..], &["--deny-macs", denied.to_str().unwrap()]].concat());
        let rows: Vec<_> = golden::rows().into_iter().filter(is_here).collect();
        let mut expected = BTreeMap::<&str, u64>::new();
        let mut expect = |name| *expected.entry(name).or_default() += 1;
        for row in &rows {
            let is_steered = matches!(row.verdict, Verdict::Steer(_));
            if mode[0] == "--xdp-mode" && is_steered {
                expect(row.verdict.name());
            }
            match &row.outcome {
                Outcome::Dropped(Reason::TftpNotServed) => expect(Reason::TftpNoSession.name()),
                Outcome::Dropped(reason) if is_steered => expect(reason.name()),
                Outcome::Answered(_) => expect("sent"),
                Outcome::Dropped(_) => {}
            }
            port.send(&row.frame).unwrap();
        }
        let replies = port.frames(Duration::from_millis(300)).unwrap();
        let replies = replies.iter().filter(|frame| frame.starts_with(&MACHINE.0)).count();
        let stopped = daemon.stop().unwrap();
        let counted: BTreeMap<_, _> = expected.keys().map(|name| (*name, stopped.counter(name))).collect();
        assert_eq!(counted, expected, "{mode:?}: {stopped:?}");
        let to_machine = |row: &&Row| matches!(row.outcome, Outcome::Answered(_)) && row.frame[6..12] == MACHINE.0;
        assert_eq!(replies, rows.iter().filter(to_machine).count(), "{mode:?}");
        for row in rows.iter().filter(|row| matches!(row.verdict, Verdict::Pass(_)) && mode[0] == "--xdp-mode") {
            assert!(stopped.counter(row.verdict.name()) >= 1, "{}: {stopped:?}", row.name);
        }
    }
}

#[test]
fn the_kernel_never_sees_a_steered_frame() {
    for mode in &MODES[..2] {
        let scene = Scene::new(mode);
        scene.watch();
        let mut population = Population::new(50, Counterpart::Server(BASE.to_string().parse().unwrap()));
        let load = Load { arrivals: Arrivals::Window(50), goal: Goal::OnceEach };
        let outcome = population.drive_at(&mut scene.port(), load, |_| {}).unwrap();
        assert_eq!((outcome.exchanges, outcome.wrong), (50, 0), "{outcome:?}");
        assert_eq!(scene.watched(), [0, 0], "{mode:?}");
        assert_eq!(scene.daemon.stop().unwrap().counter("steer_dhcpv6"), 100);
    }
}

#[test]
fn without_xdp_the_kernel_sees_it_and_is_silent() {
    let scene = Scene::new(&MODES[2]);
    scene.watch();
    let socket = scene.machine().run(|| UdpSocket::bind((MACHINE_ADDRESS, 546))).unwrap().unwrap();
    for port in [547, 69] {
        socket.send_to(&[1; 40], (OUR_ADDRESS, port)).unwrap();
    }
    // Behind these on the same cable: when they have been answered, the others have been seen.
    ping(scene.machine(), &OUR_ADDRESS.to_string());
    assert_eq!(scene.watched(), [1, 0]);
    scene.daemon.stop().unwrap();
}

#[test]
fn a_solicit_with_an_extension_header_is_the_kernels() {
    let rows = golden::rows();
    let row = rows.iter().find(|row| row.verdict.name() == "pass_extension_header").expect("such a row");
    for mode in &MODES[..2] {
        let scene = Scene::new(mode);
        scene.watch();
        let before = scene.watched();
        let mut port = scene.port();
        port.send(&row.frame).unwrap();
        let answers = port.frames(Duration::from_millis(300)).unwrap();
        assert!(!answers.iter().any(|frame| frame.starts_with(&MACHINE.0)), "{mode:?}: answered");
        assert_eq!(scene.watched()[0], before[0] + 1, "{mode:?}: {}", row.name);
        assert!(scene.daemon.stop().unwrap().counter("pass_extension_header") >= 1);
    }
}

fn ping(from: &Host, to: &str) {
    let mut ping = Command::new("ping");
    ping.args(["-6", "-n", "-c", "3", "-i", "0.2", "-W", "5", to]);
    let said = from.execute(&ping, LIMIT).unwrap().success().unwrap();
    assert!(said.contains("3 received"), "{said}");
}

#[test]
fn other_traffic_passes_untouched() {
    for mode in MODES {
        let scene = Scene::new(&mode);
        ping(scene.machine(), &OUR_ADDRESS.to_string());
        ping(scene.machine(), OUTSIDE);
        transfers_a_mebibyte(&scene);
        for port in [69, 547] {
            is_forwarded(&scene, port);
        }
        let stopped = scene.daemon.stop().unwrap();
        let of_ours = stopped.counters.keys().filter(|name| name.starts_with("steer_") || name.starts_with("send_"));
        assert_eq!(of_ours.count(), 0, "{mode:?}: {stopped:?}");
    }
}

/// TCP from the machine to the host outside.
fn transfers_a_mebibyte(scene: &Scene) {
    let sent: Vec<u8> = (0..=250).cycle().take(1 << 20).collect();
    let listener = scene.outside.run(|| TcpListener::bind("[::]:0")).unwrap().unwrap();
    let port = listener.local_addr().unwrap().port();
    let received = thread::spawn(move || {
        let mut received = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut received).unwrap();
        received
    });
    let to: SocketAddr = (OUTSIDE.parse::<Ipv6Addr>().unwrap(), port).into();
    let mut stream = scene.machine().run(|| TcpStream::connect_timeout(&to, LIMIT)).unwrap().unwrap();
    stream.write_all(&sent).unwrap();
    drop(stream);
    assert!(received.join().unwrap() == sent, "what came is not what was sent");
}

/// A datagram to one of our ports at the host outside arrives there.
fn is_forwarded(scene: &Scene, port: u16) {
    let hearing = scene.outside.run(|| UdpSocket::bind((OUTSIDE, port))).unwrap().unwrap();
    hearing.set_read_timeout(Some(LIMIT)).unwrap();
    let saying = scene.machine().run(|| UdpSocket::bind((MACHINE_ADDRESS, 546))).unwrap().unwrap();
    saying.send_to(b"\x00\x01boot.efi\x00octet\x00", (OUTSIDE, port)).unwrap();
    let mut bytes = [0; 64];
    let (length, from) = hearing.recv_from(&mut bytes).unwrap();
    assert_eq!(
        (&bytes[..length], from.ip().to_string()),
        (&b"\x00\x01boot.efi\x00octet\x00"[..], MACHINE_ADDRESS.to_owned())
    );
}

#[test]
fn the_router_of_the_rows_is_the_router_of_the_lab() {
    assert_eq!(golden::LOCAL_MAC, ROUTER_MAC);
}
