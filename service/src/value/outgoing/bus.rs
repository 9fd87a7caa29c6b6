//! The places for values in the bus: who has how many, and who waits for one.
//!
//! A bus counts the descriptors of replies that nobody has read against whoever sent them: at 64 (the default of
//! dbus-daemon) it takes nothing more from the daemon, and everyone behind one who does not read would wait. A pipe of which
//! something was read has arrived. One that was emptied because nobody read it may still lie there: it counts until nobody
//! holds its read end any more. Whether it lies in the bus or with a reader who keeps it and does not read, nobody can tell;
//! so whoever collects values unread takes places from itself, and from nobody else the first.

use std::collections::{HashMap, VecDeque};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use tokio::sync::oneshot::Receiver;

use super::waiters::Waiters;
use crate::value::portion;

/// Places that are somebody's first. Together with [`MORE`] a few less than the bus allows.
const FIRST: usize = 48;
/// Places of those who have one already. A user gets at most half of what the others leave of them.
const MORE: usize = 14;
/// Most places of one user, which it has while nobody else has more than one.
pub(super) const MOST_OF_ONE: usize = 1 + portion::fair(MORE, 0);
/// Most calls of one user that wait for a place; those in flight are counted elsewhere.
const WAITING_MAX: usize = 256;

/// Number of a place.
pub(super) type PlaceId = u64;

struct Place {
    id: PlaceId,
    /// What finds its pipe again, once that was emptied and its read end here was closed.
    emptied: Option<Arc<OwnedFd>>,
}

/// The books of all users.
#[derive(Default)]
pub(super) struct BusBooks {
    places: HashMap<u32, Vec<Place>>,
    /// Of these, how many are nobody's first.
    more: usize,
    waiters: HashMap<u32, Waiters<PlaceId>>,
    /// Users with calls that wait, in the order of their turns.
    turns: VecDeque<u32>,
    last: u64,
}

impl BusBooks {
    /// A place, unless the user has as many as it may have, or calls that came before.
    pub(super) fn take(&mut self, uid: u32) -> Option<PlaceId> {
        (!self.waiters.contains_key(&uid) && self.may_take(uid)).then(|| self.add(uid))
    }

    /// Has a call wait for a place; `None` when too many of its user do.
    pub(super) fn wait(&mut self, uid: u32) -> Option<Receiver<PlaceId>> {
        let waiters = self.waiters.entry(uid).or_default();
        if waiters.len() >= WAITING_MAX {
            return None;
        }
        if waiters.is_empty() {
            self.turns.push_back(uid);
        }
        let waiter = waiters.add();
        // One may have become free since it was asked for, and nobody else may say so.
        self.give_out();
        Some(waiter)
    }

    /// A call of the user does not wait any more.
    pub(super) fn stop_waiting(&mut self, uid: u32) {
        if let Some(waiters) = self.waiters.get_mut(&uid) {
            waiters.forget_gone();
            if waiters.is_empty() {
                self.waiters.remove(&uid);
                self.turns.retain(|waiting| *waiting != uid);
            }
        }
    }

    /// It has arrived, was closed, or never went out: the next one may have it.
    pub(super) fn let_go(&mut self, uid: u32, id: PlaceId) {
        self.remove(uid, id);
        self.give_out();
    }

    /// Its pipe was emptied; `handle` finds it again.
    pub(super) fn withdraw(&mut self, uid: u32, id: PlaceId, handle: OwnedFd) {
        let mut places = self.places.get_mut(&uid).into_iter().flatten();
        if let Some(place) = places.find(|place| place.id == id) {
            place.emptied = Some(Arc::new(handle));
        }
    }

    /// Who has places, while calls wait for one; else nobody.
    pub(super) fn in_the_way(&self) -> Vec<u32> {
        if self.turns.is_empty() { Vec::new() } else { self.places.keys().copied().collect() }
    }

    /// Who has places whose pipes were emptied.
    pub(super) fn with_emptied(&self) -> Vec<u32> {
        let emptied = |places: &Vec<Place>| places.iter().any(|place| place.emptied.is_some());
        self.places.iter().filter(|(_, places)| emptied(places)).map(|(uid, _)| *uid).collect()
    }

    /// Places of a user whose pipes were emptied.
    pub(super) fn emptied(&self, uid: u32) -> Vec<(PlaceId, Arc<OwnedFd>)> {
        let places = self.places.get(&uid).into_iter().flatten();
        places.filter_map(|place| Some((place.id, Arc::clone(place.emptied.as_ref()?)))).collect()
    }

    fn may_take(&self, uid: u32) -> bool {
        match self.places.get(&uid).map_or(0, Vec::len) {
            0 => self.places.len() < FIRST,
            // Its first is not counted with the others, and one more would be.
            own => own <= portion::fair(MORE, self.more - (own - 1)),
        }
    }

    fn add(&mut self, uid: u32) -> PlaceId {
        self.last += 1;
        let places = self.places.entry(uid).or_default();
        self.more += usize::from(!places.is_empty());
        places.push(Place { id: self.last, emptied: None });
        self.last
    }

    fn remove(&mut self, uid: u32, id: PlaceId) {
        let Some(places) = self.places.get_mut(&uid) else { return };
        let before = places.len().saturating_sub(1);
        places.retain(|place| place.id != id);
        self.more -= before - places.len().saturating_sub(1);
        if places.is_empty() {
            self.places.remove(&uid);
        }
    }

    /// Gives each user who waits a place, in turns, if it may have one.
    fn give_out(&mut self) {
        for _ in 0..self.turns.len() {
            let Some(uid) = self.turns.pop_front() else { return };
            if self.may_take(uid) {
                self.give(uid);
            }
            if self.waiters.contains_key(&uid) {
                self.turns.push_back(uid);
            }
        }
    }

    /// Gives a place to the first of a user's calls that is still there.
    fn give(&mut self, uid: u32) {
        let Some(mut waiters) = self.waiters.remove(&uid) else { return };
        let id = self.add(uid);
        if !waiters.give(id) {
            self.remove(uid, id);
        }
        if !waiters.is_empty() {
            self.waiters.insert(uid, waiters);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::pipe;

    fn take_all(books: &mut BusBooks, uid: u32) -> Vec<PlaceId> {
        std::iter::from_fn(|| books.take(uid)).collect()
    }

    #[test]
    fn whoever_reads_nothing_leaves_a_place_for_everyone_else() {
        let mut books = BusBooks::default();
        let counts: Vec<usize> = (0..FIRST as u32 + 2).map(|uid| take_all(&mut books, uid).len()).collect();
        assert_eq!(counts[..6], [8, 4, 3, 2, 1, 1]);
        assert_eq!(counts[6..], [vec![1; FIRST - 6], vec![0; 2]].concat());
        assert!(counts.iter().sum::<usize>() < 64, "the bus stops at 64");
    }

    #[test]
    fn calls_get_places_in_the_order_they_came() {
        let mut books = BusBooks::default();
        let places = take_all(&mut books, 7);
        let [mut first, mut second] = [7, 7].map(|uid| books.wait(uid).unwrap());
        books.let_go(7, places[0]);
        assert!(first.try_recv().is_ok() && second.try_recv().is_err());
        assert!(books.take(7).is_none(), "who comes later comes later");
        books.let_go(7, places[1]);
        assert!(second.try_recv().is_ok());
        assert!(books.waiters.is_empty() && books.turns.is_empty());
    }

    #[test]
    fn what_a_user_gives_back_goes_to_one_who_has_less() {
        let mut books = BusBooks::default();
        let places = take_all(&mut books, 7);
        take_all(&mut books, 8);
        let [mut own, mut others] = [7, 8].map(|uid| books.wait(uid).unwrap());
        books.let_go(7, places[0]);
        assert!(own.try_recv().is_err() && others.try_recv().is_ok());
        places[1..4].iter().for_each(|id| books.let_go(7, *id));
        assert!(own.try_recv().is_ok());
    }

    #[test]
    fn a_place_that_became_free_before_the_call_began_to_wait_is_not_missed() {
        let mut books = BusBooks::default();
        let places = take_all(&mut books, 7);
        assert!(books.take(7).is_none());
        places.iter().for_each(|id| books.let_go(7, *id));
        let mut call = books.wait(7).unwrap();
        assert!(call.try_recv().is_ok());
        assert!(books.waiters.is_empty() && books.turns.is_empty());
    }

    #[test]
    fn a_call_that_does_not_wait_any_more_is_passed_over() {
        let mut books = BusBooks::default();
        let places = take_all(&mut books, 7);
        let gone = books.wait(7).unwrap();
        let mut next = books.wait(7).unwrap();
        drop(gone);
        books.let_go(7, places[0]);
        assert!(next.try_recv().is_ok());
        books.stop_waiting(7);
        assert_eq!(books.places[&7].len(), places.len());
        let waiting: Vec<_> = std::iter::from_fn(|| books.wait(7)).collect();
        assert_eq!(waiting.len(), WAITING_MAX);
        drop(waiting);
        books.stop_waiting(7);
        assert!(books.waiters.is_empty() && books.turns.is_empty());
    }

    #[test]
    fn what_is_let_go_is_forgotten_with_its_user() {
        let mut books = BusBooks::default();
        let (read, _write) = pipe::new().unwrap();
        let places = take_all(&mut books, 7);
        books.withdraw(7, places[0], pipe::handle(&read).unwrap());
        assert_eq!(books.emptied(7).len(), 1);
        places.iter().for_each(|id| books.let_go(7, *id));
        books.let_go(7, places[0]);
        assert_eq!((books.places.len(), books.more), (0, 0));
    }
}
