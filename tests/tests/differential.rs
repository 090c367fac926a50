//! Two readers of one message: ours and dhcproto find the same in it.
#![cfg(test)]

use std::net::Ipv6Addr;

use dhcproto::{
    Encodable as _,
    v6::{self, DhcpOption, DhcpOptions, IAAddr, IANA, IAPD, IAPrefix, IATA, ORO, UnknownOption},
};
use dhcpv6macd::wire::dhcpv6::{Message, OptionCode};
use dhcpv6macd_tests::golden::decode;
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
        vec(association(), 0..=16),
    )
        .prop_map(|(client, server, rapid, requested, name, elapsed, associations)| {
            let single = [client, server, rapid, requested, name, elapsed];
            single.into_iter().flatten().chain(associations).collect()
        })
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
}
