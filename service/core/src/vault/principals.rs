//! Principals kept unwrapped, so that a request does not open one anew.
//!
//! What is found here is what the store would answer: while a principal is changed it is not kept, and what was read before
//! the change began or ended is not kept either.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::OpenVault;
use crate::principal::Principal;

/// Principals kept at most; past it everything starts over.
const KEPT_MAX: usize = 4_096;

#[derive(Default)]
struct Books {
    kept: HashMap<u32, Arc<Principal>>,
    /// Changes under way, by uid.
    changing: HashMap<u32, u32>,
    /// Changes that have ended.
    changes: u64,
}

/// The principals of an open vault.
#[derive(Default)]
pub(super) struct Principals(RwLock<Books>);

/// When a principal began to be read.
#[derive(Clone, Copy)]
pub(super) struct Ticket(u64);

impl Principals {
    pub(super) fn find(&self, uid: u32) -> Option<Arc<Principal>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).kept.get(&uid).cloned()
    }

    /// To be had before a principal is read that is to be kept.
    pub(super) fn ticket(&self) -> Ticket {
        Ticket(self.0.read().unwrap_or_else(PoisonError::into_inner).changes)
    }

    /// Keeps what was read, unless it may have changed since.
    pub(super) fn keep(&self, ticket: Ticket, principal: &Arc<Principal>) {
        let mut books = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if books.changes != ticket.0 || books.changing.contains_key(&principal.uid) {
            return;
        }
        if books.kept.len() >= KEPT_MAX {
            books.kept.clear();
        }
        books.kept.insert(principal.uid, Arc::clone(principal));
    }

    fn begin_change(&self, uid: u32) {
        let mut books = self.0.write().unwrap_or_else(PoisonError::into_inner);
        books.kept.remove(&uid);
        *books.changing.entry(uid).or_default() += 1;
    }

    fn end_change(&self, uid: u32) {
        let mut books = self.0.write().unwrap_or_else(PoisonError::into_inner);
        books.changes += 1;
        if let Some(count) = books.changing.get_mut(&uid) {
            *count -= 1;
            if *count == 0 {
                books.changing.remove(&uid);
            }
        }
    }
}

/// A change of a principal: until it is dropped the store is asked for that one each time.
pub(crate) struct Change {
    open: Arc<OpenVault>,
    uid: u32,
}

impl Change {
    /// To be begun before the change is written, and dropped when it is durable or undone.
    pub(crate) fn begin(open: &Arc<OpenVault>, uid: u32) -> Self {
        open.principals.begin_change(uid);
        Self { open: Arc::clone(open), uid }
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        self.open.principals.end_change(self.uid);
    }
}
