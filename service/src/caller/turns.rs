//! Turns at work that is dear: of each uid a little at a time, of all together no more than there are threads for it, so that no
//! uid takes all there is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokenvault_core::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Threads that such work may take at one time.
const THREADS: usize = 4;
/// Uids remembered; past it those that wait for nothing are forgotten.
const IDLE_UIDS_MAX: usize = 1_024;

/// Who is at work. Waiting is bounded by the calls a uid may have in flight.
pub struct Turns {
    threads: Arc<Semaphore>,
    /// Turns that a uid has at one time.
    of_each: usize,
    uids: Mutex<HashMap<u32, Arc<Semaphore>>>,
}

/// A turn; the next one comes when it is dropped.
pub struct Turn {
    _thread: OwnedSemaphorePermit,
    _uid: OwnedSemaphorePermit,
}

impl Default for Turns {
    fn default() -> Self {
        Self::of(THREADS)
    }
}

impl Turns {
    /// Turns at so many threads.
    pub fn of(threads: usize) -> Self {
        Self { threads: Arc::new(Semaphore::new(threads)), of_each: 1, uids: Mutex::default() }
    }

    /// So many turns of each uid, at work that takes no thread.
    pub fn of_each(of_each: usize) -> Self {
        Self { of_each, ..Self::of(Semaphore::MAX_PERMITS) }
    }

    /// Waits for a turn of `uid`: first among its own calls, then among the uids.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the daemon is stopping.
    pub async fn take(&self, uid: u32) -> Result<Turn, Error> {
        let stopping = |_| Error::Unavailable("the vault is stopping; retry".into());
        let _uid = self.of_uid(uid).acquire_owned().await.map_err(stopping)?;
        let _thread = Arc::clone(&self.threads).acquire_owned().await.map_err(stopping)?;
        Ok(Turn { _thread, _uid })
    }

    fn of_uid(&self, uid: u32) -> Arc<Semaphore> {
        let mut uids = self.uids.lock().unwrap_or_else(PoisonError::into_inner);
        if uids.len() > IDLE_UIDS_MAX {
            uids.retain(|_, turns| Arc::strong_count(turns) > 1);
        }
        Arc::clone(uids.entry(uid).or_insert_with(|| Arc::new(Semaphore::new(self.of_each))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_uid_has_one_turn_and_leaves_the_others_theirs() {
        let turns = Turns::default();
        let first = turns.take(7).await.unwrap();
        let mut second = Box::pin(turns.take(7));
        assert!(futures_now(&mut second).await.is_none(), "its second call waits");
        assert!(turns.take(8).await.is_ok(), "another uid does not");
        drop(first);
        assert!(second.await.is_ok());
    }

    #[tokio::test]
    async fn where_a_uid_has_more_turns_than_one_it_waits_for_the_next() {
        let turns = Turns::of_each(2);
        let (first, _second) = (turns.take(7).await.unwrap(), turns.take(7).await.unwrap());
        let mut third = Box::pin(turns.take(7));
        assert!(futures_now(&mut third).await.is_none());
        let others: Vec<_> = (8..20).map(|uid| turns.take(uid)).collect();
        for other in others {
            assert!(futures_now(&mut Box::pin(other)).await.is_some(), "no other uid waits");
        }
        drop(first);
        assert!(third.await.is_ok());
    }

    async fn futures_now<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        std::future::poll_fn(|context| match std::pin::Pin::new(&mut *future).poll(context) {
            std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
            std::task::Poll::Pending => std::task::Poll::Ready(None),
        })
        .await
    }
}
