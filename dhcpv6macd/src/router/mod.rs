//! The daemon as a router that nobody sends packets to: it tells machines to ask DHCPv6, on links whose router does not.
//!
//! Some firmware asks only after a Router Advertisement (RFC 4861) with the M or the O flag; iPXE is one. What such an
//! advertisement says is [`Advertised`], when it is sent a [`Schedule`]. Pure: time and randomness come in as arguments.
//!
//! An advertisement of ours has a router lifetime of 0, so that no machine makes us its default router: the link may well have
//! another. That is also what a router says that ceases to advertise (section 6.2.5), so that the daemon's end needs no last word.
//! A prefix outlives the daemon, as it does outlive any router: it is on the link whoever says so.

mod schedule;

pub use schedule::Schedule;

use crate::wire::{
    MacAddr, OnLinkPrefix,
    router::{ConfigurationFlag, RouterAdvertisement},
};

/// What the operator has us advertise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advertised {
    /// What machines are to ask DHCPv6 for.
    pub flag: ConfigurationFlag,
    /// A prefix whose addresses are on the link.
    pub prefix: Option<OnLinkPrefix>,
}

impl Advertised {
    /// The advertisement of an interface with this hardware address.
    #[must_use]
    pub const fn at(self, link_layer: MacAddr) -> RouterAdvertisement {
        RouterAdvertisement { flag: self.flag, link_layer, prefix: self.prefix }
    }
}
