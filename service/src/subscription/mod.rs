//! Who is told of changes unasked.
//!
//! A subscription belongs to a connection and ends with it. What is announced is put into the mailboxes of those whom it may
//! concern, on the writer's thread and without waiting for any of them; whether somebody may really hear of it is asked when it
//! is delivered. This room knows neither the bus nor the vault.

mod mailbox;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokenvault_core::announcement::Announcement;
use tokenvault_core::{Caller, Error};
use tokenvault_proto::OperationInfo;

pub use self::mailbox::{Mailbox, Told};

/// A connection: the door's own number of it, and the name that a bus gave it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// Number of the connection to a client, or to a bus.
    pub link: u64,
    /// The client's unique name on that bus; empty at the private door.
    pub name: String,
}

/// One subscription.
#[derive(Debug)]
pub struct Subscription {
    /// Where it came from.
    pub place: Place,
    /// Who subscribed.
    pub caller: Caller,
    /// Whether that is root of a container.
    pub contained: bool,
    /// What waits for it.
    pub mailbox: Mailbox,
    standing: Mutex<Standing>,
}

/// What is known of what a subscriber may do.
#[derive(Debug, Clone, Copy)]
struct Standing {
    /// How often that has changed.
    changes: u64,
    /// False where it was seen that it does not administer the vault.
    may_administer: bool,
}

impl Subscription {
    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be had before it is asked what its user may do.
    pub fn question(&self) -> u64 {
        self.standing().changes
    }

    /// Notes the answer, unless it may be another one by now.
    pub fn note_administers(&self, question: u64, administers: bool) {
        let mut standing = self.standing();
        if standing.changes == question {
            standing.may_administer = administers;
        }
    }

    fn may_administer(&self) -> bool {
        self.standing().may_administer
    }
}

/// How many there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Most {
    /// Of one uid; 0: no limit.
    pub of_one: u64,
    /// Of all; 0: no limit.
    pub of_all: u64,
}

/// All subscriptions.
#[derive(Debug, Default)]
pub struct Subscriptions {
    all: Mutex<HashMap<Place, Arc<Subscription>>>,
    links: AtomicU64,
}

impl Subscriptions {
    fn all(&self) -> MutexGuard<'_, HashMap<Place, Arc<Subscription>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number for a connection: none comes twice.
    pub fn new_link(&self) -> u64 {
        self.links.fetch_add(1, Ordering::Relaxed)
    }

    /// Subscribes somebody, or notes that a subscriber has read what it was sent. Something new is given out, to be delivered to.
    ///
    /// # Errors
    /// [`Error::LimitsExceeded`] naming the limit.
    pub fn enter(
        &self,
        place: Place,
        (caller, contained): (Caller, bool),
        most: Most,
    ) -> Result<Option<Arc<Subscription>>, Error> {
        let mut all = self.all();
        if all.get(&place).is_some_and(|subscription| subscription.mailbox.renew()) {
            return Ok(None);
        }
        all.remove(&place);
        let own = all.values().filter(|subscription| subscription.caller.uid == caller.uid).count();
        for (limit, most, count) in
            [("subscriptions", most.of_one, own), ("subscriptions-total", most.of_all, all.len())]
        {
            if most > 0 && u64::try_from(count).unwrap_or(u64::MAX) >= most {
                let retry = "unsubscribe somewhere, or close a connection that has subscribed; then retry".to_owned();
                return Err(Error::LimitsExceeded { limit, retry });
            }
        }
        let standing = Mutex::new(Standing { changes: 0, may_administer: true });
        let mailbox = Mailbox::default();
        let subscription = Arc::new(Subscription { place: place.clone(), caller, contained, mailbox, standing });
        all.insert(place, Arc::clone(&subscription));
        Ok(Some(subscription))
    }

    /// Ends the subscription of a connection, if there is one.
    pub fn leave(&self, place: &Place) {
        if let Some(subscription) = self.all().remove(place) {
            subscription.mailbox.close();
        }
    }

    /// Forgets a subscription that has ended; a newer one of the same connection stays.
    pub fn forget(&self, ended: &Arc<Subscription>) {
        let mut all = self.all();
        if all.get(&ended.place).is_some_and(|now| Arc::ptr_eq(now, ended)) {
            all.remove(&ended.place);
        }
    }

    /// What a user may do has changed: it is asked again.
    pub fn judge_again(&self, uid: u32) {
        for subscription in self.all().values().filter(|subscription| subscription.caller.uid == uid) {
            let mut standing = subscription.standing();
            *standing = Standing { changes: standing.changes + 1, may_administer: true };
        }
    }

    /// Tells of a token, whom it may concern.
    pub fn announce(&self, announcement: Announcement) {
        let announcement = Arc::new(announcement);
        self.tell(
            |subscription| announcement.concerns(&subscription.caller, subscription.may_administer()),
            || Told::Announced(Arc::clone(&announcement)),
        );
    }

    /// Tells how work stands that `uid` began, it and administrators.
    pub fn tell_operation(&self, uid: u32, info: OperationInfo) {
        let info = Arc::new(info);
        self.tell(
            |subscription| subscription.caller.uid == uid || subscription.may_administer(),
            || Told::Operation { uid, info: Arc::clone(&info) },
        );
    }

    fn tell(&self, whom: impl Fn(&Subscription) -> bool, what: impl Fn() -> Told) {
        let mut all = self.all();
        // Who was told that something is lost has no subscription any more.
        all.retain(|_, subscription| !whom(subscription) || subscription.mailbox.put(what()));
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.all().len()
    }
}

#[cfg(test)]
mod tests;
