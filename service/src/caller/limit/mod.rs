//! What one uid may take of the daemon: the same buckets at both doors. Here the answer is immediate, and a call that waits
//! elsewhere, for its turn or for a place on the bus, counts meanwhile; one that waits at the private socket for its pipe has
//! not come in yet.
//!
//! Who has subordinate uids has thousands of them. So calls count with those of all users only when it is known whose they
//! are; before that they share a few. The last ones are root's, who may have to see why nobody else is served.

mod bucket;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokenvault_core::Error;

use self::bucket::{Bucket, burst_of_misses, burst_of_reads, burst_of_writes};
use crate::config::Limits;

/// Uids without anything in flight are forgotten when there are more than this.
const IDLE_UIDS_MAX: usize = 1_024;

/// How long a bucket takes to fill at most: a burst of writes is ten seconds' worth.
const FULL_AFTER: Duration = Duration::from_secs(10);
/// How often uids are forgotten at most: it takes a look at each of them.
const FORGET_AFTER: Duration = Duration::from_secs(1);
/// Calls at one time of callers whose uid is being asked of the bus.
const UNKNOWN_MAX: u64 = 256;
/// Calls at one time of uids whose name is being looked up, and of one such uid.
const UNNAMED_MAX: u64 = 256;
const UNNAMED_OF_ONE: u64 = 32;
/// Of the calls of all users, how many only root can have; a quarter where there are few.
const ROOTS: u64 = 16;

/// What a call costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Looks or fetches.
    Read,
    /// Changes something durable.
    Write,
}

#[derive(Debug)]
struct PerUid {
    in_flight: u64,
    reads: Bucket,
    writes: Bucket,
    misses: Bucket,
}

impl PerUid {
    /// Whether it has had the time to fill its buckets: forgetting it fills them too.
    fn is_idle(&self, now: Instant) -> bool {
        let last = self.reads.since.max(self.writes.since).max(self.misses.since);
        self.in_flight == 0 && now.saturating_duration_since(last) >= FULL_AFTER
    }
}

/// With whose calls a call is counted.
#[derive(Debug, Clone, Copy)]
enum Group {
    /// It is not known yet which uid calls.
    Unknown,
    /// It is not known yet whether the uid has a name.
    Unnamed(u32),
    /// All users.
    Users(u32),
}

#[derive(Debug, Default)]
struct State {
    limits: Limits,
    users: u64,
    unnamed: u64,
    unknown: u64,
    uids: HashMap<u32, PerUid>,
    /// When uids were last forgotten.
    forgot: Option<Instant>,
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
    group: Group,
}

impl InFlight {
    /// Counts the call with those of all users, now that its uid has a name.
    ///
    /// # Errors
    /// [`Error::LimitsExceeded`] naming `in-flight-total`.
    pub fn named(&mut self) -> Result<(), Error> {
        if let Group::Unnamed(uid) = self.group {
            let mut state = self.limiter.state();
            state.join_users(uid)?;
            state.unnamed = state.unnamed.saturating_sub(1);
            drop(state);
            self.group = Group::Users(uid);
        }
        Ok(())
    }
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

    /// Counts a call while the bus is asked whose it is.
    ///
    /// # Errors
    /// [`Error::LimitsExceeded`] naming `in-flight-unknown`.
    pub fn enter_unknown(&self) -> Result<InFlight, Error> {
        join(&mut self.state().unknown, UNKNOWN_MAX)?;
        Ok(InFlight { limiter: self.clone(), group: Group::Unknown })
    }

    /// Counts a call of a uid whose name is being looked up, see [`InFlight::named`].
    ///
    /// # Errors
    /// [`Error::LimitsExceeded`] naming the limit.
    pub fn enter_unnamed(&self, uid: u32) -> Result<InFlight, Error> {
        let mut state = self.state();
        let most = match state.limits.in_flight {
            0 => UNNAMED_OF_ONE,
            limit => limit.min(UNNAMED_OF_ONE),
        };
        state.join_uid(uid, most)?;
        if let Err(error) = join(&mut state.unnamed, UNNAMED_MAX) {
            state.part_uid(uid);
            return Err(error);
        }
        Ok(InFlight { limiter: self.clone(), group: Group::Unnamed(uid) })
    }

    /// Counts a call of a user.
    ///
    /// # Errors
    /// [`Error::LimitsExceeded`] naming the limit.
    pub fn enter(&self, uid: u32) -> Result<InFlight, Error> {
        let mut state = self.state();
        let most = state.limits.in_flight;
        state.join_uid(uid, most)?;
        if let Err(error) = state.join_users(uid) {
            state.part_uid(uid);
            return Err(error);
        }
        Ok(InFlight { limiter: self.clone(), group: Group::Users(uid) })
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

    /// Has a call that is as much work as several writes cost as many; what there is not, it owes, and waits for with the next.
    pub fn owe_writes(&self, uid: u32, count: u64) {
        let mut state = self.state();
        let (rate, burst) = (state.limits.writes_per_second, burst_of_writes(&state.limits));
        state.of(uid).writes.owe(count, rate, burst);
    }

    /// Gives back what was paid for a write that nothing was written for: who came too late for the last use of something.
    pub fn refund_write(&self, uid: u32) {
        let mut state = self.state();
        let burst = burst_of_writes(&state.limits);
        state.of(uid).writes.give_back(burst);
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
    fn join_uid(&mut self, uid: u32, most: u64) -> Result<(), Error> {
        let of_uid = self.of(uid);
        if most > 0 && of_uid.in_flight >= most {
            return Err(exceeded("in-flight", "wait for answers before you ask more"));
        }
        of_uid.in_flight += 1;
        Ok(())
    }

    fn part_uid(&mut self, uid: u32) {
        if let Some(of_uid) = self.uids.get_mut(&uid) {
            of_uid.in_flight = of_uid.in_flight.saturating_sub(1);
        }
    }

    fn join_users(&mut self, uid: u32) -> Result<(), Error> {
        let limit = self.limits.in_flight_total;
        let roots = if uid == 0 { 0 } else { ROOTS.min(limit / 4) };
        if limit > 0 && self.users >= limit - roots {
            return Err(exceeded("in-flight-total", "the vault is busy, retry"));
        }
        self.users += 1;
        Ok(())
    }

    fn of(&mut self, uid: u32) -> &mut PerUid {
        let now = Instant::now();
        if self.uids.len() > IDLE_UIDS_MAX && !self.uids.contains_key(&uid) {
            self.forget_idle(now);
        }
        let limits = &self.limits;
        self.uids.entry(uid).or_insert_with(|| PerUid {
            in_flight: 0,
            reads: Bucket::full(burst_of_reads(limits), now),
            writes: Bucket::full(burst_of_writes(limits), now),
            misses: Bucket::full(burst_of_misses(limits), now),
        })
    }

    fn forget_idle(&mut self, now: Instant) {
        if self.forgot.is_none_or(|last| now.saturating_duration_since(last) >= FORGET_AFTER) {
            self.forgot = Some(now);
            self.uids.retain(|_, of_uid| !of_uid.is_idle(now));
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut state = self.limiter.state();
        let (count, uid) = match self.group {
            Group::Unknown => (&mut state.unknown, None),
            Group::Unnamed(uid) => (&mut state.unnamed, Some(uid)),
            Group::Users(uid) => (&mut state.users, Some(uid)),
        };
        *count = count.saturating_sub(1);
        if let Some(uid) = uid {
            state.part_uid(uid);
        }
    }
}

/// Counts one more of the calls nobody can be made to answer for yet.
fn join(count: &mut u64, most: u64) -> Result<(), Error> {
    if *count >= most {
        return Err(exceeded("in-flight-unknown", "too many callers are being looked up, retry"));
    }
    *count += 1;
    Ok(())
}

fn exceeded(limit: &'static str, retry: &str) -> Error {
    Error::LimitsExceeded { limit, retry: retry.into() }
}

#[cfg(test)]
mod tests;
