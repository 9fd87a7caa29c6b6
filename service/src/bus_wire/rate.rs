//! How often a sender may call what zbus answers by itself.
//!
//! `Introspect` and the like, objects and interfaces that do not exist: such calls never come to where the vault counts what
//! a user may take. So each connection of the bus has a bucket of its own for them. `Ping` needs none.

use std::collections::HashMap;
use std::time::Duration;

/// What one call takes: 200 a second.
const COST: Duration = Duration::from_millis(5);
/// What may be taken at once: 400 calls.
const BURST: Duration = Duration::from_secs(2);
/// Senders remembered; past it those whose bucket is full are forgotten, and when there are none, all.
const MOST: usize = 4_096;

/// The buckets of the senders on one connection.
#[derive(Debug, Default)]
pub(super) struct Rates {
    /// When the bucket of a sender is full again; time is counted from anywhere, but always from there.
    full_at: HashMap<String, Duration>,
}

impl Rates {
    /// Whether a sender may make one more such call.
    pub(super) fn take(&mut self, sender: &str, now: Duration) -> bool {
        let full_at = self.full_at.get(sender).map_or(now, |full_at| *full_at.max(&now)) + COST;
        if full_at > now + BURST {
            return false;
        }
        match self.full_at.get_mut(sender) {
            Some(known) => *known = full_at,
            None => self.remember(sender, full_at, now),
        }
        true
    }

    fn remember(&mut self, sender: &str, full_at: Duration, now: Duration) {
        if self.full_at.len() >= MOST {
            self.full_at.retain(|_, full_at| *full_at > now);
        }
        if self.full_at.len() >= MOST {
            self.full_at.clear();
        }
        self.full_at.insert(sender.to_owned(), full_at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_has_a_burst_and_then_its_rate_and_the_others_have_theirs() {
        let mut rates = Rates::default();
        let taken = |rates: &mut Rates, sender, now| (0..1_000).filter(|_| rates.take(sender, now)).count();
        let start = Duration::from_secs(1_000);
        assert_eq!(taken(&mut rates, ":1.7", start), 400);
        assert_eq!(taken(&mut rates, ":1.8", start), 400);
        assert_eq!(taken(&mut rates, ":1.7", start + Duration::from_secs(1)), 200);
        assert_eq!(taken(&mut rates, ":1.7", start + Duration::from_secs(60)), 400);
    }

    #[test]
    fn no_number_of_senders_takes_more_room_than_there_is() {
        let mut rates = Rates::default();
        for number in 0..3 * MOST {
            assert!(rates.take(&format!(":1.{number}"), Duration::from_secs(1)));
        }
        assert!(rates.full_at.len() <= MOST);
        assert!(rates.take(":2.1", Duration::from_secs(60)));
    }
}
