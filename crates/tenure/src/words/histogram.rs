//! How long builds took: how many of them up to each of a few bounds.

use std::time::Duration;

use crate::ground::clock::{Nanos, nanos};
use crate::ground::sync::{Figure, Ordering};

/// On from a millisecond, since what is faster need not be cached; the others are those of Streamlit's own histogram, so
/// that dashboards go on.
const BOUNDS: [Duration; 16] = {
    const fn ms(number: u64) -> Duration {
        Duration::from_millis(number)
    }
    [
        ms(1),
        ms(5),
        ms(10),
        ms(25),
        ms(50),
        ms(100),
        ms(250),
        ms(500),
        ms(1_000),
        ms(2_500),
        ms(5_000),
        ms(10_000),
        ms(30_000),
        ms(60_000),
        ms(120_000),
        ms(300_000),
    ]
};

const BUCKETS: usize = BOUNDS.len() + 1;

/// How many builds took how long.
///
/// ```
/// use std::time::Duration;
///
/// #[tenure::cache_resource]
/// fn quick() -> u32 {
///     7
/// }
///
/// drop(quick());
/// let times = quick::info().build_times;
/// assert_eq!(times.count(), 1);
/// assert!(times.quantile(0.5) <= Some(Duration::from_secs(300)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Of those that took longer than the bound before and not longer than this one; the last has no bound.
    counts: [u64; BUCKETS],
}

impl Histogram {
    /// Each bound with the number of builds that took no longer, and at last all of them, under no bound.
    ///
    /// ```
    /// # use tenure::Histogram;
    /// let (bounds, counts): (Vec<_>, Vec<_>) = Histogram::default().buckets().unzip();
    /// assert!(bounds.is_sorted_by_key(|bound| bound.unwrap_or(std::time::Duration::MAX)));
    /// assert_eq!((bounds.last(), counts.last()), (Some(&None), Some(&0)));
    /// ```
    pub fn buckets(&self) -> impl Iterator<Item = (Option<Duration>, u64)> + '_ {
        let bounds = BOUNDS.into_iter().map(Some).chain([None]);
        let counts = self.counts.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        bounds.zip(counts)
    }

    /// How many builds there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The bound that this part of the builds did not exceed: 0.5 for the median. Nothing where there was none, or
    /// where it lies beyond the last bound, five minutes.
    #[must_use]
    pub fn quantile(&self, part: f64) -> Option<Duration> {
        let count = self.count();
        #[allow(clippy::cast_precision_loss)] // of more builds than there are
        let reaches = |sum: u64| count > 0 && sum as f64 >= part.clamp(0.0, 1.0) * count as f64;
        let mut reached = self.buckets().filter(|(_, sum)| *sum > 0 && reaches(*sum));
        reached.next()?.0
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (sum, more) in self.counts.iter_mut().zip(&other.counts) {
            *sum += more;
        }
    }
}

/// A histogram that is counted in.
#[derive(Default)]
pub(crate) struct Times([Figure; BUCKETS]);

impl Times {
    pub(crate) fn count(&self, taken: Nanos) {
        let bucket = BOUNDS.partition_point(|bound| nanos(*bound) < taken);
        self.0[bucket].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Histogram {
        let mut counts = [0; BUCKETS];
        for (count, figure) in counts.iter_mut().zip(&self.0) {
            *count = figure.load(Ordering::Relaxed);
        }
        Histogram { counts }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    fn times(taken: &[Duration]) -> Histogram {
        let times = Times::default();
        for it in taken {
            times.count(nanos(*it));
        }
        times.read()
    }

    #[test]
    fn v1_a_build_counts_up_to_the_first_bound_that_it_does_not_exceed() {
        let ms = Duration::from_millis;
        let times = times(&[ms(0), ms(1), ms(1) + Duration::from_nanos(1), ms(300_001)]);
        let counts: Vec<_> = times.buckets().map(|(_, count)| count).collect();
        assert_eq!(counts[..3], [2, 3, 3]);
        assert_eq!(counts[BUCKETS - 2..], [3, 4]);
        assert_eq!(times.quantile(0.5), Some(ms(1)));
        assert_eq!(times.quantile(0.75), Some(ms(5)));
        assert_eq!(times.quantile(1.0), None);
        assert_eq!(Histogram::default().quantile(0.5), None);
    }
}
