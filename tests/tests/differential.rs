//! Two readers of one message: ours and dhcproto find the same in it.
#![cfg(test)]

use std::{iter::successors, net::Ipv6Addr};

use dhcproto::{
    Decodable as _, Decoder, Encodable as _,
    v6::{
        self, DhcpOption, DhcpOptions, IAAddr, IANA, IAPD, IAPrefix, IATA, NtpSuboption, ORO, RelayMessage,
        UnknownOption,
    },
};
use dhcpv6macd::wire::dhcpv6::{
    Classes, DomainName, Message, NtpServer, OptionCode, RelayForward, Relays, ServerOption,
};
use dhcpv6macd_tests::golden::{SOLICIT, decode, message};
use proptest::{collection::vec, option, prelude::*};

/// What is to be found in a message.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    kind: u8,
    transaction: [u8; 3],
    client_id: Option<Vec<u8>>,
    server_id: Option<Vec<u8>>,
    rapid_commit: bool,
    requested: Vec<u16>,
    fqdn: Option<(bool, Vec<u8>)>,
    classes: Classes,
    architectures: Vec<u16>,
    associations: Vec<(u16, u32, Vec<Ipv6Addr>)>,
}

/// Options that a message can ask for and that we know.
const KNOWN: [OptionCode; 4] =
    [OptionCode::CLIENT_FQDN, OptionCode::PREFERENCE, OptionCode::STATUS_CODE, OptionCode::RAPID_COMMIT];

fn found_by_us(message: &Message<'_>) -> Found {
    let mut associations: Vec<_> = message
        .associations()
        .map(|ia| (ia.kind.code().0, u32::from_be_bytes(ia.iaid), ia.addresses().collect()))
        .collect();
    associations.sort();
    Found {
        kind: message.kind as u8,
        transaction: message.transaction,
        client_id: message.client_id.map(<[u8]>::to_vec),
        server_id: message.server_id.map(<[u8]>::to_vec),
        rapid_commit: message.rapid_commit,
        requested: KNOWN.into_iter().filter(|code| message.requests(*code)).map(|code| code.0).collect(),
        fqdn: message.fqdn.map(|fqdn| (fqdn.wants_update, fqdn.name.to_vec())),
        classes: message.classes,
        architectures: message.architectures.iter().map(|architecture| architecture.0).collect(),
        associations,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "nothing else is looked for")]
fn found_by_dhcproto(message: &v6::Message) -> Found {
    let mut found = Found {
        kind: message.msg_type().into(),
        transaction: message.xid(),
        client_id: None,
        server_id: None,
        rapid_commit: false,
        requested: Vec::new(),
        fqdn: None,
        classes: Classes::default(),
        architectures: Vec::new(),
        associations: Vec::new(),
    };
    for option in message.opts().iter() {
        match option {
            DhcpOption::ClientId(duid) => found.client_id = Some(duid.clone()),
            DhcpOption::ServerId(duid) => found.server_id = Some(duid.clone()),
            DhcpOption::RapidCommit => found.rapid_commit = true,
            DhcpOption::ORO(oro) => {
                let requested: Vec<u16> = oro.opts.iter().map(|code| u16::from(*code)).collect();
                let known = KNOWN.into_iter().map(|code| code.0);
                found.requested = known.filter(|code| requested.contains(code)).collect();
            }
            DhcpOption::UserClass(class) => found.classes.ipxe = class.data.contains(&b"iPXE".to_vec()),
            DhcpOption::VendorClass(class) => {
                found.classes.http_client = class.data.iter().any(|class| class.starts_with(b"HTTPClient"));
                found.classes.pxe_client = class.data.iter().any(|class| class.starts_with(b"PXEClient"));
            }
            DhcpOption::ClientArchType(types) => found.architectures = types.iter().map(|kind| kind.0).collect(),
            DhcpOption::IANA(ia) => found.associations.push((3, ia.id, addresses(&ia.opts))),
            DhcpOption::IATA(ia) => found.associations.push((4, ia.id, addresses(&ia.opts))),
            DhcpOption::IAPD(ia) => found.associations.push((25, ia.id, Vec::new())),
            DhcpOption::Unknown(unknown) if u16::from(unknown.code()) == 39 => {
                let (flags, name) = unknown.data().split_first().unwrap();
                found.fqdn = Some((flags & 1 == 1, name.to_vec()));
            }
            _ => {}
        }
    }
    found.associations.sort();
    found
}

#[expect(clippy::wildcard_enum_match_arm, reason = "nothing else is looked for")]
fn addresses(options: &DhcpOptions) -> Vec<Ipv6Addr> {
    let address = |option: &DhcpOption| match option {
        DhcpOption::IAAddr(address) => Some(address.addr),
        _ => None,
    };
    options.iter().filter_map(address).collect()
}

fn duid() -> impl Strategy<Value = Vec<u8>> {
    // Types that RFC 9915 does not know have no length of their own.
    vec(any::<u8>(), 1..=128).prop_map(|identifier| [&[0xff, 0xff][..], &identifier].concat())
}

fn iaaddr() -> impl Strategy<Value = DhcpOption> {
    any::<(u128, u32, u32)>().prop_map(|(address, preferred_life, valid_life)| {
        DhcpOption::IAAddr(IAAddr {
            addr: Ipv6Addr::from_bits(address),
            preferred_life,
            valid_life,
            opts: DhcpOptions::new(),
        })
    })
}

fn iaprefix() -> impl Strategy<Value = DhcpOption> {
    any::<(u128, u32, u32, u8)>().prop_map(|(prefix, preferred_lifetime, valid_lifetime, prefix_len)| {
        DhcpOption::IAPrefix(IAPrefix {
            preferred_lifetime,
            valid_lifetime,
            prefix_len,
            prefix_ip: Ipv6Addr::from_bits(prefix),
            opts: DhcpOptions::new(),
        })
    })
}

fn association() -> impl Strategy<Value = DhcpOption> {
    // Few addresses: dhcproto does not keep the order of many.
    let times = any::<(u32, u32, u32)>();
    prop_oneof![
        (times, vec(iaaddr(), 0..4)).prop_map(|((id, t1, t2), opts)| {
            DhcpOption::IANA(IANA { id, t1, t2, opts: opts.into_iter().collect() })
        }),
        (any::<u32>(), vec(iaaddr(), 0..4))
            .prop_map(|(id, opts)| DhcpOption::IATA(IATA { id, opts: opts.into_iter().collect() })),
        (times, vec(iaprefix(), 0..4)).prop_map(|((id, t1, t2), opts)| {
            DhcpOption::IAPD(IAPD { id, t1, t2, opts: opts.into_iter().collect() })
        }),
    ]
}

fn name() -> impl Strategy<Value = DhcpOption> {
    (any::<u8>(), vec("[a-z0-9-]{1,63}", 0..3), any::<bool>()).prop_map(|(flags, labels, is_whole)| {
        let mut data = vec![flags];
        for label in labels {
            data.push(u8::try_from(label.len()).unwrap());
            data.extend(label.bytes());
        }
        data.extend(is_whole.then_some(0));
        DhcpOption::Unknown(UnknownOption::new(39.into(), data))
    })
}

/// Classes of a user or a vendor, each behind its length: those that mean something, those that almost do, and others. dhcproto
/// writes another length than what it writes.
fn classes(code: u16, header: &'static [u8]) -> impl Strategy<Value = DhcpOption> {
    let known = prop::sample::select(vec!["iPXE", "HTTPClient:Arch:00016", "PXEClient", "HTTPClien", "iPXE2", ""]);
    let class = prop_oneof![known.prop_map(|class| class.as_bytes().to_vec()), vec(any::<u8>(), 0..40)];
    vec(class, 0..4).prop_map(move |classes| {
        let mut data = header.to_vec();
        for class in classes {
            data.extend(u16::try_from(class.len()).unwrap().to_be_bytes());
            data.extend(class);
        }
        DhcpOption::Unknown(UnknownOption::new(code.into(), data))
    })
}

fn boot_client() -> impl Strategy<Value = Vec<DhcpOption>> {
    let architectures = vec(any::<u16>().prop_map(v6::Architecture), 0..5);
    let single = (
        option::of(classes(15, b"")),
        option::of(classes(16, b"\0\0\x01\x57")),
        option::of(architectures.prop_map(DhcpOption::ClientArchType)),
    );
    single.prop_map(|(user, vendor, architectures)| [user, vendor, architectures].into_iter().flatten().collect())
}

fn options() -> impl Strategy<Value = Vec<DhcpOption>> {
    (
        option::of(duid().prop_map(DhcpOption::ClientId)),
        option::of(duid().prop_map(DhcpOption::ServerId)),
        option::of(Just(DhcpOption::RapidCommit)),
        option::of(
            vec(prop_oneof![any::<u16>(), 0..=40_u16], 0..20)
                .prop_map(|codes| DhcpOption::ORO(ORO { opts: codes.into_iter().map(v6::OptionCode::from).collect() })),
        ),
        option::of(name()),
        option::of(any::<u16>().prop_map(DhcpOption::ElapsedTime)),
        boot_client(),
        vec(association(), 0..=16),
    )
        .prop_map(|(client, server, rapid, requested, name, elapsed, boot_client, associations)| {
            let single = [client, server, rapid, requested, name, elapsed];
            single.into_iter().flatten().chain(boot_client).chain(associations).collect()
        })
}

/// What one relay agent says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Layer {
    hop_count: u8,
    addresses: [Ipv6Addr; 2],
    interface_id: Option<Vec<u8>>,
    source_port: Option<[u8; 2]>,
    client_link_layer: Option<[u8; 6]>,
}

impl Layer {
    fn around(&self, message: &[u8]) -> Vec<u8> {
        let mut options = vec![(9, message.to_vec())];
        options.extend(self.interface_id.clone().map(|id| (18, id)));
        options.extend(self.source_port.map(|port| (135, port.to_vec())));
        options.extend(self.client_link_layer.map(|mac| (79, [&[0, 1][..], &mac].concat())));
        let options = options.into_iter().flat_map(|(code, data)| {
            DhcpOption::Unknown(UnknownOption::new(v6::OptionCode::from(code), data)).to_vec().unwrap()
        });
        let [link, peer] = self.addresses.map(|address| address.octets());
        [&[12, self.hop_count][..], &link, &peer, &options.collect::<Vec<_>>()].concat()
    }

    fn found_by_us(relay: &RelayForward<'_>) -> Self {
        Self {
            hop_count: relay.hop_count,
            addresses: [relay.link_address, relay.peer_address],
            interface_id: relay.interface_id.map(<[u8]>::to_vec),
            source_port: relay.source_port,
            client_link_layer: relay.client_link_layer.map(|mac| mac.0),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "nothing else is looked for")]
    fn found_by_dhcproto(relay: &RelayMessage) -> Self {
        let addresses = [relay.link_addr(), relay.peer_addr()];
        let hop_count = relay.hop_count();
        let mut layer = Self { hop_count, addresses, interface_id: None, source_port: None, client_link_layer: None };
        for option in relay.opts().iter() {
            match option {
                DhcpOption::InterfaceId(id) => layer.interface_id = Some(id.clone()),
                DhcpOption::Unknown(unknown) => match (u16::from(unknown.code()), unknown.data()) {
                    (79, [0, 1, mac @ ..]) => layer.client_link_layer = mac.try_into().ok(),
                    (135, port) => layer.source_port = port.try_into().ok(),
                    _ => {}
                },
                _ => {}
            }
        }
        layer
    }
}

fn layer() -> impl Strategy<Value = Layer> {
    let addresses: (_, _) = (any::<[u128; 2]>(), any::<u8>());
    let options = (option::of(vec(any::<u8>(), 0..20)), any::<Option<[u8; 2]>>(), any::<Option<[u8; 6]>>());
    (addresses, options).prop_map(|((addresses, hop_count), (interface_id, source_port, client_link_layer))| {
        let addresses = addresses.map(Ipv6Addr::from_bits);
        Layer { hop_count, addresses, interface_id, source_port, client_link_layer }
    })
}

/// Layers from the outside in. dhcproto takes what is in the innermost for one more of them, of whatever type.
fn layers_found_by_dhcproto(payload: &[u8]) -> Vec<Layer> {
    let outermost = RelayMessage::decode(&mut Decoder::new(payload)).unwrap();
    let inside = |relay: &RelayMessage| match relay.opts().get(v6::OptionCode::RelayMsg) {
        Some(DhcpOption::RelayMsg(relay)) if relay.msg_type() == v6::MessageType::RelayForw => Some(relay.clone()),
        _ => None,
    };
    successors(Some(outermost), inside).map(|relay| Layer::found_by_dhcproto(&relay)).collect()
}

fn domain() -> impl Strategy<Value = String> {
    vec("[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?", 1..5).prop_map(|labels| labels.join("."))
}

/// An option of ours as dhcproto reads it.
fn read(option: &ServerOption) -> DhcpOption {
    let length = u16::try_from(option.data.len()).unwrap();
    let bytes = [&option.code.0.to_be_bytes()[..], &length.to_be_bytes(), &option.data].concat();
    let mut decoder = Decoder::new(&bytes);
    let read = DhcpOption::decode(&mut decoder).unwrap();
    assert_eq!(decoder.buffer(), b"", "bytes left");
    read
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_find_the_same(
        kind in 1..=11_u8,
        transaction: [u8; 3],
        options in options().prop_shuffle(),
    ) {
        // In the order of the client, which dhcproto would not keep.
        let mut payload = [&[kind][..], &transaction].concat();
        for option in &options {
            payload.extend(option.to_vec().unwrap());
        }
        let ours = Message::parse(&payload).unwrap();
        prop_assert_eq!(found_by_us(&ours), found_by_dhcproto(&decode(&payload).unwrap()));
    }

    #[test]
    fn both_find_the_same_relay_agents(layers in vec(layer(), 1..=8)) {
        let message = message(SOLICIT).ia_na(1, &[]);
        let payload = layers.iter().rev().fold(message.bytes().to_vec(), |inner, layer| layer.around(&inner));
        let (relays, inside) = Relays::unwrap(&payload).unwrap();
        let ours: Vec<_> = relays.outside_in().map(|relay| Layer::found_by_us(&relay)).collect();
        prop_assert_eq!(inside, message.bytes());
        prop_assert_eq!(&ours, &layers);
        prop_assert_eq!(ours, layers_found_by_dhcproto(&payload));
    }

    #[test]
    fn options_of_the_operator_are_read_as_they_were_meant(
        addresses in vec(any::<u128>().prop_map(Ipv6Addr::from_bits), 1..5),
        names in vec(domain(), 1..5),
    ) {
        prop_assert_eq!(read(&ServerOption::dns_servers(&addresses)), DhcpOption::DomainNameServers(addresses.clone()));
        let domains: Vec<DomainName> = names.iter().map(|name| name.parse().unwrap()).collect();
        let DhcpOption::DomainSearchList(found) = read(&ServerOption::domain_search(&domains)) else { panic!("no list") };
        let found: Vec<_> = found.iter().map(|name| name.to_ascii().trim_end_matches('.').to_owned()).collect();
        prop_assert_eq!(&found, &names);
        let by_name = domains.into_iter().map(NtpServer::Name);
        let servers: Vec<_> = addresses.iter().copied().map(NtpServer::Address).chain(by_name).collect();
        for server in servers {
            let DhcpOption::NtpServer(found) = read(&ServerOption::ntp_server(&server)) else { panic!("no server") };
            let found: Vec<_> = found.iter().map(ntp_server).collect();
            prop_assert_eq!(found, [server]);
        }
    }
}

fn ntp_server(suboption: &NtpSuboption) -> NtpServer {
    match suboption {
        NtpSuboption::ServerAddress(address) | NtpSuboption::MulticastAddress(address) => NtpServer::Address(*address),
        NtpSuboption::FQDN(name) => NtpServer::Name(name.to_ascii().parse().unwrap()),
    }
}
