//! How long an address is good for. With no leases to free, the times only say how often a machine reports back.

use std::fmt;

/// Times of an IA_NA and its address, in seconds (RFC 9915 sections 21.4 and 21.6). T1 <= T2 <= preferred <= valid, none
/// of them 0: EDK2 rejects T1 > T2 and overflows when it has to compute T1 and T2 itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    t1: u32,
    t2: u32,
    preferred: u32,
    valid: u32,
}

/// Why these times do not go together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LifetimesError {
    /// A lifetime of nothing.
    #[error("{0} is 0; give a time above 0")]
    Zero(&'static str),
    /// Two times in the wrong order.
    #[error("{shorter} ({}) is longer than {longer} ({})", Seconds(*shorter_seconds), Seconds(*longer_seconds))]
    Order {
        /// Name of the time that should not exceed the other.
        shorter: &'static str,
        /// Its seconds.
        shorter_seconds: u32,
        /// Name of the other.
        longer: &'static str,
        /// Its seconds.
        longer_seconds: u32,
    },
}

/// For a person: all bits set is infinity (RFC 9915 section 7.7).
struct Seconds(u32);

impl fmt::Display for Seconds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            u32::MAX => formatter.write_str("infinity"),
            seconds => write!(formatter, "{seconds} s"),
        }
    }
}

impl Lifetimes {
    /// Times for an address of these lifetimes. T1 and T2 are 0.5 and 0.8 of the preferred lifetime unless given (RFC
    /// 9915 section 21.4).
    ///
    /// # Errors
    ///
    /// A time that is zero, or longer than one that it must not exceed.
    pub fn new(preferred: u32, valid: u32, t1: Option<u32>, t2: Option<u32>) -> Result<Self, LifetimesError> {
        let fifths = preferred / 5;
        let t2 = t2.unwrap_or(fifths * 4 + preferred % 5 * 4 / 5);
        let t1 = t1.unwrap_or((preferred / 2).min(t2));
        let times = [("T1", t1), ("T2", t2), ("the preferred lifetime", preferred), ("the valid lifetime", valid)];
        // What T1 and T2 are made from is named before them.
        if let Some((name, _)) = times.into_iter().rev().find(|(_, seconds)| *seconds == 0) {
            return Err(LifetimesError::Zero(name));
        }
        for ((shorter, shorter_seconds), (longer, longer_seconds)) in times.into_iter().zip(times.into_iter().skip(1)) {
            if shorter_seconds > longer_seconds {
                return Err(LifetimesError::Order { shorter, shorter_seconds, longer, longer_seconds });
            }
        }
        Ok(Self { t1, t2, preferred, valid })
    }

    /// When the machine renews, in seconds.
    #[must_use]
    pub const fn t1(&self) -> u32 {
        self.t1
    }

    /// When the machine rebinds, in seconds.
    #[must_use]
    pub const fn t2(&self) -> u32 {
        self.t2
    }

    /// Preferred lifetime of the address, in seconds.
    #[must_use]
    pub const fn preferred(&self) -> u32 {
        self.preferred
    }

    /// Valid lifetime of the address, in seconds.
    #[must_use]
    pub const fn valid(&self) -> u32 {
        self.valid
    }
}

/// 12 and 24 hours.
impl Default for Lifetimes {
    fn default() -> Self {
        Self { t1: 21_600, t2: 34_560, preferred: 43_200, valid: 86_400 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t1_and_t2_follow_the_preferred_lifetime() {
        assert_eq!(Lifetimes::new(43_200, 86_400, None, None), Ok(Lifetimes::default()));
        let forever = Lifetimes::new(u32::MAX, u32::MAX, None, None).unwrap();
        assert_eq!((forever.t1(), forever.t2()), (2_147_483_647, 3_435_973_836));
    }

    #[test]
    fn times_that_clients_reject_are_refused() {
        assert_eq!(Lifetimes::new(0, 10, None, None), Err(LifetimesError::Zero("the preferred lifetime")));
        assert_eq!(Lifetimes::new(10, 10, Some(0), None), Err(LifetimesError::Zero("T1")));
        let words = Lifetimes::new(u32::MAX, 10, None, None).unwrap_err().to_string();
        assert_eq!(words, "the preferred lifetime (infinity) is longer than the valid lifetime (10 s)");
        assert!(matches!(
            Lifetimes::new(20, 10, None, None),
            Err(LifetimesError::Order { longer: "the valid lifetime", .. })
        ));
        assert!(matches!(Lifetimes::new(20, 20, Some(15), Some(10)), Err(LifetimesError::Order { shorter: "T1", .. })));
        assert!(matches!(Lifetimes::new(20, 20, None, Some(30)), Err(LifetimesError::Order { shorter: "T2", .. })));
    }
}
