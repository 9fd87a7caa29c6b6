//! Users who are told nothing for a moment, while an administrator changes what is theirs or what they may do.
//!
//! An announcement names its owner by uid. When a uid gets other tokens than it had, what was announced before is not its new
//! user's to hear.

use std::sync::{MutexGuard, PoisonError};

use super::Subscriptions;

/// While this is there, nothing is told to a user. Then it is told instead that something was lost, where something was.
#[derive(Debug)]
pub struct Held<'a> {
    subscriptions: &'a Subscriptions,
    uid: u32,
}

impl Subscriptions {
    fn held(&self) -> MutexGuard<'_, Vec<u32>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a user told nothing, from before something of it is changed until after.
    pub fn hold(&self, uid: u32) -> Held<'_> {
        self.held().push(uid);
        Held { subscriptions: self, uid }
    }

    /// Whether a user is told nothing now. Asked after everything else that decides whether it is: what was found out before such
    /// a change does not count.
    pub fn is_held(&self, uid: u32) -> bool {
        self.held().contains(&uid)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let all = self.subscriptions.all();
        let own = || all.values().filter(|subscription| subscription.caller.uid == self.uid);
        own().for_each(|subscription| subscription.mailbox.drop_waiting());
        let mut held = self.subscriptions.held();
        if let Some(at) = held.iter().position(|uid| *uid == self.uid) {
            held.swap_remove(at);
        }
        drop(held);
        own().for_each(|subscription| subscription.mailbox.judge());
    }
}
