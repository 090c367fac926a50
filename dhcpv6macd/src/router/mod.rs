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
    MacAddr, Prefix,
    router::{ConfigurationFlag, RouterAdvertisement},
};

/// What the operator has us advertise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advertised {
    /// What machines are to ask DHCPv6 for.
    pub flag: ConfigurationFlag,
    /// A prefix whose addresses are on the link.
    pub prefix: Option<Prefix>,
}

impl Advertised {
    /// Can the addresses of a link begin so?
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn check_prefix(prefix: Prefix) -> Result<(), &'static str> {
        match prefix.address() {
            _ if prefix.bits() == 0 => Err("it is the prefix of all addresses, which no router advertises"),
            address if address.is_multicast() => Err("it is a multicast prefix, which no router advertises"),
            address if address.is_unicast_link_local() => {
                Err("it is in the link-local prefix fe80::/10, which no router advertises")
            }
            address if address.is_unspecified() => Err("it begins with nothing but zeros, which no router advertises"),
            _ => Ok(()),
        }
    }

    /// The advertisement of an interface with this hardware address.
    #[must_use]
    pub const fn at(self, link_layer: MacAddr) -> RouterAdvertisement {
        RouterAdvertisement { flag: self.flag, link_layer, prefix: self.prefix }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_router_advertises_is_refused() {
        for text in ["2001:db8:0:1::/64", "2000::/3", "fd00::1/128", "8000::/1"] {
            assert_eq!(Advertised::check_prefix(text.parse().unwrap()), Ok(()), "{text}");
        }
        for text in ["::/0", "::/64", "fe80::/64", "ff02::/16"] {
            assert!(Advertised::check_prefix(text.parse().unwrap()).is_err(), "{text}");
        }
    }
}
