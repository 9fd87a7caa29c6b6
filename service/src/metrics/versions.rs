//! How many versions are stored. Nobody keeps that number, so it has to be counted, which takes longer the more there are.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokenvault_core::Error;

/// Counting may take this share of the time: after a second of it, 50 s pass.
const PAUSES: u32 = 50;

struct Counted {
    count: u64,
    at: Instant,
    took: Duration,
}

/// The number, as it was lately.
#[derive(Default)]
pub struct VersionCount(Mutex<Option<Counted>>);

impl VersionCount {
    /// The number; `count` is asked for it when the last one is too old. Blocks.
    ///
    /// # Errors
    /// What `count` answers.
    pub fn get(&self, count: impl FnOnce() -> Result<u64, Error>) -> Result<u64, Error> {
        let now = Instant::now();
        self.get_at(now, || Ok((count()?, now.elapsed())))
    }

    fn get_at(&self, now: Instant, count: impl FnOnce() -> Result<(u64, Duration), Error>) -> Result<u64, Error> {
        // One counts at a time, and the others take what it finds.
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = last.as_ref().filter(|last| now.saturating_duration_since(last.at) < last.took * PAUSES) {
            return Ok(last.count);
        }
        let (count, took) = count()?;
        *last = Some(Counted { count, at: now + took, took });
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_took_long_is_not_counted_again_at_once() {
        let (versions, start) = (VersionCount::default(), Instant::now());
        let second = Duration::from_secs(1);
        let at = |seconds, count| versions.get_at(start + seconds * second, || Ok((count, second))).unwrap();
        assert_eq!((at(0, 7), at(1, 8), at(50, 8)), (7, 7, 7));
        assert_eq!((at(51, 8), at(52, 9)), (8, 8));
        assert!(VersionCount::default().get(|| Err(Error::Cancelled)).is_err());
    }
}
