//! What the connections of one uid hold of the daemon's descriptors, together.
//!
//! Two kinds are counted: those that came with calls which have no reply yet, and those under way in replies that nobody has
//! read. The kernel counts the latter against all the daemon may have under way, and only the client's end can take them
//! back: closing ours leaves them where they are. Whoever has its share waits with its calls, or is refused its values.

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::wire::Wire;
use crate::sys::socket;

/// The least memory the kernel uses for a reply with a value on its way. Its fields alone make it longer than what would
/// take less.
const LEAST_REPLY: usize = 1024;

/// The accounts of all uids that are connected, or have calls without a reply.
#[derive(Default)]
pub(super) struct Accounts(Mutex<HashMap<u32, Weak<Account>>>);

impl Accounts {
    /// The account of a uid; a new one has room for `most` descriptors of each kind.
    pub(super) fn of(&self, uid: u32, most: usize) -> Arc<Account> {
        let mut accounts = lock(&self.0);
        if let Some(account) = accounts.get(&uid).and_then(Weak::upgrade) {
            return account;
        }
        accounts.retain(|_, account| account.strong_count() > 0);
        let account = Arc::new(Account::new(most));
        accounts.insert(uid, Arc::downgrade(&account));
        account
    }
}

/// One uid's account.
pub(super) struct Account {
    most: usize,
    incoming: Arc<Semaphore>,
    /// Descriptors sent since the connections were looked at, and those that were unread then: never less than are under way.
    outgoing: AtomicUsize,
    wires: Mutex<Vec<Weak<Wire>>>,
}

impl Account {
    fn new(most: usize) -> Self {
        let incoming = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
        Self { most, incoming, outgoing: AtomicUsize::new(0), wires: Mutex::default() }
    }

    /// Counts a connection's descriptors here from now on.
    pub(super) fn join(&self, wire: &Arc<Wire>) {
        let mut wires = lock(&self.wires);
        wires.retain(|wire| wire.strong_count() > 0);
        wires.push(Arc::downgrade(wire));
    }

    /// Waits until there is room for the descriptors of a call.
    pub(super) async fn take_in(&self, count: usize) -> Option<OwnedSemaphorePermit> {
        let count = u32::try_from(count.min(self.most)).ok().filter(|count| *count > 0)?;
        // It is never closed.
        Arc::clone(&self.incoming).acquire_many_owned(count).await.ok()
    }

    /// Whether a descriptor may go out; if so, it is counted.
    pub(super) fn let_out(&self) -> bool {
        // Most often this is all: the connections are looked at once in as many replies as may be under way.
        let counted = self.outgoing.fetch_add(1, Ordering::Relaxed);
        if counted < self.most || self.look() < self.most {
            return true;
        }
        self.outgoing.fetch_sub(1, Ordering::Relaxed);
        false
    }

    /// How many may be under way, as the kernel sees it.
    fn look(&self) -> usize {
        let wires = lock(&self.wires);
        let counted = self.outgoing.load(Ordering::Relaxed);
        let unread = wires.iter().filter_map(Weak::upgrade).map(|wire| unread_replies(&wire.socket)).sum();
        // What was sent meanwhile stays counted.
        self.outgoing.fetch_sub(counted.saturating_sub(unread), Ordering::Relaxed);
        unread
    }
}

/// At most as many replies with a value lie unread at the other end.
fn unread_replies(socket: impl AsFd) -> usize {
    // What cannot be asked is no socket of a client.
    socket::unread(socket).unwrap_or(0).div_ceil(LEAST_REPLY)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while a lock is held.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_lasts_as_long_as_something_is_on_it() {
        let accounts = Accounts::default();
        let account = accounts.of(7, 1);
        assert!(Arc::ptr_eq(&account, &accounts.of(7, 1)));
        assert!(!Arc::ptr_eq(&account, &accounts.of(8, 1)));
        drop(account);
        let _other = accounts.of(9, 1);
        assert_eq!(lock(&accounts.0).len(), 1);
    }

    #[tokio::test]
    async fn whoever_has_its_share_waits() {
        let account = Account::new(2);
        assert!(account.take_in(0).await.is_none(), "nothing costs nothing");
        // More than there is room for is let in when nothing else is.
        let held = account.take_in(5).await;
        assert_eq!(account.incoming.available_permits(), 0);
        drop(held);
        assert_eq!(account.incoming.available_permits(), 2);
    }

    #[test]
    fn what_nobody_holds_up_is_not_refused() {
        let account = Account::new(2);
        assert!((0..100).all(|_| account.let_out()));
    }
}
