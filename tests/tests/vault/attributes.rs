//! `Annotate`: everything about a token but its value and its name.

use crate::common::*;

through_every_client! {
    fn annotating_changes_what_is_given_and_nothing_else(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        let options = PutOptions { attributes: attributes(&[("a", "1"), ("b", "2")]), ..defaults() };
        alice.put("t", b"value", &options).unwrap();
        let before = alice.describe("t", &defaults()).unwrap();

        alice.annotate("t", &AnnotateOptions { content_type: Some("text/plain".into()), ..defaults() }).unwrap();
        let after = alice.describe("t", &defaults()).unwrap();
        assert_eq!(after.content_type, "text/plain");
        assert_eq!((after.attributes, after.version, after.created), (before.attributes, 1, before.created));

        alice.annotate("t", &AnnotateOptions { attributes: attributes(&[("c", "3")]), ..defaults() }).unwrap();
        let after = alice.get("t", &defaults()).unwrap();
        assert_eq!(Some(after.info().attributes.clone()), attributes(&[("c", "3")]), "attributes are replaced");
        assert_eq!(after.info().content_type, "text/plain");
        assert_eq!(after.data(), b"value");
    }

    fn new_attributes_are_found_and_old_ones_are_not(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        alice.put("t", b"v", &PutOptions { attributes: attributes(&[("env", "test")]), ..defaults() }).unwrap();
        alice.annotate("t", &AnnotateOptions { attributes: attributes(&[("env", "prod")]), ..defaults() }).unwrap();
        let found = |value: &str| {
            let options = ListOptions { attributes: attributes(&[("env", value)]), ..defaults() };
            alice.list(&options).unwrap().0.len()
        };
        assert_eq!((found("test"), found("prod")), (0, 1));
    }

    fn a_put_without_attributes_keeps_them(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        alice.put("t", b"1", &PutOptions { attributes: attributes(&[("k", "v")]), ..defaults() }).unwrap();
        alice.put("t", b"2", &defaults()).unwrap();
        assert_eq!(Some(alice.describe("t", &defaults()).unwrap().attributes), attributes(&[("k", "v")]));
        alice.put("t", b"3", &PutOptions { attributes: attributes(&[]), ..defaults() }).unwrap();
        assert_eq!(Some(alice.describe("t", &defaults()).unwrap().attributes), attributes(&[]));
    }

    fn keeping_fewer_versions_drops_the_oldest(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        for value in [b"1", b"2", b"3"] {
            alice.put("t", value, &defaults()).unwrap();
        }
        alice.annotate("t", &AnnotateOptions { keep_versions: Some(1), ..defaults() }).unwrap();
        let left: Vec<_> = alice.versions("t", &defaults()).unwrap().iter().map(|v| v.version).collect();
        assert_eq!(left, [3]);
    }

    fn a_purpose_can_be_asked_for_later(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        alice.put("t", b"1", &defaults()).unwrap();
        alice.put("t", b"2", &defaults()).unwrap();
        alice.annotate("t", &AnnotateOptions { require_purpose: Some(true), ..defaults() }).unwrap();
        assert_eq!(code(alice.get("t", &defaults())), ErrorCode::AccessDenied);
        let first = GetOptions { purpose: Some("audit".into()), version: Some(1), ..defaults() };
        assert_eq!(alice.get("t", &first).unwrap().data(), b"1", "older versions open as well");
    }

    fn annotating_what_is_not_there_is_not_found(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        assert_eq!(code(alice.annotate("t", &defaults())), ErrorCode::NotFound);
    }
}
