//! Renaming.

use tokenvault_core::token::{Annotation, Expiry, ListRequest, PutOptions};

use crate::fixture::*;

#[test]
fn a_renamed_token_keeps_everything_but_its_name() {
    let home = Home::new();
    let alice = home.alice();
    alice.put("old", b"1").unwrap();
    let options = PutOptions {
        attributes: Some(attributes(&[("host", "db1")])),
        require_purpose: Some(true),
        keep_versions: Some(3),
        ..PutOptions::default()
    };
    alice.put_with("old", b"2", options).unwrap();
    let before = alice.describe("old").unwrap();
    home.clock.advance_usec(SECOND);
    alice.rename("old", "new").unwrap();
    assert_eq!(refused(alice.describe("old")), Refused::NotFound);
    let after = alice.describe("new").unwrap();
    assert_eq!(after.updated.as_usec() - before.updated.as_usec(), SECOND);
    assert_eq!(after, tokenvault_core::token::TokenInfo { name: "new".into(), updated: after.updated, ..before });
    assert_eq!(alice.get_for("new", "look").unwrap(), b"2");
    assert_eq!(refused(alice.get_version("new", 1)), Refused::AccessDenied);
    assert_eq!(alice.rollback("new", 1).unwrap().version, 3);
    assert_eq!(alice.usage().unwrap(), (1, TOKEN + 64 + 3 * VERSION));
}

#[test]
fn attributes_find_a_token_under_its_new_name() {
    let home = Home::new();
    let alice = home.alice();
    let marked = PutOptions { attributes: Some(attributes(&[("host", "db1")])), ..PutOptions::default() };
    alice.put_with("old", b"1", marked).unwrap();
    alice.rename("old", "new").unwrap();
    let wanted = ListRequest { attributes: attributes(&[("host", "db1")]), ..alice.everything() };
    assert_eq!(alice.names(&wanted), ["new"]);
}

#[test]
fn the_name_of_a_live_token_is_not_taken() {
    let home = Home::new();
    let alice = home.alice();
    alice.put("a", b"1").unwrap();
    alice.put("b", b"2").unwrap();
    assert_eq!(refused(alice.rename("a", "b")), Refused::Exists);
    assert_eq!((alice.get("a").unwrap(), alice.get("b").unwrap()), (b"1".to_vec(), b"2".to_vec()));
}

#[test]
fn an_expired_token_gives_way_with_all_its_versions() {
    let home = Home::new();
    let alice = home.alice();
    alice.put("b", b"old b").unwrap();
    alice.put_with("b", b"2", PutOptions { expiry: Expiry::After(SECOND), ..PutOptions::default() }).unwrap();
    alice.put("a", b"1").unwrap();
    home.clock.advance_usec(SECOND);
    alice.rename("a", "b").unwrap();
    assert_eq!(alice.get("b").unwrap(), b"1");
    assert_eq!(alice.version_numbers("b"), [1]);
    assert_eq!(refused(alice.get_version("b", 2)), Refused::NotFound);
    assert_eq!(alice.usage().unwrap(), (1, TOKEN + VERSION));
}

#[test]
fn a_token_renamed_to_its_own_name_stays() {
    let home = Home::new();
    let alice = home.alice();
    alice.put("t", b"1").unwrap();
    alice.rename("t", "t").unwrap();
    assert_eq!(alice.get("t").unwrap(), b"1");
    assert_eq!(refused(alice.rename("missing", "missing")), Refused::NotFound);
}

#[test]
fn names_can_change_places_over_a_third() {
    let home = Home::new();
    let alice = home.alice();
    alice.put("a", b"1").unwrap();
    alice.put("b", b"2").unwrap();
    for (from, to) in [("a", "c"), ("b", "a"), ("c", "b")] {
        alice.rename(from, to).unwrap();
    }
    assert_eq!((alice.get("a").unwrap(), alice.get("b").unwrap()), (b"2".to_vec(), b"1".to_vec()));
    // And what is bound to a name follows: changing it later still works.
    alice.annotate("a", Annotation { require_purpose: Some(true), ..Annotation::default() }).unwrap();
    assert_eq!(alice.get_for("a", "look").unwrap(), b"2");
}
