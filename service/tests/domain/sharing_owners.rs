//! Sharing, and what becomes of owners and grantees: who is called otherwise, is disabled, or goes while somebody looks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tokenvault_core::Timestamp;
use tokenvault_core::issued::{self, Audience, IssueRequest};
use tokenvault_core::owner::{NameDigest, Owner};
use tokenvault_core::token::{Asked, SHARES_MAX};
use tokenvault_core::user::{NameNow, Named, UserChanges};

use crate::fixture::*;

/// Alice's token, shared with Bob.
fn shared() -> Home {
    let home = Home::new();
    home.alice().put("t", b"of alice").unwrap();
    home.alice().share_to_write("t", "user:bob").unwrap();
    home
}

/// Bob, who means the tokens of the uid of Alice by a name it has now.
fn bob_naming(home: &Home, owner: &str) -> User {
    home.bob().of(Owner::User(ALICE, NameDigest::of(owner)))
}

#[test]
fn s8_whoever_has_the_uid_of_an_owner_now_is_not_taken_for_it() {
    let home = shared();
    let (hers, anothers) = (bob_naming(&home, "alice"), bob_naming(&home, "mallory"));
    assert_eq!(hers.get_shared("t").unwrap(), b"of alice");
    assert_eq!(hers.put("t", b"2").unwrap().version, 2);
    assert_eq!(refused(anothers.get_shared("t")), Refused::NotFound);
    assert_eq!(refused(anothers.describe_shared("t")), Refused::NotFound);
    assert_eq!(refused(anothers.put("t", b"3")), Refused::NotFound);
    assert!(anothers.is_refused("t").is_ok(), "the operation says that there is none");
    for (user, count) in [(&hers, 1), (&anothers, 0)] {
        let listed = home.vault().list_shared(&user.caller, &user.everything(), true, &[]).unwrap();
        let Asked::Answer(page) = listed else { panic!("nothing has to be looked up") };
        assert_eq!(page.tokens.len(), count);
    }
    assert_eq!(home.alice().version_numbers("t"), [2, 1]);
}

#[test]
fn who_is_disabled_is_not_told_what_is_shared_with_it() {
    let home = shared();
    home.bob().put("own", b"v").unwrap();
    let asks = home.bob().of(Owner::Uid(ALICE));
    assert_eq!(refused(asks.is_refused("t")), Refused::AccessDenied);
    let changes = UserChanges { active: Some(false), ..UserChanges::default() };
    let subject = Named { uid: BOB, user: NameNow::None };
    home.vault().set_user(&home.root().caller, &subject, &changes).unwrap();
    assert!(asks.is_refused("t").is_ok(), "that it is disabled the operation says");
    assert_eq!(asks.rename("t", "u").unwrap_err().to_string(), asks.rename("missing", "u").unwrap_err().to_string());
}

#[test]
fn shares_that_have_ended_make_room_where_a_token_has_as_many_as_it_may() {
    let home = Home::new();
    home.alice().put("t", b"v").unwrap();
    let end = Timestamp::from_usec(START.as_usec() + SECOND);
    for uid in 2_000..2_000 + SHARES_MAX - 1 {
        home.alice().share_with("t", &format!("uid:{uid}"), Some(end), None).unwrap();
    }
    home.alice().share_with("t", "uid:7000", None, Some(1)).unwrap();
    assert_eq!(refused(home.alice().share("t", "user:bob")), Refused::LimitsExceeded);
    User::new(home.vault(), 7_000).of(Owner::Uid(ALICE)).get_shared("t").unwrap();
    home.alice().share("t", "user:bob").unwrap();
    assert_eq!(home.alice().shares("t").unwrap().len(), SHARES_MAX, "of one that was used up is no talk");
    assert_eq!(refused(home.alice().share("t", "uid:7001")), Refused::LimitsExceeded);
    home.clock.advance_usec(SECOND);
    home.alice().share("t", "uid:7001").unwrap();
    let grantees: Vec<String> = home.alice().grantees("t").into_iter().map(|(grantee, _)| grantee).collect();
    assert_eq!(grantees, ["user:bob", "user:user7001"]);
    home.check_counters();
}

#[test]
fn what_was_shared_with_somebody_the_vault_has_nothing_of_ends_with_a_purge_too() {
    let home = shared();
    let purge = |uid| home.vault().purge_user(&home.root().caller, uid);
    purge(BOB).unwrap();
    assert!(home.alice().shares("t").unwrap().is_empty());
    assert_eq!(refused(purge(BOB)), Refused::InvalidArgs, "now there is nothing of him");
    home.check_counters();
}

#[test]
fn who_lists_while_an_owner_goes_is_told_of_no_damage() {
    for _ in 0..10 {
        let home = Home::new();
        for number in 0..60 {
            home.alice().put(&format!("t{number}"), b"v").unwrap();
            home.alice().share(&format!("t{number}"), "user:bob").unwrap();
        }
        let is_gone = AtomicBool::new(false);
        thread::scope(|scope| {
            let lists = scope.spawn(|| {
                while !is_gone.load(Ordering::SeqCst) {
                    let count = home.bob().shared_with_me().len();
                    assert!(count == 60 || count == 0, "{count} of them: what goes goes at once");
                }
            });
            home.vault().purge_user(&home.root().caller, ALICE).unwrap();
            is_gone.store(true, Ordering::SeqCst);
            lists.join().unwrap();
        });
        assert!(home.bob().shared_with_me().is_empty());
    }
}

#[test]
fn of_an_owner_whose_uid_has_another_name_others_are_given_nothing_until_it_has_its_own_again() {
    let home = Home::new();
    let alice = home.alice();
    alice.put("t", b"v").unwrap();
    alice.share("t", "user:bob").unwrap();
    let audience = Audience::User(issued::Named { number: BOB, name: "bob".into() });
    let token = alice.issue(IssueRequest { audience, ..plain() }).unwrap().token;
    let code = alice.offer("t").unwrap().code;
    let bob = || home.bob().of(Owner::Uid(ALICE));
    for is_right in [true, false, true] {
        home.vault().estrange(ALICE, !is_right);
        assert_eq!(bob().get_shared("t").is_ok(), is_right);
        assert_eq!(bob().describe_shared("t").is_ok(), is_right);
        assert_eq!(home.bob().shared_with_me().len(), usize::from(is_right));
        assert_eq!((home.bob().is_valid(&token), home.bob().is_valid(&token)), (is_right, is_right));
        assert!(alice.get("t").is_ok() && alice.is_valid(&token), "who shows the right name is its owner");
        if !is_right {
            assert!(home.bob().redeem(&code).is_err());
        }
    }
    home.bob().redeem(&code).unwrap();
    home.vault().estrange(ALICE, true);
    let present = Named { uid: ALICE, user: NameNow::Is("alice".into()) };
    home.vault().adopt_user(&home.root().caller, ALICE, &present).unwrap();
    assert!(bob().get_shared("t").is_ok(), "an administrator has said whose it is");
}
