//! Who is told of changes unasked.
//!
//! A subscription belongs to a connection and ends with it. What is announced is put into the mailboxes of those whom it may
//! concern, on the writer's thread and without waiting for any of them; whether somebody may really hear of it is asked when it
//! is delivered, and nothing is while that is being changed. This room knows neither the bus nor the vault.

mod held;
mod mailbox;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokenvault_core::announcement::Announcement;
use tokenvault_core::{Caller, Error};
use tokenvault_proto::OperationInfo;

pub use self::held::Held;
pub use self::mailbox::{Mailbox, Next, Told};

/// Most of one uid on a bus. What nobody reads there lies in the bus's memory, and counts against the vault's connection.
const ON_A_BUS: u64 = 4;

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
    /// Whether it will be heard of when its connection ends; changed under the lock of all.
    is_settled: AtomicBool,
}

impl Subscription {
    /// Whether it is heard of when its connection ends.
    pub fn is_settled(&self) -> bool {
        self.is_settled.load(Ordering::Relaxed)
    }
}

/// How many there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Most {
    /// Of one uid; 0: no limit.
    pub of_one: u64,
    /// Of all but root; 0: no limit.
    pub of_all: u64,
}

/// All subscriptions.
#[derive(Debug, Default)]
pub struct Subscriptions {
    all: Mutex<HashMap<Place, Arc<Subscription>>>,
    /// Uids of whom it is being changed what is theirs, or what they may do.
    held: Mutex<Vec<u32>>,
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

    /// Subscribes somebody, or notes that a subscriber has read what it was sent; its subscription, and whether that is a new one,
    /// to be delivered to.
    ///
    /// # Errors
    /// [`Error::LimitsExceeded`] naming the limit.
    pub fn enter(
        &self,
        place: &Place,
        (caller, contained): (&Caller, bool),
        most: Most,
    ) -> Result<(Arc<Subscription>, bool), Error> {
        let mut all = self.all();
        if let Some(subscription) = all.get(place).filter(|subscription| subscription.mailbox.renew()) {
            return Ok((Arc::clone(subscription), false));
        }
        all.remove(place);
        check_room(&all, (place, caller.uid), most)?;
        let (caller, mailbox, is_settled) = (caller.clone(), Mailbox::default(), AtomicBool::new(false));
        let subscription = Arc::new(Subscription { place: place.clone(), caller, contained, mailbox, is_settled });
        all.insert(place.clone(), Arc::clone(&subscription));
        Ok((subscription, true))
    }

    /// Notes that it is heard of when the connection of a subscription ends; whether that is still one.
    pub fn settle(&self, subscription: &Arc<Subscription>) -> bool {
        let all = self.all();
        let is_there = is_entered(&all, subscription);
        if is_there {
            subscription.is_settled.store(true, Ordering::Relaxed);
        }
        is_there
    }

    /// Ends a subscription of which it would not be heard, unless another call of its connection has settled that.
    pub fn give_up(&self, subscription: &Arc<Subscription>) {
        let mut all = self.all();
        if is_entered(&all, subscription) && !subscription.is_settled() {
            all.remove(&subscription.place);
            subscription.mailbox.close();
        }
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
        if is_entered(&all, ended) {
            all.remove(&ended.place);
        }
    }

    /// Tells of a token, whom it may concern.
    pub fn announce(&self, announcement: Announcement) {
        let announcement = Arc::new(announcement);
        self.tell(
            |subscription| announcement.concerns(&subscription.caller),
            || Told::Announced(Arc::clone(&announcement)),
        );
    }

    /// Tells how work stands that `uid` began, it and root, as both may ask.
    pub fn tell_operation(&self, uid: u32, info: OperationInfo) {
        let info = Arc::new(info);
        self.tell(
            |subscription| subscription.caller.uid == uid || subscription.caller.is_root(),
            || Told::Operation { uid, info: Arc::clone(&info) },
        );
    }

    fn tell(&self, whom: impl Fn(&Subscription) -> bool, what: impl Fn() -> Told) {
        for subscription in self.all().values().filter(|subscription| whom(subscription)) {
            subscription.mailbox.put(what());
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.all().len()
    }
}

fn is_entered(all: &HashMap<Place, Arc<Subscription>>, subscription: &Arc<Subscription>) -> bool {
    all.get(&subscription.place).is_some_and(|now| Arc::ptr_eq(now, subscription))
}

/// Whether one more of a uid may be there.
fn check_room(all: &HashMap<Place, Arc<Subscription>>, (place, uid): (&Place, u32), most: Most) -> Result<(), Error> {
    let is_on_a_bus = |place: &Place| !place.name.is_empty();
    let own = || all.values().filter(|subscription| subscription.caller.uid == uid);
    let own_on_a_bus = own().filter(|subscription| is_on_a_bus(&subscription.place)).count();
    let limits = [
        ("subscriptions", most.of_one, own().count()),
        ("subscriptions", if is_on_a_bus(place) { ON_A_BUS } else { 0 }, own_on_a_bus),
        // The last places are root's.
        ("subscriptions-total", if uid == 0 { 0 } else { most.of_all }, all.len()),
    ];
    for (limit, most, count) in limits {
        if most > 0 && u64::try_from(count).unwrap_or(u64::MAX) >= most {
            let retry = "unsubscribe somewhere, or close a connection that has subscribed; then retry".to_owned();
            return Err(Error::LimitsExceeded { limit, retry });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
