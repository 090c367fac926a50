//! Who we are where there is no interface: whoever served in the capture.

use std::{collections::BTreeSet, fmt, net::Ipv6Addr, sync::Arc};

use super::{CaptureError, CaptureFile};
use crate::{
    config::Config,
    policy::Access,
    respond::Site,
    wire::{
        Duid, MacAddr, Overheard,
        dhcpv6::{Message, MessageType, SERVER_PORT, for_client},
    },
};

/// Where nobody served: an address that nobody else has, administered locally.
const STAND_IN_MAC: MacAddr = MacAddr([2, 0, 0, 0, 5, 0x47]);
/// The packets of an Ethernet, bytes.
const MTU: u32 = 1500;
/// Own addresses, no more than the steering program knows.
const ADDRESSES_MAX: usize = 256;

/// What a capture says about its server.
#[derive(Debug, Default)]
struct Seen {
    server: Option<Server>,
    /// Who sent from the port of DHCPv6 servers, and from where.
    senders: BTreeSet<(MacAddr, Ipv6Addr)>,
}

#[derive(Debug)]
struct Server {
    mac: MacAddr,
    duid: Duid,
    /// Who sends Relay-replies is a server, while a Reply may be from a relay agent.
    has_relayed: bool,
}

impl Seen {
    /// Looks for the server in a whole capture, or as far as it can be read.
    fn of(capture: CaptureFile<'_>) -> Self {
        let mut seen = Self::default();
        let read = capture.each(|record| {
            if record.foreign_link_type.is_none() {
                seen.look(record.bytes);
            }
            Ok::<_, CaptureError>(())
        });
        // Whoever replays what comes before it tells of it.
        drop(read);
        seen
    }

    fn look(&mut self, frame: &[u8]) {
        let Some(sent) = Overheard::read(frame).filter(|sent| sent.source_port == SERVER_PORT) else { return };
        if self.senders.len() < ADDRESSES_MAX {
            self.senders.insert((sent.ethernet_source, sent.source));
        }
        if let Some(server) = Server::of(&sent).filter(|server| self.is_surer(server)) {
            self.server = Some(server);
        }
    }

    /// The first that there is, unless a later one alone is sure to be one.
    fn is_surer(&self, server: &Server) -> bool {
        self.server.as_ref().is_none_or(|known| server.has_relayed && !known.has_relayed)
    }

    fn addresses(&self, mac: MacAddr) -> impl Iterator<Item = Ipv6Addr> {
        let of_mac = self.senders.iter().filter(move |(sender, _)| *sender == mac);
        of_mac.map(|(_, address)| *address)
    }
}

impl Server {
    fn of(sent: &Overheard<'_>) -> Option<Self> {
        let has_relayed = MessageType::of(sent.payload).ok()? == MessageType::RelayReply;
        let message = Message::parse(for_client(sent.payload).ok()?).ok()?;
        let is_answer = matches!(message.kind, MessageType::Advertise | MessageType::Reply);
        let duid = Duid::of(message.server_id.filter(|_| is_answer)?)?;
        Some(Self { mac: sent.ethernet_source, duid, has_relayed })
    }
}

/// Who we are, and how much of it was made up.
#[derive(Debug)]
pub struct Assumed {
    pub(super) site: Site,
    is_seen: bool,
    /// Is the base address ours only because machines have to load iPXE from somewhere?
    has_stand_in_boot_server: bool,
}

impl Assumed {
    /// Learns it from a capture, or as far as that can be read.
    #[must_use]
    pub fn new(config: &Config, access: Access, capture: CaptureFile<'_>) -> Self {
        let seen = Seen::of(capture);
        let server = seen.server.as_ref();
        let mac = server.map_or(STAND_IN_MAC, |server| server.mac);
        let mut addresses: Vec<_> = seen.addresses(mac).filter(|address| !address.is_multicast()).collect();
        let link_local = addresses.iter().find(|address| address.is_unicast_link_local()).copied();
        let link_local = link_local.unwrap_or_else(|| {
            addresses.push(mac.link_local());
            mac.link_local()
        });
        let has_stand_in_boot_server = config.boot.lacks_server(config.base_address, &addresses);
        if has_stand_in_boot_server {
            addresses.push(config.base_address.prefix());
        }
        addresses.sort_unstable();
        addresses.dedup();
        let local = config.local(mac, link_local, addresses.into(), MTU);
        let duid = || server.map_or_else(|| Duid::link_layer(mac), |server| server.duid.clone());
        let policy = config.policy(duid, access);
        // No file is read in a replay.
        let images = Arc::default();
        Self { site: Site::new(local, Arc::new(policy), images), is_seen: server.is_some(), has_stand_in_boot_server }
    }
}

/// In one line.
impl fmt::Display for Assumed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = &self.site.local;
        let whose = if self.is_seen { "as the server in it" } else { "no server in it: as a stand-in" };
        write!(formatter, "{whose}, {} at", local.mac)?;
        for address in &local.addresses {
            write!(formatter, " {address}")?;
        }
        write!(formatter, ", DUID {}", self.site.policy.server_duid)?;
        if self.has_stand_in_boot_server {
            write!(formatter, "; the base address stands in for the boot server")?;
        }
        Ok(())
    }
}
