//! From room for a value to a pipe that holds it, and to one that was handed out.
//!
//! The time a reader has begins when the pipe is handed out: a version that is stored in between may take its time.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokenvault_core::Secret;

use super::bus::PlaceId;
use super::chunks::{Chunks, Rest};
use super::ledger::{Admitted, Held};
use super::place::BusPlace;
use super::portion::Portion;

use super::{SendError, Shared, feeder};
use crate::caller::Turn;
use crate::sys::pipe;

/// Room for one pipe of a uid, given back on drop unless a pipe takes it.
pub struct Reservation {
    shared: Arc<Shared>,
    uid: u32,
    admitted: Admitted,
    /// What the value takes of secret memory until all of it is in the pipe.
    portion: Portion,
    place: Option<BusPlace>,
}

/// A pipe that holds a value, or its beginning, and that nobody else has yet.
pub struct Filled {
    reserved: Reservation,
    read: OwnedFd,
    kept: OwnedFd,
    len: usize,
    /// What did not fit, and where it goes.
    rest: Option<(OwnedFd, Rest)>,
}

impl Reservation {
    pub(super) const fn new(
        shared: Arc<Shared>,
        uid: u32,
        admitted: Admitted,
        portion: Portion,
        place: Option<BusPlace>,
    ) -> Self {
        Self { shared, uid, admitted, portion, place }
    }

    /// Waits for the turn of its reader to have a chunk read.
    pub(super) async fn turn(&self) -> io::Result<Turn> {
        self.shared.turns.take(self.uid).await.map_err(io::Error::other)
    }

    /// A pipe that holds `value`, which has the length reserved, and has ended; its read end. Never blocks.
    ///
    /// # Errors
    /// See [`SendError`].
    pub fn send(self, value: &Secret) -> Result<OwnedFd, SendError> {
        Ok(self.fill(value)?.hand_out())
    }

    /// The same in two steps. Never blocks.
    ///
    /// # Errors
    /// See [`SendError`].
    pub fn fill(self, value: &Secret) -> Result<Filled, SendError> {
        let (read, write) = pipe::new()?;
        let room = self.make_room(&write, value.len())?;
        self.fill_pipe((read, write), room, value)
    }

    /// A pipe for a value in chunks, of which the room reserved is for one; its read end. What comes after the `first` is asked for
    /// as it is read.
    ///
    /// # Errors
    /// See [`SendError`].
    pub fn send_chunks(self, first: Secret, then: impl Chunks) -> Result<OwnedFd, SendError> {
        let (read, write) = pipe::new()?;
        let (kept, len) = (read.try_clone()?, first.len());
        pipe::set_nonblocking(&write)?;
        let rest = Some((write, Rest { now: first, then: Some(Box::new(then)) }));
        Ok(Filled { reserved: self, read, kept, len, rest }.hand_out())
    }

    /// Fills a pipe that is empty and has `room`. What does not fit stays in memory for a task to write as it is read. Tasks are
    /// not counted: each has a pipe and a portion, which are. When someone has used up what the kernel gives the daemon's
    /// pipes, every long value needs one.
    pub(super) fn fill_pipe(
        mut self,
        (read, write): (OwnedFd, OwnedFd),
        room: usize,
        value: &Secret,
    ) -> Result<Filled, SendError> {
        let (kept, len) = (read.try_clone()?, value.len());
        let mut write = File::from(write);
        let rest = match value.expose().split_at_checked(room) {
            Some((first, rest)) if !rest.is_empty() => {
                self.portion.resize(rest.len())?;
                let rest = Secret::copy_from(self.shared.memory.as_ref(), rest)?;
                pipe::set_nonblocking(&write)?;
                write.write_all(first)?;
                Some((write.into(), Rest { now: rest, then: None }))
            }
            _ => {
                // The pipe is empty and has room for all of it: this does not block.
                write.write_all(value.expose())?;
                self.portion.clear();
                None
            }
        };
        Ok(Filled { reserved: self, read, kept, len, rest })
    }

    /// What the pipe can hold, enlarged for `len` bytes where the kernel lets us.
    fn make_room(&self, write: &OwnedFd, len: usize) -> io::Result<usize> {
        if len <= pipe::PAGE {
            // Any pipe holds a page: asking costs more than it is worth, unless pipes are getting scarce.
            return if self.admitted.crowded { pipe::resize(write, pipe::PAGE) } else { Ok(pipe::PAGE) };
        }
        match pipe::capacity(write)? {
            room if room < len => pipe::resize(write, len),
            room => Ok(room),
        }
    }

    pub(super) const fn patience(&self) -> Duration {
        self.admitted.patience
    }

    /// Empties a pipe that went out and was not read in time.
    pub(super) fn withdraw(mut self, pipe: OwnedFd) {
        let place = self.take_place();
        self.shared.withdraw(self.uid, pipe, place);
        // The timer may sleep: this pipe was never held.
        self.shared.held.notify_one();
    }

    /// The descriptor is out of our hands: its place is not given back on drop any more.
    fn take_place(&mut self) -> Option<PlaceId> {
        self.place.as_mut().and_then(BusPlace::take)
    }

    /// Leaves the room to a pipe that waits to be read.
    pub(super) fn hold(mut self, pipe: OwnedFd, left: usize) {
        let withdraw_at = Instant::now() + self.patience();
        let (cost, place) = (std::mem::take(&mut self.admitted.cost), self.take_place());
        let held = Held { pipe, cost, left, withdraw_at, place };
        let mut ledger = self.shared.ledger();
        // The second look for a new pipe, after the one when it was admitted: those that were read go faster than new ones
        // come.
        let looked = ledger.look(self.uid, 0);
        ledger.hold(self.uid, held);
        // What was read is closed without the lock.
        drop(ledger);
        drop(looked);
        self.shared.held.notify_one();
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.admitted.cost > 0 {
            self.shared.ledger().release(self.uid, self.admitted.cost);
        }
    }
}

impl Filled {
    /// The read end, for a reply that leaves now: from here on its reader has to make progress.
    pub fn hand_out(self) -> OwnedFd {
        let Self { reserved, read, kept, len, rest } = self;
        match rest {
            Some((entrance, rest)) => {
                let patience = reserved.patience();
                tokio::spawn(feeder::feed(entrance, rest, kept, patience, reserved));
            }
            None => reserved.hold(kept, len),
        }
        read
    }
}
