//! What else the operator may have decided: everything that there is to decide, one way and the other.

use std::{net::Ipv6Addr, sync::Arc};

use dhcpv6macd::{
    policy::{Access, BootPolicy, Policy},
    respond::Site,
    wire::Prefix,
};

use super::{local, policy};

/// Orders of MAC sources.
const MAC_SOURCES: [&str; 4] = ["ethernet,relay,duid,eui64", "eui64,duid,relay,ethernet", "duid", "relay"];

/// Every combination of decisions.
pub(super) fn sites() -> Vec<Site> {
    let mut sites = Vec::new();
    for boot in boots() {
        for mac_sources in MAC_SOURCES {
            for relay_from in [policy().relay_from, [].into(), [Prefix::new(Ipv6Addr::UNSPECIFIED, 0)].into()] {
                let mac_sources = mac_sources.parse().expect("names of MAC sources");
                let all = Policy { boot: boot.clone(), mac_sources, relay_from, ..policy() };
                let least = Policy { options: [].into(), preference: 0, access: Access::default(), ..all.clone() };
                sites.extend([all, least].map(|policy| Site::new(local(), Arc::new(policy), Arc::default())));
            }
        }
    }
    sites
}

/// Boot files over HTTP, over TFTP, over both, and none.
fn boots() -> [BootPolicy; 4] {
    let BootPolicy { http, tftp } = policy().boot;
    [(http.clone(), tftp), (http, None), (None, tftp), (None, None)].map(|(http, tftp)| BootPolicy { http, tftp })
}
