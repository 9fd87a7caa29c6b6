//! Values in chunks of somebody else, by a share.

use tokenvault_core::crypto::chunk::CHUNK_BYTES;
use tokenvault_core::owner::Owner;
use tokenvault_core::token::{PutMode, PutOptions, ShareRequest};

use crate::fixture::*;

const CHUNK: u64 = CHUNK_BYTES as u64;

/// Alice's token, of three chunks, and Bob, who means hers.
fn shared(write: bool) -> (Home, User, User) {
    let home = Home::new();
    let alice = home.alice();
    alice.attach("t", &long(2, 1)).unwrap();
    let bobs = format!("uid:{BOB}");
    if write { alice.share_to_write("t", &bobs) } else { alice.share("t", &bobs) }.unwrap();
    let bob = home.bob().of(Owner::Uid(ALICE));
    (home, alice, bob)
}

#[test]
fn a_grantee_reads_all_of_it_and_a_use_that_is_counted_is_one() {
    let (home, alice, bob) = shared(false);
    assert!(bob.get_shared("t").unwrap() == long(2, 1));
    let once = ShareRequest { uses: Some(1), ..alice.share_request("t", &format!("uid:{BOB}")) };
    alice.share_as(once).unwrap();
    assert!(bob.get_shared("t").unwrap() == long(2, 1));
    assert_eq!(refused(bob.get_shared("t")), Refused::ShareOver);
    assert_eq!(refused(bob.begin_upload("t", &bob.options())), Refused::NotFound);
    home.check_counters();
}

#[test]
fn a_grantee_that_may_write_stores_a_version_in_chunks_of_its_owners() {
    let (home, alice, bob) = shared(true);
    let before = alice.usage().unwrap().1;
    let info = bob.attach("t", &long(4, 2)).unwrap();
    assert_eq!((info.version, info.owner, info.grant.is_some()), (2, ALICE, true));
    assert!(alice.get("t").unwrap() == long(4, 2));
    assert_eq!(alice.usage().unwrap().1, before + 5 * CHUNK + 256, "it counts for its owner");
    assert_eq!(home.bob().usage().unwrap(), (0, 0));
    home.check_counters();
}

#[test]
fn what_is_the_owners_to_say_is_refused_at_the_beginning() {
    let (home, alice, bob) = shared(true);
    let begin = |options: PutOptions| refused(bob.begin_upload("t", &options));
    assert_eq!(begin(PutOptions { keep_versions: Some(3), ..bob.options() }), Refused::AccessDenied);
    assert_eq!(begin(PutOptions { mode: PutMode::Create, ..bob.options() }), Refused::Exists);
    alice.share("t", &format!("uid:{BOB}")).unwrap();
    assert_eq!(begin(bob.options()), Refused::AccessDenied, "for reading only");
    assert_eq!(refused(bob.begin_upload("missing", &bob.options())), Refused::NotFound);
    home.check_counters();
}

#[test]
fn a_share_that_ends_while_a_value_comes_in_ends_that() {
    let (home, alice, bob) = shared(true);
    let (mut upload, end) = bob.half_upload("t", &bob.options());
    bob.feed(&mut upload, &end, true).unwrap();
    alice.unshare("t", &format!("uid:{BOB}")).unwrap();
    assert_eq!(refused(bob.finish_upload("t", bob.options(), upload)), Refused::NotFound);
    assert_eq!(alice.version_numbers("t"), [1]);
    wait_until("what came in to be counted no longer", || alice.usage().unwrap().1 < 4 * CHUNK);
    home.check_counters();
}

#[test]
fn nothing_more_of_a_value_is_taken_at_its_owners_cost_once_the_share_has_ended() {
    let (home, alice, bob) = shared(true);
    let (mut upload, end) = bob.half_upload("t", &bob.options());
    alice.unshare("t", &format!("uid:{BOB}")).unwrap();
    let held = alice.usage().unwrap().1;
    assert_eq!(refused(bob.feed(&mut upload, &end, true)), Refused::NotFound);
    assert!(alice.usage().unwrap().1 <= held);
    drop(upload);
    wait_until("what came in to be counted no longer", || alice.usage().unwrap().1 < 4 * CHUNK);
    home.check_counters();
}

#[test]
fn the_owners_quota_is_told_without_numbers() {
    let (home, _alice, bob) = shared(true);
    home.set(|settings| settings.bytes = 5 * CHUNK);
    let error = bob.attach("t", &long(4, 2)).unwrap_err().to_string();
    assert!(error.contains("the quota of the token's owner") && !error.contains("327680"), "{error}");
}
