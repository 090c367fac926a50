//! What the operator decided: which address a machine gets, which boot file, which options, and whether it is served at all. Pure: no
//! socket, no clock, no thread.

mod access;
mod base_address;
mod boot;
mod lifetimes;
mod mac_source;
mod url;

pub use access::{Access, MacList, ParseMacListError, Refused};
pub use base_address::{BaseAddress, BaseAddressError};
pub(crate) use boot::OWN_IMAGE;
pub use boot::{Boot, BootFiles, BootPolicy, BootStage, ImageName, ImageSet, TftpPolicy};
pub use lifetimes::{Lifetimes, LifetimesError};
pub use mac_source::{MacSource, MacSources};
pub use url::{BootUrl, URL_MAX, UrlTemplate};

use crate::wire::{Duid, Prefix, dhcpv6::ServerOption};

/// What the operator decided for every machine.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The prefix in front of every machine's MAC.
    pub base_address: BaseAddress,
    /// Times of every address.
    pub lifetimes: Lifetimes,
    /// DUID of the server.
    pub server_duid: Duid,
    /// How much this server is preferred to others (RFC 9915 section 21.8). 255 is taken at once, without waiting for them.
    pub preference: u8,
    /// Options for whoever asks for them.
    pub options: Box<[ServerOption]>,
    /// Boot files.
    pub boot: BootPolicy,
    /// Where a machine's MAC is taken from.
    pub mac_sources: MacSources,
    /// Where relay agents may be.
    pub relay_from: Box<[Prefix]>,
    /// Which machines are served.
    pub access: Access,
}

impl Policy {
    /// Nothing but addresses, for every machine on the link, and behind relay agents on it or in the prefix.
    #[must_use]
    pub fn new(base_address: BaseAddress, server_duid: Duid) -> Self {
        Self {
            base_address,
            lifetimes: Lifetimes::default(),
            server_duid,
            preference: u8::MAX,
            options: [].into(),
            boot: BootPolicy::default(),
            mac_sources: MacSources::default(),
            relay_from: [Prefix::LINK_LOCAL, base_address.as_prefix()].into(),
            access: Access::default(),
        }
    }
}
