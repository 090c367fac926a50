//! Two servers cannot have one port.

use std::net::SocketAddr;

use super::{Config, EventsListen};

/// Two settings that give one port to two servers, the one to be told of first.
pub(super) fn given_twice(config: &Config) -> Option<[&'static str; 2]> {
    let is_one = |one: Option<SocketAddr>, other| one.is_some() && one == other;
    let events = config.events.as_ref().and_then(|events| match events {
        EventsListen::Address(address) => Some(*address),
        EventsListen::Unix(_) => None,
    });
    // Nobody listens where there is nothing to serve.
    let http = config.http.filter(|_| config.netboot_dir.is_some());
    let https = config.https.filter(|_| config.netboot_dir.is_some() && config.tls.is_some());
    let is_one_of_udp = config.tftp.is_some_and(|tftp| tftp.port() == config.dhcpv6_port);
    [
        (["tftp-listen-addr", "dhcpv6-listen-port"], is_one_of_udp),
        (["https-listen-addr", "http-listen-addr"], is_one(config.https, config.http)),
        (["events-listen-addr", "http-listen-addr"], is_one(events, http)),
        (["events-listen-addr", "https-listen-addr"], is_one(events, https)),
    ]
    .into_iter()
    .find_map(|(settings, is_one)| is_one.then_some(settings))
}
