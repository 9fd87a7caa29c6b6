//! The timer that looks for what is free while calls wait for it.
//!
//! A call that waits does nothing: it is woken when something is let go. That a value was read nobody says, so while calls
//! wait one timer looks for it, ever less often while it finds nothing.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::Shared;
use super::ledger::{Looked, Queue};
use crate::sys::pipe;

/// Shortest and longest time between two looks for what was read.
const LOOK: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(32));
/// Most pipes of one user that are looked at in one go. Those that are unread go to the back, so that each comes up.
const LOOKS: usize = 256;
/// Time between two looks for what was closed unread, which take more.
const CLOSED: Duration = Duration::from_millis(50);

/// Looks for what is free while calls wait for it.
pub(super) async fn find_free(shared: Weak<Shared>, waits: Arc<Notify>) {
    let mut closed_at = None::<Instant>;
    loop {
        waits.notified().await;
        let mut pause = LOOK.0;
        loop {
            if tokio::time::timeout(pause, waits.notified()).await.is_ok() {
                // Who has just begun to wait should not do so for long.
                pause = LOOK.0;
                tokio::time::sleep(pause).await;
            }
            let Some(shared) = shared.upgrade() else { return };
            let (uids, calling) = {
                let ledger = shared.ledger();
                (ledger.bus.in_the_way(), ledger.with_calls_waiting())
            };
            if uids.is_empty() && calling.is_empty() {
                break;
            }
            let mut found = uids.iter().filter(|uid| shared.find_read(**uid, Queue::OnBus)).count();
            for queue in Queue::ALL {
                found += calling.iter().filter(|uid| shared.find_read(**uid, queue)).count();
            }
            if closed_at.is_none_or(|at| at.elapsed() >= CLOSED) {
                found += uids.iter().filter(|uid| shared.find_closed(**uid)).count();
                closed_at = Some(Instant::now());
            }
            pause = if found > 0 { LOOK.0 } else { (pause * 2).min(LOOK.1) };
        }
    }
}

impl Shared {
    /// Lets go of values that were read; whether there were any.
    fn find_read(&self, uid: u32, queue: Queue) -> bool {
        let queued = self.ledger().queued(uid, queue).min(LOOKS);
        let mut found = false;
        for _ in 0..queued {
            let looked = self.ledger().look_for_read(uid, queue);
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
