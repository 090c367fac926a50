//! Programs of classic BPF for packet sockets: which frames a ring takes, and which ring of a group takes them.
//!
//! `--datapath packet` is the way out without XDP: rings on the interface itself behind a [`filter`]. The kernel sees every frame
//! too; a [held port](super::port::hold) spares the clients its "port unreachable".

use dhcpv6macd_ebpf::header::{ETHERTYPE_IPV6, IPV6_OFFSET, NEXT_HEADER_UDP, UDP_OFFSET};
use libc::sock_filter;

/// Bytes of a frame that a filter lets through: all.
const ALL: u32 = u32::MAX;

/// A socket filter for IPv6 frames to this host that carry UDP to one of `ports`: what the rings are to look at. Which of them are
/// ours the worker decides, as it does behind the steering program.
///
/// A frame with a VLAN tag is none of them: when it comes here, the kernel has forgotten the tag, and taken note that it found no
/// host for it (`__netif_receive_skb_core`, `net/core/dev.c`).
#[must_use]
pub fn filter(ports: &[u16]) -> Vec<sock_filter> {
    let packet_type = libc::SKF_AD_OFF.cast_unsigned().wrapping_add(libc::SKF_AD_PKTTYPE.cast_unsigned());
    let reject = statement(libc::BPF_RET | libc::BPF_K, 0);
    let mut program = vec![load(libc::BPF_B, packet_type), unless(u32::from(libc::PACKET_OTHERHOST), 1), reject];
    let conditions = [
        (load(libc::BPF_H, offset(IPV6_OFFSET - 2)), u32::from(ETHERTYPE_IPV6)),
        (load(libc::BPF_B, offset(IPV6_OFFSET + 6)), u32::from(NEXT_HEADER_UDP)),
    ];
    for (load, wanted) in conditions {
        program.extend([load, jump_if(wanted, 1), reject]);
    }
    program.push(load(libc::BPF_H, offset(UDP_OFFSET + 2)));
    for port in ports {
        program.extend([unless(u32::from(*port), 1), statement(libc::BPF_RET | libc::BPF_K, ALL)]);
    }
    program.push(reject);
    program
}

/// A socket filter that lets nothing through.
#[must_use]
pub fn nothing() -> [sock_filter; 1] {
    [statement(libc::BPF_RET | libc::BPF_K, 0)]
}

/// A fanout program for frames that a [`filter`] or the steering program let through: DHCPv6 goes to the first ring of the group,
/// so that the others' workers sleep; every other flow stays with one ring.
///
/// One worker answers more DHCPv6 than two: whoever sleeps at a ring is woken for a frame, and the CPU that brings the frame pays
/// for it.
#[must_use]
pub fn fanout(dhcpv6_port: u16) -> [sock_filter; 8] {
    // The kernel runs it on what lies behind the Ethernet header (`fanout_demux_bpf`, `net/packet/af_packet.c`).
    let udp = offset(UDP_OFFSET - IPV6_OFFSET);
    let source_low_word = 20;
    [
        load(libc::BPF_H, udp + 2),
        jump_if(u32::from(dhcpv6_port), 5),
        load(libc::BPF_H, udp),
        statement(libc::BPF_MISC | libc::BPF_TAX, 0),
        load(libc::BPF_W, source_low_word),
        statement(libc::BPF_ALU | libc::BPF_XOR | libc::BPF_X, 0),
        statement(libc::BPF_RET | libc::BPF_A, 0),
        statement(libc::BPF_RET | libc::BPF_K, 0),
    ]
}

fn load(size: u32, offset: u32) -> sock_filter {
    statement(libc::BPF_LD | size | libc::BPF_ABS, offset)
}

#[expect(clippy::cast_possible_truncation, reason = "offsets into the headers of a frame")]
const fn offset(bytes: usize) -> u32 {
    bytes as u32
}

fn statement(code: u32, operand: u32) -> sock_filter {
    jump(code, operand, 0)
}

/// Skips `skip` instructions if the value is `wanted`.
fn jump_if(wanted: u32, skip: u8) -> sock_filter {
    jump(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, wanted, skip)
}

/// Skips `skip` instructions unless the value is `wanted`.
fn unless(wanted: u32, skip: u8) -> sock_filter {
    sock_filter { jt: 0, jf: skip, ..jump_if(wanted, 0) }
}

#[expect(clippy::cast_possible_truncation, reason = "operation codes of classic BPF have 16 bits")]
fn jump(code: u32, operand: u32, skip: u8) -> sock_filter {
    sock_filter { code: code as u16, jt: skip, jf: 0, k: operand }
}
