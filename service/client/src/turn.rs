//! Taking turns: one caller at a time has the one thing that is shared, and waits for it no longer than it wants to.
//!
//! Turns go to those who wait in the order they came: whoever asks again and again would else always be there first.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::deadline;

/// Number of one who waits.
type Ticket = u64;

/// The thing, and who waits for it.
pub(crate) struct Turns<T> {
    state: Mutex<State<T>>,
    ended: Condvar,
}

struct State<T> {
    is_taken: bool,
    waiting: VecDeque<Ticket>,
    last: Ticket,
    /// Whose the turn is that is taken, until they know.
    handed: Option<Ticket>,
    /// `None` during a turn, and after one that did not put it back.
    thing: Option<T>,
}

impl<T> Turns<T> {
    pub(crate) const fn new(thing: T) -> Self {
        let state = State { is_taken: false, waiting: VecDeque::new(), last: 0, handed: None, thing: Some(thing) };
        Self { state: Mutex::new(state), ended: Condvar::new() }
    }

    /// Waits for a turn, behind those who wait already; `None` when the time passes first.
    pub(crate) fn take(&self, until: Instant) -> Option<Turn<'_, T>> {
        let mut state = self.lock();
        if state.is_taken {
            state.last += 1;
            let ticket = state.last;
            state.waiting.push_back(ticket);
            while state.handed != Some(ticket) {
                let left = deadline::left(until);
                if left.is_zero() {
                    state.waiting.retain(|waiting| *waiting != ticket);
                    return None;
                }
                state = self.ended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            }
            state.handed = None;
        }
        state.is_taken = true;
        Some(Turn { turns: self, thing: state.thing.take() })
    }

    /// Held for moments only. What it guards is consistent wherever a panic could leave it.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The turn of one caller. What is in it when it ends is there for the next.
pub(crate) struct Turn<'t, T> {
    turns: &'t Turns<T>,
    pub(crate) thing: Option<T>,
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        let mut state = self.turns.lock();
        state.thing = self.thing.take();
        state.handed = state.waiting.pop_front();
        state.is_taken = state.handed.is_some();
        let is_awaited = state.is_taken;
        drop(state);
        if is_awaited {
            // All of them, since only one knows that it is meant; they are few.
            self.turns.ended.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;
    use crate::fixture::{in_millis, soon};

    #[test]
    fn what_one_turn_leaves_the_next_one_has() {
        let turns = Turns::new(7);
        assert_eq!(turns.take(soon()).and_then(|mut turn| turn.thing.take()), Some(7));
        let mut turn = turns.take(soon()).unwrap();
        assert_eq!(turn.thing, None);
        turn.thing = Some(8);
        drop(turn);
        assert_eq!(turns.take(soon()).and_then(|mut turn| turn.thing.take()), Some(8));
    }

    #[test]
    fn a_turn_that_does_not_end_is_waited_for_until_the_deadline_and_one_that_does_is_had() {
        let turns = Turns::new(());
        let first = turns.take(soon()).unwrap();
        thread::scope(|scope| {
            let (say, hear) = mpsc::channel();
            let turns = &turns;
            scope.spawn(move || say.send(turns.take(in_millis(50)).is_none()));
            let is_bounded = hear.recv_timeout(deadline::left(soon()));
            let second = scope.spawn(|| turns.take(soon()).is_some());
            while turns.lock().waiting.is_empty() {
                thread::yield_now();
            }
            drop(first);
            assert_eq!(is_bounded, Ok(true));
            assert!(second.join().unwrap());
        });
        assert!(turns.lock().waiting.is_empty());
    }

    #[test]
    fn a_panic_ends_a_turn() {
        let turns = Turns::new(());
        thread::scope(|scope| {
            let turn = || {
                let _turn = turns.take(soon());
                panic!("on purpose");
            };
            assert!(scope.spawn(turn).join().is_err());
        });
        assert!(turns.take(in_millis(50)).is_some());
    }

    #[test]
    fn a_turn_that_ends_is_had_by_who_waits_and_not_by_who_asks_again() {
        let turns = Turns::new(());
        for _ in 0..200 {
            let first = turns.take(soon()).unwrap();
            thread::scope(|scope| {
                let (end, ended) = mpsc::channel::<()>();
                let turns = &turns;
                let waits = scope.spawn(move || {
                    let turn = turns.take(soon());
                    ended.recv().ok();
                    turn.is_some()
                });
                while turns.lock().waiting.is_empty() {
                    thread::yield_now();
                }
                drop(first);
                let again = turns.take(in_millis(0));
                assert!(again.is_none(), "who asked again was there first");
                drop(end);
                assert!(waits.join().unwrap());
            });
        }
    }

    #[test]
    fn every_one_of_many_gets_its_turn() {
        let turns = Turns::new(0);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        let mut turn = turns.take(soon()).unwrap();
                        turn.thing = turn.thing.map(|count| count + 1);
                    }
                });
            }
        });
        assert_eq!(turns.take(soon()).and_then(|mut turn| turn.thing.take()), Some(8000));
    }
}
