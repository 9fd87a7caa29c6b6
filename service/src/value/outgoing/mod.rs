//! A value on its way to a caller: written whole into a pipe whose read end goes into the reply.
//!
//! A reply that nobody reads must cost nothing for long: a second descriptor of the read end stays here, and five seconds
//! after the reader's last progress the pipe is emptied. Each uid has a number of unread pipes and a part of their bytes;
//! pipes that were read are let go as new ones are made, so a well-behaved caller meets no limit at any rate. On the bus each
//! uid has a few places as well. Calls wait for either in the order they came, but not for long: that many callers come
//! before the first of their readers gets to read is no reason to refuse one. Two timers serve all pipes: one takes back what
//! is not read, one looks for what is free while somebody waits.

mod bus;
mod chunks;
mod claim;
mod feeder;
mod finder;
mod ledger;
mod place;
mod quota;
mod reservation;
mod sweep;
mod waiters;

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokenvault_core::port::{SecretMemory, SecretMemoryExhausted};
use tokio::sync::Notify;

use self::bus::PlaceId;
pub use self::chunks::{Chunks, Next};
pub use self::claim::Claim;
use self::ledger::{Ledger, Looked};
pub use self::place::BusPlace;
use self::quota::Claimed;
pub use self::reservation::{Filled, Reservation};

use super::portion::{self, OverPortion, Portion, Portions};
use crate::caller::Turns;
use crate::sys::pipe;

/// Old pipes looked at for a uid at its limit, in turns: some of them may have been read behind one that was not.
const LOOKS_AT_LIMIT: usize = 32;

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
    /// Too many values of the uid may lie unread in the bus (`bus-values`).
    #[error("too many values of this user lie unread in the bus; read them and retry")]
    Bus,
    /// The uid has too much in secret memory.
    #[error(transparent)]
    Portion(#[from] OverPortion),
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
            SendError::Bus => Self::LimitsExceeded {
                limit: "bus-values",
                retry: "read the values you asked for over the bus and close their pipes, or ask at the private socket"
                    .into(),
            },
            SendError::Portion(error) => error.into(),
            SendError::Io(_) => Self::Unavailable(format!("{error}; retry")),
            SendError::Memory(error) => error.into(),
        }
    }
}

/// All values on their way out. A clone is another handle to the same pipes.
#[derive(Clone)]
pub struct Pipes(Arc<Shared>);

/// How many chunks are read at one time.
const CHUNK_READERS: usize = 2;

struct Shared {
    ledger: Mutex<Ledger>,
    memory: Arc<dyn SecretMemory>,
    portions: Portions,
    nowhere: File,
    /// Threads that read chunks, fewer than the store has readers.
    turns: Turns,
    /// Told of a pipe that may have to be taken back.
    held: Arc<Notify>,
    /// Told of a call that waits.
    waits: Arc<Notify>,
}

impl Pipes {
    /// No pipes yet. The timers run on the current runtime until the last handle is gone.
    ///
    /// # Errors
    /// `/dev/null` cannot be opened.
    pub fn new(limits: PipeLimits, memory: Arc<dyn SecretMemory>) -> io::Result<Self> {
        let (held, waits) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let shared = Arc::new(Shared {
            ledger: Mutex::new(Ledger::new(limits)),
            memory,
            portions: Portions::new(portion::MOST),
            turns: Turns::of(CHUNK_READERS),
            nowhere: File::options().write(true).open("/dev/null")?,
            held: Arc::clone(&held),
            waits: Arc::clone(&waits),
        });
        tokio::spawn(sweep::withdraw_unread(Arc::downgrade(&shared), held));
        tokio::spawn(finder::find_free(Arc::downgrade(&shared), waits));
        Ok(Self(shared))
    }

    /// Other limits from now on; what is under way or claimed stays.
    pub fn set_limits(&self, limits: PipeLimits) {
        self.0.ledger().set_limits(limits);
    }

    /// A pipe for the answer to a call of `uid`, before the call is worked on. Waits a moment while the user has as many unread
    /// as it may have, unless another of its calls has just done so in vain.
    ///
    /// # Errors
    /// [`SendError::Limit`].
    pub async fn claim(&self, uid: u32) -> Result<Claim, SendError> {
        claim::claim(&self.0, uid).await
    }

    /// A place for one descriptor on its way over the bus to `uid`, and its pipe claimed. Waits a moment while the user has as
    /// many as it may have.
    ///
    /// # Errors
    /// [`SendError::Bus`], [`SendError::Limit`].
    pub async fn bus_place(&self, uid: u32) -> Result<BusPlace, SendError> {
        place::take(&self.0, uid).await
    }

    /// The same if one is free at first sight; nobody waits for one then, and nothing is claimed.
    pub fn free_bus_place(&self, uid: u32) -> Option<BusPlace> {
        place::free(&self.0, uid, 1)
    }

    /// Room for a value of `len` bytes on its way to `uid`, with its place on the bus where it goes there. Comes before the
    /// value is made or decrypted: who reads nothing costs nothing. The call has claimed its pipe.
    ///
    /// # Errors
    /// [`SendError::Limit`], [`SendError::Portion`].
    pub fn reserve(&self, uid: u32, len: usize, place: Option<BusPlace>) -> Result<Reservation, SendError> {
        self.reserve_room(uid, len, place, Claimed::Yes)
    }

    /// The same of what no other call has claimed or waits for.
    ///
    /// # Errors
    /// [`SendError::Limit`], [`SendError::Portion`].
    pub fn reserve_free(&self, uid: u32, len: usize, place: Option<BusPlace>) -> Result<Reservation, SendError> {
        self.reserve_room(uid, len, place, Claimed::No)
    }

    fn reserve_room(
        &self,
        uid: u32,
        len: usize,
        mut place: Option<BusPlace>,
        claimed: Claimed,
    ) -> Result<Reservation, SendError> {
        let cost = len.max(1).checked_next_multiple_of(pipe::PAGE).ok_or(SendError::Limit)?;
        let portion = self.portion_for(uid, len)?;
        for turn in 0..=LOOKS_AT_LIMIT {
            let mut ledger = self.0.ledger();
            let looked = ledger.look(uid, turn);
            let admitted = ledger.admit(uid, cost, claimed);
            // What was read is closed without the lock.
            drop(ledger);
            if let Some(admitted) = admitted {
                place.iter_mut().for_each(BusPlace::let_go_of_claim);
                return Ok(Reservation::new(Arc::clone(&self.0), uid, admitted, portion, place));
            }
            if matches!(looked, Looked::Nothing) {
                break;
            }
        }
        Err(SendError::Limit)
    }

    /// What the values of a uid may take of secret memory, those on their way in included; nothing is in it yet.
    pub fn portion_of(&self, uid: u32) -> Portion {
        self.0.portions.of(uid)
    }

    /// The portion of a value of `len` bytes.
    ///
    /// # Errors
    /// [`OverPortion`].
    pub fn portion_for(&self, uid: u32, len: usize) -> Result<Portion, OverPortion> {
        let mut portion = self.portion_of(uid);
        portion.resize(len)?;
        Ok(portion)
    }

    /// Unread pipes and their bytes, over all uids.
    #[cfg(test)]
    pub(crate) fn unread(&self) -> (usize, usize) {
        self.0.ledger().totals()
    }
}

impl Shared {
    /// Nothing panics while this lock is held; if something did, the books are still the best there are.
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Empties a pipe from our side; its reader finds the end. On the bus it keeps its place while it may lie there.
    fn withdraw(&self, uid: u32, read: OwnedFd, place: Option<PlaceId>) {
        while matches!(pipe::move_now(&read, self.nowhere.as_fd(), 16 * pipe::PAGE), Ok(moved) if moved > 0) {}
        let Some(place) = place else { return };
        let handle = pipe::handle(&read);
        drop(read);
        match handle {
            Ok(handle) if pipe::has_reader(&handle) => self.ledger().bus.withdraw(uid, place, handle),
            // Nobody can read it any more; or it cannot be found again: better a place too many than one that is lost.
            _ => self.ledger().bus.let_go(uid, place),
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.held.notify_one();
        self.waits.notify_one();
    }
}

#[cfg(test)]
mod tests;
