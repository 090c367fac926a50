//! A threshold, and whether it is met.

use std::fmt;

use crate::table::grouped;

/// Where a number has to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

/// One threshold, and what was measured.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    pub(super) what: String,
    pub(super) unit: &'static str,
    pub(super) measured: f64,
    pub(super) bound: Bound,
    /// Digits behind the point that are shown.
    pub(super) decimals: usize,
}

impl Verdict {
    /// Of what is measured about a subject: what, its unit, the number, where it has to be, and digits behind the point.
    pub(super) fn about<'a>(
        subject: impl fmt::Display + 'a,
    ) -> impl Fn(&str, &'static str, f64, Bound, usize) -> Self + 'a {
        move |what, unit, measured, bound, decimals| Self {
            what: format!("{subject}: {what}"),
            unit,
            measured,
            bound,
            decimals,
        }
    }

    pub(super) fn is_met(&self) -> bool {
        match self.bound {
            Bound::AtLeast(bound) => self.measured >= bound,
            Bound::AtMost(bound) => self.measured <= bound,
        }
    }
}

/// `met     what: measured, at least bound`.
impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, unit, measured, bound, decimals } = self;
        let word = if self.is_met() { "met   " } else { "MISSED" };
        let (side, bound) = match bound {
            Bound::AtLeast(bound) => ("at least", bound),
            Bound::AtMost(bound) => ("at most", bound),
        };
        let number = |number: f64| if *decimals == 0 { grouped(number) } else { format!("{number:.decimals$}") };
        write!(formatter, "{word}  {what}: {}{unit}, {side} {}{unit}", number(*measured), number(*bound))
    }
}
