//! A token as it is put, fetched, described and deleted.

use tokenvault_core::name::{ContentType, NamePrefix, TokenName};
use tokenvault_core::token::{Class, PutOptions, TokenInfo};
use tokenvault_core::{Error, Timestamp};

use crate::fixture::*;

fn content_type(text: &str) -> ContentType {
    ContentType::parse(text).unwrap()
}

#[test]
fn what_was_put_comes_back_byte_for_byte() {
    let home = Home::new();
    let alice = home.alice();
    let mut random = Random::new(1);
    for len in [1, 59, 60, 61, 4_092, 4_093, 65_535, 65_536] {
        let value = random.bytes(len);
        alice.put("t", &value).unwrap();
        assert!(alice.get("t").unwrap() == value, "{len} bytes");
    }
}

#[test]
fn a_value_is_there_after_a_restart() {
    let mut home = Home::new();
    home.alice().put("t", b"kept").unwrap();
    home.restart();
    assert_eq!(home.alice().get("t").unwrap(), b"kept");
}

#[test]
fn a_description_tells_everything_that_was_given() {
    let home = Home::new();
    let alice = home.alice();
    let options = PutOptions {
        content_type: Some(content_type("text/plain")),
        attributes: Some(attributes(&[("host", "db1"), ("env", "")])),
        require_purpose: Some(true),
        ..PutOptions::default()
    };
    let put = alice.put_with("ci/deploy", b"12345", options).unwrap();
    let expected = TokenInfo {
        name: "ci/deploy".into(),
        owner: ALICE,
        version: 1,
        size: 5,
        class: Class::Machine,
        content_type: "text/plain".into(),
        attributes: attributes(&[("host", "db1"), ("env", "")]).into_map(),
        created: START,
        updated: START,
        expires: None,
        require_purpose: true,
        shared: false,
        grant: None,
    };
    assert_eq!(put, expected);
    assert_eq!(alice.describe("ci/deploy").unwrap(), expected);
    assert_eq!(alice.list().unwrap(), [expected]);
}

#[test]
fn what_a_new_version_does_not_say_stays_as_it_was() {
    let home = Home::new();
    let alice = home.alice();
    let options = PutOptions {
        content_type: Some(content_type("text/plain")),
        attributes: Some(attributes(&[("host", "db1")])),
        keep_versions: Some(2),
        require_purpose: Some(true),
        ..PutOptions::default()
    };
    alice.put_with("t", b"1", options).unwrap();
    home.clock.advance_usec(SECOND);
    let second = alice.put("t", b"2").unwrap();
    assert_eq!(second.content_type, "text/plain");
    assert_eq!(second.attributes, attributes(&[("host", "db1")]).into_map());
    assert!(second.require_purpose);
    assert_eq!((second.created, second.updated), (START, Timestamp::from_usec(START.as_usec() + SECOND)));
    alice.put("t", b"3").unwrap();
    assert_eq!(alice.version_numbers("t"), [3, 2]);
}

#[test]
fn what_a_new_version_says_replaces_what_was() {
    let home = Home::new();
    let alice = home.alice();
    let first = PutOptions { attributes: Some(attributes(&[("a", "1"), ("b", "2")])), ..PutOptions::default() };
    alice.put_with("t", b"1", first).unwrap();
    let second = PutOptions {
        attributes: Some(attributes(&[("c", "3")])),
        content_type: Some(content_type("")),
        ..PutOptions::default()
    };
    let info = alice.put_with("t", b"2", second).unwrap();
    assert_eq!(info.attributes, attributes(&[("c", "3")]).into_map());
    assert_eq!(info.content_type, "");
}

#[test]
fn a_generated_value_is_stored_like_a_put_one() {
    let home = Home::new();
    let alice = home.alice();
    assert_eq!(alice.generate("t", b"made").unwrap().version, 1);
    assert_eq!(alice.get("t").unwrap(), b"made");
    assert_eq!(alice.generate("t", b"again").unwrap().version, 2);
}

#[test]
fn a_deleted_token_is_gone_and_its_name_begins_anew() {
    let home = Home::new();
    let alice = home.alice();
    alice.put("t", b"1").unwrap();
    alice.put("t", b"2").unwrap();
    alice.delete("t").unwrap();
    assert_eq!(refused(alice.get("t")), Refused::NotFound);
    assert_eq!(refused(alice.get_version("t", 1)), Refused::NotFound);
    assert_eq!(refused(alice.describe("t")), Refused::NotFound);
    assert_eq!(refused(alice.versions("t")), Refused::NotFound);
    assert_eq!(refused(alice.delete("t")), Refused::NotFound);
    assert_eq!(alice.list().unwrap(), []);
    assert_eq!(alice.put("t", b"3").unwrap().version, 1);
    assert_eq!(refused(alice.get_version("t", 2)), Refused::NotFound);
}

#[test]
fn a_token_that_wants_a_purpose_is_given_out_for_one_only() {
    let home = Home::new();
    let alice = home.alice();
    alice.put("t", b"older").unwrap();
    alice.put_with("t", b"value", PutOptions { require_purpose: Some(true), ..PutOptions::default() }).unwrap();
    assert_eq!(refused(alice.get("t")), Refused::AccessDenied);
    assert_eq!(refused(alice.get_for("t", "  ")), Refused::AccessDenied);
    assert_eq!(refused(alice.get_version("t", 1)), Refused::AccessDenied, "older versions as well");
    assert_eq!(alice.get_for("t", "rotate").unwrap(), b"value");
    alice.put_with("t", b"free", PutOptions { require_purpose: Some(false), ..PutOptions::default() }).unwrap();
    assert_eq!(alice.get("t").unwrap(), b"free");
    assert_eq!(alice.get_version("t", 1).unwrap(), b"older");
}

#[test]
fn an_empty_value_is_refused() {
    let home = Home::new();
    assert_eq!(refused(home.alice().put("t", b"")), Refused::InvalidArgs);
    assert_eq!(refused(home.alice().get("t")), Refused::NotFound);
}

#[test]
fn login_class_is_locked_and_leaves_no_trace() {
    let home = Home::new();
    let alice = home.alice();
    let login = PutOptions { class: Some(Class::Login), ..PutOptions::default() };
    assert_eq!(refused(alice.put_with("t", b"1", login.clone())), Refused::Locked);
    assert_eq!(refused(alice.describe("t")), Refused::NotFound);
    alice.put("t", b"1").unwrap();
    assert_eq!(refused(alice.put_with("t", b"2", login)), Refused::Locked);
    assert_eq!((alice.get("t").unwrap(), alice.version_numbers("t")), (b"1".to_vec(), vec![1]));
}

#[test]
fn two_spellings_of_one_name_cannot_be_two_tokens() {
    let home = Home::new();
    let alice = home.alice();
    let composed = "caf\u{e9}";
    assert!(matches!(TokenName::parse("cafe\u{301}"), Err(Error::InvalidArgs(_))));
    assert!(matches!(NamePrefix::parse("cafe\u{301}"), Err(Error::InvalidArgs(_))));
    alice.put(composed, b"1").unwrap();
    assert_eq!(alice.get(composed).unwrap(), b"1");
    assert_eq!(alice.describe(composed).unwrap().name, composed);
    assert_eq!(refused(alice.get("cafe")), Refused::NotFound);
    assert_eq!(refused(alice.get("Caf\u{e9}")), Refused::NotFound, "case counts");
}
