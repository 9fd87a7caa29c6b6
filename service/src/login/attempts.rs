//! How often somebody may try to unlock: five times a minute, and after that less and less often.
//!
//! A try counts before it is known how it ends, so that many at once are no more than one after the other.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokenvault_core::Error;

/// Tries in a minute.
const TRIES: usize = 5;
const MINUTE: Duration = Duration::from_secs(60);
/// Waits after too many: the first, and the longest.
const PAUSE: (Duration, Duration) = (MINUTE, Duration::from_secs(15 * 60));
/// After so long without a try everything is forgotten.
const FORGET: Duration = Duration::from_secs(60 * 60);

/// The tries of all uids. One that succeeds clears its uid's.
#[derive(Default)]
pub struct Attempts(Mutex<HashMap<u32, Tries>>);

struct Tries {
    /// Of the last minute that failed, or are under way.
    recent: Vec<Instant>,
    /// How long to wait after the next failure that is one too many.
    pause: Duration,
    until: Option<Instant>,
    last: Instant,
}

/// A try that is under way.
pub struct Attempt<'a> {
    attempts: &'a Attempts,
    uid: u32,
    at: Instant,
    /// The wait that there would have been without it.
    pause: Duration,
}

impl Attempts {
    /// Begins a try.
    ///
    /// # Errors
    /// [`Error::LimitsExceeded`] when it is one too many.
    pub fn begin(&self, uid: u32) -> Result<Attempt<'_>, Error> {
        self.begin_at(uid, Instant::now())
    }

    fn begin_at(&self, uid: u32, now: Instant) -> Result<Attempt<'_>, Error> {
        let mut all = self.all();
        all.retain(|_, tries| now.saturating_duration_since(tries.last) < FORGET);
        let tries =
            all.entry(uid).or_insert_with(|| Tries { recent: Vec::new(), pause: PAUSE.0, until: None, last: now });
        if let Some(until) = tries.until {
            if now < until {
                let seconds = until.saturating_duration_since(now).as_secs() + 1;
                let retry = format!("there were too many wrong passwords; retry in {seconds} s");
                return Err(Error::LimitsExceeded { limit: "unlock-attempts", retry });
            }
            // One more, and a longer wait if that is wrong as well.
            tries.until = None;
            tries.recent = vec![now; TRIES - 1];
        }
        tries.recent.retain(|at| now.saturating_duration_since(*at) < MINUTE);
        tries.recent.push(now);
        tries.last = now;
        let pause = tries.pause;
        if tries.recent.len() >= TRIES {
            tries.until = Some(now + tries.pause);
            tries.pause = (tries.pause * 2).min(PAUSE.1);
        }
        Ok(Attempt { attempts: self, uid, at: now, pause })
    }

    fn all(&self) -> MutexGuard<'_, HashMap<u32, Tries>> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt<'_> {
    /// How it ended. Only what was refused goes on counting.
    pub fn end<T>(self, outcome: &Result<T, Error>) {
        let mut all = self.attempts.all();
        match outcome {
            Err(Error::AccessDenied(_)) => {}
            Ok(_) => {
                all.remove(&self.uid);
            }
            Err(_) => self.take_back(&mut all),
        }
    }

    /// It ended, and says nothing about who tried.
    pub fn end_uncounted(self) {
        self.take_back(&mut self.attempts.all());
    }

    fn take_back(&self, all: &mut HashMap<u32, Tries>) {
        if let Some(tries) = all.get_mut(&self.uid)
            && let Some(at) = tries.recent.iter().position(|at| *at == self.at)
        {
            tries.recent.swap_remove(at);
            if tries.recent.len() < TRIES {
                tries.until = None;
                tries.pause = self.pause;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong() -> Result<(), Error> {
        Err(Error::AccessDenied("wrong".into()))
    }

    /// Tries wrong passwords until no more are taken; how many were, and how long to wait.
    fn exhaust(attempts: &Attempts, now: Instant) -> (usize, u64) {
        let mut taken = 0;
        loop {
            match attempts.begin_at(1000, now) {
                Ok(attempt) => attempt.end(&wrong()),
                Err(error) => {
                    let text = error.to_string();
                    let seconds = text.rsplit(' ').nth(1).and_then(|number| number.parse().ok()).unwrap();
                    return (taken, seconds);
                }
            }
            taken += 1;
            assert!(taken < 100);
        }
    }

    #[test]
    fn five_in_a_minute_and_then_one_after_waits_that_double_to_a_quarter_of_an_hour() {
        let (attempts, mut now) = (Attempts::default(), Instant::now());
        let mut seen = Vec::new();
        for _ in 0..7 {
            let (taken, seconds) = exhaust(&attempts, now);
            seen.push((taken, seconds));
            now += Duration::from_secs(seconds);
        }
        assert_eq!(seen, [(5, 61), (1, 121), (1, 241), (1, 481), (1, 901), (1, 901), (1, 901)]);
        assert!(attempts.begin_at(1001, now).is_ok(), "another user waits for nobody");
    }

    #[test]
    fn tries_at_once_count_like_tries_one_after_the_other() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        let under_way: Vec<_> = (0..100).filter_map(|_| attempts.begin_at(1000, now).ok()).collect();
        assert_eq!(under_way.len(), TRIES);
    }

    #[test]
    fn what_succeeds_clears_and_what_could_not_be_tried_does_not_count() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for _ in 0..20 {
            attempts.begin_at(1000, now).unwrap().end(&Err::<(), _>(Error::Unavailable("down".into())));
        }
        for _ in 0..4 {
            attempts.begin_at(1000, now).unwrap().end(&wrong());
        }
        for _ in 0..20 {
            attempts.begin_at(1000, now).unwrap().end_uncounted();
        }
        assert_eq!(exhaust(&attempts, now), (1, 61), "nor does it make the wait longer");
        let now = now + Duration::from_secs(61);
        attempts.begin_at(1000, now).unwrap().end(&Ok(()));
        assert_eq!(exhaust(&attempts, now).0, TRIES);
    }

    #[test]
    fn a_slow_trickle_is_not_stopped_and_an_hour_of_rest_forgets() {
        let (attempts, mut now) = (Attempts::default(), Instant::now());
        for _ in 0..20 {
            attempts.begin_at(1000, now).unwrap().end(&wrong());
            now += Duration::from_secs(20);
        }
        now += MINUTE;
        assert_eq!(exhaust(&attempts, now).0, TRIES);
        assert_eq!(exhaust(&attempts, now + FORGET + MINUTE), (TRIES, 61));
    }
}
