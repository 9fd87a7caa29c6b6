//! Expiry: at its moment a token is as if it had never been.

use tokenvault_core::Timestamp;
use tokenvault_core::token::{Annotation, Expiry, ListRequest, PutMode, PutOptions};

use crate::fixture::*;

fn for_a_second() -> PutOptions {
    PutOptions { expiry: Expiry::After(SECOND), ..PutOptions::default() }
}

#[test]
fn a_token_is_there_until_the_microsecond_it_expires() {
    let home = Home::new();
    let alice = home.alice();
    alice.put_with("t", b"1", for_a_second()).unwrap();
    home.clock.advance_usec(SECOND - 1);
    assert_eq!(alice.get("t").unwrap(), b"1");
    home.clock.advance_usec(1);
    assert_eq!(refused(alice.get("t")), Refused::NotFound);
}

#[test]
fn an_expired_token_is_not_found_by_any_method() {
    let mut home = Home::new();
    home.alice().put("t", b"older, without expiry").unwrap();
    home.alice().put_with("t", b"1", for_a_second()).unwrap();
    home.clock.advance_usec(SECOND);
    for restarted in [false, true] {
        let alice = home.alice();
        let revive = Annotation { expiry: Some(Expiry::Never), ..Annotation::default() };
        let replace = PutOptions { mode: PutMode::Replace, ..PutOptions::default() };
        assert_eq!(refused(alice.get("t")), Refused::NotFound);
        assert_eq!(refused(alice.get_for("t", "look")), Refused::NotFound);
        assert_eq!(refused(alice.get_version("t", 1)), Refused::NotFound, "nor does an older version live on");
        assert_eq!(refused(alice.get_version("t", 2)), Refused::NotFound);
        assert_eq!(refused(alice.describe("t")), Refused::NotFound);
        assert_eq!(refused(alice.versions("t")), Refused::NotFound);
        assert_eq!(refused(alice.rollback("t", 1)), Refused::NotFound);
        assert_eq!(refused(alice.annotate("t", revive)), Refused::NotFound);
        assert_eq!(refused(alice.rename("t", "u")), Refused::NotFound);
        assert_eq!(refused(alice.delete("t")), Refused::NotFound);
        assert_eq!(refused(alice.delete_version("t", 1)), Refused::NotFound);
        assert_eq!(refused(alice.put_with("t", b"2", replace)), Refused::NotFound);
        assert_eq!(alice.list().unwrap(), []);
        drop(alice);
        if !restarted {
            home.restart();
        }
    }
}

#[test]
fn an_expired_name_is_free_and_what_takes_it_inherits_nothing() {
    let home = Home::new();
    let alice = home.alice();
    alice.put("t", b"older, without expiry").unwrap();
    let first = PutOptions {
        attributes: Some(attributes(&[("a", "1")])),
        require_purpose: Some(true),
        keep_versions: Some(3),
        ..for_a_second()
    };
    alice.put_with("t", b"first", first).unwrap();
    home.clock.advance_usec(SECOND);
    let create = PutOptions { mode: PutMode::Create, expect_version: Some(0), ..PutOptions::default() };
    let info = alice.put_with("t", b"second", create).unwrap();
    assert_eq!((info.attributes.len(), info.require_purpose), (0, false));
    assert_eq!(info.created.as_usec(), START.as_usec() + SECOND);
    assert_eq!(alice.get("t").unwrap(), b"second");
    assert_eq!(alice.version_numbers("t"), [info.version], "no version of the one before comes back");
    assert_eq!(refused(alice.get_version("t", 1)), Refused::NotFound);
    assert_eq!(refused(alice.rollback("t", 1)), Refused::NotFound);
    assert_eq!(alice.usage().unwrap(), (1, TOKEN + VERSION));
    let wanted = ListRequest { attributes: attributes(&[("a", "1")]), ..alice.everything() };
    assert_eq!(alice.names(&wanted), [""; 0]);
}

#[test]
fn an_expired_token_that_is_deleted_is_not_found_and_frees_its_quota() {
    let home = Home::new();
    let alice = home.alice();
    alice.put_with("t", b"1", for_a_second()).unwrap();
    home.clock.advance_usec(SECOND);
    assert_eq!(alice.usage().unwrap(), (1, TOKEN + VERSION));
    assert_eq!(refused(home.bob().delete("t")), Refused::NotFound);
    assert_eq!(refused(alice.delete_version("t", 1)), Refused::NotFound);
    assert_eq!(alice.usage().unwrap(), (1, TOKEN + VERSION));
    assert_eq!(refused(alice.delete("t")), Refused::NotFound);
    assert_eq!(alice.usage().unwrap(), (0, 0));
}

#[test]
fn a_list_leaves_out_what_has_expired() {
    let home = Home::new();
    let alice = home.alice();
    for number in 0..6 {
        let options = if number % 2 == 0 { for_a_second() } else { PutOptions::default() };
        alice.put_with(&format!("t{number}"), b"1", options).unwrap();
    }
    home.clock.advance_usec(SECOND);
    assert_eq!(alice.names(&alice.everything()), ["t1", "t3", "t5"]);
    let first = alice.page(&ListRequest { limit: 2, ..alice.everything() }).unwrap();
    assert_eq!(first.tokens.len(), 2, "the expired do not shorten a page");
}

#[test]
fn a_list_can_ask_for_what_expires_soon() {
    let home = Home::new();
    let alice = home.alice();
    alice.put("never", b"1").unwrap();
    for (name, days) in [("tomorrow", 1), ("next week", 7)] {
        let options = PutOptions { expiry: Expiry::After(days * DAY), ..PutOptions::default() };
        alice.put_with(name, b"1", options).unwrap();
    }
    let before =
        |usec| ListRequest { expires_before: Some(Timestamp::from_usec(START.as_usec() + usec)), ..alice.everything() };
    assert_eq!(alice.names(&before(DAY)), [""; 0], "before means before");
    assert_eq!(alice.names(&before(DAY + 1)), ["tomorrow"]);
    assert_eq!(alice.names(&before(30 * DAY)), ["tomorrow", "next week"]);
}

#[test]
fn an_expired_older_version_is_gone_while_the_token_lives() {
    let home = Home::new();
    let alice = home.alice();
    alice.put_with("t", b"1", for_a_second()).unwrap();
    alice.put("t", b"2").unwrap();
    home.clock.advance_usec(SECOND);
    assert_eq!(alice.get("t").unwrap(), b"2");
    assert_eq!(alice.version_numbers("t"), [2]);
    assert_eq!(refused(alice.get_version("t", 1)), Refused::NotFound);
    assert_eq!(refused(alice.rollback("t", 1)), Refused::NotFound);
}

#[test]
fn a_live_token_can_be_made_to_stay() {
    let home = Home::new();
    let alice = home.alice();
    alice.put_with("t", b"1", for_a_second()).unwrap();
    alice.annotate("t", Annotation { expiry: Some(Expiry::Never), ..Annotation::default() }).unwrap();
    home.clock.advance_usec(DAY);
    assert_eq!(alice.get("t").unwrap(), b"1");
}

#[test]
fn a_new_version_has_an_expiry_of_its_own() {
    let home = Home::new();
    let alice = home.alice();
    alice.put_with("t", b"1", for_a_second()).unwrap();
    assert_eq!(alice.put("t", b"2").unwrap().expires, None);
    home.clock.advance_usec(DAY);
    assert_eq!(alice.get("t").unwrap(), b"2");
}

#[test]
fn a_value_brought_back_expires_when_it_would_have() {
    let home = Home::new();
    let alice = home.alice();
    let info = alice.put_with("t", b"1", for_a_second()).unwrap();
    alice.put("t", b"2").unwrap();
    assert_eq!(alice.rollback("t", 1).unwrap().expires, info.expires);
    home.clock.advance_usec(SECOND);
    assert_eq!(refused(alice.get("t")), Refused::NotFound);
}
