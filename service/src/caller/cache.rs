//! Answers of a source that may be slow, kept for a while: asked once, however many wait, and few at a time.
//!
//! Who has many uids can ask for many that do not exist. So what was found is kept apart from what was not, neither pushes
//! the other out, and what had been found before does not stand in line with what is new.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OnceCell, Semaphore};

use super::UserError;

/// How long an answer is kept.
const KEEP: Duration = Duration::from_secs(60);
/// How long it is kept that there is no such user: somebody may be adding one right now.
const KEEP_UNKNOWN: Duration = Duration::from_secs(2);
/// How long a look-up may take.
const DEADLINE: Duration = Duration::from_secs(2);
/// Look-ups of one kind at one time: of what is new, and of what had been found before.
const THREADS: usize = 3;
const THREADS_AGAIN: usize = 1;
/// Answers kept, and as many that found nothing or are awaited.
const CACHE_MAX: usize = 4_096;

type Answer<V> = Arc<OnceCell<Result<V, UserError>>>;

/// Answers to one kind of question, and the few threads that ask it.
pub(super) struct Cache<K, V> {
    entries: Mutex<Entries<K, V>>,
    new: Arc<Semaphore>,
    again: Arc<Semaphore>,
}

struct Entries<K, V> {
    /// Found.
    found: HashMap<K, (Instant, V)>,
    /// Asked for, and not found or not answered yet.
    open: HashMap<K, (Instant, Answer<V>)>,
}

/// What the cache has to say at once.
enum Looked<V> {
    Kept(V),
    Open { answer: Answer<V>, again: bool },
}

impl<K: Hash + Eq + Clone, V: Clone + Send + 'static> Cache<K, V> {
    pub(super) fn new() -> Self {
        Self {
            entries: Mutex::new(Entries { found: HashMap::new(), open: HashMap::new() }),
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
        let looked = self.entries().look(&key);
        let (answer, again) = match looked {
            Looked::Kept(value) => return Ok(value),
            Looked::Open { answer, again } => (answer, again),
        };
        let threads = if again { &self.again } else { &self.new };
        let found = answer.get_or_init(|| look_up(Arc::clone(threads), ask)).await.clone();
        self.entries().settle(&key, &answer, &found);
        found
    }

    /// Whether a good answer is kept.
    pub(super) fn has(&self, key: &K) -> bool {
        self.entries().kept(key).is_some()
    }

    fn entries(&self) -> MutexGuard<'_, Entries<K, V>> {
        // Nothing panics while the lock is held.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Entries<K, V> {
    fn kept(&self, key: &K) -> Option<&V> {
        self.found.get(key).filter(|(since, _)| since.elapsed() < KEEP).map(|(_, value)| value)
    }

    fn look(&mut self, key: &K) -> Looked<V> {
        if let Some(value) = self.kept(key) {
            return Looked::Kept(value.clone());
        }
        let again = self.found.contains_key(key);
        if let Some((since, answer)) = self.open.get(key)
            && is_open(*since, answer)
        {
            return Looked::Open { answer: Arc::clone(answer), again };
        }
        make_room(&mut self.open, is_open);
        let answer = Answer::default();
        self.open.insert(key.clone(), (Instant::now(), Arc::clone(&answer)));
        Looked::Open { answer, again }
    }

    /// Puts an answer where it belongs; the first of those who waited for it does that.
    fn settle(&mut self, key: &K, answer: &Answer<V>, found: &Result<V, UserError>) {
        let Some((since, _)) = self.open.get(key).filter(|(_, open)| Arc::ptr_eq(open, answer)) else { return };
        let since = *since;
        match found {
            Ok(value) => {
                self.open.remove(key);
                make_room(&mut self.found, |since, _| since.elapsed() < KEEP);
                self.found.insert(key.clone(), (since, value.clone()));
            }
            // Kept as it is, for a moment.
            Err(UserError::Unknown) => drop(self.found.remove(key)),
            // It thaws by itself: the next call asks again.
            Err(UserError::Unavailable(_)) => drop(self.open.remove(key)),
        }
    }
}

/// Awaited, or answered a moment ago.
fn is_open<V>(since: Instant, answer: &Answer<V>) -> bool {
    !answer.initialized() || since.elapsed() < KEEP_UNKNOWN
}

/// Forgets what is no good any more, and where that is not enough the oldest.
fn make_room<K: Hash + Eq + Clone, T>(entries: &mut HashMap<K, (Instant, T)>, good: impl Fn(Instant, &T) -> bool) {
    if entries.len() < CACHE_MAX {
        return;
    }
    entries.retain(|_, (since, entry)| good(*since, entry));
    if entries.len() >= CACHE_MAX
        && let Some(oldest) = entries.iter().min_by_key(|(_, (since, _))| *since).map(|(key, _)| key.clone())
    {
        entries.remove(&oldest);
    }
}

async fn look_up<V: Send + 'static>(
    threads: Arc<Semaphore>,
    ask: impl FnOnce() -> Result<V, UserError> + Send + 'static,
) -> Result<V, UserError> {
    let asked = async move {
        let permit =
            threads.acquire_owned().await.map_err(|_| UserError::Unavailable("the daemon is stopping".into()))?;
        // The permit goes with the thread, not with who waits for it: a database that hangs keeps its few threads.
        tokio::task::spawn_blocking(move || {
            let answer = ask();
            drop(permit);
            answer
        })
        .await
        .unwrap_or_else(|_| Err(UserError::Unavailable("the look-up failed".into())))
    };
    tokio::time::timeout(DEADLINE, asked)
        .await
        .unwrap_or_else(|_| Err(UserError::Unavailable("the user database does not answer".into())))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Asks for a key that is there, and counts the times the source was asked.
    async fn ask(cache: &Cache<u32, u32>, key: u32, asked: &Arc<AtomicUsize>) {
        let asked = Arc::clone(asked);
        let found = cache.get(key, move || {
            asked.fetch_add(1, Ordering::SeqCst);
            Ok(key)
        });
        assert_eq!(found.await, Ok(key));
    }

    #[tokio::test]
    async fn strangers_do_not_push_out_whom_the_cache_knows() {
        let (cache, asked) = (Cache::new(), Arc::new(AtomicUsize::new(0)));
        ask(&cache, 1, &asked).await;
        for stranger in 0..2 * CACHE_MAX {
            let key = 100_000 + u32::try_from(stranger).unwrap();
            assert_eq!(cache.get(key, || Err(UserError::Unknown)).await, Err(UserError::Unknown));
        }
        ask(&cache, 1, &asked).await;
        assert_eq!(asked.load(Ordering::SeqCst), 1, "asked again");
        assert!(cache.entries().open.len() <= CACHE_MAX);
    }

    #[tokio::test]
    async fn of_too_many_that_were_found_the_oldest_goes() {
        let (cache, asked) = (Cache::new(), Arc::new(AtomicUsize::new(0)));
        let most = u32::try_from(CACHE_MAX).unwrap();
        for key in 0..=most {
            ask(&cache, key, &asked).await;
        }
        assert!(!cache.has(&0) && cache.has(&1) && cache.has(&most));
        assert_eq!(cache.entries().found.len(), CACHE_MAX);
        assert!(cache.entries().open.is_empty());
    }

    #[tokio::test]
    async fn who_was_known_does_not_stand_in_line_with_strangers() {
        let (cache, asked) = (Arc::new(Cache::new()), Arc::new(AtomicUsize::new(0)));
        ask(&cache, 1, &asked).await;
        // Long ago.
        if let Some((since, _)) = cache.entries().found.get_mut(&1) {
            *since = since.checked_sub(2 * KEEP).unwrap();
        }
        let _every_thread = cache.new.acquire_many(u32::try_from(THREADS).unwrap()).await.unwrap();
        ask(&cache, 1, &asked).await;
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_database_that_is_away_is_asked_again_at_the_next_call() {
        let (cache, asked) = (Cache::new(), Arc::new(AtomicUsize::new(0)));
        let away = UserError::Unavailable("away".into());
        let answer = away.clone();
        assert_eq!(cache.get(1, move || Err(answer)).await, Err(away));
        ask(&cache, 1, &asked).await;
    }
}
