//! A read that asks nobody, what it asks for on the way, and what it leaves.

use std::cell::Cell;

use tokenvault_core::token::GetRequest;

use crate::fixture::*;

/// How often a place was made, and how often filled.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub places: usize,
    pub fills: usize,
}

/// Reads, and what was asked for meanwhile; `place` and `fill` say what comes of that.
pub fn read(
    home: &Home,
    user: &User,
    request: &GetRequest,
    (place, fill): (impl FnOnce() -> bool, impl FnOnce() -> bool),
) -> (Option<Vec<u8>>, Asked) {
    let (places, fills) = (Cell::new(0), Cell::new(0));
    let found = home.vault().get_hot(
        &user.caller,
        request,
        |token| {
            places.set(places.get() + 1);
            assert_eq!(token.info().owner, user.caller.uid);
            place().then_some("a place")
        },
        |made, value| {
            fills.set(fills.get() + 1);
            assert_eq!(made, "a place");
            fill().then(|| value.expose().to_vec())
        },
    );
    (found, Asked { places: places.get(), fills: fills.get() })
}

/// Writes down what waits, so that whatever waits later came later.
pub fn write_down(home: &Home) {
    wait(|reply| home.vault().flush_audit(true, reply)).unwrap();
    assert_eq!(home.vault().audit_waiting(), 0);
}

/// Checks that a read finds nothing, asks for nothing and leaves nothing.
#[track_caller]
pub fn finds_nothing(home: &Home, user: &User, request: &GetRequest) {
    write_down(home);
    assert_eq!(read(home, user, request, (|| true, || true)), (None, Asked::default()));
    assert_eq!(home.vault().audit_waiting(), 0, "it is noted");
}

/// Checks that one finds it, and that it waits to be written down.
#[track_caller]
pub fn finds(home: &Home, user: &User, request: &GetRequest, value: &[u8]) {
    write_down(home);
    let asked = Asked { places: 1, fills: 1 };
    assert_eq!(read(home, user, request, (|| true, || true)), (Some(value.to_vec()), asked));
    assert_eq!(home.vault().audit_waiting(), 1, "it is not noted");
}
