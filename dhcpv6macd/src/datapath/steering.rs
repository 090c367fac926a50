//! The steering link: a veth pair into a namespace that only this process holds. What the steering program redirects comes out
//! there, seen by our rings and by nothing else. However the process ends, the link ends with it.

use std::{fs, io, net::UdpSocket};

use futures_util::TryStreamExt as _;
use rtnetlink::{
    Handle, LinkUnspec, LinkVeth,
    packet_route::link::{InfoData, InfoVeth, LinkAttribute},
};
use rustix::{
    fd::{AsFd as _, AsRawFd as _},
    net::netdevice,
};

use super::{namespace::Namespace, ring::ReceiveRing, sys};

/// Name of the far end, inside the private namespace.
const FAR_END: &str = "steered";

/// A veth pair, one end in this namespace, the other in a private one.
#[derive(Debug)]
pub struct SteeringLink {
    namespace: Namespace,
    near_end: u32,
    far_end: u32,
}

impl SteeringLink {
    /// Makes the link: frames of up to `mtu` bytes behind the Ethernet header, one queue a worker.
    ///
    /// # Errors
    ///
    /// Without `CAP_NET_ADMIN` and `CAP_SYS_ADMIN`, or where the kernel has no veth.
    pub async fn create(netlink: &Handle, mtu: u32, queues: u32) -> io::Result<Self> {
        let near_name = format!("steer-{}", std::process::id());
        let namespace = Namespace::anonymous()?;
        // The far end must not talk: no link-local address, no Router Solicitation.
        namespace.run(|| disable_ipv6("default"))??;

        create_pair(netlink, &near_name, &namespace, mtu, queues).await?;
        disable_ipv6(&near_name)?;
        let near_end = index_of(netlink, &near_name).await?;
        // The far end first: a veth takes redirected frames if its peer had GRO when it came up (`veth_set_xdp_features`).
        let far_end = namespace.run(prepare_far_end)??;
        netlink
            .link()
            .set(LinkUnspec::new_with_index(near_end).up().build())
            .execute()
            .await
            .map_err(io::Error::other)?;
        Ok(Self { namespace, near_end, far_end })
    }

    /// Interface index of the end that frames are redirected to.
    #[must_use]
    pub fn near_end(&self) -> u32 {
        self.near_end
    }

    /// Opens `count` rings on the far end, which share its frames by flow.
    ///
    /// # Errors
    ///
    /// Those of [`ReceiveRing::open`] and [`ReceiveRing::join_fanout`].
    pub fn open_rings(&self, count: usize) -> io::Result<Vec<ReceiveRing>> {
        self.namespace.run(|| ReceiveRing::open_group(self.far_end, None, count))?
    }
}

async fn create_pair(netlink: &Handle, near: &str, far: &Namespace, mtu: u32, queues: u32) -> io::Result<()> {
    let queues = [LinkAttribute::NumTxQueues(queues), LinkAttribute::NumRxQueues(queues)];
    let mut peer = LinkUnspec::new_with_name(FAR_END).mtu(mtu).setns_by_fd(far.as_fd().as_raw_fd()).build();
    peer.attributes.extend(queues.clone());
    let mut pair = LinkVeth::new(near, FAR_END).mtu(mtu).set_info_data(InfoData::Veth(InfoVeth::Peer(peer))).build();
    pair.attributes.extend(queues);
    netlink.link().add(pair).execute().await.map_err(io::Error::other)
}

async fn index_of(netlink: &Handle, name: &str) -> io::Result<u32> {
    let mut links = netlink.link().get().match_name(name.to_owned()).execute();
    let link = links.try_next().await.map_err(io::Error::other)?.ok_or(io::ErrorKind::NotFound)?;
    Ok(link.header.index)
}

/// A veth takes redirected frames only with NAPI, which comes with GRO (`veth_set_features`, kernel 5.13).
fn prepare_far_end() -> io::Result<u32> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    sys::enable_gro(&socket, FAR_END)?;
    sys::set_up(&socket, FAR_END)?;
    Ok(netdevice::name_to_index(&socket, FAR_END)?)
}

fn disable_ipv6(interface: &str) -> io::Result<()> {
    fs::write(format!("/proc/sys/net/ipv6/conf/{interface}/disable_ipv6"), "1")
}
