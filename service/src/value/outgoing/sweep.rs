//! The timer that takes back what nobody reads, and forgets what was emptied when nobody has it any more: looks at all of
//! these pipes every so often, and sleeps while there are none.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::Shared;
use super::ledger::{Looked, Queue};

/// Shortest and longest time between two looks.
const TICK: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));

/// Time between two looks while all that is left are emptied pipes that somebody keeps.
const KEPT: Duration = Duration::from_secs(2);

pub(super) async fn withdraw_unread(shared: Weak<Shared>, held: Arc<Notify>) {
    loop {
        held.notified().await;
        let mut pause = None;
        loop {
            let Some(patience) = shared.upgrade().map(|shared| shared.ledger().patience()) else { return };
            match pause {
                None => tokio::time::sleep((patience / 10).clamp(TICK.0, TICK.1)).await,
                // Of a new pipe it hears in time.
                Some(pause) => drop(tokio::time::timeout(pause, held.notified()).await),
            }
            let Some(shared) = shared.upgrade() else { return };
            shared.sweep();
            let emptied = shared.ledger().bus.with_emptied();
            for uid in emptied {
                shared.find_gone(uid);
            }
            let idle = shared.ledger().forget_idle();
            if idle && shared.ledger().bus.with_emptied().is_empty() {
                break;
            }
            pause = idle.then_some(KEPT);
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
