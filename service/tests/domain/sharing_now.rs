//! Whether a token is shared: what its owner is told of that, as it is at that moment.

use tokenvault_core::Timestamp;
use tokenvault_core::owner::Owner;

use crate::fixture::*;

fn at(usec: u64) -> Timestamp {
    START.checked_add_usec(usec).unwrap()
}

/// Alice's token, and nobody else's.
fn home() -> Home {
    let home = Home::new();
    home.alice().put("t", b"v").unwrap();
    home
}

/// What each of the ways to the token says of it: the same.
#[track_caller]
fn is_shared(home: &Home) -> bool {
    let alice = home.alice();
    let listed = alice.list().unwrap()[0].shared;
    let told = [
        alice.describe("t").unwrap().shared,
        alice.open("t").unwrap().info.shared,
        alice.open("t").unwrap().info.shared,
    ];
    assert_eq!(told, [listed; 3], "described, and fetched twice, against listed");
    listed
}

#[test]
fn a_token_whose_last_share_has_expired_is_shared_no_more() {
    let home = home();
    assert!(!is_shared(&home));
    home.alice().share_with("t", "user:bob", Some(at(SECOND)), None).unwrap();
    home.alice().share_with("t", "uid:1003", Some(at(2 * SECOND)), None).unwrap();
    for shared in [true, true, false] {
        assert_eq!(is_shared(&home), shared);
        home.clock.advance_usec(SECOND);
    }
    home.alice().share("t", "user:bob").unwrap();
    assert!(is_shared(&home));
    home.alice().unshare("t", "user:bob").unwrap();
    assert!(!is_shared(&home), "what is left of it has ended");
    home.check_counters();
}

#[test]
fn a_token_whose_last_use_is_spent_is_shared_no_more() {
    let home = home();
    home.alice().share_with("t", "user:bob", None, Some(2)).unwrap();
    for shared in [true, true, false] {
        assert_eq!(is_shared(&home), shared);
        // The third one finds nothing left.
        drop(home.bob().of(Owner::Uid(ALICE)).get_shared("t"));
    }
    home.alice().put("t", b"w").unwrap();
    assert!(!is_shared(&home), "nor does a new version bring it back");
}

#[test]
fn a_damaged_share_takes_no_token_from_its_owner() {
    let mut home = home();
    home.alice().share_with("t", "user:bob", Some(at(DAY)), None).unwrap();
    home.tamper(|file| file.change("UPDATE share SET meta = x'01'", []));
    assert!(!is_shared(&home));
    assert_eq!(refused(home.bob().of(Owner::Uid(ALICE)).get_shared("t")), Refused::Quarantined);
    assert_eq!(home.alice().get("t").unwrap(), b"v");
}
