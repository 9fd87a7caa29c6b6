//! The timer that takes back what nobody reads: looks at all unread pipes every so often, and sleeps while there are none.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::Shared;
use super::ledger::{Looked, Queue};

/// Shortest and longest time between two looks.
const TICK: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));

pub(super) async fn withdraw_unread(shared: Weak<Shared>, held: Arc<Notify>) {
    loop {
        held.notified().await;
        loop {
            let Some(patience) = shared.upgrade().map(|shared| shared.ledger().limits.withdraw_after) else { return };
            tokio::time::sleep((patience / 10).clamp(TICK.0, TICK.1)).await;
            let Some(shared) = shared.upgrade() else { return };
            shared.sweep();
            if shared.ledger().forget_idle() {
                break;
            }
        }
    }
}

impl Shared {
    /// Looks at every pipe once. The lock is taken anew for each: whoever sends waits behind one look at most.
    fn sweep(&self) {
        let now = Instant::now();
        let uids = self.ledger().uids();
        for uid in uids {
            for queue in Queue::ALL {
                let queued = self.ledger().queued(uid, queue);
                for _ in 0..queued {
                    // Bound first: the lock is released before anything is closed or emptied.
                    let looked = self.ledger().look_at_next(uid, queue, now);
                    match looked {
                        Looked::Overdue(held) => self.withdraw(uid, held.pipe, held.place),
                        Looked::Read(pipe) => drop(pipe),
                        Looked::Waits => {}
                        Looked::Nothing => break,
                    }
                }
            }
        }
    }
}
