//! A token bucket, and how full each may be.

use std::time::Instant;

use crate::config::Limits;

/// A token bucket: `rate` a second, up to `burst` saved.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    level: f64,
    pub(super) since: Instant,
}

impl Bucket {
    /// As much as it holds.
    pub(super) fn full(burst: f64, now: Instant) -> Self {
        Self { level: burst, since: now }
    }

    /// Takes one, if there is one.
    pub(super) fn take(&mut self, rate: u64, burst: f64, now: Instant) -> bool {
        if rate == 0 {
            return true;
        }
        let earned = now.saturating_duration_since(self.since).as_secs_f64() * rate as f64;
        self.level = (self.level + earned).min(burst);
        self.since = now;
        if self.level < 1.0 {
            return false;
        }
        self.level -= 1.0;
        true
    }

    /// Takes so many more, also those that there are not yet; no more of these than it holds.
    pub(super) fn owe(&mut self, count: u64, rate: u64, burst: f64) {
        if rate > 0 {
            self.level = (self.level - count as f64).max(-burst);
        }
    }

    /// Gives one back that was taken.
    pub(super) fn give_back(&mut self, burst: f64) {
        self.level = (self.level + 1.0).min(burst);
    }
}

pub(super) fn burst_of_reads(limits: &Limits) -> f64 {
    limits.reads_per_second as f64
}

pub(super) fn burst_of_writes(limits: &Limits) -> f64 {
    limits.writes_per_second as f64 * 10.0
}

pub(super) fn burst_of_misses(limits: &Limits) -> f64 {
    limits.misses_per_second as f64 * 5.0
}
