//! What was counted, as Prometheus reads it.

use std::fmt;

use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::totals::Totals;
use crate::{event::Step, machine::Machines};

/// All counters, and machines by their steps.
pub(super) fn metrics(totals: &Totals, machines: &Machines) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("dhcpv6macd");
    for (name, count) in totals.each() {
        let counter = Counter::<u64>::default();
        counter.inc_by(count);
        registry.register(name, "see README, What it counts", counter);
    }
    let steps = Family::<[(&'static str, &'static str); 1], Gauge>::default();
    let stalled = Gauge::<i64>::default();
    // Also those that nobody is in.
    Step::ALL.into_iter().for_each(|step| drop(steps.get_or_create(&label(step))));
    for known in machines.all() {
        steps.get_or_create(&label(known.step())).inc();
        stalled.inc_by(i64::from(known.is_stalled()));
    }
    registry.register("machines", "Machines by the step of their boot that they are in", steps);
    registry.register("machines_stalled", "Machines that stand still for longer than they should", stalled);
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

const fn label(step: Step) -> [(&'static str, &'static str); 1] {
    [("step", step.name())]
}
