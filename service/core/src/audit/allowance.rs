//! How many different reads of a uid are written down one by one.

use crate::Timestamp;

/// Records a second.
const RATE: u64 = 200;
/// Records saved up: whoever reads all of a few thousand tokens at once has each of them in the log.
const BURST: u64 = 2_000;
/// Time for one record.
const USEC_PER_RECORD: u64 = 1_000_000 / RATE;

/// A bucket of records, kept as the time at which it is full again.
#[derive(Debug, Default)]
pub(super) struct Allowance {
    full_at: u64,
}

impl Allowance {
    /// Takes one record out; false when there is none left.
    pub(super) fn take(&mut self, now: Timestamp) -> bool {
        let now = now.as_usec();
        let empty = now.saturating_add(BURST * USEC_PER_RECORD);
        // After a clock was set back it is empty, and fills again from there.
        self.full_at = self.full_at.clamp(now, empty);
        // At the end of time nothing is left.
        let full = self.full_at.saturating_add(USEC_PER_RECORD);
        let left = full <= empty && full > self.full_at;
        if left {
            self.full_at = full;
        }
        left
    }

    /// Whether forgetting it changes nothing.
    pub(super) fn is_whole(&self, now: Timestamp) -> bool {
        self.full_at <= now.as_usec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(allowance: &mut Allowance, at: u64, tries: u64) -> usize {
        (0..tries).filter(|_| allowance.take(Timestamp::from_usec(at))).count()
    }

    #[test]
    fn a_burst_goes_through_and_then_the_rate() {
        let mut allowance = Allowance::default();
        assert_eq!(taken(&mut allowance, 1_000_000, 5_000), 2_000);
        assert_eq!(taken(&mut allowance, 2_000_000, 5_000), 200);
        assert!(!allowance.is_whole(Timestamp::from_usec(3_000_000)));
        assert!(allowance.is_whole(Timestamp::from_usec(30_000_000)));
    }

    #[test]
    fn a_clock_set_back_neither_locks_nor_refills() {
        let mut allowance = Allowance::default();
        assert_eq!(taken(&mut allowance, 90_000_000, 5_000), 2_000);
        assert_eq!(taken(&mut allowance, 1_000_000, 5_000), 0);
        assert_eq!(taken(&mut allowance, 2_000_000, 5_000), 200);
    }
}
