//! Every golden row through the classifier and the responder of the host.

use std::sync::Arc;

use dhcpv6macd::respond::{Reason, Responder, Site};
use dhcpv6macd_ebpf::{Verdict, classify};
use dhcpv6macd_tests::golden::{Answer, Outcome, Row, local, rows};

fn described(row: &Row) -> String {
    format!("{}: {}", row.name, row.description)
}

/// The row's policy on our interface.
fn site_of(row: &Row) -> Site {
    Site::new(local(), Arc::new((row.policy)()))
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
fn every_reason_and_every_verdict_has_a_row() {
    let rows = rows();
    for reason in Reason::all() {
        assert!(rows.iter().any(|row| row.outcome == Outcome::Dropped(reason)), "no row for {}", reason.name());
    }
    for verdict in Verdict::ALL {
        assert!(rows.iter().any(|row| row.verdict == verdict), "no row for {}", verdict.name());
    }
}
