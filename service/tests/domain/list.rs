//! Listing: filters, pages and their cursors.

use std::sync::mpsc::channel;

use tokenvault_core::name::NamePrefix;
use tokenvault_core::token::{Expiry, ListRequest, PAGE_BYTES_MAX, PutOptions};

use crate::fixture::*;

/// More than is looked at for a page.
const MANY: usize = 2_100;
const AT_A_TIME: usize = 500;

fn prefixed(user: &User, prefix: &str) -> Vec<String> {
    user.names(&ListRequest { prefix: NamePrefix::parse(prefix).unwrap(), ..user.everything() })
}

fn found(user: &User, pairs: &[(&str, &str)]) -> Vec<String> {
    user.names(&ListRequest { attributes: attributes(pairs), ..user.everything() })
}

#[test]
fn a_list_tells_ones_own_tokens_in_the_order_they_came() {
    let home = Home::new();
    for name in ["b", "a", "c"] {
        home.alice().put(name, b"1").unwrap();
        home.bob().put(&format!("bob's {name}"), b"1").unwrap();
    }
    assert_eq!(home.alice().names(&home.alice().everything()), ["b", "a", "c"]);
    assert_eq!(home.root().list().unwrap(), []);
}

#[test]
fn a_prefix_is_compared_as_text() {
    let home = Home::new();
    let alice = home.alice();
    for name in ["ci/deploy", "ci/test", "cinema", "db"] {
        alice.put(name, b"1").unwrap();
    }
    assert_eq!(prefixed(&alice, "ci/"), ["ci/deploy", "ci/test"]);
    assert_eq!(prefixed(&alice, "ci"), ["ci/deploy", "ci/test", "cinema"]);
    assert_eq!(prefixed(&alice, "x"), [""; 0]);
}

#[test]
fn a_token_is_found_by_all_the_attributes_that_are_asked_for() {
    let home = Home::new();
    let alice = home.alice();
    for (name, pairs) in [
        ("a", [("host", "db1"), ("env", "prod")]),
        ("b", [("host", "db1"), ("env", "test")]),
        ("c", [("host", "db2"), ("env", "prod")]),
    ] {
        let options = PutOptions { attributes: Some(attributes(&pairs)), ..PutOptions::default() };
        alice.put_with(name, b"1", options.clone()).unwrap();
        home.bob().put_with(name, b"1", options).unwrap();
    }
    assert_eq!(found(&alice, &[("host", "db1")]), ["a", "b"]);
    assert_eq!(found(&alice, &[("host", "db1"), ("env", "prod")]), ["a"]);
    assert_eq!(found(&alice, &[("host", "db3")]), [""; 0]);
    assert_eq!(found(&alice, &[("hos", "tdb1")]), [""; 0]);
    alice.delete("a").unwrap();
    assert_eq!(found(&alice, &[("host", "db1")]), ["b"]);
}

#[test]
fn pages_together_are_the_whole_list() {
    let home = Home::new();
    let alice = home.alice();
    let names: Vec<_> = (0..25).map(|number| format!("t{number}")).collect();
    names.iter().for_each(|name| drop(alice.put(name, b"1").unwrap()));
    for limit in [1, 7, 24, 25, 26] {
        let (mut told, mut request) = (Vec::new(), ListRequest { limit, ..alice.everything() });
        loop {
            let page = alice.page(&request).unwrap();
            assert!(page.tokens.len() <= limit);
            told.extend(page.tokens.into_iter().map(|token| token.name));
            if page.next.is_empty() {
                break;
            }
            request.after = page.next;
        }
        assert_eq!(told, names, "{limit} a page");
    }
}

#[test]
fn a_filter_looks_beyond_the_rows_taken_at_a_time() {
    let home = Home::new();
    let alice = home.alice();
    (0..300).for_each(|number| drop(alice.put(&format!("t{number}"), b"1").unwrap()));
    alice.put("last", b"1").unwrap();
    assert_eq!(prefixed(&alice, "last"), ["last"]);
    let page = alice.page(&ListRequest { limit: 1, prefix: NamePrefix::parse("t299").unwrap(), ..alice.everything() });
    assert_eq!(page.unwrap().tokens[0].name, "t299");
}

/// Tokens of which the last one alone is meant by most filters; so many that a page does not look at all of them.
fn many(home: &Home) -> User {
    let alice = home.alice();
    let (told, puts) = channel();
    for number in 0..MANY {
        let told = told.clone();
        alice.begin_put(&format!("t{number}"), b"1", move |put| told.send(put.is_ok()).unwrap());
        // No more at a time than the writer's queue takes.
        if number >= AT_A_TIME {
            assert!(puts.recv().unwrap());
        }
    }
    drop(told);
    assert_eq!(puts.iter().filter(|put| *put).count(), AT_A_TIME);
    alice
        .put_with("last", b"1", PutOptions { attributes: Some(attributes(&[("a", "b")])), ..PutOptions::default() })
        .unwrap();
    alice
}

#[test]
fn a_filter_that_means_little_is_answered_in_pages_that_are_bounded_and_may_be_empty() {
    let home = Home::new();
    let alice = many(&home);
    let (mut request, mut pages) =
        (ListRequest { prefix: NamePrefix::parse("last").unwrap(), ..alice.everything() }, 0);
    let found = loop {
        let page = alice.page(&request).unwrap();
        pages += 1;
        if !page.tokens.is_empty() {
            break page;
        }
        assert_ne!(page.next, "", "there is more");
        assert_ne!(page.next, request.after, "it goes on");
        request.after = page.next;
    };
    assert_eq!((pages, found.tokens[0].name.as_str(), found.next.as_str()), (2, "last", ""));
    // What is found by its tags is found at once.
    assert_eq!(self::found(&alice, &[("a", "b")]), ["last"]);
    let whole = alice.page(&ListRequest { limit: 2_000, ..alice.everything() }).unwrap();
    assert!(whole.tokens.len() > 500 && !whole.next.is_empty(), "a page that is not filtered is as long as it may be");
}

#[test]
fn what_never_expires_is_passed_over_by_whoever_asks_what_does() {
    let home = Home::new();
    let alice = home.alice();
    alice.put("never", b"1").unwrap();
    for (name, usec) in [("before", DAY - 1), ("at", DAY), ("after", DAY + 1)] {
        alice.put_with(name, b"1", PutOptions { expiry: Expiry::After(usec), ..PutOptions::default() }).unwrap();
    }
    for (limit, expected) in [
        (DAY - 1, vec![]),
        (DAY, vec!["before"]),
        (DAY + 1, vec!["before", "at"]),
        (9 * DAY, vec!["before", "at", "after"]),
    ] {
        let expires_before = START.checked_add_usec(limit);
        assert_eq!(alice.names(&ListRequest { expires_before, ..alice.everything() }), expected, "{limit}");
    }
}

#[test]
fn a_page_goes_on_where_it_ended_though_tokens_come_and_go() {
    let home = Home::new();
    let alice = home.alice();
    ["a", "b", "c", "d"].iter().for_each(|name| drop(alice.put(name, b"1").unwrap()));
    let first = alice.page(&ListRequest { limit: 2, ..alice.everything() }).unwrap();
    alice.delete("b").unwrap();
    alice.delete("c").unwrap();
    alice.put("e", b"1").unwrap();
    assert_eq!(alice.names(&ListRequest { after: first.next, ..alice.everything() }), ["d", "e"]);
}

#[test]
fn a_cursor_that_is_not_the_callers_own_and_untouched_is_refused() {
    let home = Home::new();
    let (alice, bob) = (home.alice(), home.bob());
    for name in ["a", "b"] {
        alice.put(name, b"1").unwrap();
        bob.put(name, b"1").unwrap();
    }
    let cursor = alice.page(&ListRequest { limit: 1, ..alice.everything() }).unwrap().next;
    let with =
        |user: &User, after: &str| answer(user.page(&ListRequest { after: after.to_owned(), ..user.everything() }));
    assert_eq!(with(&alice, &cursor).unwrap().tokens[0].name, "b");
    assert_eq!(with(&bob, &cursor), Err(Refused::InvalidArgs), "another user's");
    for at in 0..cursor.len() {
        let mut changed = cursor.clone().into_bytes();
        changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
        assert_eq!(with(&alice, &String::from_utf8(changed).unwrap()), Err(Refused::InvalidArgs), "character {at}");
    }
    for made_up in [
        "0",
        "00",
        "1",
        "next",
        "\u{e9}\u{e9}",
        "+1",
        &cursor[1..],
        &cursor[..cursor.len() - 2],
        &format!("{cursor}00"),
    ] {
        assert_eq!(with(&alice, made_up), Err(Refused::InvalidArgs), "{made_up}");
    }
}

#[test]
fn a_cursor_outlives_a_restart() {
    let mut home = Home::new();
    for name in ["a", "b"] {
        home.alice().put(name, b"1").unwrap();
    }
    let after = home.alice().page(&ListRequest { limit: 1, ..home.alice().everything() }).unwrap().next;
    home.restart();
    let alice = home.alice();
    assert_eq!(alice.names(&ListRequest { after, ..alice.everything() }), ["b"]);
}

#[test]
fn what_was_listed_before_is_listed_as_it_is_now() {
    let home = Home::new();
    let alice = home.alice();
    let (marked, expiring) = (
        |host| PutOptions { attributes: Some(attributes(&[("host", host)])), ..PutOptions::default() },
        PutOptions { expiry: Expiry::After(SECOND), ..PutOptions::default() },
    );
    alice.put_with("a", b"1", marked("db1")).unwrap();
    alice.put_with("b", b"1", expiring).unwrap();
    alice.put("c", b"1").unwrap();
    assert_eq!(prefixed(&alice, ""), ["a", "b", "c"]);
    assert_eq!(prefixed(&alice, "a"), ["a"], "also where another filter found it before");
    assert_eq!(found(&alice, &[("host", "db1")]), ["a"]);
    alice.put_with("a", b"22", marked("db2")).unwrap();
    assert_eq!(found(&alice, &[("host", "db1")]), [""; 0]);
    assert_eq!(found(&alice, &[("host", "db2")]), ["a"]);
    let sizes: Vec<_> = alice.list().unwrap().into_iter().map(|token| token.size).collect();
    assert_eq!(sizes, [2, 1, 1]);
    home.clock.advance_usec(SECOND);
    assert_eq!(prefixed(&alice, ""), ["a", "c"]);
    alice.delete("c").unwrap();
    assert_eq!(prefixed(&alice, ""), ["a"]);
}

/// As many attributes as a token may carry, each as long as it may be.
fn heavy() -> PutOptions {
    let pairs: Vec<_> = (0..32).map(|at| (format!("{at:064}"), "v".repeat(1024))).collect();
    let pairs: Vec<_> = pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    PutOptions { attributes: Some(attributes(&pairs)), ..PutOptions::default() }
}

#[test]
fn a_page_ends_where_its_metadata_gets_large_and_the_next_goes_on_from_there() {
    let home = Home::new();
    let alice = home.alice();
    let names: Vec<_> = (0..100).map(|number| format!("t{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        let options = if number % 3 == 0 { heavy() } else { PutOptions::default() };
        alice.put_with(name, b"1", options).unwrap();
    }
    let (mut told, mut pages, mut request) = (Vec::new(), 0, alice.everything());
    loop {
        let page = alice.page(&request).unwrap();
        assert!(!page.tokens.is_empty() && page.reply_bytes() <= PAGE_BYTES_MAX, "{}", page.reply_bytes());
        told.extend(page.tokens.into_iter().map(|token| token.name));
        pages += 1;
        if page.next.is_empty() {
            break;
        }
        request.after = page.next;
    }
    assert_eq!(told, names);
    assert_eq!(pages, 5, "34 rows of 35 KB, seven to a page");
}
