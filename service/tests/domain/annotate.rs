//! Changing what stands beside a value.

use tokenvault_core::Timestamp;
use tokenvault_core::name::ContentType;
use tokenvault_core::token::{Annotation, Expiry, ListRequest, PutOptions};

use crate::fixture::*;

#[test]
fn what_is_not_given_stays() {
    let home = Home::new();
    let alice = home.alice();
    let options = PutOptions {
        attributes: Some(attributes(&[("a", "1")])),
        content_type: Some(ContentType::parse("text/a").unwrap()),
        expiry: Expiry::After(DAY),
        ..PutOptions::default()
    };
    let before = alice.put_with("t", b"1", options).unwrap();
    home.clock.advance_usec(SECOND);
    alice.annotate("t", Annotation::default()).unwrap();
    let after = alice.describe("t").unwrap();
    assert_eq!(after.updated.as_usec(), START.as_usec() + SECOND);
    assert_eq!(tokenvault_core::token::TokenInfo { updated: before.updated, ..after }, before);
    assert_eq!(alice.version_numbers("t"), [1], "it makes no version");
}

#[test]
fn everything_given_is_changed_and_the_value_still_opens() {
    let home = Home::new();
    let alice = home.alice();
    alice.put("t", b"older").unwrap();
    alice.put("t", b"value").unwrap();
    let change = Annotation {
        attributes: Some(attributes(&[("b", "2")])),
        expiry: Some(Expiry::After(DAY)),
        content_type: Some(ContentType::parse("text/b").unwrap()),
        keep_versions: Some(5),
        require_purpose: Some(true),
    };
    alice.annotate("t", change).unwrap();
    let info = alice.describe("t").unwrap();
    assert_eq!(info.attributes, attributes(&[("b", "2")]).into_map());
    assert_eq!(info.expires, Some(Timestamp::from_usec(START.as_usec() + DAY)));
    assert_eq!((info.content_type.as_str(), info.require_purpose), ("text/b", true));
    assert_eq!(alice.get_for("t", "look").unwrap(), b"value");
    assert_eq!(alice.versions("t").unwrap()[1].expires, None, "the older version has its own expiry");
    alice.annotate("t", Annotation { require_purpose: Some(false), ..Annotation::default() }).unwrap();
    assert_eq!(alice.get_version("t", 1).unwrap(), b"older");
}

#[test]
fn the_attributes_given_replace_those_that_were_also_in_searches() {
    let home = Home::new();
    let alice = home.alice();
    let options = PutOptions { attributes: Some(attributes(&[("a", "1"), ("b", "2")])), ..PutOptions::default() };
    alice.put_with("t", b"1", options).unwrap();
    let change = Annotation { attributes: Some(attributes(&[("b", "3")])), ..Annotation::default() };
    alice.annotate("t", change).unwrap();
    let found = |pairs| alice.names(&ListRequest { attributes: attributes(pairs), ..alice.everything() });
    assert_eq!(found(&[("a", "1")]), [""; 0]);
    assert_eq!(found(&[("b", "2")]), [""; 0]);
    assert_eq!(found(&[("b", "3")]), ["t"]);
}

#[test]
fn an_expiry_in_the_past_is_refused_and_changes_nothing() {
    let home = Home::new();
    let alice = home.alice();
    alice.put("t", b"1").unwrap();
    let end_of_time = Expiry::At(Timestamp::from_usec(u64::MAX));
    for expiry in [Expiry::At(START), Expiry::At(Timestamp::from_usec(1)), Expiry::After(0), end_of_time] {
        let change = Annotation {
            expiry: Some(expiry),
            attributes: Some(attributes(&[("a", "1")])),
            keep_versions: Some(1),
            ..Annotation::default()
        };
        assert_eq!(refused(alice.annotate("t", change)), Refused::InvalidArgs);
    }
    let info = alice.describe("t").unwrap();
    assert_eq!((info.expires, info.attributes.len()), (None, 0));
    assert_eq!(refused(alice.annotate("missing", Annotation::default())), Refused::NotFound);
}
