//! The user database: names of uids, uids of names.
//!
//! A directory service may hang: look-ups run on threads of their own, few at a time, one per uid, with a deadline, and what
//! was found is kept for a minute. A uid without an entry is not a user of the vault.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::unistd::{Uid, User};
use tokio::sync::{OnceCell, Semaphore};

/// How long an answer is kept.
const KEEP: Duration = Duration::from_secs(60);
/// How long it is kept that there is no such user: somebody may be adding one right now.
const KEEP_UNKNOWN: Duration = Duration::from_secs(2);
/// How long a look-up may take.
const DEADLINE: Duration = Duration::from_secs(2);
/// Look-ups at one time.
const THREADS: usize = 4;
/// Answers kept; past it the cache starts over.
const CACHE_MAX: usize = 4_096;
/// UIDs systemd gives to dynamic users: never the same user twice.
const DYNAMIC_UIDS: std::ops::RangeInclusive<u32> = 61_184..=65_519;

/// Why a uid or a name was not found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserError {
    /// No entry: not a user of the vault.
    Unknown,
    /// The database did not answer.
    Unavailable(String),
}

type Answer = Result<Arc<str>, UserError>;

struct Entry {
    since: Instant,
    answer: Arc<OnceCell<Answer>>,
}

impl Entry {
    fn keep(&self) -> Duration {
        match self.answer.get() {
            Some(Err(_)) => KEEP_UNKNOWN,
            _ => KEEP,
        }
    }
}

/// The user database, seen through a cache.
pub struct Users {
    names: Mutex<HashMap<u32, Entry>>,
    threads: Arc<Semaphore>,
}

impl Default for Users {
    fn default() -> Self {
        Self { names: Mutex::default(), threads: Arc::new(Semaphore::new(THREADS)) }
    }
}

impl Users {
    /// The name of a uid.
    ///
    /// # Errors
    /// [`UserError::Unknown`] without an entry, also for dynamic users; [`UserError::Unavailable`] while the database does not
    /// answer.
    pub async fn name(&self, uid: u32) -> Answer {
        if DYNAMIC_UIDS.contains(&uid) {
            return Err(UserError::Unknown);
        }
        let answer = self.entry(uid);
        let found = answer.get_or_init(|| self.look_up(move || name_of(uid))).await.clone();
        if matches!(found, Err(UserError::Unavailable(_))) {
            // It thaws by itself: the next call asks again.
            self.forget(uid, &answer);
        }
        found
    }

    /// The uid of a name.
    ///
    /// # Errors
    /// As [`Users::name`].
    pub async fn uid(&self, name: &str) -> Result<u32, UserError> {
        let name = name.to_owned();
        self.look_up(move || match User::from_name(&name) {
            Ok(Some(user)) => Ok(user.uid.as_raw()),
            Ok(None) => Err(UserError::Unknown),
            Err(error) => Err(failed(error)),
        })
        .await
    }

    fn entry(&self, uid: u32) -> Arc<OnceCell<Answer>> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = names.get(&uid)
            && entry.since.elapsed() < entry.keep()
        {
            return Arc::clone(&entry.answer);
        }
        if names.len() >= CACHE_MAX {
            names.clear();
        }
        let answer = Arc::new(OnceCell::new());
        names.insert(uid, Entry { since: Instant::now(), answer: Arc::clone(&answer) });
        answer
    }

    fn forget(&self, uid: u32, answer: &Arc<OnceCell<Answer>>) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.get(&uid).is_some_and(|entry| Arc::ptr_eq(&entry.answer, answer)) {
            names.remove(&uid);
        }
    }

    async fn look_up<T: Send + 'static>(
        &self,
        ask: impl FnOnce() -> Result<T, UserError> + Send + 'static,
    ) -> Result<T, UserError> {
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

fn name_of(uid: u32) -> Answer {
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => Ok(user.name.into()),
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
