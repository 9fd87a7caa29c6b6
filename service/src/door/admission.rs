//! How many connections each uid holds, and how many those hold together whom nobody knows.
//!
//! Who has subordinate uids has thousands of them, each with its own connections. So users that are known share all places,
//! those whose name was not found share a few, and those who are just being looked up some more. The last places are root's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::DoorLimits;

/// Why a connection is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The uid has as many as it may have.
    Uid,
    /// The door has as many as it may have.
    Door,
    /// Those whom nobody knows have as many as they may have.
    Strangers,
}

/// Counts connections, from the first byte of the greeting on.
#[derive(Clone, Default)]
pub(super) struct Admission(Arc<Mutex<Counts>>);

#[derive(Default)]
struct Counts {
    total: usize,
    newcomers: usize,
    strangers: usize,
    by_uid: HashMap<u32, usize>,
}

/// What is known of who has a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// A user of this machine.
    Known,
    /// To be looked up.
    Newcomer,
    /// Looked up and not found.
    Stranger,
}

impl Counts {
    /// Where those of a standing are counted together.
    const fn of(&mut self, standing: Standing) -> Option<&mut usize> {
        match standing {
            Standing::Known => None,
            Standing::Newcomer => Some(&mut self.newcomers),
            Standing::Stranger => Some(&mut self.strangers),
        }
    }

    /// One more of a standing, if there may be one more.
    fn join(&mut self, standing: Standing, limits: &DoorLimits) -> Result<(), Refusal> {
        let (most, refusal) = match standing {
            Standing::Known => return Ok(()),
            Standing::Newcomer => (limits.newcomers, Refusal::Door),
            Standing::Stranger => (limits.strangers, Refusal::Strangers),
        };
        match self.of(standing) {
            Some(count) if *count >= most => return Err(refusal),
            Some(count) => *count += 1,
            None => {}
        }
        Ok(())
    }

    fn part(&mut self, standing: Standing) {
        if let Some(count) = self.of(standing) {
            *count = count.saturating_sub(1);
        }
    }
}

impl Admission {
    /// A place for one more connection of `uid`.
    pub(super) fn enter(&self, uid: u32, standing: Standing, limits: &DoorLimits) -> Result<Place, Refusal> {
        let reserved = if uid == 0 { 0 } else { limits.reserved };
        // Root is not looked up.
        let standing = if uid == 0 { Standing::Known } else { standing };
        let mut counts = self.lock();
        if counts.total >= limits.connections_total.saturating_sub(reserved) {
            return Err(Refusal::Door);
        }
        if limits.connections != 0 && counts.by_uid.get(&uid).is_some_and(|own| *own >= limits.connections) {
            return Err(Refusal::Uid);
        }
        counts.join(standing, limits)?;
        *counts.by_uid.entry(uid).or_default() += 1;
        counts.total += 1;
        Ok(Place { admission: self.clone(), uid, standing })
    }

    fn leave(&self, uid: u32, standing: Standing) {
        let mut counts = self.lock();
        counts.part(standing);
        counts.total = counts.total.saturating_sub(1);
        if let Some(own) = counts.by_uid.get_mut(&uid) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                counts.by_uid.remove(&uid);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection's place, given back on drop.
pub(super) struct Place {
    admission: Admission,
    uid: u32,
    standing: Standing,
}

impl Place {
    /// Whether it is not known yet whose it is.
    pub(super) fn is_newcomers(&self) -> bool {
        self.standing == Standing::Newcomer
    }

    /// The place after the look-up.
    pub(super) fn settle(&mut self, standing: Standing, limits: &DoorLimits) -> Result<(), Refusal> {
        let mut counts = self.admission.lock();
        counts.join(standing, limits)?;
        counts.part(self.standing);
        self.standing = standing;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.admission.leave(self.uid, self.standing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(total: usize, reserved: usize) -> DoorLimits {
        DoorLimits {
            connections: 2,
            connections_total: total,
            reserved,
            strangers: 2,
            newcomers: 3,
            ..DoorLimits::default()
        }
    }

    #[test]
    fn each_uid_has_its_own_places_and_gets_them_back() {
        let (limits, admission) = (limits(3, 0), Admission::default());
        let enter = |uid| admission.enter(uid, Standing::Known, &limits);
        let first = enter(1000).ok().unwrap();
        let _second = enter(1000).ok().unwrap();
        assert_eq!(enter(1000).err(), Some(Refusal::Uid));
        let _other = enter(1001).ok().unwrap();
        assert_eq!(enter(1002).err(), Some(Refusal::Door));
        drop(first);
        assert!(enter(1000).is_ok());
    }

    #[test]
    fn a_limit_of_zero_is_no_limit() {
        let limits = DoorLimits { connections: 0, ..DoorLimits::default() };
        let admission = Admission::default();
        let places: Vec<Place> =
            (0..1000).map(|_| admission.enter(1000, Standing::Known, &limits).ok().unwrap()).collect();
        assert_eq!(places.len(), 1000);
    }

    #[test]
    fn the_last_places_are_roots() {
        let (limits, admission) = (limits(3, 2), Admission::default());
        let _last = admission.enter(1000, Standing::Known, &limits).ok().unwrap();
        assert_eq!(admission.enter(1001, Standing::Known, &limits).err(), Some(Refusal::Door));
        let _root = admission.enter(0, Standing::Newcomer, &limits).ok().unwrap();
        assert!(admission.enter(0, Standing::Newcomer, &limits).is_ok());
    }

    #[test]
    fn strangers_share_a_few_places_and_newcomers_some_more() {
        let (limits, admission) = (limits(100, 0), Admission::default());
        let enter = |uid| admission.enter(uid, Standing::Newcomer, &limits);
        let mut places: Vec<Place> = (1..=3).map(|uid| enter(uid).ok().unwrap()).collect();
        assert_eq!(enter(4).err(), Some(Refusal::Door));
        assert!(admission.enter(5, Standing::Known, &limits).is_ok());
        let settled: Vec<_> = places.iter_mut().map(|place| place.settle(Standing::Stranger, &limits)).collect();
        assert_eq!(settled, [Ok(()), Ok(()), Err(Refusal::Strangers)]);
        places.truncate(2);
        let mut fourth = enter(4).ok().unwrap();
        fourth.settle(Standing::Known, &limits).unwrap();
        places.pop();
        enter(6).ok().unwrap().settle(Standing::Stranger, &limits).unwrap();
        drop((fourth, places));
        let counts = admission.lock();
        assert_eq!((counts.total, counts.newcomers, counts.strangers, counts.by_uid.len()), (0, 0, 0, 0));
    }
}
