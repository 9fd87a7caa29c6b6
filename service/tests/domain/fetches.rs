//! Who fetched a token: all of it, nothing of another's, page by page.

use tokenvault_core::audit::{FetchesCursor, FetchesPage, FetchesRequest, SCANNED_MAX};
use tokenvault_core::owner::Owner;

use crate::fixture::*;

fn page(user: &User, name: &str, limit: usize, after: Option<FetchesCursor>) -> FetchesPage {
    try_page(user, name, limit, after).unwrap()
}

fn try_page(
    user: &User,
    name: &str,
    limit: usize,
    after: Option<FetchesCursor>,
) -> Result<FetchesPage, tokenvault_core::Error> {
    user.fetches(&FetchesRequest { token: user.named(name), limit, after })
}

/// All of them, in pages of `limit`: who, what and which version.
fn all(user: &User, name: &str, limit: usize) -> Vec<(u32, String, u64)> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let FetchesPage { fetches, next } = page(user, name, limit, after);
        assert!(fetches.len() <= limit);
        found.extend(fetches.into_iter().map(|record| (record.uid, record.operation, record.version)));
        match next {
            // As a caller has it.
            Some(next) => after = Some(FetchesCursor::parse(&next.to_string()).unwrap()),
            None => return found,
        }
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
    let newest = page(&alice, "t", 2, None).fetches;
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
fn foreign_missing_and_expired_are_one_answer_and_machine_tokens_are_roots() {
    let home = Home::new();
    let (alice, bob) = (home.alice(), home.bob());
    alice.put("t", b"1").unwrap();
    home.root().put("machine", b"1").unwrap();
    let foreign = home.bob().of(Owner::Uid(ALICE));
    let answer =
        |user: &User, name: &str| try_page(user, name, 10, None).map(|_| ()).map_err(|error| error.to_string());
    assert_eq!(answer(&foreign, "t"), answer(&bob, "t"));
    assert_eq!(answer(&foreign, "t"), answer(&foreign, "missing"));
    assert_eq!(refused(try_page(&foreign, "t", 10, None)), Refused::NotFound);
    let machine = home.bob().of(Owner::Machine);
    assert_eq!(refused(try_page(&machine, "machine", 10, None)), Refused::AccessDenied);
    assert_eq!(refused(try_page(&machine, "missing", 10, None)), Refused::AccessDenied);
    assert!(try_page(&home.root().of(Owner::Machine), "machine", 10, None).is_ok());
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
    let first = page(&alice, "t", 10, None);
    assert!(first.fetches.is_empty() && first.next.is_some(), "a page without rows is not the end");
    assert_eq!(all(&alice, "t", 10).len(), 1);
}

#[test]
fn a_cursor_that_is_none_is_not_taken() {
    for text in ["x", "", "-1", ":a", "1 :a"] {
        assert_eq!(FetchesCursor::parse(text), None, "{text}");
    }
    assert_eq!(FetchesCursor::parse("7:a:b").unwrap().to_string(), "7:a:b");
}
