//! What one uid may take of the daemon: the same buckets at both doors. Over a limit the answer is immediate; nothing waits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokenvault_core::Error;

use crate::config::Limits;

/// Uids without anything in flight are forgotten when there are more than this.
const IDLE_UIDS_MAX: usize = 1_024;

/// What a call costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Looks or fetches.
    Read,
    /// Changes something durable.
    Write,
}

/// A token bucket: `rate` a second, up to `burst` saved.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    level: f64,
    since: Instant,
}

impl Bucket {
    fn full(burst: f64, now: Instant) -> Self {
        Self { level: burst, since: now }
    }

    fn take(&mut self, rate: u64, burst: f64, now: Instant) -> bool {
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
}

#[derive(Debug)]
struct PerUid {
    in_flight: u64,
    reads: Bucket,
    writes: Bucket,
    misses: Bucket,
}

#[derive(Debug, Default)]
struct State {
    limits: Limits,
    total: u64,
    uids: HashMap<u32, PerUid>,
}

/// Counts and rates of all uids.
#[derive(Debug, Clone, Default)]
pub struct Limiter {
    state: Arc<Mutex<State>>,
}

/// A call being worked on; what it holds is given back when it is dropped.
#[derive(Debug)]
pub struct InFlight {
    limiter: Limiter,
    uid: Option<u32>,
}

fn burst_of_reads(limits: &Limits) -> f64 {
    limits.reads_per_second as f64
}

fn burst_of_writes(limits: &Limits) -> f64 {
    limits.writes_per_second as f64 * 10.0
}

fn burst_of_misses(limits: &Limits) -> f64 {
    limits.misses_per_second as f64 * 5.0
}

impl Limiter {
    /// With these limits.
    pub fn new(limits: Limits) -> Self {
        let limiter = Self::default();
        limiter.set_limits(limits);
        limiter
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts other limits in force.
    pub fn set_limits(&self, limits: Limits) {
        self.state().limits = limits;
    }

    /// A place for a caller who is not known yet.
    ///
    /// # Errors
    /// [`Error::LimitsExceeded`] naming `in-flight-total`.
    pub fn enter_unknown(&self) -> Result<InFlight, Error> {
        self.state().enter_total()?;
        Ok(InFlight { limiter: self.clone(), uid: None })
    }

    /// A place for a call.
    ///
    /// # Errors
    /// [`Error::LimitsExceeded`] naming the limit.
    pub fn enter(&self, uid: u32) -> Result<InFlight, Error> {
        let mut state = self.state();
        let limit = state.limits.in_flight;
        let of_uid = state.of(uid);
        if limit > 0 && of_uid.in_flight >= limit {
            return Err(exceeded("in-flight", "wait for answers before you ask more"));
        }
        of_uid.in_flight += 1;
        if let Err(error) = state.enter_total() {
            state.of(uid).in_flight -= 1;
            return Err(error);
        }
        Ok(InFlight { limiter: self.clone(), uid: Some(uid) })
    }

    /// Pays for a call.
    ///
    /// # Errors
    /// [`Error::LimitsExceeded`] naming the rate.
    pub fn pay(&self, uid: u32, kind: Kind) -> Result<(), Error> {
        let now = Instant::now();
        let mut state = self.state();
        let limits = state.limits.clone();
        let of_uid = state.of(uid);
        match kind {
            Kind::Read if !of_uid.reads.take(limits.reads_per_second, burst_of_reads(&limits), now) => {
                Err(exceeded("reads-per-second", "retry in a second"))
            }
            Kind::Write if !of_uid.writes.take(limits.writes_per_second, burst_of_writes(&limits), now) => {
                Err(exceeded("writes-per-second", "retry in a second"))
            }
            Kind::Read | Kind::Write => Ok(()),
        }
    }

    /// Pays for a request that found nothing: names are not to be tried out at leisure.
    ///
    /// # Errors
    /// [`Error::LimitsExceeded`] naming `misses-per-second`.
    pub fn pay_miss(&self, uid: u32) -> Result<(), Error> {
        let now = Instant::now();
        let mut state = self.state();
        let (rate, burst) = (state.limits.misses_per_second, burst_of_misses(&state.limits));
        if state.of(uid).misses.take(rate, burst, now) {
            return Ok(());
        }
        Err(exceeded("misses-per-second", "retry in a second, with names that exist"))
    }
}

impl State {
    fn enter_total(&mut self) -> Result<(), Error> {
        if self.limits.in_flight_total > 0 && self.total >= self.limits.in_flight_total {
            return Err(exceeded("in-flight-total", "the vault is busy, retry"));
        }
        self.total += 1;
        Ok(())
    }

    fn of(&mut self, uid: u32) -> &mut PerUid {
        let now = Instant::now();
        if self.uids.len() > IDLE_UIDS_MAX && !self.uids.contains_key(&uid) {
            // Forgetting a uid fills its buckets again; only those that have had the time to fill are forgotten.
            self.uids.retain(|_, of_uid| {
                of_uid.in_flight > 0 || now.saturating_duration_since(of_uid.writes.since).as_secs() < 10
            });
        }
        let limits = &self.limits;
        self.uids.entry(uid).or_insert_with(|| PerUid {
            in_flight: 0,
            reads: Bucket::full(burst_of_reads(limits), now),
            writes: Bucket::full(burst_of_writes(limits), now),
            misses: Bucket::full(burst_of_misses(limits), now),
        })
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut state = self.limiter.state();
        state.total = state.total.saturating_sub(1);
        if let Some(uid) = self.uid {
            let of_uid = state.of(uid);
            of_uid.in_flight = of_uid.in_flight.saturating_sub(1);
        }
    }
}

fn exceeded(limit: &'static str, retry: &str) -> Error {
    Error::LimitsExceeded { limit, retry: retry.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(set: impl FnOnce(&mut Limits)) -> Limiter {
        let mut limits = Limits::default();
        set(&mut limits);
        Limiter::new(limits)
    }

    fn limit_of<T: std::fmt::Debug>(result: Result<T, Error>) -> &'static str {
        match result.unwrap_err() {
            Error::LimitsExceeded { limit, .. } => limit,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn calls_in_flight_are_counted_per_uid_and_given_back() {
        let limiter = limiter(|limits| limits.in_flight = 2);
        let first = limiter.enter(7).unwrap();
        let _second = limiter.enter(7).unwrap();
        assert_eq!(limit_of(limiter.enter(7)), "in-flight");
        assert!(limiter.enter(8).is_ok(), "another uid has its own");
        drop(first);
        assert!(limiter.enter(7).is_ok());
    }

    #[test]
    fn all_calls_together_have_a_limit_too() {
        let limiter = limiter(|limits| limits.in_flight_total = 2);
        let _one = limiter.enter(1).unwrap();
        let two = limiter.enter_unknown().unwrap();
        assert_eq!(limit_of(limiter.enter(3)), "in-flight-total");
        drop(two);
        assert!(limiter.enter(3).is_ok());
    }

    #[test]
    fn writes_and_misses_have_bursts_and_zero_switches_off() {
        let limiter = limiter(|limits| {
            limits.writes_per_second = 1;
            limits.misses_per_second = 1;
            limits.reads_per_second = 0;
        });
        for _ in 0..10 {
            limiter.pay(7, Kind::Write).unwrap();
        }
        assert_eq!(limit_of(limiter.pay(7, Kind::Write)), "writes-per-second");
        assert!(limiter.pay(8, Kind::Write).is_ok());
        for _ in 0..5 {
            limiter.pay_miss(7).unwrap();
        }
        assert_eq!(limit_of(limiter.pay_miss(7)), "misses-per-second");
        for _ in 0..100_000 {
            limiter.pay(7, Kind::Read).unwrap();
        }
    }
}
