//! The user database: names of uids, uids of names.
//!
//! A directory service may hang: look-ups run on threads of their own, few at a time, one per uid, with a deadline, and what
//! was found is kept for a minute, or until somebody edits this machine's own users; ten minutes longer while the directory
//! does not answer. A uid without an entry is not a user of the vault. Root is root, whatever the database says.

use std::ffi::CString;
use std::sync::Arc;

use nix::errno::Errno;
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};

use super::cache::{Cache, DEADLINE, THREADS};
use super::local::LocalFile;
use super::{Turn, Turns};

/// UIDs systemd gives to dynamic users: never the same user twice.
const DYNAMIC_UIDS: std::ops::RangeInclusive<u32> = 61_184..=65_519;

/// This machine's own users and groups.
const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";
/// Fields of their lines.
const NAME_FIELD: usize = 0;
const UID_FIELD: usize = 2;

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
    root: Arc<str>,
    names: Cache<u32, Arc<str>>,
    uids: Cache<String, u32>,
    gids: Cache<String, u32>,
    /// Names of uids that callers choose.
    chosen: Cache<u32, Arc<str>>,
    groups: Cache<u32, Arc<[u32]>>,
    /// Of those who ask for uids.
    turns: Turns,
}

impl Default for Users {
    fn default() -> Self {
        Self {
            root: "root".into(),
            names: Cache::new(LocalFile::new(PASSWD, UID_FIELD)),
            uids: Cache::new(LocalFile::new(PASSWD, NAME_FIELD)),
            gids: Cache::new(LocalFile::new(GROUP, NAME_FIELD)),
            chosen: Cache::new(LocalFile::new(PASSWD, UID_FIELD)),
            groups: Cache::new(LocalFile::new(GROUP, NAME_FIELD)),
            turns: Turns::of(2 * THREADS),
        }
    }
}

impl Users {
    /// The name of a uid.
    ///
    /// # Errors
    /// [`UserError::Unknown`] without an entry, also for dynamic users; [`UserError::Unavailable`] while the database does not
    /// answer.
    pub async fn name(&self, uid: u32) -> Result<Arc<str>, UserError> {
        if uid == 0 {
            return Ok(Arc::clone(&self.root));
        }
        if DYNAMIC_UIDS.contains(&uid) {
            return Err(UserError::Unknown);
        }
        self.names.get(uid, move || found(User::from_uid(Uid::from_raw(uid)), |user| user.name.into())).await
    }

    /// The name of a uid, if it is known without asking anybody.
    pub fn known_name(&self, uid: u32) -> Option<Arc<str>> {
        if uid == 0 { Some(Arc::clone(&self.root)) } else { self.names.kept(&uid) }
    }

    /// Whether a uid had a name within the last hour.
    pub fn remembers(&self, uid: u32) -> bool {
        uid == 0 || self.names.remembers(&uid)
    }

    /// The uid of a name, for `asker`: one look-up at a time for each, so that none takes every thread.
    ///
    /// # Errors
    /// As [`Users::name`].
    pub async fn uid(&self, asker: u32, name: &str) -> Result<u32, UserError> {
        let asked = name.to_owned();
        self.uid_by(asker, name, move || found(User::from_name(&asked), |user| user.uid.as_raw())).await
    }

    async fn uid_by(
        &self,
        asker: u32,
        name: &str,
        ask: impl FnOnce() -> Result<u32, UserError> + Send + 'static,
    ) -> Result<u32, UserError> {
        let name = name.to_owned();
        if let Some(uid) = self.uids.kept(&name) {
            return Ok(uid);
        }
        let turn = self.turn(asker).await?;
        let ask = move || {
            let answer = ask();
            // It goes with the thread: the next look-up waits also when nobody waits for this one any more.
            drop(turn);
            answer
        };
        self.uids.get(name, ask).await
    }

    /// A turn at the user database, for somebody who chooses what is looked up.
    async fn turn(&self, asker: u32) -> Result<Turn, UserError> {
        let hangs = |_| UserError::Unavailable("the user database does not answer to what was asked before".into());
        let turn = tokio::time::timeout(DEADLINE, self.turns.take(asker)).await.map_err(hangs)?;
        turn.map_err(|error| UserError::Unavailable(error.to_string()))
    }

    /// The gid of a group's name, for `asker`: one look-up at a time for each, as with [`Users::uid`].
    ///
    /// # Errors
    /// As [`Users::name`].
    pub async fn gid_for(&self, asker: u32, name: &str) -> Result<u32, UserError> {
        if let Some(gid) = self.gids.kept(&name.to_owned()) {
            return Ok(gid);
        }
        let turn = self.turn(asker).await?;
        let asked = name.to_owned();
        let ask = move || {
            let answer = found(Group::from_name(&asked), |group| group.gid.as_raw());
            drop(turn);
            answer
        };
        self.gids.get(name.to_owned(), ask).await
    }

    /// The name of a uid that `asker` has chosen: one look-up at a time for each, as with [`Users::uid`].
    ///
    /// # Errors
    /// As [`Users::name`].
    pub async fn name_for(&self, asker: u32, uid: u32) -> Result<Arc<str>, UserError> {
        if let Some(name) = self.known_name(uid) {
            return Ok(name);
        }
        if DYNAMIC_UIDS.contains(&uid) {
            return Err(UserError::Unknown);
        }
        let turn = self.turn(asker).await?;
        let ask = move || {
            let answer = found(User::from_uid(Uid::from_raw(uid)), |user| user.name.into());
            drop(turn);
            answer
        };
        self.chosen.get(uid, ask).await
    }

    /// The groups the database puts a uid in, its primary one included.
    ///
    /// # Errors
    /// As [`Users::name`].
    pub async fn groups(&self, uid: u32) -> Result<Arc<[u32]>, UserError> {
        let ask = move || {
            let user = found(User::from_uid(Uid::from_raw(uid)), |user| user)?;
            let name = CString::new(user.name).map_err(|_| UserError::Unknown)?;
            let gids = getgrouplist(&name, user.gid).map_err(failed)?;
            Ok(gids.into_iter().map(Gid::as_raw).collect())
        };
        self.groups.get(uid, ask).await
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

fn found<T, V>(entry: nix::Result<Option<T>>, take: impl FnOnce(T) -> V) -> Result<V, UserError> {
    match entry {
        Ok(Some(entry)) => Ok(take(entry)),
        Ok(None) => Err(UserError::Unknown),
        Err(error) => Err(failed(error)),
    }
}

/// That there is no such entry the database says without an error. getpwnam_r(3) lets it say so with one too, ENOENT among
/// them, but a directory that is down is told by the same: its word counts for nothing either way.
fn failed(error: Errno) -> UserError {
    UserError::Unavailable(format!("the user database answers: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn root_is_known_and_a_free_uid_is_not() {
        let users = Users::default();
        assert_eq!(users.name(0).await.as_deref(), Ok("root"));
        assert_eq!(users.name(3_999_999_999).await, Err(UserError::Unknown));
        assert_eq!(users.uid(7, "root").await, Ok(0));
        assert_eq!(users.uid(7, "no such user here").await, Err(UserError::Unknown));
    }

    #[tokio::test]
    async fn groups_and_chosen_uids_are_those_of_the_database() {
        let users = Users::default();
        let root = users.groups(0).await.unwrap();
        assert!(root.contains(&0), "{root:?}");
        assert_eq!(users.groups(3_999_999_999).await, Err(UserError::Unknown));
        assert_eq!(users.name_for(7, 0).await.as_deref(), Ok("root"));
        assert_eq!(users.name_for(7, 1).await.as_deref(), Ok("daemon"));
        for uid in [3_999_999_999, 61_184] {
            assert_eq!(users.name_for(7, uid).await, Err(UserError::Unknown));
        }
    }

    #[test]
    fn no_error_says_that_there_is_no_entry() {
        for error in [Errno::ENOENT, Errno::ESRCH, Errno::ECONNREFUSED, Errno::EAGAIN] {
            assert!(matches!(found::<(), ()>(Err(error), drop), Err(UserError::Unavailable(_))), "{error}");
        }
        assert_eq!(found::<(), ()>(Ok(None), drop), Err(UserError::Unknown));
    }

    #[tokio::test]
    async fn dynamic_users_are_never_known() {
        assert_eq!(Users::default().name(61_184).await, Err(UserError::Unknown));
    }

    #[tokio::test]
    async fn who_asks_for_names_that_hang_has_one_thread() {
        let users = Users::default();
        let (_hold, held) = std::sync::mpsc::channel::<()>();
        let hangs = move || {
            held.recv().ok();
            Err(UserError::Unknown)
        };
        let (first, second, others) = tokio::join!(
            users.uid_by(7, "hangs", hangs),
            users.uid_by(7, "waits", || panic!("two look-ups at a time")),
            users.uid_by(8, "answers", || Ok(9)),
        );
        assert!(matches!(first, Err(UserError::Unavailable(_))), "{first:?}");
        assert!(matches!(second, Err(UserError::Unavailable(_))), "{second:?}");
        assert_eq!(others, Ok(9));
        assert_eq!(users.uid_by(7, "answers", || Err(UserError::Unknown)).await, Ok(9), "what is kept needs no turn");
    }
}
