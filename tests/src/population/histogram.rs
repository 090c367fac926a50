//! Durations, counted in buckets that are 3 % wide: any number of them in a fixed 10 KiB.

use std::time::Duration;

/// Each power of two is split into `1 << FINE_BITS` buckets.
const FINE_BITS: u32 = 5;
const FINE: u64 = 1 << FINE_BITS;
/// Buckets: the last one holds everything from 68 seconds on.
const BUCKETS: usize = 32 * 32;

/// How many durations fell where.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Box<[u64; BUCKETS]>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: Box::new([0; BUCKETS]), total: 0 }
    }
}

impl Histogram {
    /// Counts one duration.
    pub fn record(&mut self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        if let Some(count) = self.counts.get_mut(bucket_of(nanoseconds)) {
            *count += 1;
            self.total += 1;
        }
    }

    /// Counts all that `other` has counted.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts.iter()) {
            *count += more;
        }
        self.total += other.total;
    }

    /// How many durations were counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The duration that `per_mille` of a thousand do not exceed, to the end of its bucket; `None` where nothing was counted.
    #[must_use]
    pub fn quantile(&self, per_mille: u64) -> Option<Duration> {
        let rank = (self.total * per_mille).div_ceil(1000).max(1);
        let mut seen = 0;
        let bucket = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        Some(Duration::from_nanos(end_of(u64::try_from(bucket).ok()?)))
    }
}

fn bucket_of(nanoseconds: u64) -> usize {
    let bucket = if nanoseconds < FINE {
        nanoseconds
    } else {
        let shift = nanoseconds.ilog2() - FINE_BITS;
        u64::from(shift + 1) * FINE + ((nanoseconds >> shift) - FINE)
    };
    usize::try_from(bucket).unwrap_or(usize::MAX).min(BUCKETS - 1)
}

/// The longest duration of a bucket, in nanoseconds.
fn end_of(bucket: u64) -> u64 {
    if bucket < FINE {
        return bucket;
    }
    let shift = bucket / FINE - 1;
    ((FINE + bucket % FINE + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_lies_in_its_bucket() {
        for nanoseconds in (0..40).flat_map(|power| [1_u64 << power, (1 << power) + 1, (1 << power) * 3 / 2]) {
            let bucket = bucket_of(nanoseconds);
            if bucket == BUCKETS - 1 {
                continue;
            }
            let end = end_of(bucket as u64);
            assert!(end >= nanoseconds && end <= nanoseconds + nanoseconds / 32 + 1, "{nanoseconds} ends at {end}");
            assert_eq!(bucket_of(end), bucket);
            assert_eq!(bucket_of(end + 1), bucket + 1);
        }
    }

    #[test]
    fn quantiles_are_within_three_percent() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(500), None);
        for microseconds in 1..=1000 {
            histogram.record(Duration::from_micros(microseconds));
        }
        histogram.merge(&histogram.clone());
        assert_eq!(histogram.total(), 2000);
        for (per_mille, exact) in [(500, 500), (990, 990), (1000, 1000)] {
            let quantile = histogram.quantile(per_mille).unwrap();
            let exact = Duration::from_micros(exact);
            assert!(quantile >= exact && quantile < exact * 104 / 100, "{per_mille}: {quantile:?}");
        }
    }
}
