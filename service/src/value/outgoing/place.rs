//! A call's place on the bus: taken, waited for, given back.

use std::sync::Arc;

use super::bus::{MOST_OF_ONE, PlaceId};
use super::claim::{Claim, claim};
use super::ledger::{Looked, Queue};
use super::waiters::wait;
use super::{SendError, Shared};

/// A place for one descriptor on the bus, given back on drop unless a descriptor takes it.
pub struct BusPlace {
    shared: Arc<Shared>,
    uid: u32,
    id: Option<PlaceId>,
    /// Its pipe, until that is there.
    claim: Option<Claim>,
}

impl BusPlace {
    fn new(shared: &Arc<Shared>, uid: u32, id: PlaceId) -> Self {
        Self { shared: Arc::clone(shared), uid, id: Some(id), claim: None }
    }

    /// The pipe is counted.
    pub(super) fn let_go_of_claim(&mut self) {
        self.claim = None;
    }

    /// Its number, for the descriptor that takes it.
    pub(super) const fn take(&mut self) -> Option<PlaceId> {
        self.id.take()
    }
}

impl Drop for BusPlace {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.shared.ledger().bus.let_go(self.uid, id);
        }
    }
}

/// A place, with at most so many looks for one that has become free.
pub(super) fn free(shared: &Arc<Shared>, uid: u32, looks: usize) -> Option<BusPlace> {
    for look in 0..=looks {
        // Bound first: what was read is closed without the lock.
        let taken = shared.ledger().bus.take(uid);
        if let Some(id) = taken {
            return Some(BusPlace::new(shared, uid, id));
        }
        if look == looks {
            break;
        }
        let looked = shared.ledger().look_for_read(uid, Queue::OnBus);
        if matches!(looked, Looked::Nothing) {
            break;
        }
    }
    None
}

/// See [`super::Pipes::bus_place`].
pub(super) async fn take(shared: &Arc<Shared>, uid: u32) -> Result<BusPlace, SendError> {
    let mut place = match free(shared, uid, MOST_OF_ONE) {
        Some(place) => place,
        None => wait_for_place(shared, uid).await?,
    };
    place.claim = Some(claim(shared, uid).await?);
    Ok(place)
}

async fn wait_for_place(shared: &Arc<Shared>, uid: u32) -> Result<BusPlace, SendError> {
    let given = shared.ledger().bus.wait(uid).ok_or(SendError::Bus)?;
    shared.waits.notify_one();
    let leave = |given: Option<PlaceId>| {
        let mut ledger = shared.ledger();
        ledger.bus.stop_waiting(uid);
        if let Some(place) = given {
            ledger.bus.let_go(uid, place);
        }
    };
    let id = wait(given, leave).await.ok_or(SendError::Bus)?;
    Ok(BusPlace::new(shared, uid, id))
}
