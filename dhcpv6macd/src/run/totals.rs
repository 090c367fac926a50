//! Counters by name, summed over workers.

use std::{collections::BTreeMap, fmt};

/// What was counted, by name.
#[derive(Debug, Default)]
pub(crate) struct Totals(BTreeMap<&'static str, u64>);

impl Totals {
    /// Adds all of these.
    pub(crate) fn extend(&mut self, others: &Self) {
        self.add_each(others.each());
    }

    /// Adds to the counters of these names.
    pub(crate) fn add_each(&mut self, counts: impl IntoIterator<Item = (&'static str, u64)>) {
        for (name, count) in counts {
            self.add(name, count);
        }
    }

    /// Every counter by its name.
    pub(crate) fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().map(|(name, count)| (*name, *count))
    }

    /// Adds to the counter of this name.
    pub(crate) fn add(&mut self, name: &'static str, count: u64) {
        *self.0.entry(name).or_default() += count;
    }
}

/// `name=count` of every counter that is not zero, by name; `none` where all are.
impl fmt::Display for Totals {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.values().all(|count| *count == 0) {
            return formatter.write_str("none");
        }
        let mut separator = "";
        for (name, count) in self.0.iter().filter(|(_, count)| **count > 0) {
            write!(formatter, "{separator}{name}={count}")?;
            separator = " ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_one_name_are_summed() {
        let mut totals = Totals::default();
        assert_eq!(totals.to_string(), "none");
        for (name, count) in [("send_reply", 1), ("pass_truncated", 0), ("send_reply", 2), ("receive_solicit", 3)] {
            totals.add(name, count);
        }
        assert_eq!(totals.to_string(), "receive_solicit=3 send_reply=3");
    }
}
