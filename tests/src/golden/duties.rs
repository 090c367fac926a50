//! Rows for a server's duties towards machines on its own link (RFC 9915 sections 16 and 18, RFC 4704).

use dhcpv6macd::respond::Reason;

use super::{
    Answer, Envelope, MACHINE, OTHER_MACHINE, OUR_ADDRESS, OUR_LINK_LOCAL, Outcome, Row, SERVER_DUID,
    answer::{SUCCESS, advertise, reply},
    packet::{
        ADVERTISE, CLIENT_FQDN, CONFIRM, DECLINE, IA_NA, IA_PD, IA_TA, IAID, INFORMATION_REQUEST, MACHINE_LINK_LOCAL,
        Message, OPTION_REQUEST, OTHER_IAID, REBIND, RECONFIGURE, RELAY_REPLY, RELEASE, RENEW, REPLY, REQUEST,
        SERVER_ID, SOLICIT, WRONG, bare, message, right,
    },
};

pub(super) fn rows() -> Vec<Row> {
    [identifiers(), kinds(), unicast(), destinations(), associations(), names()].concat()
}

/// DUID of a server that we are not.
const OTHER_SERVER: &[u8] = &[0, 3, 0, 1, 2, 0, 0, 0, 0, 2];

fn identifiers() -> Vec<Row> {
    let asking = |kind| message(kind).ia_na(IAID, &[right()]);
    let nameless = |kind| bare(kind).ia_na(IAID, &[right()]);
    let mut rows = Vec::new();
    for (kind, name) in [(SOLICIT, "D16_solicit"), (CONFIRM, "D16_confirm"), (REBIND, "D16_rebind")] {
        rows.push(Row::dropped(name, "with a Server Identifier", &asking(kind).for_us(), Reason::UnexpectedServerId));
        rows.push(Row::dropped(name, "without a Client Identifier", &nameless(kind), Reason::NoClientId));
    }
    for (kind, name) in
        [(REQUEST, "D16_request"), (RENEW, "D16_renew"), (RELEASE, "D16_release"), (DECLINE, "D16_decline")]
    {
        let elsewhere = asking(kind).option(SERVER_ID, OTHER_SERVER);
        rows.push(Row::dropped(name, "without a Server Identifier", &asking(kind), Reason::NoServerId));
        rows.push(Row::dropped(name, "with another's Server Identifier", &elsewhere, Reason::OtherServerId));
        rows.push(Row::dropped(name, "without a Client Identifier", &nameless(kind).for_us(), Reason::NoClientId));
    }
    rows
}

fn kinds() -> Vec<Row> {
    let question = message(INFORMATION_REQUEST).option(OPTION_REQUEST, &[0, 99]);
    let mut rows = vec![
        Row::answered("D18_information_request", "options only, no address", &question, reply()),
        Row::answered(
            "D18_information_request",
            "without a Client Identifier, as it may be",
            &bare(INFORMATION_REQUEST),
            Answer { client_id: None, ..reply() },
        ),
        Row::answered("D18_information_request", "to us by our DUID", &question.clone().for_us(), reply()),
        Row::dropped(
            "D16_information_request",
            "to another server",
            &question.clone().option(SERVER_ID, OTHER_SERVER),
            Reason::OtherServerId,
        ),
        Row::dropped(
            "D16_information_request",
            "with an identity association",
            &question.ia_na(IAID, &[]),
            Reason::UnexpectedAssociation,
        ),
    ];
    for kind in [ADVERTISE, REPLY, RECONFIGURE] {
        rows.push(Row::dropped("D16_client_bound", "a server's message", &message(kind).for_us(), Reason::ForClients));
    }
    rows.push(Row::dropped(
        "D16_client_bound",
        "a server's message",
        &Message::relayed(RELAY_REPLY),
        Reason::ForClients,
    ));
    rows
}

fn unicast() -> Vec<Row> {
    let direct =
        |destination, message: &Message| Envelope { destination, ..Envelope::default() }.around(message.bytes());
    let dropped = |name, message: &Message| {
        let outcome = Outcome::Dropped(Reason::Unicast);
        Row::steered(name, "sent to an address of ours by a machine", direct(OUR_LINK_LOCAL, message), outcome)
    };
    let answered = |source: std::net::Ipv6Addr| {
        let answer = reply().given(IAID);
        Outcome::Answered(Box::new(Answer { envelope: Envelope { source, ..answer.envelope }, ..answer }))
    };
    let request = message(REQUEST).for_us().ia_na(IAID, &[]);
    let steered = "sent to an address of ours: answered from there";
    vec![
        dropped("D18_4_solicit", &message(SOLICIT).ia_na(IAID, &[])),
        dropped("D18_4_confirm", &message(CONFIRM).ia_na(IAID, &[right()])),
        dropped("D18_4_rebind", &message(REBIND).ia_na(IAID, &[right()])),
        dropped("D18_4_information_request", &message(INFORMATION_REQUEST)),
        Row::steered("D18_4_request", steered, direct(OUR_LINK_LOCAL, &request), answered(OUR_LINK_LOCAL)),
        Row::steered("D18_4_request", steered, direct(OUR_ADDRESS, &request), answered(OUR_ADDRESS)),
    ]
}

/// Back to where it came from, whatever address that is; no neighbour is looked for.
fn destinations() -> Vec<Row> {
    let solicit = message(SOLICIT).ia_na(IAID, &[]);
    let from = |source, ethernet_source| Envelope { source, ethernet_source, ..Envelope::default() };
    let to = |answer: Answer, destination, ethernet_destination| {
        let envelope = Envelope { destination, ethernet_destination, ..answer.envelope };
        Outcome::Answered(Box::new(Answer { envelope, ..answer }))
    };
    vec![
        Row::steered(
            "D18_3_10_to_the_address_that_it_came_from",
            "from an address that is not link-local",
            from(right(), MACHINE).around(solicit.bytes()),
            to(advertise().given(IAID), right(), MACHINE),
        ),
        Row::steered(
            "D18_3_10_to_the_ethernet_source",
            "which is not in the link-local address: the machine is whose frame it is",
            from(MACHINE_LINK_LOCAL, OTHER_MACHINE).around(message(SOLICIT).bytes()),
            to(advertise(), MACHINE_LINK_LOCAL, OTHER_MACHINE),
        ),
    ]
}

fn associations() -> Vec<Row> {
    vec![
        Row::answered(
            "D18_one_address_a_machine",
            "two IA_NAs in one message: the first gets the address, the second NoAddrsAvail",
            &message(SOLICIT).ia_na(IAID, &[]).ia_na(OTHER_IAID, &[]),
            advertise().given(IAID).refused(IA_NA, OTHER_IAID),
        ),
        Row::answered(
            "D18_every_association_is_answered",
            "IA_TA and IA_PD in front of the IA_NA",
            &message(REQUEST).for_us().ia_ta(1, &[]).ia_pd(2).ia_na(IAID, &[]),
            reply().refused(IA_TA, 1).refused(IA_PD, 2).given(IAID),
        ),
        Row::answered(
            "D18_a_wrong_address_ends",
            "a Renew of a wrong address: lifetimes 0 for it, beside the right one",
            &message(RENEW).for_us().ia_na(IAID, &[WRONG]),
            reply().given_and_ended(IAID, &[WRONG]),
        ),
        Row::answered(
            "D18_a_wrong_address_ends",
            "a Rebind of the right and a wrong address",
            &message(REBIND).ia_na(IAID, &[WRONG, right()]),
            reply().given_and_ended(IAID, &[WRONG]),
        ),
        Row::answered(
            "D18_a_release_of_whatever_succeeds",
            "a Release of a wrong address",
            &message(RELEASE).for_us().ia_na(IAID, &[WRONG]),
            reply().status(SUCCESS),
        ),
        Row::dropped(
            "D18_nothing_to_confirm",
            "a Confirm without an address",
            &message(CONFIRM).ia_na(IAID, &[]),
            Reason::NothingToConfirm,
        ),
        Row::dropped(
            "D18_nothing_to_confirm",
            "a Confirm of a temporary address: RFC 9915 knows none, and nobody has one of ours",
            &message(CONFIRM).ia_ta(1, &[right()]),
            Reason::NothingToConfirm,
        ),
        Row::answered(
            "D16_our_duid_is_compared_whole",
            "a Request to exactly our DUID",
            &message(REQUEST).option(SERVER_ID, SERVER_DUID).ia_na(IAID, &[]),
            reply().given(IAID),
        ),
    ]
}

/// What a machine says about its name, and hears (RFC 4704 sections 4.1 and 6).
fn names() -> Vec<Row> {
    let named = |option: &[u8]| {
        message(REQUEST).for_us().ia_na(IAID, &[]).option(CLIENT_FQDN, option).option(OPTION_REQUEST, &[0, 39])
    };
    let answer = |fqdn: &[u8]| Answer { fqdn: Some(fqdn.to_vec()), ..reply().given(IAID) };
    vec![
        Row::answered("FQDN_s_is_overridden", "S set: N and O come back", &named(b"\x01\x02vm"), answer(b"\x06\x02vm")),
        Row::answered(
            "FQDN_s_clear",
            "S clear: N comes back",
            &named(b"\0\x02vm\x03lab\0"),
            answer(b"\x04\x02vm\x03lab\0"),
        ),
        Row::answered(
            "FQDN_n_set",
            "N set: N comes back",
            &named(b"\x04\x02vm\x03lab\0"),
            answer(b"\x04\x02vm\x03lab\0"),
        ),
        Row::answered("FQDN_no_name", "no name at all is a partial one", &named(b"\x01"), answer(b"\x06")),
        Row::answered("FQDN_not_a_name", "is not repeated", &named(b"\x01\x05vm"), reply().given(IAID)),
        Row::answered(
            "FQDN_not_asked_for",
            "without 39 in the Option Request there is none",
            &message(REQUEST).for_us().ia_na(IAID, &[]).option(CLIENT_FQDN, b"\x01\x02vm"),
            reply().given(IAID),
        ),
        Row::answered(
            "FQDN_in_a_release",
            "only messages about addresses are told",
            &message(RELEASE).for_us().option(CLIENT_FQDN, b"\x01\x02vm").option(OPTION_REQUEST, &[0, 39]),
            reply().status(SUCCESS),
        ),
    ]
}
