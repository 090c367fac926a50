//! What was counted, as Prometheus reads it. Only the form is made here: who counts is elsewhere.

mod described;

use std::{collections::BTreeMap, fmt};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text::encode},
    metrics::{MetricType, exemplar::Exemplar},
    registry::{Registry, Unit},
};

use self::described::{Described, described};
use super::totals::Totals;
use crate::{histogram::Counted, machine::Census};

/// Everything that is known at a moment.
#[derive(Debug, Default)]
pub(super) struct Measured {
    pub(super) totals: Totals,
    pub(super) machines: Census,
    /// TFTP sessions.
    pub(super) sessions: u64,
    /// Files and parts of files that are on their way over HTTP.
    pub(super) transfers: u64,
    /// Connections of HTTP, by the server that they are with.
    pub(super) connections: Vec<(&'static str, u64)>,
    pub(super) subscribers: usize,
    /// By service.
    pub(super) service_times: Vec<(&'static str, Counted)>,
    /// `None` where nothing is served over HTTP.
    pub(super) transfer_times: Option<Counted>,
}

/// A value has a label, or there is but one.
type Label = Option<(&'static str, &'static str)>;

impl Measured {
    /// All of it, in OpenMetrics 1.0.
    pub(super) fn text(self) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix("dhcpv6macd");
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }
}

impl Collector for Measured {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.counters(&mut encoder)?;
        self.gauges(&mut encoder)?;
        let times = self.service_times.iter().map(|(service, times)| (Some(("service", *service)), times));
        let help = "How long messages of DHCPv6 took that were answered, and packets of TFTP that were not dropped: from when a worker took \
                    the batch that they came in to when what answers the batch was handed to the interface. What waits in a ring is not in it";
        histogram(&mut encoder, "service", help, times)?;
        let help = "How long files and parts of files took over HTTP, from the request to when all had arrived but the last 16 KiB; over HTTPS, to when the \
                    kernel had taken all";
        histogram(&mut encoder, "netboot_transfer", help, self.transfer_times.iter().map(|times| (None, times)))
    }
}

impl Measured {
    fn counters(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut metrics: BTreeMap<_, (_, Vec<(Label, u64)>)> = BTreeMap::new();
        for (counter, count) in self.totals.each() {
            let Described { name, label, help } = described(counter);
            metrics.entry(name).or_insert_with(|| (help, Vec::new())).1.push((label, count));
        }
        for (name, (help, counts)) in metrics {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (label, count) in counts {
                let no_exemplar = None::<&Exemplar<NoLabelSet, f64>>;
                with(&mut metric, label, |metric| metric.encode_counter(&count, no_exemplar))?;
            }
        }
        Ok(())
    }

    fn gauges(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let steps = self.machines.steps().map(|(step, count)| (Some(("step", step.name())), count as u64));
        gauge(encoder, "machines", "Machines by the step of their boot that they are in", steps)?;
        let stalled = [(None, self.machines.stalled() as u64)];
        gauge(encoder, "machines_stalled", "Machines that stand still for longer than they should", stalled)?;
        gauge(encoder, "tftp_sessions", "TFTP sessions, as of a second ago", [(None, self.sessions)])?;
        let transfers = [(None, self.transfers)];
        gauge(encoder, "netboot_transfers", "Files and parts of files that are on their way over HTTP", transfers)?;
        let connections = self.connections.iter().map(|(server, count)| (Some(("server", *server)), *count));
        gauge(encoder, "http_connections", "Connections of HTTP, by the server that they are with", connections)?;
        let subscribers = [(None, self.subscribers as u64)];
        gauge(encoder, "subscribers", "Who hears events as they happen", subscribers)
    }
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = (Label, u64)>,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    values.into_iter().try_for_each(|(label, value)| with(&mut metric, label, |metric| metric.encode_gauge(&value)))
}

/// Of seconds.
fn histogram<'a>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = (Label, &'a Counted)>,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Histogram)?;
    values.into_iter().try_for_each(|(label, counted)| {
        // Where there is no end, the library wants the last of all numbers.
        let buckets =
            counted.buckets.iter().map(|(reach, count)| (reach.map_or(f64::MAX, |reach| reach.as_secs_f64()), *count));
        let (buckets, sum, count) = (buckets.collect::<Vec<_>>(), counted.sum.as_secs_f64(), counted.count());
        with(&mut metric, label, |metric| metric.encode_histogram::<NoLabelSet>(sum, count, &buckets, None))
    })
}

/// Encodes a value under its label, where it has one.
fn with(
    metric: &mut MetricEncoder<'_>,
    label: Label,
    encode: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
) -> fmt::Result {
    match label {
        Some(label) => encode(&mut metric.encode_family(&[label])?),
        None => encode(metric),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::histogram::Histogram;

    /// What it all is, without what says what it is.
    fn lines(measured: Measured) -> Vec<String> {
        let text = measured.text().unwrap();
        assert!(text.ends_with("# EOF\n"), "{text}");
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }

    #[test]
    fn a_counter_of_its_own_is_a_metric_and_alike_ones_are_values_of_one() {
        let mut totals = Totals::default();
        totals.add_each([
            ("sent", 3),
            ("drop_vlan", 2),
            ("receive_error", 1),
            ("receive_solicit", 4),
            ("drop_length", 0),
        ]);
        let lines = lines(Measured { totals, ..Measured::default() });
        let counters: Vec<_> = lines.iter().filter(|line| line.contains("_total")).collect();
        assert_eq!(
            counters,
            [
                "dhcpv6macd_drop_total{reason=\"length\"} 0",
                "dhcpv6macd_drop_total{reason=\"vlan\"} 2",
                "dhcpv6macd_receive_total{message=\"solicit\"} 4",
                "dhcpv6macd_receive_error_total 1",
                "dhcpv6macd_sent_total 3",
            ]
        );
    }

    #[test]
    fn buckets_hold_all_that_is_shorter() {
        let histogram = Histogram::new(Duration::from_micros(1));
        histogram.add_alone(Duration::from_micros(3), 2);
        histogram.add_alone(Duration::from_secs(2), 1);
        let service_times = vec![("dhcpv6", Counted::read([&histogram]))];
        let lines = lines(Measured { service_times, ..Measured::default() });
        for (bound, count) in [("0.000001", 0), ("0.000004", 2), ("1.048576", 2), ("+Inf", 3)] {
            let line = format!("dhcpv6macd_service_seconds_bucket{{le=\"{bound}\",service=\"dhcpv6\"}} {count}");
            assert!(lines.contains(&line), "{line} in {lines:#?}");
        }
        for line in ["count{service=\"dhcpv6\"} 3", "sum{service=\"dhcpv6\"} 2.000006"] {
            assert!(lines.contains(&format!("dhcpv6macd_service_seconds_{line}")), "{line} in {lines:#?}");
        }
    }

    #[test]
    fn a_step_that_no_machine_is_in_is_there_too() {
        let lines = lines(Measured { connections: vec![("events", 7)], subscribers: 5, ..Measured::default() });
        for line in ["machines{step=\"os_init\"} 0", "http_connections{server=\"events\"} 7", "subscribers 5"] {
            assert!(lines.contains(&format!("dhcpv6macd_{line}")), "{line} in {lines:#?}");
        }
    }
}
