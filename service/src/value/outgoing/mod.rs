//! A value on its way to a caller: written whole into a pipe whose read end goes into the reply.
//!
//! A reply that nobody reads must cost nothing for long: a second descriptor of the read end stays here, and five seconds
//! after the reader's last progress the pipe is emptied. Each uid has a number of unread pipes and a share of their bytes;
//! pipes that were read are let go as new ones are made, so a well-behaved caller meets no limit at any rate. One timer
//! serves all pipes.

mod feeder;
mod ledger;
mod posts;

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokenvault_core::Secret;
use tokenvault_core::port::{SecretMemory, SecretMemoryExhausted};
use tokio::sync::Notify;

use self::ledger::{Held, Ledger};
use self::posts::PostId;
use super::share::{self, OverShare, Share, Shares};
use crate::sys::pipe;

/// Above this many unread pipes, new ones are made as small as they can be: the kernel counts the room of all pipes of
/// the daemon's uid and gives out crippled ones when it runs out.
const CROWDED: usize = 512;

/// How long a reply waits until others of its user have been read off the bus, and between two looks at them.
const POST_PATIENCE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_millis(1));

/// How much may lie unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PipeLimits {
    /// Unread pipes of one uid (`pipes`); 0: no limit.
    pub per_uid: usize,
    /// Time without progress after which a pipe is emptied (`pipe-seconds`).
    pub withdraw_after: Duration,
    /// Unread bytes of all uids together. A uid gets at most half of what the others leave.
    pub bytes: usize,
}

impl Default for PipeLimits {
    fn default() -> Self {
        Self { per_uid: 256, withdraw_after: Duration::from_secs(5), bytes: 64 * 1024 * 1024 }
    }
}

/// Why a value could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The uid has too much unread (`pipes`).
    #[error("too many replies of this user are unread; read them and retry")]
    Limit,
    /// The uid has too much in secret memory.
    #[error(transparent)]
    Share(#[from] OverShare),
    /// No descriptor, no memory for one.
    #[error("no pipe could be made for the value: {0}")]
    Io(#[from] io::Error),
    /// No room for what did not fit into the pipe.
    #[error(transparent)]
    Memory(#[from] SecretMemoryExhausted),
}

impl From<SendError> for tokenvault_core::Error {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Limit => Self::LimitsExceeded {
                limit: "pipes",
                retry: "read the replies you have; unread ones are withdrawn after some seconds".into(),
            },
            SendError::Share(error) => error.into(),
            SendError::Io(_) => Self::Unavailable(format!("{error}; retry")),
            SendError::Memory(error) => error.into(),
        }
    }
}

/// All values on their way out. A clone is another handle to the same pipes.
#[derive(Clone)]
pub struct Pipes(Arc<Shared>);

struct Shared {
    ledger: Mutex<Ledger>,
    limits: Mutex<PipeLimits>,
    memory: Arc<dyn SecretMemory>,
    shares: Shares,
    nowhere: File,
    wake: Arc<Notify>,
}

impl Pipes {
    /// No pipes yet. The timer runs on the current runtime until the last handle is gone.
    ///
    /// # Errors
    /// `/dev/null` cannot be opened.
    pub fn new(limits: PipeLimits, memory: Arc<dyn SecretMemory>) -> io::Result<Self> {
        let wake = Arc::new(Notify::new());
        let shared = Arc::new(Shared {
            ledger: Mutex::default(),
            limits: Mutex::new(limits),
            memory,
            shares: Shares::new(share::MOST),
            nowhere: File::options().write(true).open("/dev/null")?,
            wake: Arc::clone(&wake),
        });
        tokio::spawn(withdraw_unread(Arc::downgrade(&shared), wake));
        Ok(Self(shared))
    }

    /// Other limits from now on; what is under way stays.
    pub fn set_limits(&self, limits: PipeLimits) {
        *lock(&self.0.limits) = limits;
    }

    /// A place for one descriptor on its way over the bus to `uid`. Waits a moment while the user has as many unread as it
    /// may have.
    ///
    /// # Errors
    /// [`SendError::Limit`].
    pub async fn post(&self, uid: u32) -> Result<Post, SendError> {
        let begun = Instant::now();
        loop {
            let mut read = Vec::new();
            let posted = lock(&self.0.ledger).post(uid, &mut read);
            drop(read);
            if let Some(id) = posted {
                return Ok(Post { shared: Arc::clone(&self.0), uid, id: Some(id) });
            }
            if begun.elapsed() >= POST_PATIENCE.0 {
                return Err(SendError::Limit);
            }
            tokio::time::sleep(POST_PATIENCE.1).await;
        }
    }

    /// A place for a value of `len` bytes on its way to `uid`, with its place on the bus where it goes there. Comes before the value is made or decrypted: who reads
    /// nothing costs nothing.
    ///
    /// # Errors
    /// [`SendError::Limit`], [`SendError::Share`].
    pub fn reserve(&self, uid: u32, len: usize, post: Option<Post>) -> Result<Reservation, SendError> {
        let cost = len.max(1).checked_next_multiple_of(pipe::PAGE).ok_or(SendError::Limit)?;
        let mut share = self.share_of(uid);
        share.resize(len)?;
        let limits = *lock(&self.0.limits);
        let mut read = Vec::new();
        let admitted = lock(&self.0.ledger).admit(uid, cost, &limits, &mut read);
        // Descriptors are closed after the lock is released.
        drop(read);
        if !admitted {
            return Err(SendError::Limit);
        }
        Ok(Reservation { shared: Arc::clone(&self.0), uid, cost, share, post })
    }

    /// A share of the secret memory that the values of a uid may take, those on their way in included; nothing is in it yet.
    pub fn share_of(&self, uid: u32) -> Share {
        self.0.shares.of(uid)
    }

    /// Unread pipes and their bytes, over all uids.
    pub fn unread(&self) -> (usize, usize) {
        lock(&self.0.ledger).totals()
    }
}

impl Shared {
    /// What the pipe can hold, enlarged for `len` bytes where the kernel lets us.
    fn make_room(&self, write: &OwnedFd, len: usize) -> io::Result<usize> {
        if len <= pipe::PAGE {
            // Any pipe holds a page: asking costs more than it is worth, unless pipes are getting scarce.
            let crowded = lock(&self.ledger).totals().0 > CROWDED;
            return if crowded { pipe::resize(write, pipe::PAGE) } else { Ok(pipe::PAGE) };
        }
        match pipe::capacity(write)? {
            room if room < len => pipe::resize(write, len),
            room => Ok(room),
        }
    }

    /// Empties a pipe from our side; its reader finds the end. On the bus it keeps its place while it may lie there.
    fn withdraw(&self, uid: u32, pipe: &OwnedFd, post: Option<PostId>) {
        while matches!(pipe::move_now(pipe, self.nowhere.as_fd(), 16 * pipe::PAGE), Ok(moved) if moved > 0) {}
        let Some(post) = post else { return };
        match pipe::place(pipe) {
            Ok(place) => lock(&self.ledger).posts.withdraw(uid, post, place),
            // It cannot be found again: better a place too many than one that never comes back.
            Err(_) => lock(&self.ledger).posts.let_go(uid, post),
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.wake.notify_one();
    }
}

/// A place for one pipe of a uid, given back on drop unless a pipe takes it.
pub struct Reservation {
    shared: Arc<Shared>,
    uid: u32,
    cost: usize,
    /// What the value takes of secret memory until all of it is in the pipe.
    share: Share,
    post: Option<Post>,
}

/// A place for one descriptor on the bus, given back on drop unless a descriptor takes it.
pub struct Post {
    shared: Arc<Shared>,
    uid: u32,
    id: Option<PostId>,
}

impl Drop for Post {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            lock(&self.shared.ledger).posts.let_go(self.uid, id);
        }
    }
}

impl Reservation {
    /// A pipe that holds `value`, which has the length reserved, and has ended; its read end. Never blocks.
    ///
    /// # Errors
    /// See [`SendError`].
    pub fn send(self, value: &Secret) -> Result<OwnedFd, SendError> {
        let bytes = value.expose();
        let (read, write) = pipe::new()?;
        let room = self.shared.make_room(&write, bytes.len())?;
        let kept = read.try_clone()?;
        match bytes.split_at_checked(room) {
            Some((first, rest)) if !rest.is_empty() => self.feed(kept, write, first, rest)?,
            _ => {
                // The pipe is empty and has room for all of it: this does not block.
                File::from(write).write_all(bytes)?;
                self.hold(kept, bytes.len());
            }
        }
        Ok(read)
    }

    /// Writes `first` now and leaves `rest` to a task of its own. Tasks are not counted: each has a pipe and a share, which
    /// are. When someone has used up what the kernel gives the daemon's pipes, every long value needs one.
    fn feed(mut self, kept: OwnedFd, write: OwnedFd, first: &[u8], rest: &[u8]) -> Result<(), SendError> {
        self.share.resize(rest.len())?;
        let rest = Secret::copy_from(self.shared.memory.as_ref(), rest)?;
        pipe::set_nonblocking(&write)?;
        let mut write = File::from(write);
        write.write_all(first)?;
        let patience = lock(&self.shared.limits).withdraw_after;
        tokio::spawn(feeder::feed(write.into(), rest, kept, patience, self));
        Ok(())
    }

    /// Empties a pipe that went out and was not read in time.
    fn withdraw(mut self, pipe: &OwnedFd) {
        let post = self.take_post();
        self.shared.withdraw(self.uid, pipe, post);
    }

    /// The descriptor is out of our hands: its place is not given back on drop any more.
    fn take_post(&mut self) -> Option<PostId> {
        self.post.as_mut().and_then(|post| post.id.take())
    }

    /// Leaves the place to a pipe that waits to be read.
    fn hold(mut self, pipe: OwnedFd, len: usize) {
        let withdraw_at = Instant::now() + lock(&self.shared.limits).withdraw_after;
        let post = self.take_post();
        let held = Held { pipe, cost: std::mem::take(&mut self.cost), left: len, withdraw_at, post };
        lock(&self.shared.ledger).hold(self.uid, held);
        self.shared.wake.notify_one();
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.cost > 0 {
            lock(&self.shared.ledger).release(self.uid, self.cost);
        }
    }
}

/// The one timer: looks at all unread pipes every so often, and sleeps while there are none.
async fn withdraw_unread(shared: Weak<Shared>, wake: Arc<Notify>) {
    loop {
        wake.notified().await;
        loop {
            let Some(tick) = shared.upgrade().map(|shared| lock(&shared.limits).withdraw_after / 10) else { return };
            tokio::time::sleep(tick.clamp(Duration::from_millis(10), Duration::from_millis(500))).await;
            let Some(shared) = shared.upgrade() else { return };
            let (mut read, mut overdue) = (Vec::new(), Vec::new());
            let patience = lock(&shared.limits).withdraw_after;
            let empty = lock(&shared.ledger).sweep_all(patience, &mut read, &mut overdue);
            overdue.iter().for_each(|(uid, held)| shared.withdraw(*uid, &held.pipe, held.post));
            if empty {
                break;
            }
        }
    }
}

/// Nothing panics while one of these locks is held; if something did, the books are still the best there are.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
