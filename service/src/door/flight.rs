//! Calls of one connection that have no reply yet.
//!
//! zbus gives each call a task of its own, so without a bound a client that never reads its replies would grow the daemon
//! as fast as it can write. The reader takes a ticket for each call, and it is given back when the reply is written:
//! a client that does not read has its next calls wait in its own socket.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use crate::value::Claim;

/// Bytes a call may have for each of its tickets.
const BYTES_PER_TICKET: usize = 4096;

/// What a call keeps until its reply is written.
#[derive(Default)]
pub(super) struct Kept {
    /// The room its descriptors take up.
    pub(super) taken_in: Option<OwnedSemaphorePermit>,
    /// The pipe it may be answered with.
    pub(super) claim: Option<Claim>,
}

impl Kept {
    const fn is_nothing(&self) -> bool {
        self.taken_in.is_none() && self.claim.is_none()
    }
}

/// What becomes of a reply.
pub(super) struct Landing {
    tickets: usize,
    _kept: Kept,
    /// The caller asked for no reply: it was made all the same, so that it could be counted, and goes no further.
    pub(super) swallow: bool,
}

/// The tickets of one connection.
pub(super) struct Flight {
    tickets: Semaphore,
    size: u32,
    /// Calls that cost more than one ticket, want no reply or keep something.
    special: Mutex<Vec<(u32, Landing)>>,
}

impl Flight {
    /// At most `size` calls at a time, and 4 KiB of request for each of them.
    pub(super) fn new(size: u32) -> Self {
        let size = size.max(1);
        Self { tickets: Semaphore::new(size as usize), size, special: Mutex::default() }
    }

    /// Waits until there is room for a call of `len` bytes; `false` when no more calls are taken. What is `kept` is given back
    /// with the ticket.
    pub(super) async fn take_off(&self, serial: u32, len: usize, no_reply: bool, kept: Kept) -> bool {
        let cost = u32::try_from(len / BYTES_PER_TICKET + 1).unwrap_or(u32::MAX).min(self.size);
        match self.tickets.acquire_many(cost).await {
            Ok(tickets) => tickets.forget(),
            Err(_) => return false,
        }
        if cost > 1 || no_reply || !kept.is_nothing() {
            let landing = Landing { tickets: cost as usize, _kept: kept, swallow: no_reply };
            self.special().push((serial, landing));
        }
        true
    }

    /// What to do with a reply; `serial` tells which call it answers, and is asked for only when it matters.
    pub(super) fn look_up(&self, serial: impl FnOnce() -> Option<u32>) -> Landing {
        let plain = Landing { tickets: 1, _kept: Kept::default(), swallow: false };
        let mut special = self.special();
        if special.is_empty() {
            return plain;
        }
        let serial = serial();
        let found = special.iter().position(|(call, _)| Some(*call) == serial);
        found.map_or(plain, |at| special.swap_remove(at).1)
    }

    /// The reply is written, or never will be.
    pub(super) fn land(&self, landing: Landing) {
        self.tickets.add_permits(landing.tickets);
    }

    /// A ticket for a small call that is answered before the next one is read, if one is free now.
    pub(super) fn take_one(&self) -> Option<SemaphorePermit<'_>> {
        self.tickets.try_acquire().ok()
    }

    /// Waits until every call has its reply, and takes no more.
    pub(super) async fn settle(&self) {
        let _all = self.tickets.acquire_many(self.size).await;
        self.close();
    }

    /// Takes no more calls.
    pub(super) fn close(&self) {
        self.tickets.close();
    }

    fn special(&self) -> MutexGuard<'_, Vec<(u32, Landing)>> {
        // Nothing panics while the lock is held.
        self.special.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_big_call_costs_as_much_as_many_small_ones() {
        let flight = Flight::new(64);
        assert!(flight.take_off(1, 256 * 1024, false, Kept::default()).await);
        assert_eq!(flight.tickets.available_permits(), 0);
        let landing = flight.look_up(|| Some(1));
        flight.land(landing);
        assert_eq!(flight.tickets.available_permits(), 64);
    }

    #[tokio::test]
    async fn tickets_come_back_whatever_the_numbers_of_the_calls() {
        let flight = Flight::new(64);
        for (serial, len, no_reply) in [(7, 100, true), (7, 9000, false), (7, 10, false), (8, 0, true)] {
            assert!(flight.take_off(serial, len, no_reply, Kept::default()).await);
        }
        let swallowed = [7, 7, 7, 8]
            .map(|serial| {
                let landing = flight.look_up(|| Some(serial));
                let swallow = landing.swallow;
                flight.land(landing);
                swallow
            })
            .iter()
            .filter(|swallow| **swallow)
            .count();
        assert_eq!((swallowed, flight.tickets.available_permits()), (2, 64));
    }

    #[tokio::test]
    async fn what_has_settled_takes_no_more_calls() {
        let flight = Flight::new(2);
        assert!(flight.take_off(1, 0, false, Kept::default()).await);
        let land = async {
            tokio::task::yield_now().await;
            flight.land(flight.look_up(|| Some(1)));
        };
        tokio::join!(flight.settle(), land);
        assert!(!flight.take_off(2, 0, false, Kept::default()).await);
    }
}
