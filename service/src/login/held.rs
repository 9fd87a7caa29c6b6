//! What keeps users logged in: sessions of the login manager, and leases. It is only counted here.

use std::collections::{HashMap, HashSet};

use tokenvault_core::Error;

/// Leases of one uid at a time.
const LEASES_MAX: usize = 256;
/// How many of them the service manager is given to keep over a restart; and of all uids together, which leaves it room for the
/// rest (`FileDescriptorStoreMax=` of the unit). One that is not kept counts like any other until the daemon restarts.
const KEPT_MAX: usize = 64;
const KEPT_TOTAL_MAX: usize = 960;

/// Who is logged in.
#[derive(Default)]
pub(super) struct Held {
    leases: HashMap<u32, Leases>,
    /// Uids with a session; `None` until the login manager has told.
    sessions: Option<HashSet<u32>>,
    /// Whose login was opened again after a restart: open since before it, and not seen to be logged in since.
    restored: HashSet<u32>,
}

/// Those of one uid.
#[derive(Default)]
struct Leases {
    all: usize,
    kept: usize,
}

impl Held {
    /// Whether anything keeps this uid logged in.
    pub(super) fn holds(&self, uid: u32) -> bool {
        self.leases.contains_key(&uid) || self.sessions.as_ref().is_some_and(|uids| uids.contains(&uid))
    }

    /// Counts a lease; whether it is one of those to be kept over a restart.
    ///
    /// # Errors
    /// [`Error::LimitsExceeded`].
    pub(super) fn take_lease(&mut self, uid: u32) -> Result<bool, Error> {
        let kept: usize = self.leases.values().map(|leases| leases.kept).sum();
        let leases = self.leases.entry(uid).or_default();
        if leases.all >= LEASES_MAX {
            let retry = "end logins of this user, then log in again".into();
            return Err(Error::LimitsExceeded { limit: "leases", retry });
        }
        let is_kept = leases.kept < KEPT_MAX && kept < KEPT_TOTAL_MAX;
        leases.all += 1;
        leases.kept += usize::from(is_kept);
        Ok(is_kept)
    }

    /// Counts it no more.
    pub(super) fn end_lease(&mut self, uid: u32, is_kept: bool) {
        let Some(leases) = self.leases.get_mut(&uid) else { return };
        leases.all -= 1;
        leases.kept -= usize::from(is_kept);
        if leases.all == 0 {
            self.leases.remove(&uid);
        }
    }

    /// Notes whose logins were opened again.
    pub(super) fn note_restored(&mut self, uids: Vec<u32>) {
        self.restored.extend(uids);
    }

    /// Notes who has a session now; who may have gone. The first time nothing is known of who had one before, and it may be
    /// anyone whose login is open.
    pub(super) fn note_sessions(&mut self, now: HashSet<u32>, open: Vec<u32>) -> Vec<u32> {
        let restored = std::mem::take(&mut self.restored);
        let before = self.sessions.replace(now).unwrap_or_else(|| open.into_iter().collect());
        before.union(&restored).copied().filter(|uid| !self.holds(*uid)).collect()
    }

    /// Notes that nobody tells of sessions; who has gone during a restart. Whoever has a login opened meanwhile is let be.
    pub(super) fn note_no_sessions(&mut self) -> Vec<u32> {
        let restored = std::mem::take(&mut self.restored);
        restored.into_iter().filter(|uid| !self.holds(*uid)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOMEBODY: u32 = 1000;

    fn sessions<const N: usize>(uids: [u32; N]) -> HashSet<u32> {
        uids.into()
    }

    #[test]
    fn who_had_a_session_and_has_none_may_have_gone_unless_a_lease_says_otherwise() {
        let mut held = Held::default();
        assert_eq!(held.note_sessions(sessions([1, 2]), vec![2, 3]), [3], "who knows whether 3 had one");
        assert!(held.holds(1) && !held.holds(3));
        held.take_lease(1).unwrap();
        assert_eq!(held.note_sessions(sessions([]), vec![2, 3]), [2]);
        assert_eq!(held.note_sessions(sessions([]), vec![2, 3]), [0; 0], "who unlocks without a session stays");
    }

    #[test]
    fn who_is_open_again_after_a_restart_must_be_seen_to_be_logged_in() {
        for known in [false, true] {
            let mut held = Held::default();
            if known {
                held.note_sessions(sessions([1]), Vec::new());
            }
            held.take_lease(2).unwrap();
            held.note_restored(vec![1, 2, 3]);
            assert_eq!(held.note_sessions(sessions([1]), vec![1, 2, 3]), [3]);
        }
        let mut held = Held::default();
        held.take_lease(2).unwrap();
        held.note_restored(vec![2, 3]);
        assert_eq!(held.note_no_sessions(), [3]);
        assert_eq!(held.note_no_sessions(), [0; 0]);
    }

    #[test]
    fn no_uid_and_not_all_of_them_fill_what_the_service_manager_keeps() {
        let mut held = Held::default();
        let kept = (0..LEASES_MAX).filter(|_| held.take_lease(SOMEBODY).unwrap()).count();
        assert_eq!(kept, KEPT_MAX);
        assert!(held.take_lease(SOMEBODY).is_err());
        let kept: usize = (0..100).map(|uid| (0..100).filter(|_| held.take_lease(uid).unwrap()).count()).sum();
        assert_eq!(kept + KEPT_MAX, KEPT_TOTAL_MAX);
        held.end_lease(SOMEBODY, true);
        assert!(held.take_lease(SOMEBODY).unwrap(), "its place is free again");
    }
}
