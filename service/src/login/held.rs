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
    /// Sessions that were over at the last look, and have a program left.
    over: HashSet<String>,
    /// Whose login was opened or closed since the last look.
    changed: HashSet<u32>,
    /// Whether sessions may have begun and ended since the last look.
    is_unsure: bool,
    /// Whose login was opened again after a restart: open since before it, and not seen to be logged in since.
    restored: HashSet<u32>,
}

/// Those of one uid.
#[derive(Default)]
struct Leases {
    all: usize,
    kept: usize,
}

/// What a look at the sessions has found.
#[derive(Default)]
pub(super) struct Seen {
    /// Uids with a session that goes on.
    pub(super) there: HashSet<u32>,
    /// Sessions that are over and have a program left, with their uids.
    pub(super) over: HashMap<String, u32>,
    /// Whether there were sessions that had ended by the time they were looked at.
    pub(super) has_missed: bool,
    /// Whose login is open.
    pub(super) open: Vec<u32>,
    /// Whose login had been opened or closed when the look began.
    pub(super) changed: HashSet<u32>,
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

    /// Notes that a login is being opened or closed.
    pub(super) fn note_change(&mut self, uid: u32) {
        self.changed.insert(uid);
    }

    /// Whose login was opened or closed since the last look, at the beginning of another one.
    pub(super) fn take_changed(&mut self) -> HashSet<u32> {
        std::mem::take(&mut self.changed)
    }

    /// Notes a look that found out nothing, with what was taken at its beginning: until one does, sessions may begin and end.
    pub(super) fn note_lost(&mut self, changed: HashSet<u32>) {
        self.changed.extend(changed);
        self.is_unsure = true;
    }

    /// Notes who has a session now; who may have gone: who had one before; who is left with one that is over, even if it was not
    /// seen to begin; and where sessions may have come and gone, whoever opened a login meanwhile. The first time it may be
    /// anyone whose login is open.
    pub(super) fn note_sessions(&mut self, seen: Seen) -> Vec<u32> {
        let before = self.sessions.replace(seen.there).unwrap_or_else(|| seen.open.into_iter().collect());
        let over = seen.over.iter().filter(|(session, _)| !self.over.contains(*session)).map(|(_, uid)| *uid);
        let mut may_have_gone: HashSet<u32> = over.chain(before).chain(std::mem::take(&mut self.restored)).collect();
        if seen.has_missed | std::mem::take(&mut self.is_unsure) {
            may_have_gone.extend(seen.changed.iter().chain(&self.changed));
        }
        self.over = seen.over.into_keys().collect();
        may_have_gone.retain(|uid| !self.holds(*uid));
        may_have_gone.into_iter().collect()
    }

    /// Notes that nobody tells of sessions; who has gone during a restart. Whoever has a login opened meanwhile is let be.
    pub(super) fn note_no_sessions(&mut self) -> Vec<u32> {
        self.changed.clear();
        let restored = std::mem::take(&mut self.restored);
        restored.into_iter().filter(|uid| !self.holds(*uid)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOMEBODY: u32 = 1000;

    fn seen<const N: usize>(there: [u32; N], open: &[u32]) -> Seen {
        Seen { there: there.into(), open: open.to_vec(), ..Seen::default() }
    }

    #[test]
    fn who_had_a_session_and_has_none_may_have_gone_unless_a_lease_says_otherwise() {
        let mut held = Held::default();
        assert_eq!(held.note_sessions(seen([1, 2], &[2, 3])), [3], "who knows whether 3 had one");
        assert!(held.holds(1) && !held.holds(3));
        held.take_lease(1).unwrap();
        assert_eq!(held.note_sessions(seen([], &[2, 3])), [2]);
        assert_eq!(held.note_sessions(seen([], &[2, 3])), [0; 0], "who unlocks without a session stays");
    }

    #[test]
    fn whose_session_is_over_when_it_is_first_seen_may_have_gone() {
        let mut held = Held::default();
        let over = || Seen { over: [("c1".to_owned(), 1)].into(), ..Seen::default() };
        held.note_sessions(Seen::default());
        assert_eq!(held.note_sessions(over()), [1]);
        assert_eq!(held.note_sessions(over()), [0; 0], "who unlocks after that stays");
        assert_eq!(held.note_sessions(Seen { there: [1].into(), ..over() }), [0; 0]);
    }

    #[test]
    fn who_opened_a_login_while_sessions_may_have_come_and_gone_may_have_gone() {
        let begin = |held: &mut Held| {
            held.note_sessions(seen([1], &[]));
            held.note_change(2);
            held.take_lease(3).unwrap();
            held.note_change(3);
            held.take_changed()
        };
        let mut held = Held::default();
        let changed = begin(&mut held);
        assert_eq!(held.note_sessions(Seen { changed, ..seen([1], &[2, 3, 4]) }), [0; 0], "nothing was missed");
        let changed = begin(&mut held);
        assert_eq!(held.note_sessions(Seen { changed, has_missed: true, ..seen([1], &[2, 3, 4]) }), [2]);
        begin(&mut held);
        held.note_change(2);
        assert_eq!(held.note_sessions(Seen { has_missed: true, ..seen([1], &[2, 3, 4]) }), [2], "during the look");
        let changed = begin(&mut held);
        held.note_lost(changed);
        let changed = held.take_changed();
        assert_eq!(held.note_sessions(Seen { changed, ..seen([1], &[2, 3, 4]) }), [2]);
        assert!(held.take_changed().is_empty());
    }

    #[test]
    fn who_is_open_again_after_a_restart_must_be_seen_to_be_logged_in() {
        for known in [false, true] {
            let mut held = Held::default();
            if known {
                held.note_sessions(seen([1], &[]));
            }
            held.take_lease(2).unwrap();
            held.note_restored(vec![1, 2, 3]);
            assert_eq!(held.note_sessions(seen([1], &[1, 2, 3])), [3]);
        }
        let mut held = Held::default();
        held.take_lease(2).unwrap();
        held.note_restored(vec![2, 3]);
        held.note_change(4);
        assert_eq!(held.note_no_sessions(), [3]);
        assert!(held.take_changed().is_empty(), "there is no session that it could be held against");
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
