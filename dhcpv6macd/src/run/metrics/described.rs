//! What counters are, in words, and which are values of one metric.

/// A counter as Prometheus has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Described {
    /// The metric's name, without `_total`.
    pub(super) name: &'static str,
    /// Which of its values this is, where there are several.
    pub(super) label: Option<(&'static str, &'static str)>,
    /// What it counts.
    pub(super) help: &'static str,
}

/// Counters whose names begin alike are one metric: the beginning of their names, the label that the rest is, and what they count.
const ALIKE: [(&str, &str, &str, &str); 8] = [
    ("steer_", "steer", "service", "Frames that the steering program sent to the daemon, by service"),
    ("pass_", "pass", "reason", "Frames that the steering program left to the kernel, by reason"),
    ("drop_", "drop", "reason", "Frames that came to the daemon and were not answered, by reason"),
    ("receive_", "receive", "message", "Messages received, by type"),
    ("send_", "send", "message", "Messages sent, by type"),
    ("tftp_refuse_", "tftp_refuse", "reason", "TFTP requests refused with an error, by reason"),
    ("http_refuse_", "http_refuse", "reason", "Connections of HTTP closed at once: too many in all, or of one address"),
    ("netboot_refuse_", "netboot_refuse", "reason", "Requests for files over HTTP that were refused, by reason"),
];

/// All others, and what they count.
const ALONE: [(&str, &str); 39] = [
    ("duid_of_another_mac", "Machines whose DUID was made from another MAC"),
    ("event_published", "Events of machines"),
    ("finding_not_logged", "Oddities of machines that the log was not told of: too many in a second"),
    ("http_broken", "Connections of HTTP that ended in the middle of something"),
    ("http_connection", "Connections of HTTP that were taken in"),
    ("http_handshake_failed", "Connections of HTTP that ended before the first request"),
    ("http_not_accepted", "Connections of HTTP that the kernel did not hand over"),
    ("http_stalled", "Connections of HTTP cut off because the client did not take what it had asked for"),
    ("http_timed_out", "Connections of HTTP cut off after a minute in which nothing has moved"),
    ("link_dropped", "Frames to the daemon that the kernel dropped: the steering link was full"),
    ("log_lines_lost", "Lines of the log that nobody took"),
    ("mac_conflict", "Signs that two machines have one MAC"),
    ("machine_forgotten", "Machines that had to go from those that are remembered"),
    ("netboot_changed", "Files over HTTP that were not sent whole: written to meanwhile"),
    ("netboot_complete", "Files and parts of files that have arrived whole over HTTP"),
    ("netboot_disconnected", "Files over HTTP that were not sent whole: the connection ended"),
    ("netboot_head", "Requests over HTTP answered with what there is to be told of a file"),
    ("netboot_not_modified", "Requests over HTTP answered with: you have it"),
    ("netboot_part", "Requests over HTTP answered with a part of a file"),
    ("netboot_unreadable", "Files over HTTP that were not sent whole: the disk failed"),
    ("netboot_whole", "Requests over HTTP answered with a file"),
    ("observation_dropped", "Answered messages that nothing remembers: too many at once"),
    ("receive_error", "Errors of the interface seen on a receive ring"),
    ("ring_dropped", "Frames to the daemon that the kernel dropped: a receive ring was full"),
    ("ring_received", "Frames that came to a receive ring, those among them that were dropped"),
    (
        "router_advertisement_failed",
        "Router Advertisements that could not be sent, and sockets that could not be opened",
    ),
    ("sent", "Frames handed to the interface"),
    ("snapshot_cut", "Times that what is known of all machines was not read in time: the connection was ended"),
    ("subscriber_behind", "Times that a subscriber was too slow, and was told everything anew"),
    ("tftp_complete", "Files that were read whole over TFTP"),
    ("tftp_duplicate_acknowledgement", "TFTP acknowledgements that came twice, or long after"),
    ("tftp_ended_by_client", "TFTP transfers that the machine has ended by an error"),
    ("tftp_given_up", "TFTP transfers in which the machine has fallen silent"),
    ("tftp_request", "TFTP requests to read a file"),
    ("tftp_resent", "TFTP blocks that had to be sent again"),
    ("tftp_sent", "TFTP packets sent"),
    ("tftp_size_probe", "TFTP requests that only asked how long a file is"),
    ("transmit_failed", "Replies given up: the interface is down, or took nothing for too long"),
    ("transmit_full", "Requests that were not answered: the transmit ring was full"),
];

/// What the counter of this name is. One that nobody has described here is told of without words.
pub(super) fn described(counter: &'static str) -> Described {
    let alone = ALONE.into_iter().find(|(name, _)| *name == counter);
    if let Some((name, help)) = alone {
        return Described { name, label: None, help };
    }
    let alike = ALIKE.into_iter().find_map(|(prefix, name, label, help)| {
        let label = Some((label, counter.strip_prefix(prefix)?));
        Some(Described { name, label, help })
    });
    alike.unwrap_or(Described { name: counter, label: None, help: "" })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use dhcpv6macd_ebpf::Verdict;

    use super::{super::super::advertise, *};
    use crate::{
        datapath::worker::WorkerCounters,
        http::{connection, events::feed::feed, netboot},
        machine::{ConflictSign, Finding},
        respond::Responder,
        tftp,
        wire::MacAddr,
    };

    /// The names of all who count.
    fn counters() -> BTreeSet<&'static str> {
        let conflict =
            Finding::MacConflict { sign: ConflictSign::Declined, client_id: Box::new([]), other: Box::new([]) };
        let by_hand =
            ["finding_not_logged", "link_dropped", "log_lines_lost", "machine_forgotten", "observation_dropped"];
        let names = by_hand.into_iter().chain(["ring_dropped", "ring_received"]);
        let names = names.chain([conflict.name(), Finding::ForeignMac(MacAddr([0; 6])).name()]);
        let names = names.chain(WorkerCounters::default().each().map(|(name, _)| name));
        let names = names.chain(Verdict::ALL.map(Verdict::name));
        let named = |(name, _): (&'static str, u64)| name;
        let mut names: BTreeSet<_> = names.collect();
        names.extend(Responder::default().counters().each().map(named));
        names.extend(tftp::Counters::default().each().map(named));
        names.extend(connection::Counters::default().each().map(named));
        names.extend(netboot::Counters::default().each().map(named));
        names.extend(advertise::Counters::default().each().map(named));
        names.extend(feed(0).0.each().map(named));
        names
    }

    #[test]
    fn every_counter_is_described_and_nothing_else_is() {
        let counters = counters();
        for counter in &counters {
            assert!(!described(counter).help.is_empty(), "{counter}");
        }
        let used: BTreeSet<_> = counters.iter().map(|counter| described(counter).name).collect();
        let names = ALONE.into_iter().map(|(name, _)| name).chain(ALIKE.into_iter().map(|(_, name, _, _)| name));
        assert_eq!(names.filter(|name| !used.contains(name)).collect::<Vec<_>>(), Vec::<&str>::new());
    }

    #[test]
    fn no_two_counters_are_one() {
        let counters = counters();
        let values: BTreeSet<_> =
            counters.iter().map(|counter| (described(counter).name, described(counter).label)).collect();
        assert_eq!(values.len(), counters.len());
    }
}
