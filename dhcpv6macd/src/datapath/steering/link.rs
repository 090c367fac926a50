//! The steering link: a veth pair in a namespace that only this process holds. What the steering program redirects to one end
//! comes out at the other, seen by our rings and by nothing else. However the process ends, the link ends with it.

use std::{fs, io, os::fd::AsFd as _};

use libc::sock_filter;
use rtnetlink::{
    LinkUnspec, LinkVeth,
    packet_route::link::{AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoVeth, LinkAttribute},
};
use rustix::net::{AddressFamily, SocketFlags, SocketType, netdevice, socket_with};

use super::{SteeringProgram, SteeringProgramError};
use crate::{
    datapath::{namespace::Namespace, ring::ReceiveRing, sys},
    netlink::{NetlinkError, Requests},
};

/// Name of the end that the steering program redirects to.
const NEAR_END: &str = "near";
/// Name of the end that the rings are on.
const FAR_END: &str = "far";
/// The largest MTU of a veth (`ETH_MAX_MTU`): whatever the interface lets through fits.
const MTU: u32 = 65535;

/// A veth pair in a private namespace.
#[derive(Debug)]
pub struct SteeringLink {
    namespace: Namespace,
    near_end: u32,
    far_end: u32,
}

/// Why there is no steering link.
#[derive(Debug, thiserror::Error)]
pub enum SteeringLinkError {
    /// The namespace or its interfaces cannot be had.
    #[error(transparent)]
    Namespace(#[from] io::Error),
    /// The kernel does not make the pair.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
}

impl SteeringLink {
    /// Makes the link, one queue a worker.
    ///
    /// # Errors
    ///
    /// Without `CAP_NET_ADMIN` and `CAP_SYS_ADMIN`, or where the kernel has no veth.
    pub async fn create(queues: u32) -> Result<Self, SteeringLinkError> {
        let namespace = Namespace::anonymous()?;
        let netlink = Requests::open_in(&namespace)?;
        netlink.ask(netlink.handle.link().add(pair(queues)).execute()).await?;
        for end in [NEAR_END, FAR_END] {
            netlink.ask(netlink.handle.link().set(silent(end)).execute()).await?;
        }
        let (near_end, far_end) = namespace.run(bring_up)??;
        Ok(Self { namespace, near_end, far_end })
    }

    /// Opens `count` rings on the far end, which share its frames as `fanout` says.
    ///
    /// # Errors
    ///
    /// Those of [`ReceiveRing::open_group`].
    pub fn open_rings(&self, fanout: &[sock_filter], count: usize) -> io::Result<Vec<ReceiveRing>> {
        self.namespace.run(|| ReceiveRing::open_group(self.far_end, None, fanout, count))?
    }

    /// From now on what the program steers comes to the rings.
    ///
    /// # Errors
    ///
    /// Those of [`SteeringProgram::steer_to`].
    pub fn connect(&self, program: &mut SteeringProgram) -> Result<(), SteeringProgramError> {
        // An interface in a map is looked up in the namespace of who writes it there.
        self.namespace.run(|| program.steer_to(self.near_end)).map_err(SteeringProgramError::Namespace)?
    }

    /// Frames that were lost on the link: more came at once than a queue of it holds (`VETH_RING_SIZE`, `drivers/net/veth.c`).
    ///
    /// # Errors
    ///
    /// Where `/proc` is not mounted.
    pub fn dropped(&self) -> io::Result<u64> {
        let table = self.namespace.run(|| fs::read_to_string("/proc/thread-self/net/dev"))??;
        dropped_by(NEAR_END, &table)
            .ok_or_else(|| io::Error::other("the kernel does not tell what the steering link lost"))
    }
}

fn pair(queues: u32) -> rtnetlink::packet_route::link::LinkMessage {
    let queues = [LinkAttribute::NumTxQueues(queues), LinkAttribute::NumRxQueues(queues)];
    let mut far = LinkUnspec::new_with_name(FAR_END).mtu(MTU).build();
    far.attributes.extend(queues.clone());
    let mut pair = LinkVeth::new(NEAR_END, FAR_END).mtu(MTU).set_info_data(InfoData::Veth(InfoVeth::Peer(far))).build();
    pair.attributes.extend(queues);
    pair
}

/// Neither link-local address nor Router Solicitation, ever.
fn silent(end: &str) -> rtnetlink::packet_route::link::LinkMessage {
    let mode = AfSpecUnspec::Inet6(vec![AfSpecInet6::AddrGenMode(In6AddrGenMode::None)]);
    LinkUnspec::new_with_name(end).append_extra_attribute(LinkAttribute::AfSpecUnspec(vec![mode])).build()
}

/// A veth takes redirected frames if its peer has NAPI, which comes with GRO, and had it when it came up (`veth_xdp_xmit` and
/// `veth_set_xdp_features`, `drivers/net/veth.c`, kernel 5.13): the far end first.
fn bring_up() -> io::Result<(u32, u32)> {
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    sys::enable_gro(&socket, FAR_END)?;
    sys::set_up(&socket, FAR_END)?;
    sys::set_up(&socket, NEAR_END)?;
    let socket = socket.as_fd();
    Ok((netdevice::name_to_index(socket, NEAR_END)?, netdevice::name_to_index(socket, FAR_END)?))
}

/// Frames that an interface did not send, from the kernel's table (`dev_seq_printf_stats`, `net/core/net-procfs.c`): behind its name
/// eight numbers of what was received, and the fourth of what was sent.
fn dropped_by(interface: &str, table: &str) -> Option<u64> {
    let numbers = table.lines().find_map(|line| line.trim_start().strip_prefix(interface)?.strip_prefix(':'))?;
    numbers.split_ascii_whitespace().nth(11)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_interface_did_not_send_is_found() {
        let table = "Inter-|   Receive                            |  Transmit
 face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo colls carrier compressed
  near: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
nearby: 1 2 3 4 5 6 7 8 9 10 11 99 13 14 15 16
   far:17";
        assert_eq!(dropped_by("near", table), Some(12));
        assert_eq!(dropped_by("nearby", table), Some(99));
        assert_eq!((dropped_by("far", table), dropped_by("lo", table)), (None, None));
    }
}
