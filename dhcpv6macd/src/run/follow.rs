//! Keeps what is steered, and what the workers answer from, in step with the interface.

use std::{os::fd::OwnedFd, sync::Arc};

use arc_swap::ArcSwap;
use tokio::sync::Notify;
use tracing::{info, warn};

use super::{ServeError, source::Source};
use crate::{
    config::Config,
    interface::{Facts, Interface, InterfaceError},
    local::Local,
    netlink::NetlinkError,
};

/// How often the kernel is asked before its silence is taken for an answer.
const TRIES: u32 = 3;

/// The interface that is followed, and all that follows it.
pub(super) struct Follower<'a> {
    pub(super) config: &'a Config,
    pub(super) interface: Interface,
    pub(super) facts: Facts,
    pub(super) local: Arc<ArcSwap<Local>>,
    pub(super) source: Source,
    /// Told of every change that [`local`](Self::local) may show.
    pub(super) changed: Arc<Notify>,
    /// Held: the memberships end with it. `None` while the interface has no IPv6.
    pub(super) groups: Option<OwnedFd>,
}

impl Follower<'_> {
    /// Waits until the interface changes, and makes what it then has what the program steers and the workers answer from.
    pub(super) async fn next(&mut self) -> Result<(), ServeError> {
        self.interface.changed().await?;
        let facts = self.facts().await?;
        self.join_groups();
        if facts != self.facts {
            self.take(facts)?;
        }
        // Even then: an address looks the same once it is no longer tentative.
        self.changed.notify_one();
        Ok(())
    }

    fn take(&mut self, facts: Facts) -> Result<(), ServeError> {
        self.source.set_own_addresses(&facts.addresses)?;
        self.local.store(Arc::new(local(self.config, &facts)));
        info!(mac = %facts.mac, link_local = %facts.link_local, addresses = ?facts.addresses, "interface changed");
        self.facts = facts;
        Ok(())
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

/// What is ours, as the workers see it.
pub(super) fn local(config: &Config, facts: &Facts) -> Local {
    Local {
        mac: facts.mac,
        link_local: facts.link_local,
        addresses: facts.addresses.clone(),
        dhcpv6_port: config.dhcpv6_port,
        tftp_port: config.tftp.map(|listen| listen.port()),
    }
}
