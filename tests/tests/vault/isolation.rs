//! S7: another user's token does not exist. What a stranger is told about it is, byte for byte, what it is told about a
//! token that was never there, from every method.

use std::collections::HashMap;

use tokenvault_proto::ISSUER_INTERFACE;
use tokenvault_tests::{pipe, proof};
use zbus::{Fd, Variant};

use crate::common::*;

/// Everything in an answer that could tell something: the error name and the bytes of the body, or that it worked.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Refused(String, String),
    Done,
}

/// Methods that name a token, except those that would make it.
const METHODS: [&str; 14] = [
    "Get",
    "Describe",
    "Versions",
    "Rollback",
    "Annotate",
    "Rename",
    "Delete",
    "Share",
    "Unshare",
    "Shares",
    "Fetches",
    "Offer",
    "Replace",
    "PutExpecting",
];

fn ask(wire: &Wire, method: &str, name: &str, owner: Option<&str>) -> Answer {
    let mut options: HashMap<&str, Variant<'static>> = HashMap::new();
    if let Some(owner) = owner {
        options.insert("owner", Variant::from(owner.to_owned()));
    }
    let value = || Fd::from(pipe::holding(b"forged"));
    let reply = match method {
        "Rollback" => wire.call(TOKENS_INTERFACE, method, &(name, 1_u64, options)),
        "Share" | "Unshare" => wire.call(TOKENS_INTERFACE, method, &(name, "unit:app.service", options)),
        "Rename" => wire.call(TOKENS_INTERFACE, method, &(name, "renamed", options)),
        "Replace" => {
            options.insert("mode", Variant::from("replace"));
            wire.call(TOKENS_INTERFACE, "Put", &(name, value(), options))
        }
        "PutExpecting" => {
            options.insert("expect-version", Variant::from(1_u64));
            wire.call(TOKENS_INTERFACE, "Put", &(name, value(), options))
        }
        _ => wire.call(TOKENS_INTERFACE, method, &(name, options)),
    };
    match reply {
        Ok(_) => Answer::Done,
        Err(refusal) => Answer::Refused(refusal.name, refusal.text),
    }
}

fn owned_by(user: User) -> [Option<String>; 3] {
    [None, Some(format!("uid:{}", user.uid)), Some(format!("user:{}", user.name))]
}

through_every_client! {
    fn lists_and_counts_show_ones_own_only(door) {
        let vault = Vault::start();
        let (alice, bob) = (door.client(&vault, ALICE), door.client(&vault, BOB));
        for name in ["a", "b", "c"] {
            alice.put(name, b"v", &PutOptions { attributes: attributes(&[("env", "prod")]), ..defaults() }).unwrap();
        }
        bob.put("mine", b"v", &PutOptions { attributes: attributes(&[("env", "prod")]), ..defaults() }).unwrap();
        assert_eq!(names(&bob.list(&defaults()).unwrap().0), ["mine"]);
        let filter = ListOptions { attributes: attributes(&[("env", "prod")]), ..defaults() };
        assert_eq!(names(&bob.list(&filter).unwrap().0), ["mine"]);
        for owner in ["uid:4242", "user:alice", "uid:4244", "machine"] {
            let (listed, next) = bob.list(&ListOptions { owner: Some(owner.into()), ..defaults() }).unwrap();
            assert_eq!((listed.len(), next.as_str()), (0, ""), "{owner}");
        }
        assert_eq!(bob.status().unwrap().tokens, 1);
    }

    fn equal_names_of_two_users_are_two_tokens(door) {
        let vault = Vault::start();
        let (alice, bob) = (door.client(&vault, ALICE), door.client(&vault, BOB));
        alice.put("same", b"of alice", &defaults()).unwrap();
        bob.put("same", b"of bob", &PutOptions { mode: Some("create".into()), ..defaults() }).unwrap();
        assert_eq!(alice.get("same", &defaults()).unwrap().data(), b"of alice");
        bob.delete("same", &defaults()).unwrap();
        assert_eq!(alice.get("same", &defaults()).unwrap().data(), b"of alice");
    }
}

through_both_doors! {
    fn a_foreign_token_is_answered_like_a_missing_one_by_every_method(door) {
        let vault = Vault::builder().limit("misses-per-second", 0).start();
        let alice = vault.client(ALICE, door);
        alice.put("secret", b"of alice", &PutOptions { attributes: attributes(&[("k", "v")]), ..defaults() }).unwrap();
        // What is shared with a third one is as foreign.
        alice.share("secret", "user:carol", &defaults()).unwrap();
        alice.share("secret", "group:carol", &defaults()).unwrap();
        let (before, mut asked) = (alice.describe("secret", &defaults()).unwrap(), 0);

        for stranger in [BOB, ROOT] {
            let wire = vault.wire(stranger, door);
            vault.client(stranger, door).put("own", b"mine", &defaults()).unwrap();
            for method in METHODS {
                for owner in owned_by(ALICE).iter().map(Option::as_deref) {
                    let foreign = ask(&wire, method, "secret", owner);
                    let missing = ask(&wire, method, "absent", owner);
                    assert_eq!(foreign, missing, "{method} with owner {owner:?}");
                    asked += 1;
                    let not_found = Answer::Refused("org.tokenvault1.Error.NotFound".into(), "no such token".into());
                    let may_not_on_ones_own = (method.starts_with("Put") || method == "Share") && owner.is_none();
                    assert!(foreign == not_found || may_not_on_ones_own, "{method} with owner {owner:?}: {foreign:?}");
                }
            }
            assert_eq!(ask(&wire, "Get", "own", None), Answer::Done, "one's own is there");
        }
        assert_eq!(alice.get("secret", &defaults()).unwrap().data(), b"of alice");
        assert_eq!(alice.describe("secret", &defaults()).unwrap(), before, "nothing about it has changed");
        let methods = METHODS.len();
        proof("S7", &format!("{asked} answers of {methods} methods for foreign and missing tokens the same, {door:?}"));
    }

    fn what_somebody_else_has_issued_is_answered_like_what_was_never_issued(door) {
        let vault = Vault::builder().limit("misses-per-second", 0).start();
        let alice = vault.client(ALICE, door);
        let (issued, gone) = (alice.issue(&defaults()).unwrap(), alice.issue(&defaults()).unwrap());
        alice.revoke(&gone.id).unwrap();
        let none: HashMap<&str, Variant<'static>> = HashMap::new();
        for (stranger, may_validate) in [(BOB, false), (ROOT, true)] {
            let wire = vault.wire(stranger, door);
            let revoke = |id: &str| wire.call(ISSUER_INTERFACE, "Revoke", &(id, &none)).map(drop).unwrap_err();
            let (foreign, missing) = (revoke(&issued.id), revoke(&gone.id));
            assert_eq!((&foreign.name, &foreign.text), (&missing.name, &missing.text));
            assert_eq!(foreign.name, "org.tokenvault1.Error.NotFound");
            let validate = |token: &str| {
                let reply = wire.call(ISSUER_INTERFACE, "Validate", &(token, &none)).unwrap();
                reply.body().data().bytes().to_vec()
            };
            assert_eq!(validate(&issued.token) == validate(&gone.token), !may_validate);
            assert_eq!(validate(&gone.token), validate("nonsense"));
        }
        assert!(alice.validate(&issued.token, &defaults()).unwrap().is_some());
    }

    fn a_user_who_stores_something_is_answered_like_one_who_does_not(door) {
        let vault = Vault::builder().limit("misses-per-second", 0).start();
        vault.client(ALICE, door).put("secret", b"of alice", &defaults()).unwrap();
        let wire = vault.wire(BOB, door);
        for method in METHODS {
            // Carol has an account and no tokens; a uid and a name that nobody has are strangers like any other.
            let with_tokens = ask(&wire, method, "secret", Some("uid:4242"));
            for owner in ["uid:4244", "user:carol", "uid:31337"] {
                assert_eq!(with_tokens, ask(&wire, method, "secret", Some(owner)), "{method} of {owner}");
            }
        }
    }

    fn only_root_administers(door) {
        let vault = Vault::start();
        let alice = vault.client(ALICE, door);
        let answers = [
            code(alice.slots()),
            code(alice.add_slot("recovery", &RECOVERY_PUBLIC, &defaults())),
            code(alice.remove_slot(1, &RemoveSlotOptions { force: Some(true) })),
            code(alice.seal()),
            code(alice.unseal(&[], &defaults())),
            code(alice.confirm_recovery(&RECOVERY_PRIVATE)),
            code(alice.test_credential("app.service", "key")),
            code(alice.reload()),
        ];
        assert_eq!(answers, [ErrorCode::AccessDenied; 8]);
        assert_eq!(vault.status().state, "serving");
    }
}

#[test]
fn a_uid_without_a_name_is_refused_at_the_socket() {
    let vault = Vault::start();
    let wire = vault.wire(NAMELESS, Door::Socket);
    let none: HashMap<&str, Variant<'static>> = HashMap::new();
    let refusal = wire.call(TOKENS_INTERFACE, "Generate", &("t", &none)).expect_err("a uid nobody has was enrolled");
    assert_eq!(refusal.name, "org.tokenvault1.Error.AccessDenied");
    let refusal = wire.call(TOKENS_INTERFACE, "List", &none).expect_err("a uid nobody has was answered");
    assert_eq!(refusal.name, "org.tokenvault1.Error.AccessDenied");
}
