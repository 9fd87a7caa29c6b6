//! How many connections each uid holds.

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
}

/// Counts connections, from the first byte of the greeting on.
#[derive(Clone, Default)]
pub(super) struct Admission(Arc<Mutex<Counts>>);

#[derive(Default)]
struct Counts {
    total: usize,
    by_uid: HashMap<u32, usize>,
}

impl Admission {
    /// A place for one more connection of `uid`.
    pub(super) fn enter(&self, uid: u32, limits: &DoorLimits) -> Result<Place, Refusal> {
        let mut counts = self.lock();
        if counts.total >= limits.connections_total {
            return Err(Refusal::Door);
        }
        let own = counts.by_uid.entry(uid).or_default();
        if limits.connections != 0 && *own >= limits.connections {
            return Err(Refusal::Uid);
        }
        *own += 1;
        counts.total += 1;
        Ok(Place { admission: self.clone(), uid })
    }

    fn leave(&self, uid: u32) {
        let mut counts = self.lock();
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
}

impl Drop for Place {
    fn drop(&mut self) {
        self.admission.leave(self.uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_uid_has_its_own_places_and_gets_them_back() {
        let limits = DoorLimits { connections: 2, connections_total: 3, ..DoorLimits::default() };
        let admission = Admission::default();
        let first = admission.enter(1000, &limits).ok().unwrap();
        let _second = admission.enter(1000, &limits).ok().unwrap();
        assert_eq!(admission.enter(1000, &limits).err(), Some(Refusal::Uid));
        let _other = admission.enter(1001, &limits).ok().unwrap();
        assert_eq!(admission.enter(1002, &limits).err(), Some(Refusal::Door));
        drop(first);
        assert!(admission.enter(1000, &limits).is_ok());
    }

    #[test]
    fn a_limit_of_zero_is_no_limit() {
        let limits = DoorLimits { connections: 0, ..DoorLimits::default() };
        let admission = Admission::default();
        let places: Vec<Place> = (0..1000).map(|_| admission.enter(1000, &limits).ok().unwrap()).collect();
        assert_eq!(places.len(), 1000);
    }
}
