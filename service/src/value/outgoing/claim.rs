//! A call's claim to a pipe: made before anything else is done for it, so that a call waits while the readers of others have not
//! got to theirs, instead of being refused.

use std::sync::Arc;

use super::waiters::wait;
use super::{LOOKS_AT_LIMIT, Looked, Shared};

/// A pipe that one call may still make, given back on drop.
pub struct Claim {
    shared: Arc<Shared>,
    uid: u32,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.shared.ledger().quota(self.uid).let_go();
    }
}

/// See [`super::Pipes::claim`].
pub(super) async fn claim(shared: &Arc<Shared>, uid: u32) -> Option<Claim> {
    let new = || Claim { shared: Arc::clone(shared), uid };
    for turn in 0..=LOOKS_AT_LIMIT {
        // Bound first: what was read is closed without the lock.
        let claimed = shared.ledger().quota(uid).claim();
        if claimed {
            return Some(new());
        }
        let looked = shared.ledger().look(uid, turn);
        if matches!(looked, Looked::Nothing) {
            break;
        }
    }
    let given = shared.ledger().quota(uid).wait();
    shared.waits.notify_one();
    let leave = |given: Option<()>| {
        let mut ledger = shared.ledger();
        let quota = ledger.quota(uid);
        quota.stop_waiting();
        if given.is_some() {
            quota.let_go();
        }
    };
    wait(given, leave).await.map(|()| new())
}
