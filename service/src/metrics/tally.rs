//! Things that happen, counted by how they ended and by how long they took.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::openmetrics::Buckets;

/// Where a time falls: its upper bound in microseconds, and in seconds as it is written.
const BOUNDS: [(u64, &str); 12] = [
    (50, "5e-05"),
    (100, "0.0001"),
    (250, "0.00025"),
    (500, "0.0005"),
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (100_000, "0.1"),
    (1_000_000, "1.0"),
    (10_000_000, "10.0"),
];

/// One kind of thing, which ends in one of `OUTCOMES` ways.
pub(super) struct Tally<const OUTCOMES: usize> {
    outcomes: [AtomicU64; OUTCOMES],
    /// The last is for what takes longer than every bound.
    times: [AtomicU64; BOUNDS.len() + 1],
    usec: AtomicU64,
}

impl<const OUTCOMES: usize> Default for Tally<OUTCOMES> {
    fn default() -> Self {
        let zero = |_| AtomicU64::new(0);
        Self { outcomes: std::array::from_fn(zero), times: std::array::from_fn(zero), usec: AtomicU64::new(0) }
    }
}

impl<const OUTCOMES: usize> Tally<OUTCOMES> {
    /// Counts one.
    pub(super) fn count(&self, outcome: usize, took: Duration) {
        let usec = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let place = BOUNDS.iter().position(|(bound, _)| usec <= *bound).unwrap_or(BOUNDS.len());
        for counter in [self.outcomes.get(outcome), self.times.get(place)].into_iter().flatten() {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        self.usec.fetch_add(usec, Ordering::Relaxed);
    }

    /// How many ended in each way.
    pub(super) fn outcomes(&self) -> [u64; OUTCOMES] {
        std::array::from_fn(|at| self.outcomes.get(at).map_or(0, |counter| counter.load(Ordering::Relaxed)))
    }

    /// How long they took; `None` when there were none.
    pub(super) fn times(&self) -> Option<Buckets> {
        let counts: Vec<u64> = self.times.iter().map(|counter| counter.load(Ordering::Relaxed)).collect();
        let usec = self.usec.load(Ordering::Relaxed);
        let sum = format!("{}.{:06}", usec / 1_000_000, usec % 1_000_000);
        let bounds = BOUNDS.iter().map(|(_, seconds)| (*seconds).to_owned()).collect();
        (counts.iter().sum::<u64>() > 0).then_some(Buckets { bounds, counts, sum })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_rise_and_are_written_as_what_they_are() {
        assert!(BOUNDS.is_sorted_by(|a, b| a.0 < b.0));
        for (usec, seconds) in BOUNDS {
            assert_eq!(seconds.parse::<f64>().unwrap(), Duration::from_micros(usec).as_secs_f64(), "{seconds}");
        }
    }

    #[test]
    fn a_time_is_counted_in_the_first_bucket_that_takes_it() {
        let tally = Tally::<2>::default();
        assert!(tally.times().is_none());
        for usec in [0, 50, 51, 20_000_000, 99] {
            tally.count(usize::from(usec > 50), Duration::from_micros(usec));
        }
        assert_eq!(tally.outcomes(), [2, 3]);
        let Buckets { bounds, counts, sum } = tally.times().unwrap();
        assert_eq!((counts[0], counts[1], counts[12], counts.iter().sum::<u64>()), (2, 2, 1, 5));
        assert_eq!((bounds.len() + 1, sum.as_str()), (counts.len(), "20.000200"));
    }

    #[test]
    fn an_outcome_that_there_is_none_of_counts_as_a_time_alone() {
        let tally = Tally::<1>::default();
        tally.count(7, Duration::from_secs(1));
        assert_eq!(tally.outcomes(), [0]);
        assert!(tally.times().is_some());
    }
}
