//! The steering program in the kernel gives every frame the verdict that the classifier gives it on the host, and does with it
//! what it says. Needs root.
#![cfg(test)]

use std::collections::BTreeSet;

use aya::{
    Ebpf, EbpfLoader, TestRunOptions,
    maps::{HashMap, MapData, PerCpuArray, xdp::DevMap},
    programs::{TestRun as _, Xdp},
};
use dhcpv6macd::{datapath::steering::STEERING_PROGRAM, local::Local};
use dhcpv6macd_ebpf::{Verdict, classify, header::IPV6_OFFSET, map as abi};
use dhcpv6macd_tests::{
    golden::{self, local, rows},
    lab::Host,
};
use proptest::{collection::vec, prelude::*, strategy::ValueTree as _, test_runner::TestRunner};

/// Actions of `enum xdp_action` (`include/uapi/linux/bpf.h`).
const XDP_PASS: u32 = 2;
const XDP_REDIRECT: u32 = 4;

/// The program, loaded and not attached.
struct Program {
    ebpf: Ebpf,
    before: Vec<u64>,
}

impl Program {
    fn load(local: &Local) -> Self {
        let mut ebpf = EbpfLoader::new()
            .override_global(abi::DHCPV6_PORT, &local.dhcpv6_port, true)
            .override_global(abi::TFTP_PORT, &local.tftp_port.unwrap_or(0), true)
            .load(STEERING_PROGRAM)
            .unwrap();
        let program: &mut Xdp = ebpf.program_mut(abi::PROGRAM).unwrap().try_into().unwrap();
        program.load().unwrap();
        let mut own: HashMap<&mut MapData, [u8; 16], u8> =
            ebpf.map_mut(abi::OWN_ADDRESSES).unwrap().try_into().unwrap();
        for address in &local.addresses {
            own.insert(address.octets(), 0, 0).unwrap();
        }
        let before = vec![0; Verdict::ALL.len()];
        Self { ebpf, before }
    }

    /// Steers to this interface of the calling thread's namespace.
    fn steer_to(&mut self, interface: u32) {
        let map = self.ebpf.map_mut(abi::STEERING_LINK).unwrap();
        DevMap::try_from(map).unwrap().set(0, interface, None, 0).unwrap();
    }

    /// Runs it over one frame: the action, and the frame as it is then.
    fn run(&self, frame: &[u8]) -> (u32, Vec<u8>) {
        let program: &Xdp = self.ebpf.program(abi::PROGRAM).unwrap().try_into().unwrap();
        let mut output = vec![0; frame.len()];
        let options = TestRunOptions { data_in: Some(frame), data_out: Some(&mut output), ..TestRunOptions::default() };
        let result = program.test_run(options).unwrap();
        assert_eq!(result.data_size_out as usize, frame.len());
        (result.return_value, output)
    }

    /// The verdicts that were counted since the last call.
    fn counted(&mut self) -> Vec<Verdict> {
        let map: PerCpuArray<&MapData, u64> = self.ebpf.map(abi::COUNTERS).unwrap().try_into().unwrap();
        let mut verdicts = Vec::new();
        for (verdict, before) in Verdict::ALL.into_iter().zip(&mut self.before) {
            let now = map.get(&verdict.index(), 0).unwrap().iter().sum::<u64>();
            verdicts.extend((*before..now).map(|_| verdict));
            *before = now;
        }
        verdicts
    }
}

/// The kernel takes no frame that is shorter than its Ethernet header.
fn fits(frame: &[u8]) -> bool {
    frame.len() >= IPV6_OFFSET
}

fn known_frames() -> Vec<Vec<u8>> {
    golden::known_frames().unwrap().into_iter().filter(|frame| fits(frame)).collect()
}

/// Frames that are almost something that is known: some headers changed, and cut somewhere.
fn almost(known: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let bytes = vec((0..64_usize, interesting()), 0..4);
    (prop::sample::select(known), bytes, any::<prop::sample::Index>(), any::<bool>()).prop_map(
        |(mut frame, bytes, end, is_cut)| {
            for (offset, byte) in bytes {
                if let Some(at) = frame.get_mut(offset) {
                    *at = byte;
                }
            }
            if is_cut {
                frame.truncate(IPV6_OFFSET + end.index(80));
            }
            frame
        },
    )
}

/// Bytes that mean something in a header, and any other.
fn interesting() -> impl Strategy<Value = u8> {
    prop_oneof![
        prop::sample::select(vec![0, 0x86, 0xdd, 0x81, 0x88, 0xa8, 0x60, 17, 44, 60, 0x02, 0x23, 69]),
        any::<u8>()
    ]
}

fn assert_agree(program: &mut Program, local: &Local, frame: &[u8], steers: bool) -> Verdict {
    let verdict = classify(frame, local);
    let (action, output) = program.run(frame);
    assert_eq!(program.counted(), [verdict], "{frame:02x?}");
    let is_steered = matches!(verdict, Verdict::Steer(_)) && steers;
    assert_eq!(action, if is_steered { XDP_REDIRECT } else { XDP_PASS }, "{}", verdict.name());
    let mut expected = frame.to_vec();
    if is_steered {
        // For one host: so the private namespace's own stack does not look at it.
        expected[0] &= !1;
    }
    assert_eq!(output, expected, "{}", verdict.name());
    verdict
}

/// The devmap takes an interface of the namespace that asks.
fn with_steering_link(work: impl FnOnce(Program, Local) + Send) {
    let host = Host::new("parity").unwrap();
    host.ip("link add near type veth peer name far").unwrap();
    let near = host.index_of("near").unwrap();
    host.run(|| {
        let mut program = Program::load(&local());
        program.steer_to(near);
        work(program, local());
    })
    .unwrap();
}

#[test]
fn the_kernel_agrees_about_every_golden_row() {
    with_steering_link(|mut program, local| {
        for row in rows().into_iter().filter(|row| fits(&row.frame)) {
            let verdict = assert_agree(&mut program, &local, &row.frame, true);
            assert_eq!(verdict, row.verdict, "{}: {}", row.name, row.description);
        }
    });
}

#[test]
fn the_kernel_agrees_about_every_captured_frame() {
    with_steering_link(|mut program, local| {
        for frame in known_frames() {
            assert_agree(&mut program, &local, &frame, true);
        }
    });
}

#[test]
fn the_kernel_agrees_about_frames_that_are_almost_something() {
    with_steering_link(|mut program, local| {
        let frames = almost(known_frames());
        let mut runner = TestRunner::deterministic();
        let mut verdicts = BTreeSet::new();
        for _ in 0..4000 {
            let frame = frames.new_tree(&mut runner).unwrap().current();
            verdicts.insert(classify(frame.as_slice(), &local).index());
            assert_agree(&mut program, &local, &frame, true);
        }
        assert_eq!(verdicts.len(), Verdict::ALL.len(), "frames of every verdict were tried: {verdicts:?}");
    });
}

#[test]
fn without_a_steering_link_everything_passes_untouched() {
    let local = local();
    let mut program = Program::load(&local);
    for frame in known_frames() {
        assert_agree(&mut program, &local, &frame, false);
    }
}

#[test]
fn where_tftp_is_not_served_it_passes() {
    let mut local = local();
    local.tftp_port = None;
    let mut program = Program::load(&local);
    for row in rows().into_iter().filter(|row| fits(&row.frame)) {
        assert_agree(&mut program, &local, &row.frame, false);
    }
}
