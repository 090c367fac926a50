//! The socket that Router Solicitations come in by and Router Advertisements go out by.
//!
//! Nothing is taken from the kernel: its own stack sees every message too.

use std::{
    io::{self, IoSliceMut},
    net::{Ipv6Addr, SocketAddrV6},
    os::fd::AsRawFd as _,
};

use nix::{
    cmsg_space,
    sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn6, recvmsg},
};
use socket2::{Domain, Protocol, SockFilter, SockRef, Socket, Type};
use tokio::{io::Interest, net::UdpSocket};

use crate::wire::router::{HOP_LIMIT, InvalidSolicitation, ROUTER_SOLICITATION, RouterSolicitation};

/// `ff02::1`, every host on the link.
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// `ff02::2`, every router on the link.
pub(super) const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
/// The longest solicitation that is looked at. A valid one comes in one packet (RFC 6980 section 5), and needs far less.
const LENGTH_MAX: usize = 1500;

/// A raw ICMPv6 socket with a link-local address of the interface, in the group of all routers.
#[derive(Debug)]
pub(super) struct RouterSocket {
    /// What tokio knows as one for UDP: to wait at it is the same.
    socket: UdpSocket,
    all_nodes: SocketAddrV6,
}

impl RouterSocket {
    /// Opens it. Call it inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// `AddrNotAvailable` where the interface does not have the address, or not yet for good.
    pub(super) fn open(interface: u32, link_local: Ipv6Addr) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
        socket.attach_filter(&only_router_solicitations())?;
        // The scope of a link-local address binds to the interface too.
        socket.bind(&SocketAddrV6::new(link_local, 0, 0, interface).into())?;
        socket.join_multicast_v6(&ALL_ROUTERS, interface)?;
        socket.set_recv_hoplimit_v6(true)?;
        socket.set_multicast_hops_v6(HOP_LIMIT.into())?;
        // This host is not to configure itself by what it advertises.
        socket.set_multicast_loop_v6(false)?;
        socket.set_nonblocking(true)?;
        let all_nodes = SocketAddrV6::new(ALL_NODES, 0, 0, interface);
        Ok(Self { socket: UdpSocket::from_std(socket.into())?, all_nodes })
    }

    /// Sends a message to every host on the link; the kernel fills its checksum in.
    ///
    /// # Errors
    ///
    /// Where the interface does not take it.
    pub(super) fn send(&self, message: &[u8]) -> io::Result<()> {
        SockRef::from(&self.socket).send_to(message, &self.all_nodes.into()).map(drop)
    }

    /// Waits for a Router Solicitation.
    ///
    /// # Errors
    ///
    /// Where the socket fails.
    pub(super) async fn receive(&self) -> io::Result<Result<RouterSolicitation, InvalidSolicitation>> {
        self.socket.async_io(Interest::READABLE, || receive_now(&self.socket)).await
    }
}

/// The kernel has looked at the checksum.
fn receive_now(socket: &UdpSocket) -> io::Result<Result<RouterSolicitation, InvalidSolicitation>> {
    let mut buffer = [0; LENGTH_MAX];
    let mut ancillary = cmsg_space!(libc::c_int);
    let mut parts = [IoSliceMut::new(&mut buffer)];
    let received = recvmsg::<SockaddrIn6>(socket.as_raw_fd(), &mut parts, Some(&mut ancillary), MsgFlags::empty())?;
    let source = received.address.map_or(Ipv6Addr::UNSPECIFIED, |address| address.ip());
    let hop_limit = received.cmsgs()?.find_map(hop_limit).unwrap_or_default();
    let (length, is_cut) = (received.bytes, received.flags.contains(MsgFlags::MSG_TRUNC));
    if is_cut {
        return Ok(Err(InvalidSolicitation::Length));
    }
    Ok(RouterSolicitation::parse(buffer.get(..length).unwrap_or_default(), source, hop_limit))
}

fn hop_limit(message: ControlMessageOwned) -> Option<u8> {
    if let ControlMessageOwned::Ipv6HopLimit(hops) = message { u8::try_from(hops).ok() } else { None }
}

/// Classic BPF: no other ICMPv6 of this busy protocol wakes us.
#[expect(clippy::cast_possible_truncation, reason = "operation codes of classic BPF have 16 bits")]
fn only_router_solicitations() -> [SockFilter; 4] {
    const LOAD_TYPE: u16 = (libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16;
    const UNLESS: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    [
        SockFilter::new(LOAD_TYPE, 0, 0, 0),
        SockFilter::new(UNLESS, 0, 1, ROUTER_SOLICITATION.into()),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}
