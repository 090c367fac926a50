//! How long things take, counted in buckets: by one thread without a locked instruction, or by many.

use std::{
    iter,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Each bucket reaches twice as far as the one before it; behind the last one is one for all that takes longer.
const BUCKETS: usize = 21;

/// Durations by how long they are. Its memory is its own: who counts here is not held up by who counts elsewhere.
#[derive(Debug)]
#[repr(align(128))]
pub struct Histogram {
    /// As far as the first bucket reaches, nanoseconds.
    first: u64,
    counts: [AtomicU64; BUCKETS + 1],
    /// Of all durations, nanoseconds.
    sum: AtomicU64,
}

impl Histogram {
    /// An empty one, whose first bucket reaches as far as this, and its last a million times as far.
    #[must_use]
    pub fn new(first: Duration) -> Self {
        Self { first: nanoseconds(first).max(1), counts: [const { AtomicU64::new(0) }; _], sum: AtomicU64::new(0) }
    }

    /// Counts one that took so long. Any thread may.
    pub fn add(&self, took: Duration) {
        let took = nanoseconds(took);
        if let Some(count) = self.counts.get(self.bucket(took)) {
            count.fetch_add(1, Ordering::Relaxed);
            self.sum.fetch_add(took, Ordering::Relaxed);
        }
    }

    /// Counts so many that took so long, each. For a thread that is the only one to count here.
    pub fn add_alone(&self, took: Duration, many: u64) {
        let took = nanoseconds(took);
        let add = |to: &AtomicU64, more: u64| {
            to.store(to.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
        };
        if let Some(count) = self.counts.get(self.bucket(took)) {
            add(count, many);
            add(&self.sum, took.wrapping_mul(many));
        }
    }

    fn bucket(&self, nanoseconds: u64) -> usize {
        let reaches = nanoseconds.div_ceil(self.first).max(1);
        let doubled = u64::BITS - (reaches - 1).leading_zeros();
        BUCKETS.min(doubled as usize)
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// What histograms have counted together, until a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Durations in each bucket, and as far as that reaches; `None` for the last one, which takes everything.
    pub buckets: Vec<(Option<Duration>, u64)>,
    /// Of all durations.
    pub sum: Duration,
}

impl Counted {
    /// Reads histograms whose first buckets reach equally far.
    pub fn read<'a>(histograms: impl IntoIterator<Item = &'a Histogram>) -> Self {
        let mut counted = Self::default();
        for histogram in histograms {
            counted.buckets.resize(BUCKETS + 1, (None, 0));
            let reaches = iter::successors(Some(histogram.first), |reach| reach.checked_mul(2)).take(BUCKETS);
            let reaches = reaches.map(Duration::from_nanos).map(Some).chain([None]);
            for ((bucket, count), reach) in counted.buckets.iter_mut().zip(&histogram.counts).zip(reaches) {
                *bucket = (reach, bucket.1 + count.load(Ordering::Relaxed));
            }
            counted.sum += Duration::from_nanos(histogram.sum.load(Ordering::Relaxed));
        }
        counted
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MICROSECOND: Duration = Duration::from_micros(1);

    /// The buckets that are not empty.
    fn buckets(histogram: &Histogram) -> Vec<(Option<Duration>, u64)> {
        Counted::read([histogram]).buckets.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    #[test]
    fn each_is_in_the_first_bucket_that_reaches_so_far() {
        for (nanoseconds, reach) in [
            (0, Some(1)),
            (1000, Some(1)),
            (1001, Some(2)),
            (2000, Some(2)),
            (2001, Some(4)),
            (4001, Some(8)),
            (1_048_576_000, Some(1 << 20)),
            (1_048_576_001, None),
            (u64::MAX, None),
        ] {
            let histogram = Histogram::new(MICROSECOND);
            histogram.add(Duration::from_nanos(nanoseconds));
            assert_eq!(buckets(&histogram), [(reach.map(Duration::from_micros), 1)], "{nanoseconds}");
        }
    }

    #[test]
    fn many_are_counted_as_one_each_and_histograms_together() {
        let histograms = [(); 2].map(|()| Histogram::new(MICROSECOND));
        let [one, other] = &histograms;
        one.add_alone(3 * MICROSECOND, 5);
        (0..5).for_each(|_| other.add(3 * MICROSECOND));
        assert_eq!(Counted::read([one]), Counted::read([other]));
        let both = Counted::read(&histograms);
        assert_eq!((both.count(), both.sum), (10, 30 * MICROSECOND));
        assert_eq!(buckets(one), [(Some(4 * MICROSECOND), 5)]);
    }
}
