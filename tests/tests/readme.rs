//! README.md tells of every setting and every counter, and of none that is not there.

use std::collections::BTreeSet;

use dhcpv6macd::{
    config::table::SETTINGS,
    datapath::worker::WorkerCounters,
    event::Step,
    http::{connection, events::feed::feed, netboot},
    respond::Reason,
    tftp,
    wire::router::InvalidSolicitation,
};
use dhcpv6macd_ebpf::Verdict;

const README: &str = include_str!("../../README.md");

/// The names in the first cells of its tables.
fn named() -> BTreeSet<&'static str> {
    let cells = README.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
    cells.flat_map(|cell| cell.split(", ")).map(|name| name.trim_matches('`')).collect()
}

fn is_counter_of_a_frame(name: &&str) -> bool {
    ["steer_", "pass_", "drop_"].iter().any(|kind| name.starts_with(kind)) && !name.contains(' ')
}

#[test]
fn every_counter_of_a_frame_is_told_of_and_no_other() {
    let named: BTreeSet<_> = named().into_iter().filter(is_counter_of_a_frame).collect();
    let of_solicitations = InvalidSolicitation::ALL.into_iter().map(InvalidSolicitation::name);
    let of_frames = Verdict::ALL.into_iter().map(Verdict::name).chain(Reason::all().map(Reason::name));
    let counted = of_frames.chain(of_solicitations).collect();
    let differing: Vec<_> = named.symmetric_difference(&counted).collect();
    assert!(differing.is_empty(), "only in README.md, or only in the code: {differing:?}");
}

#[test]
fn every_counter_of_http_is_told_of_and_no_other() {
    let is_one = |name: &&str| ["http_", "netboot_", "tls_"].iter().any(|kind| name.starts_with(kind));
    let is_step = |name: &&str| Step::ALL.iter().any(|step| step.name() == *name);
    let named: BTreeSet<_> = named().into_iter().filter(is_one).filter(|name| !is_step(name)).collect();
    let (connections, answers) = <(connection::Counters, netboot::Counters)>::default();
    let counted = connections.each().chain(answers.each()).map(|(name, _)| name).collect();
    let differing: Vec<_> = named.symmetric_difference(&counted).collect();
    assert!(differing.is_empty(), "only in README.md, or only in the code: {differing:?}");
}

#[test]
fn every_counter_of_workers_tftp_and_events_is_told_of() {
    let named = named();
    let (worker, tftp, (publisher, _)) = (WorkerCounters::default(), tftp::Counters::default(), feed(0));
    let counted = worker.each().map(|(name, _)| name).into_iter();
    let counted = counted.chain(tftp.each().chain(publisher.each()).map(|(name, _)| name));
    let missing: Vec<_> = counted.filter(|name| !named.contains(name)).collect();
    assert_eq!(missing, Vec::<&str>::new());
}

#[test]
fn every_setting_is_told_of() {
    let named = named();
    let missing: Vec<_> = SETTINGS.iter().map(|setting| setting.name).filter(|name| !named.contains(name)).collect();
    assert_eq!(missing, Vec::<&str>::new());
}
