//! What is known, and what is being asked for.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::time::Instant;

use tokio::sync::watch;

use super::{Answer, CACHE_MAX, KEEP, KEEP_UNKNOWN, REMEMBER, SPARE, TRY_AGAIN, Tell};
use crate::caller::UserError;
use crate::caller::local::{Seen, Stamp};

/// The answers of one cache.
pub(super) struct Entries<K, V> {
    /// Found.
    pub(super) found: HashMap<K, Found<V>>,
    /// Asked for, and not found or not answered yet.
    pub(super) open: HashMap<K, Open<V>>,
    /// Those a thread is at, also when nobody waits for it any more.
    pub(super) asking: HashSet<K>,
    /// Whether the journal knows that the source does not answer.
    pub(super) is_away: bool,
}

/// A question.
pub(super) struct Open<V> {
    pub(super) since: Instant,
    /// The file's, when it was asked.
    pub(super) stamp: Option<Stamp>,
    pub(super) answer: Answer<V>,
}

/// An answer that is one.
pub(super) struct Found<V> {
    pub(super) since: Instant,
    /// The file's, from before it was looked up.
    pub(super) stamp: Option<Stamp>,
    /// Whether it stood in the file then: where it does no longer, nothing else stands for it.
    pub(super) was_local: bool,
    /// When to look it up again.
    pub(super) renew_at: Instant,
    pub(super) value: V,
}

/// What the cache has to say at once.
pub(super) enum Looked<V> {
    Kept(V),
    /// On its way, or just come; whether the file is the same since it was asked for.
    Awaited {
        answer: Answer<V>,
        is_current: bool,
    },
    /// To be asked for; whether it had been found before.
    Open {
        tell: Tell<V>,
        again: bool,
    },
    /// A thread is at it, and for too long.
    Hangs,
}

impl<K: Hash + Eq + Clone, V: Clone> Entries<K, V> {
    /// What is kept, if it is from the time of this `stamp`.
    pub(super) fn kept(&self, key: &K, stamp: Option<Stamp>) -> Option<&V> {
        let is_kept = |found: &&Found<V>| found.stamp == stamp && Instant::now() < found.renew_at;
        self.found.get(key).filter(is_kept).map(|found| &found.value)
    }

    /// What there is to say; a question that is new is noted, and the caller has to ask it.
    pub(super) fn look(&mut self, key: &K, stamp: Option<Stamp>) -> Looked<V> {
        if let Some(value) = self.kept(key, stamp) {
            return Looked::Kept(value.clone());
        }
        if let Some(open) = self.open.get(key)
            && is_open(open, stamp)
        {
            return Looked::Awaited { answer: open.answer.clone(), is_current: open.stamp == stamp };
        }
        if !self.asking.insert(key.clone()) {
            return Looked::Hangs;
        }
        make_room(&mut self.open, |open| open.since, |open| is_open(open, stamp));
        let (tell, answer) = watch::channel(None);
        self.open.insert(key.clone(), Open { since: Instant::now(), stamp, answer });
        Looked::Open { tell, again: self.found.contains_key(key) }
    }

    /// Puts an answer where it belongs. What was found before stays good for a while when the source does not answer.
    pub(super) fn settle(&mut self, key: &K, seen: Seen, answer: Result<V, UserError>) -> Result<V, UserError> {
        match answer {
            Ok(value) => {
                self.is_away = false;
                let since = self.open.remove(key).map_or_else(Instant::now, |open| open.since);
                make_room(&mut self.found, |found| found.since, |found| found.since.elapsed() < REMEMBER);
                let renew_at = since + KEEP;
                let found =
                    Found { since, stamp: seen.stamp, was_local: seen.is_local, renew_at, value: value.clone() };
                self.found.insert(key.clone(), found);
                Ok(value)
            }
            // Kept as it is, for a moment.
            Err(UserError::Unknown) => {
                self.found.remove(key);
                Err(UserError::Unknown)
            }
            Err(away) => {
                // It thaws by itself: the next call asks again.
                self.open.remove(key);
                self.spare(key, seen).ok_or(away)
            }
        }
    }

    fn spare(&mut self, key: &K, seen: Seen) -> Option<V> {
        let found = self.found.get_mut(key).filter(|found| found.since.elapsed() < KEEP + SPARE)?;
        if (seen.is_local || found.was_local) && found.stamp != seen.stamp {
            // The file may have another entry of that key by now, or none.
            return None;
        }
        found.stamp = seen.stamp;
        found.renew_at = (Instant::now() + TRY_AGAIN).min(found.since + KEEP + SPARE);
        if !std::mem::replace(&mut self.is_away, true) {
            log::warn!("the user database does not answer; names that are known stay so for {} s", SPARE.as_secs());
        }
        Some(found.value.clone())
    }
}

/// Awaited, or answered a moment ago and since the file is as `stamp` says.
fn is_open<V>(open: &Open<V>, stamp: Option<Stamp>) -> bool {
    // Nobody is left to tell it only when a task of the daemon failed.
    let awaited = open.answer.borrow().is_none() && open.answer.has_changed().is_ok();
    awaited || (open.stamp == stamp && open.since.elapsed() < KEEP_UNKNOWN)
}

/// Forgets what is no good any more, and where that is not enough the oldest.
fn make_room<K: Hash + Eq + Clone, T>(
    entries: &mut HashMap<K, T>,
    since: impl Fn(&T) -> Instant,
    good: impl Fn(&T) -> bool,
) {
    if entries.len() < CACHE_MAX {
        return;
    }
    entries.retain(|_, entry| good(entry));
    if entries.len() >= CACHE_MAX
        && let Some(oldest) = entries.iter().min_by_key(|(_, entry)| since(entry)).map(|(key, _)| key.clone())
    {
        entries.remove(&oldest);
    }
}
