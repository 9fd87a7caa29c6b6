//! A call's place on the bus: taken, waited for, given back.
//!
//! A call that waits does nothing: it is woken when a place is let go. That a value was read nobody says, so while calls
//! wait one timer looks for it, at few pipes and ever less often while it finds nothing.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

use super::bus::{MOST_OF_ONE, PlaceId, WaiterId};
use super::ledger::{Looked, Queue};
use super::{SendError, Shared};
use crate::sys::pipe;

/// How long a call waits.
const PATIENCE: Duration = Duration::from_secs(1);
/// Shortest and longest time between two looks for what was read.
const LOOK: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(32));
/// Time between two looks for what was closed unread, which take more.
const CLOSED: Duration = Duration::from_millis(50);

/// A place for one descriptor on the bus, given back on drop unless a descriptor takes it.
pub struct BusPlace {
    shared: Arc<Shared>,
    uid: u32,
    id: Option<PlaceId>,
}

impl BusPlace {
    fn new(shared: &Arc<Shared>, uid: u32, id: PlaceId) -> Self {
        Self { shared: Arc::clone(shared), uid, id: Some(id) }
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

/// A call that waits. However it ends, it waits no more, and no place is lost.
struct Waiting {
    shared: Arc<Shared>,
    uid: u32,
    id: WaiterId,
    place: oneshot::Receiver<PlaceId>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut ledger = self.shared.ledger();
        ledger.bus.stop_waiting(self.uid, self.id);
        // It may have come in the last moment.
        self.place.close();
        if let Ok(place) = self.place.try_recv() {
            ledger.bus.let_go(self.uid, place);
        }
    }
}

/// A place, with at most so many looks for one that has become free.
pub(super) fn free_place(shared: &Arc<Shared>, uid: u32, looks: usize) -> Option<BusPlace> {
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
pub(super) async fn take_place(shared: &Arc<Shared>, uid: u32) -> Result<BusPlace, SendError> {
    if let Some(place) = free_place(shared, uid, MOST_OF_ONE) {
        return Ok(place);
    }
    let (id, receiver) = shared.ledger().bus.wait(uid).ok_or(SendError::Bus)?;
    let mut waiting = Waiting { shared: Arc::clone(shared), uid, id, place: receiver };
    shared.waits.notify_one();
    match tokio::time::timeout(PATIENCE, &mut waiting.place).await {
        Ok(Ok(id)) => Ok(BusPlace::new(shared, uid, id)),
        _ => Err(SendError::Bus),
    }
}

/// The timer: looks for places that are free while somebody waits for one.
pub(super) async fn find_places(shared: Weak<Shared>, waits: Arc<Notify>) {
    let mut closed_at = None::<Instant>;
    loop {
        waits.notified().await;
        let mut pause = LOOK.0;
        loop {
            tokio::time::sleep(pause).await;
            let Some(shared) = shared.upgrade() else { return };
            let uids = shared.ledger().bus.in_the_way();
            if uids.is_empty() {
                break;
            }
            let mut found = uids.iter().filter(|uid| shared.find_read(**uid)).count();
            if closed_at.is_none_or(|at| at.elapsed() >= CLOSED) {
                found += uids.iter().filter(|uid| shared.find_closed(**uid)).count();
                closed_at = Some(Instant::now());
            }
            pause = if found > 0 { LOOK.0 } else { (pause * 2).min(LOOK.1) };
        }
    }
}

impl Shared {
    /// Lets go of the places of values that were read; whether there were any.
    fn find_read(&self, uid: u32) -> bool {
        let queued = self.ledger().queued(uid, Queue::OnBus);
        let mut found = false;
        for _ in 0..queued {
            let looked = self.ledger().look_for_read(uid, Queue::OnBus);
            found |= matches!(looked, Looked::Read(_));
        }
        found
    }

    /// Lets go of the places of values that were emptied and that nobody has any more; whether there were any. Nothing is asked
    /// under the lock.
    pub(super) fn find_gone(&self, uid: u32) -> bool {
        let mut found = false;
        let emptied = self.ledger().bus.emptied(uid);
        for (id, handle) in emptied {
            if !pipe::has_reader(&*handle) {
                self.ledger().bus.let_go(uid, id);
                found = true;
            }
        }
        found
    }

    /// Lets go of the places of values that were closed unread, or went with the connection they were sent to; whether there
    /// were any. Nothing is asked under the lock.
    fn find_closed(&self, uid: u32) -> bool {
        let mut found = self.find_gone(uid);
        let queued = self.ledger().queued(uid, Queue::OnBus);
        for _ in 0..queued {
            let taken = self.ledger().take_out(uid, Queue::OnBus);
            let Some(mut held) = taken else { break };
            match pipe::unless_last(held.pipe) {
                Some(pipe) => {
                    held.pipe = pipe;
                    self.ledger().hold(uid, held);
                    // The timer that withdraws may have seen nothing meanwhile.
                    self.held.notify_one();
                }
                None => {
                    self.ledger().forget(uid, held.cost, held.place);
                    found = true;
                }
            }
        }
        found
    }
}
