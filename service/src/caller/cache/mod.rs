//! Answers of a source that may be slow, kept for a while: asked once, however many wait, and few at a time.
//!
//! Who has many uids can ask for many that do not exist. So what was found is kept apart from what was not, neither pushes
//! the other out, and what had been found before does not stand in line with what is new. A source that hangs keeps one
//! thread for each key that makes it hang; what was found before is good for some time more.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};

use super::UserError;

/// How long an answer is kept.
const KEEP: Duration = Duration::from_secs(60);
/// How much longer it is good while it cannot be looked up again, and how often that is tried.
const SPARE: Duration = Duration::from_secs(600);
const TRY_AGAIN: Duration = Duration::from_secs(10);
/// How long it is remembered that there was an answer.
const REMEMBER: Duration = Duration::from_secs(3600);
/// How long it is kept that there is no such user: somebody may be adding one right now.
const KEEP_UNKNOWN: Duration = Duration::from_secs(2);
/// How long a look-up may take.
pub(super) const DEADLINE: Duration = Duration::from_secs(2);
/// Look-ups of one kind at one time: of what is new, and of what had been found before.
pub(super) const THREADS: usize = 4;
const THREADS_AGAIN: usize = 8;
/// Answers kept, and as many that found nothing or are awaited.
const CACHE_MAX: usize = 4_096;

/// An answer that may be on its way.
type Answer<V> = watch::Receiver<Option<Result<V, UserError>>>;

/// Answers to one kind of question, and the few threads that ask it.
pub(super) struct Cache<K, V> {
    entries: Arc<Mutex<Entries<K, V>>>,
    new: Arc<Semaphore>,
    again: Arc<Semaphore>,
}

struct Entries<K, V> {
    /// Found.
    found: HashMap<K, Found<V>>,
    /// Asked for, and not found or not answered yet.
    open: HashMap<K, (Instant, Answer<V>)>,
    /// Those a thread is at, also when nobody waits for it any more.
    asking: HashSet<K>,
    /// Whether the journal knows that the source does not answer.
    is_away: bool,
}

struct Found<V> {
    since: Instant,
    /// When to look it up again.
    renew_at: Instant,
    value: V,
}

/// What the cache has to say at once.
enum Looked<V> {
    Kept(V),
    Awaited(Answer<V>),
    /// To be asked for; whether it had been found before.
    Open {
        tell: watch::Sender<Option<Result<V, UserError>>>,
        again: bool,
    },
    /// A thread is at it, and for too long.
    Hangs,
}

impl<K: Hash + Eq + Clone + Send + 'static, V: Clone + Send + Sync + 'static> Cache<K, V> {
    pub(super) fn new() -> Self {
        let entries = Entries { found: HashMap::new(), open: HashMap::new(), asking: HashSet::new(), is_away: false };
        Self {
            entries: Arc::new(Mutex::new(entries)),
            new: Arc::new(Semaphore::new(THREADS)),
            again: Arc::new(Semaphore::new(THREADS_AGAIN)),
        }
    }

    /// The kept answer, or what `ask` finds: asked once, however many wait for it.
    pub(super) async fn get(
        &self,
        key: K,
        ask: impl FnOnce() -> Result<V, UserError> + Send + 'static,
    ) -> Result<V, UserError> {
        let looked = lock(&self.entries).look(&key);
        let mut answer = match looked {
            Looked::Kept(value) => return Ok(value),
            Looked::Hangs => return lock(&self.entries).settle(&key, Err(no_answer())),
            Looked::Awaited(answer) => answer,
            Looked::Open { tell, again } => {
                let answer = tell.subscribe();
                let threads = Arc::clone(if again { &self.again } else { &self.new });
                let entries = Arc::clone(&self.entries);
                // A task of its own: it goes on when nobody waits any more.
                tokio::spawn(async move {
                    let asking = Asking { entries: Arc::clone(&entries), key: key.clone() };
                    let found = look_up(threads, asking, ask).await;
                    let settled = lock(&entries).settle(&key, found);
                    tell.send_replace(Some(settled));
                });
                answer
            }
        };
        match answer.wait_for(Option::is_some).await {
            Ok(found) => found.clone().unwrap_or_else(|| Err(no_answer())),
            Err(_) => Err(no_answer()),
        }
    }

    /// The answer that is kept.
    pub(super) fn kept(&self, key: &K) -> Option<V> {
        lock(&self.entries).kept(key).cloned()
    }

    /// Whether there was an answer within the last hour.
    pub(super) fn remembers(&self, key: &K) -> bool {
        lock(&self.entries).found.get(key).is_some_and(|found| found.since.elapsed() < REMEMBER)
    }
}

fn lock<T>(entries: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while the lock is held.
    entries.lock().unwrap_or_else(PoisonError::into_inner)
}

fn no_answer() -> UserError {
    UserError::Unavailable("the user database does not answer".into())
}

impl<K: Hash + Eq + Clone, V: Clone> Entries<K, V> {
    fn kept(&self, key: &K) -> Option<&V> {
        self.found.get(key).filter(|found| Instant::now() < found.renew_at).map(|found| &found.value)
    }

    fn look(&mut self, key: &K) -> Looked<V> {
        if let Some(value) = self.kept(key) {
            return Looked::Kept(value.clone());
        }
        if let Some((since, answer)) = self.open.get(key)
            && is_open(*since, answer)
        {
            return Looked::Awaited(answer.clone());
        }
        if !self.asking.insert(key.clone()) {
            return Looked::Hangs;
        }
        make_room(&mut self.open, |(since, _)| *since, |(since, answer)| is_open(*since, answer));
        let (tell, answer) = watch::channel(None);
        self.open.insert(key.clone(), (Instant::now(), answer));
        Looked::Open { tell, again: self.found.contains_key(key) }
    }

    /// Puts an answer where it belongs. What was found before stays good for a while when the source does not answer.
    fn settle(&mut self, key: &K, answer: Result<V, UserError>) -> Result<V, UserError> {
        match answer {
            Ok(value) => {
                self.is_away = false;
                let since = self.open.remove(key).map_or_else(Instant::now, |(since, _)| since);
                make_room(&mut self.found, |found| found.since, |found| found.since.elapsed() < REMEMBER);
                let found = Found { since, renew_at: since + KEEP, value: value.clone() };
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
                self.spare(key).ok_or(away)
            }
        }
    }

    fn spare(&mut self, key: &K) -> Option<V> {
        let found = self.found.get_mut(key).filter(|found| found.since.elapsed() < KEEP + SPARE)?;
        found.renew_at = (Instant::now() + TRY_AGAIN).min(found.since + KEEP + SPARE);
        if !std::mem::replace(&mut self.is_away, true) {
            log::warn!("the user database does not answer; names that are known stay so for {} s", SPARE.as_secs());
        }
        Some(found.value.clone())
    }
}

/// Awaited, or answered a moment ago.
fn is_open<V>(since: Instant, answer: &Answer<V>) -> bool {
    // Nobody is left to tell it only when a task of the daemon failed.
    let awaited = answer.borrow().is_none() && answer.has_changed().is_ok();
    awaited || since.elapsed() < KEEP_UNKNOWN
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

/// A key that is being asked for, until the thread that asks comes back.
struct Asking<K: Hash + Eq, V> {
    entries: Arc<Mutex<Entries<K, V>>>,
    key: K,
}

impl<K: Hash + Eq, V> Drop for Asking<K, V> {
    fn drop(&mut self) {
        lock(&self.entries).asking.remove(&self.key);
    }
}

async fn look_up<V: Send + 'static>(
    threads: Arc<Semaphore>,
    asking: impl Send + 'static,
    ask: impl FnOnce() -> Result<V, UserError> + Send + 'static,
) -> Result<V, UserError> {
    let asked = async move {
        let permit =
            threads.acquire_owned().await.map_err(|_| UserError::Unavailable("the daemon is stopping".into()))?;
        // Both go with the thread, not with who waits for it: a database that hangs keeps its few threads, and gets no second
        // one for the same question.
        tokio::task::spawn_blocking(move || {
            let answer = ask();
            drop((permit, asking));
            answer
        })
        .await
        .unwrap_or_else(|_| Err(UserError::Unavailable("the look-up failed".into())))
    };
    tokio::time::timeout(DEADLINE, asked).await.unwrap_or_else(|_| Err(no_answer()))
}

#[cfg(test)]
mod tests;
