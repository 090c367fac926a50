//! Every golden row through the classifier and the responder of the host.

use std::{collections::BTreeMap, sync::Arc};

use dhcpv6macd::respond::{Reason, Responder, Site};
use dhcpv6macd_ebpf::{Verdict, classify};
use dhcpv6macd_tests::golden::{Answer, Outcome, Row, local, rows};

fn described(row: &Row) -> String {
    format!("{}: {}", row.name, row.description)
}

/// The row's policy on our interface.
fn site_of(row: &Row) -> Site {
    Site::new(local(), Arc::new((row.policy)()), Arc::default())
}

#[test]
fn the_classifier_gives_every_row_its_verdict() {
    for row in rows() {
        assert_eq!(classify(row.frame.as_slice(), &local()), row.verdict, "{}", described(&row));
    }
}

#[test]
fn the_responder_gives_every_row_its_outcome() {
    for row in rows() {
        let mut buffer = [0xaa; 1514];
        let outcome = match Responder::default().frame(&row.frame, &site_of(&row), &mut buffer) {
            Ok(answered) => match Answer::read(&buffer[..answered.length]) {
                Ok(answer) => Outcome::Answered(Box::new(answer)),
                Err(error) => panic!("{}: {error:#}", described(&row)),
            },
            Err(reason) => Outcome::Dropped(reason),
        };
        assert_eq!(outcome, row.outcome, "{}", described(&row));
    }
}

#[test]
fn every_drop_is_counted_under_its_name() {
    for row in rows() {
        let mut responder = Responder::default();
        let dropped = responder.frame(&row.frame, &site_of(&row), &mut [0; 1514]).err().map(|reason| reason.name());
        let counted: Vec<_> =
            responder.counters().each().filter(|(_, count)| *count > 0).map(|(name, _)| name).collect();
        match dropped {
            Some(name) => assert_eq!(counted.last(), Some(&name), "{}", described(&row)),
            None => assert!(counted.iter().all(|name| !name.starts_with("drop_")), "{}: {counted:?}", described(&row)),
        }
    }
}

#[test]
fn a_relayed_message_is_counted_by_its_own_type_too() {
    let rows = rows();
    for name in ["R19_an_answer_goes_back_through_the_relay_agent", "R19_relay_agents_in_a_row"] {
        let row = rows.iter().find(|row| row.name == name).unwrap();
        let mut responder = Responder::default();
        responder.frame(&row.frame, &site_of(row), &mut [0; 1514]).unwrap();
        let counted: BTreeMap<_, _> = responder.counters().each().filter(|(_, count)| *count > 0).collect();
        let expected = ["receive_relay_forward", "receive_solicit", "send_advertise", "send_relay_reply"];
        assert_eq!(counted, expected.map(|name| (name, 1)).into(), "{name}");
    }
}

#[test]
fn every_reason_and_every_verdict_has_a_row() {
    let rows = rows();
    // What is wrong inside TFTP is tried where its sessions are.
    let is_inside_tftp = |reason: &Reason| reason.name().starts_with("drop_tftp_") && *reason != Reason::TftpNotServed;
    for reason in Reason::all().filter(|reason| !is_inside_tftp(reason)) {
        assert!(rows.iter().any(|row| row.outcome == Outcome::Dropped(reason)), "no row for {}", reason.name());
    }
    for verdict in Verdict::ALL {
        assert!(rows.iter().any(|row| row.verdict == verdict), "no row for {}", verdict.name());
    }
}

/// What boot clients insist on, in the numbers of [`golden`](dhcpv6macd_tests::golden). P6 is about routes, the numbers that are left
/// out about TFTP and HTTP.
const RULES: [&str; 27] = [
    "E1", "E2", "E3", "E4", "E5", "E6", "E7", "E8", "E9", "E10", "E11", "E12", "E13", "P1", "P2", "P3", "P4", "P5",
    "H1", "H2", "H3", "U1", "S1", "I1", "I2", "I3", "I4",
];

/// A server's duties, by the section that each is from: of RFC 9915, or of the RFC that the row names.
const DUTIES: [&str; 14] =
    ["D11", "D16", "D18", "D18_3_10", "D18_4", "D21", "FQDN", "R7_6", "R9", "R19", "R6221", "R6939", "R8357", "R4291"];

#[test]
fn every_rule_has_a_row() {
    let rows = rows();
    for rule in RULES.into_iter().chain(DUTIES) {
        let is_its = |row: &Row| row.name.strip_prefix(rule).is_some_and(|rest| rest.starts_with('_'));
        assert!(rows.iter().any(is_its), "no row for {rule}");
    }
}
