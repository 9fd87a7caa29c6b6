//! Whoever goes on over a limit is listened to less often: refusing is work too, and others must not wait behind it.
//!
//! Each refusal for a limit makes its uid owe a moment of silence. The private door reads no more of that uid until it is
//! over; on the bus, where everyone shares one connection, the refusal itself is held back as long.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Silence owed for one refusal.
const PER_REFUSAL: Duration = Duration::from_millis(10);
/// Most silence owed at a time: who has learnt is soon heard again.
const MOST: Duration = Duration::from_millis(200);
/// Refusals of one uid held back at one time; more are given at once, so that they cost no memory.
const HELD_BACK_MAX: usize = 64;
/// Uids remembered; past it those that owe nothing are forgotten.
const IDLE_UIDS_MAX: usize = 1_024;

#[derive(Default)]
struct Debt {
    until: Duration,
    held_back: usize,
}

/// What each uid owes.
pub struct Pace {
    start: Instant,
    /// When the last debt of all ends, microseconds after `start`: mostly past, and then nothing needs to be looked up.
    latest: AtomicU64,
    debts: Mutex<HashMap<u32, Debt>>,
}

impl Default for Pace {
    fn default() -> Self {
        Self { start: Instant::now(), latest: AtomicU64::new(0), debts: Mutex::default() }
    }
}

impl Pace {
    /// Notes that `uid` was refused for a limit.
    pub fn note_refusal(&self, uid: u32) {
        let now = self.start.elapsed();
        let mut debts = self.debts();
        if debts.len() > IDLE_UIDS_MAX {
            debts.retain(|_, debt| debt.until > now || debt.held_back > 0);
        }
        let debt = debts.entry(uid).or_default();
        debt.until = (debt.until.max(now) + PER_REFUSAL).min(now + MOST);
        let until = u64::try_from(debt.until.as_micros()).unwrap_or(u64::MAX);
        self.latest.fetch_max(until, Ordering::Relaxed);
    }

    /// How long nothing more of `uid` should be read.
    pub fn silence(&self, uid: u32) -> Duration {
        let now = self.start.elapsed();
        if now.as_micros() > u128::from(self.latest.load(Ordering::Relaxed)) {
            return Duration::ZERO;
        }
        self.debts().get(&uid).map_or(Duration::ZERO, |debt| debt.until.saturating_sub(now))
    }

    /// Waits until `uid` owes nothing, unless too many of its refusals wait already.
    pub async fn hold_back(&self, uid: u32) {
        let silence = self.silence(uid);
        if silence.is_zero() {
            return;
        }
        if let Some(_held_back) = self.be_held_back(uid) {
            tokio::time::sleep(silence).await;
        }
    }

    fn be_held_back(&self, uid: u32) -> Option<HeldBack<'_>> {
        let mut debts = self.debts();
        let debt = debts.entry(uid).or_default();
        if debt.held_back >= HELD_BACK_MAX {
            return None;
        }
        debt.held_back += 1;
        Some(HeldBack { pace: self, uid })
    }

    fn debts(&self) -> MutexGuard<'_, HashMap<u32, Debt>> {
        // Nothing panics while the lock is held.
        self.debts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One refusal that is held back.
struct HeldBack<'a> {
    pace: &'a Pace,
    uid: u32,
}

impl Drop for HeldBack<'_> {
    fn drop(&mut self) {
        if let Some(debt) = self.pace.debts().get_mut(&self.uid) {
            debt.held_back = debt.held_back.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_refused_owes_silence_and_nobody_else_does() {
        let pace = Pace::default();
        assert_eq!(pace.silence(7), Duration::ZERO);
        for _ in 0..1_000 {
            pace.note_refusal(7);
        }
        let silence = pace.silence(7);
        assert!(silence > Duration::from_millis(10) && silence <= MOST, "{silence:?}");
        assert_eq!(pace.silence(8), Duration::ZERO);
    }

    #[tokio::test]
    async fn refusals_are_held_back_up_to_a_number() {
        let pace = Pace::default();
        for _ in 0..1_000 {
            pace.note_refusal(7);
        }
        let held_back: Vec<_> = (0..HELD_BACK_MAX).map(|_| pace.be_held_back(7).unwrap()).collect();
        assert!(pace.be_held_back(7).is_none(), "one too many is given at once");
        assert!(pace.be_held_back(8).is_some());
        drop(held_back);
        pace.hold_back(7).await;
        assert_eq!(pace.silence(7), Duration::ZERO);
    }
}
