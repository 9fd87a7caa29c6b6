//! Arguments that are wrong: each is refused by name, and nothing else happens.

use std::collections::{BTreeMap, HashMap};
use std::os::fd::OwnedFd;

use tokenvault_tests::{RawPeer, pipe};
use zbus::{Fd, Variant};

use crate::common::*;

type Options<'a> = HashMap<&'a str, Variant<'static>>;

/// What each method of `Tokens` answers to `options`; those that take a pipe get a good one.
fn call_each(wire: &Wire, options: &Options<'_>) -> Vec<(&'static str, Option<tokenvault_tests::Refusal>)> {
    let value = || Fd::from(pipe::holding(b"value"));
    let call = |method: &'static str, reply: Result<zbus::Message, _>| (method, reply.err());
    vec![
        call("Put", wire.call(TOKENS_INTERFACE, "Put", &("t", value(), options))),
        call("Generate", wire.call(TOKENS_INTERFACE, "Generate", &("t", options))),
        call("Get", wire.call(TOKENS_INTERFACE, "Get", &("t", options))),
        call("Describe", wire.call(TOKENS_INTERFACE, "Describe", &("t", options))),
        call("Versions", wire.call(TOKENS_INTERFACE, "Versions", &("t", options))),
        call("Rollback", wire.call(TOKENS_INTERFACE, "Rollback", &("t", 1_u64, options))),
        call("List", wire.call(TOKENS_INTERFACE, "List", options)),
        call("Annotate", wire.call(TOKENS_INTERFACE, "Annotate", &("t", options))),
        call("Rename", wire.call(TOKENS_INTERFACE, "Rename", &("t", "u", options))),
        call("Delete", wire.call(TOKENS_INTERFACE, "Delete", &("t", options))),
        call("Share", wire.call(TOKENS_INTERFACE, "Share", &("t", "unit:app.service", options))),
        call("Unshare", wire.call(TOKENS_INTERFACE, "Unshare", &("t", "unit:app.service", options))),
        call("Shares", wire.call(TOKENS_INTERFACE, "Shares", &("t", options))),
        call("Status", wire.call(MANAGER_INTERFACE, "Status", options)),
        call("WhoAmI", wire.call(MANAGER_INTERFACE, "WhoAmI", options)),
        call("Health", wire.call(MANAGER_INTERFACE, "Health", options)),
    ]
}

through_both_doors! {
    fn an_unknown_option_is_refused_by_every_method_by_its_name(door) {
        let vault = Vault::start();
        let wire = vault.wire(ALICE, door);
        vault.client(ALICE, door).put("t", b"v", &defaults()).unwrap();
        let options = HashMap::from([("colour", Variant::from("blue"))]);
        for (method, answer) in call_each(&wire, &options) {
            let refusal = answer.unwrap_or_else(|| panic!("{method} took an unknown option"));
            assert_eq!(refusal.name, "org.tokenvault1.Error.InvalidArgs", "{method}");
            assert!(refusal.text.contains("colour"), "{method}: {}", refusal.text);
        }
        assert_eq!(vault.client(ALICE, door).get("t", &defaults()).unwrap().data(), b"v");
    }

    fn an_option_of_a_wrong_type_is_refused_by_its_name(door) {
        let vault = Vault::start();
        let wire = vault.wire(ALICE, door);
        vault.client(ALICE, door).put("t", b"v", &defaults()).unwrap();
        let map = BTreeMap::from([("k".to_owned(), 1_u32)]);
        let cases: [(&str, &str, Variant<'static>); 13] = [
            ("Put", "mode", Variant::from(1_u32)),
            ("Put", "expect-version", Variant::from(1_u32)),
            ("Put", "ttl", Variant::from(-1_i64)),
            ("Put", "attributes", Variant::from(map)),
            ("Put", "require-purpose", Variant::from("yes")),
            ("Generate", "length", Variant::from(32_u64)),
            ("Get", "version", Variant::from("1")),
            ("Describe", "owner", Variant::from(4242_u32)),
            ("List", "limit", Variant::from(true)),
            ("Delete", "version", Variant::from(vec![1_u64])),
            ("Share", "uses", Variant::from(1_u64)),
            ("Share", "permission", Variant::from(true)),
            ("Unshare", "owner", Variant::from(0_u32)),
        ];
        for (method, key, value) in cases {
            let options = HashMap::from([(key, value)]);
            let answers = call_each(&wire, &options);
            let (_, answer) = answers.into_iter().find(|(name, _)| *name == method).unwrap();
            let refusal = answer.unwrap_or_else(|| panic!("{method} took a wrong '{key}'"));
            assert_eq!(refusal.name, "org.tokenvault1.Error.InvalidArgs", "{method} {key}");
            assert!(refusal.text.contains(key), "{method}: {}", refusal.text);
        }
        assert_eq!(vault.client(ALICE, door).get("t", &defaults()).unwrap().info().version, 1);
    }

    fn option_values_out_of_range_are_refused_by_name(door) {
        let vault = Vault::start();
        let alice = vault.client(ALICE, door);
        let many = (0..33).map(|n| (format!("k{n}"), "v".to_owned())).collect();
        let cases = [
            ("mode", PutOptions { mode: Some("overwrite".into()), ..defaults() }),
            ("class", PutOptions { class: Some("secret".into()), ..defaults() }),
            ("keep-versions", PutOptions { keep_versions: Some(0), ..defaults() }),
            ("keep-versions", PutOptions { keep_versions: Some(1001), ..defaults() }),
            ("content", PutOptions { content_type: Some("c".repeat(128)), ..defaults() }),
            ("content", PutOptions { content_type: Some("text/\u{1b}".into()), ..defaults() }),
            ("attribute", PutOptions { attributes: Some(many), ..defaults() }),
            ("attribute", PutOptions { attributes: attributes(&[("", "v")]), ..defaults() }),
            ("attribute", PutOptions { attributes: attributes(&[(&"k".repeat(65), "v")]), ..defaults() }),
            ("attribute", PutOptions { attributes: attributes(&[("k", &"v".repeat(1025))]), ..defaults() }),
        ];
        for (word, options) in cases {
            let error = refused(alice.put("t", b"v", &options));
            assert_eq!(error.code(), ErrorCode::InvalidArgs, "{options:?}");
            assert!(error.to_string().contains(word), "{word}: {error}");
        }
        for options in [
            GetOptions { purpose: Some("p".repeat(256)), ..defaults() },
            GetOptions { app: Some("a\nb".into()), ..defaults() },
        ] {
            assert_eq!(code(alice.get("t", &options)), ErrorCode::InvalidArgs);
        }
        assert_eq!(alice.list(&defaults()).unwrap().0, []);
    }

    fn calls_that_do_not_exist_are_answered(door) {
        let vault = Vault::start();
        let wire = vault.wire(ALICE, door);
        let none = Options::new();
        assert!(wire.call(TOKENS_INTERFACE, "Steal", &("t", &none)).is_err());
        assert!(wire.call(TOKENS_INTERFACE, "Get", &()).is_err(), "no arguments");
        assert!(wire.call(TOKENS_INTERFACE, "Get", &("t", 1_u32)).is_err(), "wrong signature");
        assert!(wire.call(TOKENS_INTERFACE, "Put", &("t", "inline value", &none)).is_err(), "an inline value");
        assert!(wire.call(MANAGER_INTERFACE, "Status", &none).is_ok(), "the connection lives on");
    }

    fn a_thousand_requests_and_a_disconnect_hurt_nobody(door) {
        let mut vault = Vault::builder().limit("in-flight", 0).limit("misses-per-second", 0).start();
        let bob = vault.client(BOB, door);
        bob.put("t", b"v", &defaults()).unwrap();
        let before = vault.daemon().process().open_files();
        for _ in 0..5 {
            let mut peer = RawPeer::open(&vault, ALICE, door);
            let call = peer.message(TOKENS_INTERFACE, "Generate", &("t", Options::new()));
            peer.flood(&call, 200);
        }
        assert_eq!(bob.get("t", &defaults()).unwrap().data(), b"v");
        // The pipes of answers nobody took, and the connections, are given back.
        wait::until("descriptors to be closed", || {
            let now = vault.daemon().process().open_files();
            (now <= before + 8).then_some(())
        });
    }
}

#[test]
fn a_name_that_is_no_text_ends_the_connection_and_nothing_else() {
    let vault = Vault::start();
    let mut peer = RawPeer::open(&vault, ALICE, Door::Socket);
    let mut call = peer.message(TOKENS_INTERFACE, "Get", &("XYXYXYXY", Options::new()));
    let at = call.windows(8).position(|window| window == b"XYXYXYXY").unwrap();
    call[at..at + 8].fill(0xff);
    peer.write(&call).unwrap();
    if let Some(reply) = peer.read_reply() {
        assert!(!reply.is_return(), "bytes that are no UTF-8 were taken for a name");
    }
    vault.client(BOB, Door::Socket).status().unwrap();
}

#[test]
fn a_descriptor_that_was_announced_and_not_sent_is_refused() {
    let vault = Vault::start();
    let mut peer = RawPeer::open(&vault, ALICE, Door::Socket);
    // The bytes of the message go out, the descriptors it speaks of do not.
    let value: OwnedFd = pipe::holding(b"value");
    let call = peer.message(TOKENS_INTERFACE, "Put", &("t", Fd::from(value), Options::new()));
    peer.write(&call).unwrap();
    if let Some(reply) = peer.read_reply() {
        assert!(!reply.is_return(), "a put without a value was taken");
    }
    let alice = vault.client(ALICE, Door::Socket);
    assert_eq!(code(alice.get("t", &defaults())), ErrorCode::NotFound);
}
