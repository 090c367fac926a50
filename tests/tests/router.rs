//! The daemon's Router Advertisements on the wire, read by other people's decoders and by the kernel of a machine.
#![cfg(test)]

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv6Addr, SocketAddrV6},
    thread,
    time::{Duration, Instant},
};

use dhcpv6macd::wire::{MacAddr, router::InvalidSolicitation};
use dhcpv6macd_tests::{
    lab::{Daemon, MACHINE_INTERFACE, ROUTER_INTERFACE, ROUTER_MAC, Rack, Stopped, machine_mac},
    population::Port,
};
use etherparse::{
    Icmpv6Type, LinkSlice, NetSlice, PacketBuilder, SlicedPacket, TransportSlice,
    icmpv6::{Icmpv6PayloadSlice, NdpOptionSlice, RouterAdvertisementHeader},
};
use rustix::{
    net::{AddressFamily, SendFlags, SocketType, ipproto, sendto, socket, sockopt::set_ipv6_multicast_hops},
    process::Signal,
};

const NATIVE: [&str; 2] = ["--xdp-mode", "native"];
const GENERIC: [&str; 2] = ["--xdp-mode", "generic"];
const PACKET: [&str; 2] = ["--datapath", "packet"];
const MANAGED: [&str; 2] = ["--router-advertisement", "managed"];
const OTHER: [&str; 2] = ["--router-advertisement", "other"];
const PREFIX: [&str; 2] = ["--router-advertisement-prefix", "2001:db8:0:1::/64"];

const MTU: u32 = 1500;
/// How long anything may take on a machine that is busy with something else.
const LIMIT: Duration = Duration::from_secs(20);
/// RFC 4861 section 10, MIN_DELAY_BETWEEN_RAS and MAX_RA_DELAY_TIME.
const MIN_DELAY_BETWEEN: Duration = Duration::from_secs(3);
const MAX_DELAY: Duration = Duration::from_millis(500);
/// Sooner than the daemon tries again without being told of a change.
const RETRY: Duration = Duration::from_secs(8);
/// Between what is due and what is seen.
const SLACK: Duration = Duration::from_secs(1);

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_NODES_MAC: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
const ALL_ROUTERS_MAC: [u8; 6] = [0x33, 0x33, 0, 0, 0, 2];
const MACHINE_LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0xff, 0xfe01, 0);

/// A rack with one machine, whose kernel asks for nothing by itself, and the daemon on its router.
struct Scene {
    rack: Rack,
    port: Port,
    daemon: Daemon,
}

impl Scene {
    fn new(arguments: &[&[&str]]) -> Self {
        let rack = Rack::new(1).unwrap();
        rack.router.sysctl("net.ipv6.conf.all.forwarding", "1").unwrap();
        let machine = &rack.machines[0];
        machine.sysctl(&format!("net.ipv6.conf.{MACHINE_INTERFACE}.router_solicitations"), "0").unwrap();
        let interface = machine.index_of(MACHINE_INTERFACE).unwrap();
        let port = machine.run(|| Port::open(interface, MTU)).unwrap().unwrap();
        let least = ["--interface", ROUTER_INTERFACE, "--base-address", "2001:db8:0:1::", "--tftp-listen-addr", "off"];
        let daemon = Daemon::start(&rack.router, &[&least[..], &arguments.concat()].concat()).unwrap();
        Self { rack, port, daemon }
    }

    /// The next Router Advertisement, and when it came; `None` where there is none for so long.
    fn advertisement(&mut self, limit: Duration) -> Option<(Advertisement, Instant)> {
        let started = Instant::now();
        while started.elapsed() < limit {
            let frames = self.port.frames(Duration::from_millis(20)).unwrap();
            let mut advertisements = frames.iter().filter_map(|frame| Advertisement::read(frame));
            if let Some(advertisement) = advertisements.next() {
                assert_eq!(advertisements.next(), None, "two at once");
                return Some((advertisement, Instant::now()));
            }
        }
        None
    }

    fn solicit(&mut self) -> Instant {
        self.port.send(&solicitation(&[])).unwrap();
        Instant::now()
    }

    /// Has the machine's kernel send a solicitation of so many bytes, in as many packets as that takes.
    fn send_in_fragments(&self, length: usize) {
        let machine = &self.rack.machines[0];
        let to = SocketAddrV6::new(ALL_ROUTERS, 0, 0, machine.index_of(MACHINE_INTERFACE).unwrap());
        let mut message = vec![0; length];
        message[0] = 133;
        let send = || {
            let socket = socket(AddressFamily::INET6, SocketType::RAW, Some(ipproto::ICMPV6))?;
            set_ipv6_multicast_hops(&socket, 255)?;
            sendto(&socket, &message, SendFlags::empty(), &to)
        };
        assert_eq!(machine.run(send).unwrap(), Ok(length));
    }

    /// Router Solicitations that the kernel of the router has seen.
    fn seen_by_kernel(&self) -> u64 {
        let table = self.rack.router.run(|| fs::read_to_string("/proc/thread-self/net/snmp6")).unwrap().unwrap();
        let line = table.lines().find(|line| line.starts_with("Icmp6InRouterSolicits")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    fn stop(self) -> Stopped {
        self.daemon.stop().unwrap()
    }
}

/// A Router Advertisement, field by field.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Advertisement {
    ethernet_source: MacAddr,
    ethernet_destination: [u8; 6],
    source: Ipv6Addr,
    destination: Ipv6Addr,
    hop_limit: u8,
    header: RouterAdvertisementHeader,
    /// Reachable time and retransmission timer.
    times: (u32, u32),
    link_layers: Vec<Vec<u8>>,
    prefixes: Vec<Prefix>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Prefix {
    address: Ipv6Addr,
    length: u8,
    on_link: bool,
    autonomous: bool,
    /// Valid and preferred.
    lifetimes: (u32, u32),
}

impl Advertisement {
    /// What we send from this hardware address, without a prefix.
    fn expected(mac: MacAddr, is_managed: bool) -> Self {
        let [a, b, c, d, e, f] = mac.0;
        Self {
            ethernet_source: mac,
            ethernet_destination: ALL_NODES_MAC,
            source: Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f]),
            destination: ALL_NODES,
            hop_limit: 255,
            header: RouterAdvertisementHeader {
                cur_hop_limit: 0,
                managed_address_config: is_managed,
                other_config: !is_managed,
                router_lifetime: 0,
            },
            times: (0, 0),
            link_layers: vec![mac.0.to_vec()],
            prefixes: Vec::new(),
        }
    }

    /// `None` where the frame is something else. An advertisement that is not a whole one is a panic.
    fn read(frame: &[u8]) -> Option<Self> {
        let packet = SlicedPacket::from_ethernet(frame).ok()?;
        let (Some(LinkSlice::Ethernet2(ethernet)), Some(NetSlice::Ipv6(ipv6))) = (&packet.link, &packet.net) else {
            return None;
        };
        let Some(TransportSlice::Icmpv6(icmpv6)) = &packet.transport else { return None };
        let Icmpv6Type::RouterAdvertisement(header) = icmpv6.icmp_type() else { return None };
        let ipv6 = ipv6.header();
        assert!(icmpv6.is_checksum_valid(ipv6.source(), ipv6.destination()), "checksum of {frame:02x?}");
        let Ok(Icmpv6PayloadSlice::RouterAdvertisement(payload)) = icmpv6.payload_slice() else {
            panic!("not whole: {frame:02x?}");
        };
        let mut advertisement = Self {
            ethernet_source: MacAddr(ethernet.source()),
            ethernet_destination: ethernet.destination(),
            source: ipv6.source_addr(),
            destination: ipv6.destination_addr(),
            hop_limit: ipv6.hop_limit(),
            header,
            times: (payload.reachable_time(), payload.retrans_timer()),
            link_layers: Vec::new(),
            prefixes: Vec::new(),
        };
        for option in payload.options_iterator() {
            advertisement.take(&option.unwrap());
        }
        Some(advertisement)
    }

    fn take(&mut self, option: &NdpOptionSlice<'_>) {
        if let NdpOptionSlice::SourceLinkLayerAddress(option) = option {
            self.link_layers.push(option.link_layer_address().to_vec());
        } else if let NdpOptionSlice::PrefixInformation(option) = option {
            self.prefixes.push(Prefix {
                address: option.prefix().into(),
                length: option.prefix_length(),
                on_link: option.on_link(),
                autonomous: option.autonomous_address_configuration(),
                lifetimes: (option.valid_lifetime(), option.preferred_lifetime()),
            });
        } else {
            panic!("unexpected {option:?}");
        }
    }
}

/// A Router Solicitation of the machine with these options.
fn solicitation(options: &[u8]) -> Vec<u8> {
    message(MACHINE_LINK_LOCAL, 255, 0, &[&[0; 4], options].concat())
}

/// ICMPv6 of this code and a solicitation's type, from the machine to all routers, its checksum right.
fn message(source: Ipv6Addr, hop_limit: u8, code: u8, behind_checksum: &[u8]) -> Vec<u8> {
    let (rest, payload) = behind_checksum.split_at(behind_checksum.len().min(4));
    let mut bytes_5_to_8 = [0; 4];
    bytes_5_to_8[..rest.len()].copy_from_slice(rest);
    let mut frame = Vec::new();
    PacketBuilder::ethernet2(machine_mac(0).0, ALL_ROUTERS_MAC)
        .ipv6(source.octets(), ALL_ROUTERS.octets(), hop_limit)
        .icmpv6_raw(133, code, bytes_5_to_8)
        .write(&mut frame, payload)
        .unwrap();
    frame
}

#[test]
fn a_machine_that_asks_is_told_to_ask_dhcpv6() {
    for (datapath, kind) in [(NATIVE, MANAGED), (NATIVE, OTHER), (GENERIC, MANAGED), (PACKET, MANAGED), (PACKET, OTHER)]
    {
        let mut scene = Scene::new(&[&datapath, &kind]);
        let expected = Advertisement::expected(ROUTER_MAC, kind == MANAGED);
        let (first, sent) = scene.advertisement(LIMIT).expect("one by itself");
        assert_eq!(first, expected);
        thread::sleep((sent + MIN_DELAY_BETWEEN).saturating_duration_since(Instant::now()));
        let before = scene.seen_by_kernel();
        let asked = scene.solicit();
        let (answer, answered) = scene.advertisement(LIMIT).expect("an answer");
        assert_eq!(answer, expected);
        assert!(answered - asked < MAX_DELAY + SLACK, "{:?} later", answered - asked);
        assert_eq!(scene.seen_by_kernel(), before + 1, "{datapath:?}: the kernel's too");
        let stopped = scene.stop();
        let counted = ["send_router_advertisement", "receive_router_solicitation", "router_advertisement_failed"];
        assert_eq!(counted.map(|name| stopped.counter(name)), [2, 1, 0], "{stopped:?}");
    }
}

#[test]
fn a_prefix_is_on_the_link_and_makes_no_address() {
    let mut scene = Scene::new(&[&MANAGED, &PREFIX]);
    let prefix = Prefix {
        address: Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 0),
        length: 64,
        on_link: true,
        autonomous: false,
        lifetimes: (2_592_000, 604_800),
    };
    let expected = Advertisement { prefixes: vec![prefix], ..Advertisement::expected(ROUTER_MAC, true) };
    assert_eq!(scene.advertisement(LIMIT).expect("one by itself").0, expected);
    let machine = &scene.rack.machines[0];
    let routes = machine.ip(&format!("-6 route show dev {MACHINE_INTERFACE}")).unwrap();
    assert!(routes.contains("2001:db8:0:1::/64 proto kernel") && routes.contains("expires"), "{routes}");
    assert!(!routes.contains("default"), "{routes}");
    let global = machine.ip(&format!("-6 address show dev {MACHINE_INTERFACE} scope global")).unwrap();
    assert_eq!(global, "", "addresses come from DHCPv6");
    scene.stop();
}

#[test]
fn all_who_ask_at_once_have_one_answer_and_not_too_soon() {
    let mut scene = Scene::new(&[&MANAGED]);
    let (_, sent) = scene.advertisement(LIMIT).expect("one by itself");
    for _ in 0..100 {
        scene.solicit();
    }
    let (_, answered) = scene.advertisement(LIMIT).expect("an answer");
    let waited = answered - sent;
    assert!(waited > MIN_DELAY_BETWEEN - SLACK, "after {waited:?}");
    assert!(waited < MIN_DELAY_BETWEEN + MAX_DELAY + SLACK, "after {waited:?}");
    assert_eq!(scene.advertisement(MIN_DELAY_BETWEEN + MAX_DELAY + SLACK), None, "one more than was asked for");
    let stopped = scene.stop();
    assert_eq!(stopped.counter("receive_router_solicitation"), 100, "{stopped:?}");
}

#[test]
fn an_invalid_solicitation_is_counted_by_name_and_not_answered() {
    let mut scene = Scene::new(&[&MANAGED]);
    let (_, sent) = scene.advertisement(LIMIT).expect("one by itself");
    let link_layer = [1, 1, 2, 0, 0, 1, 0, 0];
    let with_link_layer = [&[0; 4], &link_layer[..]].concat();
    let mut bare = message(MACHINE_LINK_LOCAL, 255, 0, &[0; 4]);
    shorten(&mut bare);
    let mut flipped = solicitation(&link_layer);
    *flipped.last_mut().unwrap() ^= 1;
    let rows = [
        (message(MACHINE_LINK_LOCAL, 254, 0, &[0; 4]), Some(InvalidSolicitation::HopLimit)),
        (message(MACHINE_LINK_LOCAL, 255, 1, &[0; 4]), Some(InvalidSolicitation::Code)),
        (bare, Some(InvalidSolicitation::Length)),
        (solicitation(&[1, 0, 0, 0, 0, 0, 0, 0]), Some(InvalidSolicitation::OptionLength)),
        (message(Ipv6Addr::UNSPECIFIED, 255, 0, &with_link_layer), Some(InvalidSolicitation::LinkLayer)),
        // The kernel drops what has a wrong checksum.
        (flipped, None),
    ];
    for (frame, _) in &rows {
        scene.port.send(frame).unwrap();
    }
    scene.send_in_fragments(2000);
    let silence = (sent + MIN_DELAY_BETWEEN + MAX_DELAY + SLACK).saturating_duration_since(Instant::now());
    assert_eq!(scene.advertisement(silence), None);
    let stopped = scene.stop();
    let mut expected = BTreeMap::from([(InvalidSolicitation::Length.name(), 1)]);
    for invalid in rows.iter().filter_map(|(_, invalid)| *invalid) {
        *expected.entry(invalid.name()).or_default() += 1;
    }
    let counted: BTreeMap<_, _> = expected.keys().map(|name| (*name, stopped.counter(name))).collect();
    assert_eq!(counted, expected, "{stopped:?}");
    assert_eq!(stopped.counter("receive_router_solicitation"), 0, "{stopped:?}");
}

/// Cuts the last four bytes of an ICMPv6 message of zeros off.
fn shorten(frame: &mut Vec<u8>) {
    frame.truncate(frame.len() - 4);
    frame[19] -= 4;
    // The pseudo-header has a length that is shorter by four.
    let checksum = u16::from_be_bytes([frame[56], frame[57]]) + 4;
    frame[56..58].copy_from_slice(&checksum.to_be_bytes());
}

#[test]
fn the_interface_is_followed() {
    let mac = MacAddr([2, 0, 0, 0, 0, 0x77]);
    let mut scene = Scene::new(&[&MANAGED]);
    let ip = |scene: &Scene, words: &str| scene.rack.router.ip(words).unwrap();
    scene.advertisement(LIMIT).expect("one by itself");
    scene.rack.router.sysctl(&format!("net.ipv6.conf.{ROUTER_INTERFACE}.accept_dad"), "1").unwrap();
    ip(&scene, &format!("link set {ROUTER_INTERFACE} down"));
    let cannot = |line: &str| line.contains("cannot send Router Advertisements");
    scene.daemon.process().wait_for(LIMIT, cannot).unwrap();
    ip(&scene, &format!("link set {ROUTER_INTERFACE} address {mac}"));
    ip(&scene, &format!("link set {ROUTER_INTERFACE} up"));
    let (again, _) = scene.advertisement(RETRY).expect("one as soon as nobody else has its address");
    assert_eq!(again, Advertisement::expected(mac, true));
    scene.solicit();
    scene.advertisement(LIMIT).expect("an answer");
    let stopped = scene.stop();
    assert_eq!(stopped.counter("receive_router_solicitation"), 1, "{stopped:?}");
    assert!(stopped.counter("router_advertisement_failed") >= 1, "{stopped:?}");
    let said = stopped.ended.output.lines().filter(|line| cannot(line)).count();
    assert!((1..=2).contains(&said), "{said} times: {}", stopped.ended.output);
}

/// The kernel forgets every membership while the MTU is too small for IPv6.
#[test]
fn solicitations_are_heard_again_after_the_interface_had_no_ipv6() {
    let mut scene = Scene::new(&[&MANAGED]);
    let router = scene.rack.router.clone();
    // A router's kernel is in the group of all routers by itself.
    router.sysctl("net.ipv6.conf.all.forwarding", "0").unwrap();
    router.sysctl(&format!("net.ipv6.conf.{ROUTER_INTERFACE}.router_solicitations"), "0").unwrap();
    router.sysctl("net.ipv6.conf.default.router_solicitations", "0").unwrap();
    scene.advertisement(LIMIT).expect("one by itself");
    // Both changes are over before the daemon sees the first.
    scene.daemon.process().signal(Signal::STOP).unwrap();
    router.ip(&format!("link set {ROUTER_INTERFACE} mtu 1200")).unwrap();
    router.ip(&format!("link set {ROUTER_INTERFACE} mtu 1500")).unwrap();
    router.addresses(ROUTER_INTERFACE).unwrap();
    scene.daemon.process().signal(Signal::CONT).unwrap();
    scene.advertisement(RETRY).expect("one when there is IPv6 again");
    scene.solicit();
    scene.advertisement(RETRY).expect("an answer");
    assert_eq!(scene.stop().counter("receive_router_solicitation"), 1);
}

#[test]
fn nothing_is_advertised_unasked() {
    let mut scene = Scene::new(&[]);
    scene.solicit();
    assert_eq!(scene.advertisement(MAX_DELAY + SLACK), None);
    let stopped = scene.stop();
    assert!(stopped.counters.keys().all(|name| !name.contains("router")), "{stopped:?}");
}
