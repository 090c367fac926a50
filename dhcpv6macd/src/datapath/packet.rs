//! The way out without XDP: rings on the interface itself behind a socket filter, and sockets that keep the kernel from answering.
//!
//! The kernel sees every frame too. A bound socket that reads nothing spares the clients its "port unreachable".

use std::{
    io,
    net::{Ipv6Addr, SocketAddrV6},
    os::fd::OwnedFd,
};

use dhcpv6macd_ebpf::header::{ETHERTYPE_IPV6, IPV6_OFFSET, NEXT_HEADER_UDP, UDP_OFFSET};
use libc::sock_filter;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, ipproto, socket_with, sockopt};

use super::sys;

/// Bytes of a frame that a filter lets through: all.
const ALL: u32 = u32::MAX;

/// A socket filter for IPv6 frames without a VLAN tag that carry UDP to one of `ports`: what the rings are to look at. Which of
/// them are ours the worker decides, as it does behind the steering program.
#[must_use]
pub fn filter(ports: &[u16]) -> Vec<sock_filter> {
    let load = |size: u32, offset: u32| statement(libc::BPF_LD | size | libc::BPF_ABS, offset);
    // `SKF_AD_VLAN_TAG_PRESENT`: the kernel has moved the tag out of the frame.
    let vlan = libc::SKF_AD_OFF.cast_unsigned().wrapping_add(libc::SKF_AD_VLAN_TAG_PRESENT.cast_unsigned());
    let conditions = [
        (load(libc::BPF_B, vlan), 0),
        (load(libc::BPF_H, offset(IPV6_OFFSET - 2)), u32::from(ETHERTYPE_IPV6)),
        (load(libc::BPF_B, offset(IPV6_OFFSET + 6)), u32::from(NEXT_HEADER_UDP)),
    ];
    let mut program = Vec::new();
    for (load, wanted) in conditions {
        program.extend([load, jump_if(wanted, 1), statement(libc::BPF_RET | libc::BPF_K, 0)]);
    }
    program.push(load(libc::BPF_H, offset(UDP_OFFSET + 2)));
    for port in ports {
        // Equal: on to the next instruction, which accepts. Not equal: past it.
        let mut test = jump_if(u32::from(*port), 0);
        test.jf = 1;
        program.extend([test, statement(libc::BPF_RET | libc::BPF_K, ALL)]);
    }
    program.push(statement(libc::BPF_RET | libc::BPF_K, 0));
    program
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

#[expect(clippy::cast_possible_truncation, reason = "operation codes of classic BPF have 16 bits")]
fn jump(code: u32, operand: u32, skip: u8) -> sock_filter {
    sock_filter { code: code as u16, jt: skip, jf: 0, k: operand }
}

/// A socket on a UDP port of one interface that takes everything and keeps nothing.
///
/// # Errors
///
/// `AddrInUse` where another program has the port, and what `bind(2)` says else.
pub fn silence_port(interface: &str, port: u16) -> io::Result<OwnedFd> {
    let socket = socket_with(AddressFamily::INET6, SocketType::DGRAM, SocketFlags::CLOEXEC, Some(ipproto::UDP))?;
    sockopt::set_ipv6_v6only(&socket, true)?;
    sys::bind_to_device(&socket, interface)?;
    sys::attach_filter(&socket, &[statement(libc::BPF_RET | libc::BPF_K, 0)])?;
    bind(&socket, &SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port, 0, 0))?;
    Ok(socket)
}
