//! The user database: names of uids, uids of names.
//!
//! A directory service may hang: look-ups run on threads of their own, few at a time, one per uid, with a deadline, and what
//! was found is kept for a minute. A uid without an entry is not a user of the vault.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::unistd::{Group, Uid, User};
use tokio::sync::{OnceCell, Semaphore};

/// How long an answer is kept.
const KEEP: Duration = Duration::from_secs(60);
/// How long it is kept that there is no such user: somebody may be adding one right now.
const KEEP_UNKNOWN: Duration = Duration::from_secs(2);
/// How long a look-up may take.
const DEADLINE: Duration = Duration::from_secs(2);
/// Look-ups of one kind at one time.
const THREADS: usize = 3;
/// Answers kept; past it the cache starts over.
const CACHE_MAX: usize = 4_096;
/// UIDs systemd gives to dynamic users: never the same user twice.
const DYNAMIC_UIDS: std::ops::RangeInclusive<u32> = 61_184..=65_519;

/// Why a uid or a name was not found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    /// No entry: not a user of the vault.
    #[error("the user database has no such entry")]
    Unknown,
    /// The database did not answer.
    #[error("{0}")]
    Unavailable(String),
}

/// The user database, seen through caches. Each direction has threads of its own: look-ups that callers choose (names)
/// cannot keep those that every call needs (uids) waiting.
pub struct Users {
    names: Cache<u32, Arc<str>>,
    uids: Cache<String, u32>,
    gids: Cache<String, u32>,
}

impl Default for Users {
    fn default() -> Self {
        Self { names: Cache::new(), uids: Cache::new(), gids: Cache::new() }
    }
}

impl Users {
    /// The name of a uid.
    ///
    /// # Errors
    /// [`UserError::Unknown`] without an entry, also for dynamic users; [`UserError::Unavailable`] while the database does not
    /// answer.
    pub async fn name(&self, uid: u32) -> Result<Arc<str>, UserError> {
        if DYNAMIC_UIDS.contains(&uid) {
            return Err(UserError::Unknown);
        }
        self.names.get(uid, move || found(User::from_uid(Uid::from_raw(uid)), |user| user.name.into())).await
    }

    /// The uid of a name.
    ///
    /// # Errors
    /// As [`Users::name`].
    pub async fn uid(&self, name: &str) -> Result<u32, UserError> {
        let asked = name.to_owned();
        self.uids.get(name.to_owned(), move || found(User::from_name(&asked), |user| user.uid.as_raw())).await
    }

    /// The gid of a group's name.
    ///
    /// # Errors
    /// As [`Users::name`].
    pub async fn gid(&self, name: &str) -> Result<u32, UserError> {
        let asked = name.to_owned();
        self.gids.get(name.to_owned(), move || found(Group::from_name(&asked), |group| group.gid.as_raw())).await
    }
}

struct Entry<V> {
    since: Instant,
    answer: Arc<OnceCell<Result<V, UserError>>>,
}

impl<V> Entry<V> {
    fn keep(&self) -> Duration {
        match self.answer.get() {
            Some(Err(_)) => KEEP_UNKNOWN,
            _ => KEEP,
        }
    }
}

/// Answers to one kind of question, and the few threads that ask it.
struct Cache<K, V> {
    entries: Mutex<HashMap<K, Entry<V>>>,
    threads: Arc<Semaphore>,
}

impl<K: Hash + Eq + Clone, V: Clone + Send + 'static> Cache<K, V> {
    fn new() -> Self {
        Self { entries: Mutex::new(HashMap::new()), threads: Arc::new(Semaphore::new(THREADS)) }
    }

    /// The kept answer, or what `ask` finds: asked once, however many wait for it.
    async fn get(&self, key: K, ask: impl FnOnce() -> Result<V, UserError> + Send + 'static) -> Result<V, UserError> {
        let answer = self.entry(&key);
        let found = answer.get_or_init(|| self.look_up(ask)).await.clone();
        if matches!(found, Err(UserError::Unavailable(_))) {
            // It thaws by itself: the next call asks again.
            self.forget(&key, &answer);
        }
        found
    }

    fn entry(&self, key: &K) -> Arc<OnceCell<Result<V, UserError>>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get(key)
            && entry.since.elapsed() < entry.keep()
        {
            return Arc::clone(&entry.answer);
        }
        if entries.len() >= CACHE_MAX {
            entries.clear();
        }
        let answer = Arc::new(OnceCell::new());
        entries.insert(key.clone(), Entry { since: Instant::now(), answer: Arc::clone(&answer) });
        answer
    }

    fn forget(&self, key: &K, answer: &Arc<OnceCell<Result<V, UserError>>>) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.get(key).is_some_and(|entry| Arc::ptr_eq(&entry.answer, answer)) {
            entries.remove(key);
        }
    }

    async fn look_up(&self, ask: impl FnOnce() -> Result<V, UserError> + Send + 'static) -> Result<V, UserError> {
        let threads = Arc::clone(&self.threads);
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
}

fn found<T, V>(entry: nix::Result<Option<T>>, take: impl FnOnce(T) -> V) -> Result<V, UserError> {
    match entry {
        Ok(Some(entry)) => Ok(take(entry)),
        Ok(None) => Err(UserError::Unknown),
        Err(error) => Err(failed(error)),
    }
}

/// Some databases answer "no such entry" with an error; see getpwuid_r(3).
fn failed(error: Errno) -> UserError {
    match error {
        Errno::ENOENT | Errno::ESRCH | Errno::EBADF | Errno::EPERM => UserError::Unknown,
        error => UserError::Unavailable(format!("the user database answers: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn root_is_known_and_a_free_uid_is_not() {
        let users = Users::default();
        assert_eq!(users.name(0).await.as_deref(), Ok("root"));
        assert_eq!(users.name(3_999_999_999).await, Err(UserError::Unknown));
        assert_eq!(users.uid("root").await, Ok(0));
        assert_eq!(users.uid("no such user here").await, Err(UserError::Unknown));
    }

    #[tokio::test]
    async fn dynamic_users_are_never_known() {
        assert_eq!(Users::default().name(61_184).await, Err(UserError::Unknown));
    }
}
