//! A call's claim to a pipe: made before anything else is done for it, so that a call waits while the readers of others have not
//! got to theirs, instead of being refused.

use std::sync::Arc;

use super::waiters::wait;
use super::{LOOKS_AT_LIMIT, Looked, SendError, Shared};

/// A pipe for the answer to one call, given back on drop; when it was made by then, it goes its own way.
pub struct Claim {
    shared: Arc<Shared>,
    uid: u32,
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut ledger = self.shared.ledger();
        ledger.quota(self.uid).let_go();
        ledger.forget_if_idle(self.uid);
    }
}

/// See [`super::Pipes::claim`].
pub(super) async fn claim(shared: &Arc<Shared>, uid: u32) -> Result<Claim, SendError> {
    let new = || Claim { shared: Arc::clone(shared), uid };
    for turn in 0..=LOOKS_AT_LIMIT {
        // Bound first: what was read is closed without the lock.
        let claimed = shared.ledger().quota(uid).claim();
        if claimed {
            return Ok(new());
        }
        let looked = shared.ledger().look(uid, turn);
        if matches!(looked, Looked::Nothing) {
            break;
        }
    }
    let given = {
        let mut ledger = shared.ledger();
        let quota = ledger.quota(uid);
        if quota.is_stuck() {
            return Err(SendError::Limit);
        }
        quota.wait()
    };
    shared.waits.notify_one();
    let leave = |given: Option<()>| {
        let mut ledger = shared.ledger();
        let quota = ledger.quota(uid);
        quota.stop_waiting();
        if given.is_some() {
            quota.let_go();
        }
        ledger.forget_if_idle(uid);
    };
    wait(given, leave).await.map(|()| new()).ok_or(SendError::Limit)
}
