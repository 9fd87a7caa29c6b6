//! Answers of a source that may be slow, kept for a while: asked once, however many wait, and few at a time.
//!
//! Who has many uids can ask for many that do not exist. So what was found is kept apart from what was not, neither pushes
//! the other out, and what had been found before does not stand in line with what is new. A source that hangs keeps one
//! thread for each key that makes it hang; what was found before is good for some time more.
//!
//! A file of this machine's own entries is beside the source. Nothing that was found is good any more once the file has
//! changed, and what stands in it waits for nothing that does not.

mod entries;

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

use super::UserError;
use super::local::{LocalFile, Stamp};
use entries::{Entries, Looked};

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
/// Look-ups of one kind at one time: of what is new, as many of what is local, and of what had been found before.
pub(super) const THREADS: usize = 4;
const THREADS_AGAIN: usize = 8;
/// Answers kept, and as many that found nothing or are awaited.
const CACHE_MAX: usize = 4_096;

/// An answer that may be on its way.
type Answer<V> = watch::Receiver<Option<Result<V, UserError>>>;
type Tell<V> = watch::Sender<Option<Result<V, UserError>>>;

/// Answers to one kind of question, and the few threads that ask it.
pub(super) struct Cache<K, V> {
    entries: Arc<Mutex<Entries<K, V>>>,
    file: LocalFile,
    local: Arc<Semaphore>,
    new: Arc<Semaphore>,
    again: Arc<Semaphore>,
}

impl<K: Hash + Eq + Clone + ToString + Send + 'static, V: Clone + Send + Sync + 'static> Cache<K, V> {
    /// An empty one, of a source that has its local entries in `file`.
    pub(super) fn new(file: LocalFile) -> Self {
        let entries = Entries { found: HashMap::new(), open: HashMap::new(), asking: HashSet::new(), is_away: false };
        Self {
            entries: Arc::new(Mutex::new(entries)),
            file,
            local: Arc::new(Semaphore::new(THREADS)),
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
        loop {
            let stamp = self.file.stamp();
            let looked = lock(&self.entries).look(&key, stamp);
            match looked {
                Looked::Kept(value) => return Ok(value),
                Looked::Awaited { answer, is_current: true } => return come(answer).await,
                // It may be of before the change: asked anew when it has come.
                Looked::Awaited { answer, is_current: false } => {
                    let _stale = come(answer).await;
                }
                Looked::Hangs => {
                    let seen = self.file.see(stamp, &key.to_string());
                    return lock(&self.entries).settle(&key, seen, Err(no_answer()));
                }
                Looked::Open { tell, again } => {
                    let answer = tell.subscribe();
                    self.spawn_look_up(key, stamp, again, ask, tell);
                    return come(answer).await;
                }
            }
        }
    }

    /// A task of its own: it goes on when nobody waits any more.
    fn spawn_look_up(
        &self,
        key: K,
        stamp: Option<Stamp>,
        again: bool,
        ask: impl FnOnce() -> Result<V, UserError> + Send + 'static,
        tell: Tell<V>,
    ) {
        let seen = self.file.see(stamp, &key.to_string());
        let threads = match (seen.is_local, again) {
            (true, _) => &self.local,
            (false, true) => &self.again,
            (false, false) => &self.new,
        };
        let (threads, entries) = (Arc::clone(threads), Arc::clone(&self.entries));
        tokio::spawn(async move {
            let asking = Asking { entries: Arc::clone(&entries), key: key.clone() };
            let found = look_up(threads, asking, ask).await;
            let settled = lock(&entries).settle(&key, seen, found);
            tell.send_replace(Some(settled));
        });
    }

    /// The state of the file.
    pub(super) fn state(&self) -> Option<Stamp> {
        self.file.stamp()
    }

    /// The answer that is kept.
    pub(super) fn kept(&self, key: &K) -> Option<V> {
        let stamp = self.file.stamp();
        lock(&self.entries).kept(key, stamp).cloned()
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

/// The answer, once it has come.
async fn come<V: Clone>(mut answer: Answer<V>) -> Result<V, UserError> {
    match answer.wait_for(Option::is_some).await {
        Ok(found) => found.clone().unwrap_or_else(|| Err(no_answer())),
        Err(_) => Err(no_answer()),
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
