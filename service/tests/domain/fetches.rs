//! Who fetched a token: all of it, nothing of another's, page by page.

use tokenvault_core::audit::{FetchesPage, FetchesRequest, SCANNED_MAX};
use tokenvault_core::owner::Owner;
use tokenvault_core::user::{NameNow, Named};

use crate::fixture::*;

fn page(user: &User, name: &str, limit: usize, after: &str) -> FetchesPage {
    try_page(user, name, limit, after).unwrap()
}

fn try_page(user: &User, name: &str, limit: usize, after: &str) -> Result<FetchesPage, tokenvault_core::Error> {
    user.fetches(&FetchesRequest { token: user.named(name), limit, after: after.to_owned() })
}

/// All of them, in pages of `limit`: who, what and which version.
fn all(user: &User, name: &str, limit: usize) -> Vec<(u32, String, u64)> {
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let FetchesPage { fetches, next } = page(user, name, limit, &after);
        assert!(fetches.len() <= limit);
        found.extend(fetches.into_iter().map(|record| (record.uid, record.operation, record.version)));
        if next.is_empty() {
            return found;
        }
        after = next;
    }
}

fn flush(home: &Home) {
    wait(|reply| home.vault().flush_audit(true, reply)).unwrap();
}

/// The clock goes on so far that nothing is folded.
fn later(home: &Home) {
    home.clock.advance_usec(10 * SECOND);
}

#[test]
fn fetches_of_a_token_are_listed_and_nothing_else_the_newest_first() {
    let home = Home::new();
    let (alice, bob) = (home.alice(), home.bob());
    for user in [&alice, &bob] {
        user.put("t", b"1").unwrap();
        user.put("other", b"1").unwrap();
    }
    assert!(all(&alice, "t", 10).is_empty());
    alice.get("t").unwrap();
    later(&home);
    alice.put("t", b"2").unwrap();
    alice.get("other").unwrap();
    bob.get("t").unwrap();
    alice.describe("t").unwrap();
    assert!(alice.get_version("t", 9).is_err());
    alice.get_for("t", "to see").unwrap();
    // What is read is recorded a moment later, what is changed at once.
    flush(&home);
    let code = alice.offer("t").unwrap().code.to_string();
    bob.redeem(&code).unwrap();
    flush(&home);
    let get = |version| (ALICE, "Get".to_owned(), version);
    let expected = [(BOB, "Redeem".to_owned(), 2), get(2), get(1)];
    for limit in [1, 2, 10] {
        assert_eq!(all(&alice, "t", limit), expected, "in pages of {limit}");
    }
    let newest = page(&alice, "t", 2, "").fetches;
    assert_eq!((newest[1].purpose.as_str(), newest[1].count), ("to see", 1));
}

#[test]
fn a_token_is_followed_through_its_names_and_one_that_had_its_name_before_is_not() {
    let home = Home::new();
    let alice = home.alice();
    alice.put("b", b"another").unwrap();
    alice.get("b").unwrap();
    flush(&home);
    alice.delete("b").unwrap();
    alice.put("a", b"1").unwrap();
    alice.get("a").unwrap();
    flush(&home);
    later(&home);
    alice.rename("a", "b").unwrap();
    alice.put("a", b"its successor").unwrap();
    alice.get("a").unwrap();
    alice.get("b").unwrap();
    flush(&home);
    for limit in [1, 10] {
        assert_eq!(all(&alice, "b", limit).len(), 2, "under both names, in pages of {limit}");
        assert_eq!(all(&alice, "a", limit).len(), 1);
    }
}

#[test]
fn what_was_fetched_a_moment_before_a_name_changed_hands_is_told_of_what_was_fetched() {
    let home = Home::new();
    let alice = home.alice();
    let fetched = |name| -> u64 { page(&alice, name, 10, "").fetches.iter().map(|record| record.count).sum() };
    // The first is recorded soon, those that follow are counted for a second.
    let fetch = |name| (0..3).for_each(|_| drop(alice.get(name).unwrap()));
    alice.put("a", b"1").unwrap();
    fetch("a");
    alice.rename("a", "b").unwrap();
    alice.put("a", b"another").unwrap();
    assert_eq!((fetched("b"), fetched("a")), (3, 0));
    fetch("b");
    alice.delete("b").unwrap();
    alice.put("b", b"a third").unwrap();
    fetch("b");
    flush(&home);
    assert_eq!((fetched("b"), fetched("a")), (3, 0));
}

#[test]
fn what_waits_to_be_recorded_is_left_alone_by_who_may_not_and_by_what_does_not_happen() {
    let home = Home::new();
    let alice = home.alice();
    let counts = |name| page(&alice, name, 10, "").fetches.iter().map(|record| record.count).collect::<Vec<_>>();
    alice.put("a", b"1").unwrap();
    alice.put("taken", b"1").unwrap();
    (0..3).for_each(|_| drop(alice.get("a").unwrap()));
    assert_eq!(refused(home.bob().of(Owner::Uid(ALICE)).delete("a")), Refused::NotFound);
    assert_eq!(refused(alice.rename("a", "taken")), Refused::Exists);
    assert_eq!(counts("a"), [0; 0], "nobody has had it written");
    flush(&home);
    assert_eq!(counts("a"), [2, 1]);
}

#[test]
fn foreign_missing_and_expired_are_one_answer_and_machine_tokens_are_roots() {
    let home = Home::new();
    let (alice, bob) = (home.alice(), home.bob());
    alice.put("t", b"1").unwrap();
    home.root().put("machine", b"1").unwrap();
    let foreign = home.bob().of(Owner::Uid(ALICE));
    let answer = |user: &User, name: &str| try_page(user, name, 10, "").map(|_| ()).map_err(|error| error.to_string());
    assert_eq!(answer(&foreign, "t"), answer(&bob, "t"));
    assert_eq!(answer(&foreign, "t"), answer(&foreign, "missing"));
    assert_eq!(refused(try_page(&foreign, "t", 10, "")), Refused::NotFound);
    let machine = home.bob().of(Owner::Machine);
    assert_eq!(refused(try_page(&machine, "machine", 10, "")), Refused::AccessDenied);
    assert_eq!(refused(try_page(&machine, "missing", 10, "")), Refused::AccessDenied);
    assert!(try_page(&home.root().of(Owner::Machine), "machine", 10, "").is_ok());
}

#[test]
fn a_page_looks_at_so_many_records_and_the_next_one_goes_on() {
    let home = Home::new();
    let (alice, bob) = (home.alice(), home.bob());
    alice.put("t", b"1").unwrap();
    alice.get("t").unwrap();
    bob.put("noise", b"1").unwrap();
    for _ in 0..SCANNED_MAX + 10 {
        later(&home);
        bob.get("noise").unwrap();
    }
    flush(&home);
    let first = page(&alice, "t", 10, "");
    assert!(first.fetches.is_empty() && !first.next.is_empty(), "a page without rows is not the end");
    assert_eq!(all(&alice, "t", 10).len(), 1);
}

/// A vault in which each of these was fetched twice by its owner, under the clock.
fn fetched(tokens: &[(u32, &str)]) -> Home {
    let home = Home::new();
    for (uid, name) in tokens {
        let user = User::new(home.vault(), *uid);
        user.put(name, b"1").unwrap();
        for _ in 0..2 {
            user.get(name).unwrap();
            later(&home);
        }
    }
    flush(&home);
    home
}

#[test]
fn a_place_is_of_one_token_of_one_principal() {
    let home = fetched(&[(ALICE, "t"), (ALICE, "other"), (BOB, "t")]);
    let (alice, bob) = (home.alice(), home.bob());
    let next = |user: &User, name: &str| page(user, name, 1, "").next;
    assert!(!next(&alice, "t").is_empty() && next(&alice, "t") != next(&alice, "t"), "it tells nothing");
    assert_eq!(page(&alice, "t", 1, &next(&alice, "t")).fetches.len(), 1);
    let changed = next(&alice, "t").replacen('0', "1", 1);
    let list = alice.page(&tokenvault_core::token::ListRequest { limit: 1, ..alice.everything() }).unwrap().next;
    let foreign = ["x", "0", "7:t", "7", changed.as_str(), list.as_str()];
    for after in foreign.map(str::to_owned).into_iter().chain([next(&alice, "other"), next(&bob, "t")]) {
        assert_eq!(refused(try_page(&alice, "t", 10, &after)), Refused::InvalidArgs, "{after}");
    }
    assert_eq!(refused(try_page(&bob, "other", 10, &next(&alice, "other"))), Refused::NotFound);
    alice.rename("t", "u").unwrap();
    assert_eq!(refused(try_page(&alice, "u", 1, &next(&bob, "t"))), Refused::InvalidArgs);
}

#[test]
fn whoever_gets_a_uid_sees_nothing_of_who_had_it_before() {
    let home = fetched(&[(ALICE, "t"), (ALICE, "other"), (BOB, "older")]);
    let alices = page(&home.alice(), "t", 1, "").next;
    home.vault().purge_user(&home.root().caller, ALICE).unwrap();
    let mallory = home.alice().renamed("mallory");
    for name in ["x", "t"] {
        mallory.put(name, b"1").unwrap();
        mallory.get(name).unwrap();
        later(&home);
        mallory.get(name).unwrap();
        flush(&home);
        assert_eq!(all(&mallory, name, 1).len(), 2, "her own");
        assert_eq!(refused(try_page(&mallory, name, 10, &alices)), Refused::InvalidArgs);
    }
}

#[test]
fn what_was_adopted_is_followed_to_the_uid_it_had_and_no_further() {
    let home = fetched(&[(ALICE, "x"), (BOB, "x")]);
    let root = home.root().caller;
    home.vault().purge_user(&root, ALICE).unwrap();
    let bob_now = Named { uid: ALICE, user: NameNow::Is("dora".into()) };
    home.vault().adopt_user(&root, BOB, &bob_now).unwrap();
    let dora = home.alice().renamed("dora");
    dora.get("x").unwrap();
    flush(&home);
    let (bobs, doras) = ((BOB, "Get".to_owned(), 1), (ALICE, "Get".to_owned(), 1));
    for limit in [1, 10] {
        assert_eq!(all(&dora, "x", limit), [doras.clone(), bobs.clone(), bobs.clone()], "in pages of {limit}");
    }
    dora.put("y", b"1").unwrap();
    assert!(all(&dora, "y", 10).is_empty());
    // Whoever has the uid it came from has nothing of it.
    let bob = home.bob().renamed("eve");
    bob.put("x", b"1").unwrap();
    assert!(all(&bob, "x", 10).is_empty());
}

#[test]
fn a_token_that_was_renamed_and_then_adopted_is_followed_through_both() {
    let home = fetched(&[(ALICE, "x"), (BOB, "y")]);
    let root = home.root().caller;
    home.vault().purge_user(&root, ALICE).unwrap();
    home.bob().rename("y", "x").unwrap();
    home.vault().adopt_user(&root, BOB, &Named { uid: ALICE, user: NameNow::Is("dora".into()) }).unwrap();
    let dora = home.alice().renamed("dora");
    assert_eq!(all(&dora, "x", 10), [(BOB, "Get".to_owned(), 1), (BOB, "Get".to_owned(), 1)]);
}
