//! Which ring of a group gets a frame: all DHCPv6 goes to the first, of everything else a flow stays with one.
#![cfg(test)]

use std::{collections::BTreeMap, net::Ipv6Addr, os::fd::AsFd as _, time::Duration};

use dhcpv6macd::datapath::{Receive as _, classic_bpf, ring::ReceiveRing};
use dhcpv6macd_tests::{
    lab::{End, Host, cable},
    population::Port,
};
use etherparse::PacketBuilder;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

const RINGS: usize = 3;
const MTU: u32 = 1500;

/// A datagram from a machine's port to one of the router's.
fn datagram(machine: u16, from: u16, to: u16) -> Vec<u8> {
    let source = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, machine);
    let destination = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
    let packet = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 9], [0x33, 0x33, 0, 1, 0, 2])
        .ipv6(source.octets(), destination.octets(), 1)
        .udp(from, to);
    let mut frame = Vec::new();
    packet.write(&mut frame, &[]).unwrap();
    frame
}

/// The rings by what they got: (source address, source port, destination port) of each frame.
fn received(rings: &mut [ReceiveRing]) -> BTreeMap<(u16, u16, u16), Vec<usize>> {
    let mut by_flow = BTreeMap::<_, Vec<_>>::new();
    for (number, ring) in rings.iter_mut().enumerate() {
        ring.receive(usize::MAX, |frame| {
            let word = |at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
            by_flow.entry((word(36), word(54), word(56))).or_default().push(number);
        });
    }
    by_flow
}

fn wait(rings: &[ReceiveRing]) {
    let mut events: Vec<_> = rings.iter().map(|ring| PollFd::from_borrowed_fd(ring.as_fd(), PollFlags::IN)).collect();
    poll(&mut events, Some(&Timespec::try_from(Duration::from_secs(5)).unwrap())).unwrap();
}

#[test]
fn dhcpv6_goes_to_the_first_ring_and_a_flow_stays_with_one() {
    let (router, machines) = (Host::new("router").unwrap(), Host::new("machines").unwrap());
    cable(End { host: &router, interface: "rack0", mac: None }, End { host: &machines, interface: "eth0", mac: None })
        .unwrap();
    let (inside, outside) = (router.index_of("rack0").unwrap(), machines.index_of("eth0").unwrap());
    let filter = classic_bpf::filter(&[547, 69]);
    let open = || ReceiveRing::open_group(inside, Some(&filter), &classic_bpf::fanout(547), RINGS);
    let mut rings = router.run(open).unwrap().unwrap();
    let mut port = machines.run(|| Port::open(outside, MTU)).unwrap().unwrap();

    let flows: Vec<_> = (1..=40).flat_map(|machine| [(machine, 546, 547), (machine, 2000 + 7 * machine, 69)]).collect();
    for _ in 0..3 {
        for (machine, from, to) in &flows {
            port.send(&datagram(*machine, *from, *to)).unwrap();
        }
        port.send(&datagram(1, 546, 548)).unwrap();
    }
    wait(&rings);
    let by_flow = received(&mut rings);
    assert_eq!(by_flow.keys().copied().collect::<Vec<_>>(), {
        let mut flows = flows.clone();
        flows.sort_unstable();
        flows
    });
    let mut used = [0; RINGS];
    for ((machine, _, to), rings) in &by_flow {
        assert!(rings.len() == 3 && rings.iter().all(|ring| ring == &rings[0]), "{machine} to {to}: {rings:?}");
        assert!(*to == 69 || rings[0] == 0, "DHCPv6 of {machine} at ring {}", rings[0]);
        used[rings[0]] += usize::from(*to == 69);
    }
    assert!(used.iter().all(|flows| *flows > 0), "flows of TFTP by ring: {used:?}");
}
