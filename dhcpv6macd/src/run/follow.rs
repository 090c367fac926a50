//! Keeps what is steered, and what the workers answer from, in step with the interface.

use std::{net::Ipv6Addr, os::fd::OwnedFd, sync::Arc};

use arc_swap::ArcSwap;
use tokio::sync::Notify;
use tracing::{info, warn};

use super::{ServeError, source::Source};
use crate::{
    config::{Config, Datapath, IpxeImages},
    image::Images,
    interface::{Facts, Interface, InterfaceError, LinkState},
    local::Local,
    netlink::NetlinkError,
    policy::{Access, MacList, Policy},
    respond::Site,
};

/// Addresses that a line of the log names at most.
const TOLD_MAX: usize = 4;
/// How often the kernel is asked before its silence is taken for an answer.
const TRIES: u32 = 3;

/// The interface that is followed, and all that follows it.
pub(super) struct Follower<'a> {
    pub(super) config: &'a Config,
    pub(super) interface: Interface,
    pub(super) facts: Facts,
    /// The longest packet that the transmit rings hold: they were made for the interface as it was.
    pub(super) mtu_max: u32,
    pub(super) site: Arc<ArcSwap<Site>>,
    pub(super) source: Source,
    /// Told of every change that [`site`](Self::site) may show.
    pub(super) changed: Arc<Notify>,
    /// Has the interface changed since it was last looked at?
    pub(super) is_behind: bool,
    /// Held: the memberships end with it. `None` while the interface has no IPv6.
    pub(super) groups: Option<OwnedFd>,
}

impl Follower<'_> {
    /// Waits until the interface changes, and makes what it then has what the program steers and the workers answer from. Where it is
    /// cut off, by a signal that asks for a reload, the next call goes on.
    pub(super) async fn next(&mut self) -> Result<(), ServeError> {
        if !self.is_behind {
            self.interface.changed().await?;
            self.is_behind = true;
        }
        let facts = self.facts().await?;
        self.join_groups();
        if facts != self.facts {
            self.tell_of_bridge(&facts).await;
            self.take(facts)?;
        }
        // Even then: an address looks the same once it is no longer tentative.
        self.changed.notify_one();
        self.is_behind = false;
        Ok(())
    }

    fn take(&mut self, facts: Facts) -> Result<(), ServeError> {
        self.source.set_own_addresses(self.config, &facts.addresses)?;
        let before = self.site.load();
        let (policy, images) = (Arc::clone(&before.policy), Arc::clone(&before.images));
        self.site.store(Arc::new(Site::new(local(self.config, &facts, self.mtu_max), policy, images)));
        self.tell(&facts);
        self.tell_of_boot_server(&facts);
        self.facts = facts;
        Ok(())
    }

    /// Says that frames are taken away from now on. At the start that is refused; an operator may be in the middle of a change.
    async fn tell_of_bridge(&self, now: &Facts) {
        let (Datapath::Packet, None, Some(bridge)) = (self.config.datapath, self.facts.bridge, now.bridge) else {
            return;
        };
        let name = self.interface.name_of(bridge).await;
        let name = name.unwrap_or_else(|error| format!("the bridge number {bridge} ({error})"));
        warn!("the interface is a port of {name} now, which takes its frames before --datapath packet sees them");
    }

    /// Says what has changed, and no more of it than a line has room for.
    fn tell(&self, now: &Facts) {
        let before = &self.facts;
        if now.state != before.state {
            tell_of_link(&self.interface.name, now.state);
        }
        if (now.mac, now.link_local) != (before.mac, before.link_local) {
            info!(mac = %now.mac, link_local = %now.link_local, "interface changed");
        }
        let missing = |from: &Facts, other: &Facts| -> Vec<Ipv6Addr> {
            from.addresses.iter().filter(|address| !other.addresses.contains(address)).take(TOLD_MAX).copied().collect()
        };
        let (added, removed) = (missing(now, before), missing(before, now));
        if !added.is_empty() || !removed.is_empty() {
            info!(?added, ?removed, count = now.addresses.len(), "addresses changed");
        }
    }

    /// Machines in PXE load from the interface's own address, which comes and goes with it.
    fn tell_of_boot_server(&self, now: &Facts) {
        let Policy { base_address, ref boot, .. } = *self.site.load().policy;
        let Some(tftp) = boot.tftp else { return };
        let [before, now] = [&self.facts, now].map(|facts| tftp.server(base_address, &facts.addresses));
        match now {
            _ if now == before => {}
            Some(server) => info!(%server, "machines in PXE are told to load iPXE from here now"),
            None => warn!(
                prefix = %base_address,
                "no address in the prefix any more: machines in PXE are not told where to load iPXE from"
            ),
        }
    }

    /// Reads the lists of machines and the images again. Of what cannot be read, all stays as it was.
    pub(super) fn reload(&self) {
        let (access, images) = (self.config.access.read(), Images::read(&self.config.ipxe));
        let before = self.site.load();
        let policy =
            access.as_ref().ok().map(|access| Policy { access: access.clone(), ..Policy::clone(&before.policy) });
        let policy = policy.map_or_else(|| Arc::clone(&before.policy), Arc::new);
        let served = images.as_ref().map_or_else(|_| Arc::clone(&before.images), |images| Arc::new(images.clone()));
        self.site.store(Arc::new(Site::new(before.local.clone(), policy, served)));
        tell_of_lists(access);
        if self.config.ipxe != IpxeImages::default() {
            tell_of_images(images);
        }
    }

    async fn facts(&self) -> Result<Facts, InterfaceError> {
        for _ in 1..TRIES {
            match self.interface.facts().await {
                Err(InterfaceError::Netlink(NetlinkError::Timeout)) => warn!("{}: asking again", NetlinkError::Timeout),
                answer => return answer,
            }
        }
        self.interface.facts().await
    }

    /// Joins the DHCPv6 groups again where the interface has left them.
    fn join_groups(&mut self) {
        match self.interface.has_joined_groups() {
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => return warn!(%error, "cannot see whether the interface is still in the DHCPv6 groups"),
        }
        self.groups = None;
        match self.interface.join_groups() {
            Ok(groups) => self.groups = Some(groups),
            Err(error) => warn!(%error, "cannot join the DHCPv6 groups; trying again when the interface changes"),
        }
    }
}

fn tell_of_lists(read: Result<Access, String>) {
    match read {
        Ok(Access { allow, deny }) => {
            info!(allow = entries(allow.as_ref()), deny = entries(deny.as_ref()), "lists of machines read again");
        }
        Err(error) => warn!("{error}: the lists of machines stay as they were"),
    }
}

fn tell_of_images(read: Result<Images, String>) {
    match read {
        Ok(images) => info!(ipxe = %images, "images read again"),
        Err(error) => warn!("{error}: the images stay as they were"),
    }
}

/// How many entries a list has, for the log.
fn entries(list: Option<&MacList>) -> Option<usize> {
    list.map(MacList::len)
}

/// Says whether frames can come and go.
pub(super) fn tell_of_link(interface: &str, state: LinkState) {
    match state {
        LinkState::Up => info!(interface, "the interface is up"),
        LinkState::NoCarrier => warn!(interface, "the interface has no carrier: no machine can ask until it has"),
        LinkState::Down => warn!(interface, "the interface is down: no machine can ask until it is up"),
    }
}

/// What is ours, as the workers see it; they send no longer packets than `mtu_max`.
pub(super) fn local(config: &Config, facts: &Facts, mtu_max: u32) -> Local {
    config.local(facts.mac, facts.link_local, facts.addresses.clone(), facts.mtu.min(mtu_max))
}
