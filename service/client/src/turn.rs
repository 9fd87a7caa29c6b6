//! Taking turns: one caller at a time has the one thing that is shared, and waits for it no longer than it wants to.
//!
//! A turn that ends is handed to one who waits: whoever asks again and again would else always be there first.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::deadline;

/// The thing, and who waits for it.
pub(crate) struct Turns<T> {
    state: Mutex<State<T>>,
    ended: Condvar,
}

struct State<T> {
    is_taken: bool,
    waiting: usize,
    /// Whether the turn that is taken is for one of those who wait.
    is_handed: bool,
    /// `None` during a turn, and after one that did not put it back.
    thing: Option<T>,
}

impl<T> Turns<T> {
    pub(crate) const fn new(thing: T) -> Self {
        let state = State { is_taken: false, waiting: 0, is_handed: false, thing: Some(thing) };
        Self { state: Mutex::new(state), ended: Condvar::new() }
    }

    /// Waits for a turn; `None` when the time passes first.
    pub(crate) fn take(&self, until: Instant) -> Option<Turn<'_, T>> {
        let mut state = self.lock();
        if state.is_taken {
            state.waiting += 1;
            while !state.is_handed {
                let left = deadline::left(until);
                if left.is_zero() {
                    state.waiting -= 1;
                    return None;
                }
                state = self.ended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            }
            state.waiting -= 1;
            state.is_handed = false;
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
        state.is_handed = state.waiting > 0;
        state.is_taken = state.is_handed;
        let is_awaited = state.is_handed;
        drop(state);
        if is_awaited {
            self.turns.ended.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Barrier, mpsc};
    use std::thread;
    use std::time::Duration;

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
            while turns.lock().waiting == 0 {
                thread::yield_now();
            }
            drop(first);
            assert_eq!(is_bounded, Ok(true));
            assert!(second.join().unwrap());
        });
        assert_eq!(turns.lock().waiting, 0);
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
    fn who_asks_again_and_again_leaves_every_second_turn_to_the_other() {
        let turns = Turns::new(0_u32);
        let (begun, stop) = (Barrier::new(2), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let mut turn = turns.take(soon()).unwrap();
                    turn.thing = turn.thing.map(|count| count + 1);
                    if turn.thing == Some(1) {
                        begun.wait();
                    }
                    // As a call does, it sleeps during its turn.
                    thread::park_timeout(Duration::from_micros(200));
                }
            });
            begun.wait();
            for _ in 0..20 {
                let before = turns.take(soon()).unwrap().thing.unwrap();
                let after = turns.take(soon()).unwrap().thing.unwrap();
                assert!(after <= before + 2, "{before}, {after}");
            }
            stop.store(true, Ordering::Relaxed);
        });
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
