//! Issued tokens, through every way in: who has them validated, when they end, and lists of them.

use std::thread;

use tokenvault_proto::{ISSUER_INTERFACE, IssueOptions, IssuedInfo, IssuedOptions, RevokeAllOptions, ValidateOptions};

use crate::common::*;

const HOUR: u64 = 3_600_000_000;
const DAY: u64 = 24 * HOUR;
/// Rounds of many who want one use.
const ROUNDS: usize = 1_000;
const WANTERS: usize = 64;

fn words(list: &[&str]) -> Option<Vec<String>> {
    Some(list.iter().map(|word| (*word).to_owned()).collect())
}

fn about(subject: &str) -> IssueOptions {
    IssueOptions { subject: Some(subject.into()), ..defaults() }
}

fn meant(audience: &str) -> IssueOptions {
    IssueOptions { audience: Some(audience.into()), ..defaults() }
}

fn consume() -> ValidateOptions {
    ValidateOptions { consume: Some(true), ..defaults() }
}

fn subjects(issued: &[IssuedInfo]) -> Vec<&str> {
    issued.iter().map(|info| info.subject.as_str()).collect()
}

through_every_client! {
    fn a_token_is_issued_and_says_what_it_was_issued_with(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        let options = IssueOptions {
            subject: Some("build 7".into()),
            audience: Some("https://example.org".into()),
            scopes: words(&["read", "write"]),
            ttl: Some(2 * HOUR),
            uses: Some(3),
            claims: attributes(&[("team", "one"), ("é", "ü")]),
            ..defaults()
        };
        let issued = alice.issue(&options).unwrap();
        assert!(issued.token.starts_with("tvt_") && issued.token.len() == 76 && issued.token.contains(&issued.id));
        let info = alice.validate(&issued.token, &defaults()).unwrap().unwrap();
        let expected = IssuedInfo {
            id: issued.id.clone(),
            kind: "token".into(),
            subject: "build 7".into(),
            audience: "https://example.org".into(),
            scopes: options.scopes.clone().unwrap(),
            claims: options.claims.clone().unwrap(),
            issued: issued.expires - 2 * HOUR,
            expires: issued.expires,
            issuer: format!("uid:{}", ALICE.uid),
            uses_left: Some(3),
            attempts_left: None,
        };
        assert_eq!(info, expected);
        assert_eq!(alice.issued(&defaults()).unwrap().0, [expected]);
        let plain = alice.issue(&defaults()).unwrap();
        let info = alice.validate(&plain.token, &defaults()).unwrap().unwrap();
        assert_eq!((info.expires - info.issued, info.uses_left, info.scopes.len()), (HOUR, None, 0));
    }

    fn what_is_asked_for_must_be_granted(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        let token = alice.issue(&IssueOptions { scopes: words(&["read", "write"]), ..meant("web") }).unwrap().token;
        let valid = |options: ValidateOptions| alice.validate(&token, &options).unwrap().is_some();
        assert!(valid(ValidateOptions { audience: Some("web".into()), scopes: words(&["read"]), ..defaults() }));
        assert!(valid(ValidateOptions { scopes: words(&[]), ..defaults() }));
        assert!(!valid(ValidateOptions { audience: Some("mail".into()), ..defaults() }));
        assert!(!valid(ValidateOptions { scopes: words(&["read", "admin"]), ..defaults() }));
        assert!(!valid(ValidateOptions { audience: Some("mail".into()), ..consume() }));
        assert!(valid(defaults()), "and no use was taken by that");
    }

    fn a_token_is_valid_for_its_issuer_its_audience_and_root_and_nobody_else(door) {
        let vault = Vault::start();
        let [alice, bob, carol, root] = [ALICE, BOB, CAROL, ROOT].map(|user| door.client(&vault, user));
        let plain = alice.issue(&defaults()).unwrap().token;
        let for_bob = alice.issue(&meant("user:bob")).unwrap().token;
        let for_root = alice.issue(&meant("group:root")).unwrap().token;
        let for_bobs = alice.issue(&meant(&format!("group:{}", BOB.name))).unwrap().token;
        for (token, expected) in [
            (&plain, [true, false, false, true]),
            (&for_bob, [true, true, false, true]),
            (&for_root, [true, false, false, true]),
            (&for_bobs, [true, true, false, true]),
        ] {
            // Twice, as what was validated lies opened.
            for _ in 0..2 {
                let valid = [&alice, &bob, &carol, &root].map(|who| who.validate(token, &defaults()).unwrap().is_some());
                assert_eq!(valid, expected);
            }
        }
        assert_eq!(code(alice.issue(&meant("user:nobody-has-this-name"))), ErrorCode::InvalidArgs);
        assert_eq!(code(alice.issue(&meant("group:nobody-has-this-name"))), ErrorCode::InvalidArgs);
    }

    fn a_token_ends_by_time_use_and_revocation(door) {
        let vault = Vault::start();
        let (alice, bob) = (door.client(&vault, ALICE), door.client(&vault, BOB));
        let short = alice.issue(&IssueOptions { ttl: Some(50_000), ..defaults() }).unwrap();
        wait::until("the token to expire", || alice.validate(&short.token, &defaults()).unwrap().is_none().then_some(()));
        assert_eq!(code(alice.revoke(&short.id)), ErrorCode::NotFound);
        let twice = alice.issue(&IssueOptions { uses: Some(2), ..defaults() }).unwrap().token;
        assert_eq!(alice.validate(&twice, &consume()).unwrap().unwrap().uses_left, Some(1));
        assert!(alice.validate(&twice, &consume()).unwrap().is_some());
        assert!(alice.validate(&twice, &consume()).unwrap().is_none(), "a replay");
        assert!(alice.validate(&twice, &defaults()).unwrap().is_none());
        let issued = alice.issue(&defaults()).unwrap();
        bob.issue(&defaults()).unwrap();
        assert!(alice.validate(&issued.token, &defaults()).unwrap().is_some());
        assert_eq!(code(bob.revoke(&issued.id)), ErrorCode::NotFound);
        alice.revoke(&issued.id).unwrap();
        assert!(alice.validate(&issued.token, &defaults()).unwrap().is_none());
        assert_eq!(code(alice.revoke(&issued.id)), ErrorCode::NotFound);
        assert_eq!(code(alice.revoke("nonsense")), ErrorCode::NotFound);
        assert_eq!(alice.issued(&defaults()).unwrap().0, []);
    }

    fn what_is_no_token_is_not_valid(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        let token = alice.issue(&defaults()).unwrap().token;
        for text in ["", "tvt_", &token[1..], &token[..75], &token.to_lowercase(), "123456", "a/b", "é"] {
            assert!(alice.validate(text, &defaults()).unwrap().is_none(), "{text}");
            assert!(alice.validate(text, &consume()).unwrap().is_none(), "{text}");
        }
    }

    fn impossible_wishes_are_refused(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        let long = "s".repeat(256);
        for (word, options) in [
            ("kind", IssueOptions { kind: Some("offer".into()), ..defaults() }),
            ("length", IssueOptions { length: Some(6), ..defaults() }),
            ("attempts", IssueOptions { kind: Some("token".into()), attempts: Some(3), ..defaults() }),
            ("ttl", IssueOptions { ttl: Some(u64::MAX), ..defaults() }),
            ("scope", IssueOptions { scopes: words(&["two words"]), ..defaults() }),
            ("scope", IssueOptions { scopes: Some(vec!["s".into(); 33]), ..defaults() }),
            ("subject", about(&long)),
            ("audience", meant(&long)),
            ("attribute", IssueOptions { claims: attributes(&[("", "v")]), ..defaults() }),
        ] {
            let error = refused(alice.issue(&options));
            assert_eq!(error.code(), ErrorCode::InvalidArgs, "{options:?}");
            assert!(error.to_string().contains(word), "{word}: {error}");
        }
        assert_eq!(alice.issued(&defaults()).unwrap().0, []);
    }

    fn what_was_issued_is_listed_and_revoked_by_a_filter(door) {
        let vault = Vault::start();
        let (alice, bob) = (door.client(&vault, ALICE), door.client(&vault, BOB));
        for (subject, days) in [("b", 2), ("a", 1), ("c", 3)] {
            alice.issue(&IssueOptions { ttl: Some(days * DAY), scopes: words(&["read"]), ..about(subject) }).unwrap();
        }
        let code = IssueOptions { kind: Some("code".into()), audience: Some("web".into()), ttl: Some(4 * DAY), ..about("d") };
        alice.issue(&code).unwrap();
        bob.issue(&about("of bob")).unwrap();
        let listed = |filter: IssuedOptions| subjects(&alice.issued(&filter).unwrap().0).join("");
        assert_eq!(listed(defaults()), "abcd");
        assert_eq!(listed(IssuedOptions { kind: Some("code".into()), ..defaults() }), "d");
        assert_eq!(listed(IssuedOptions { audience: Some("web".into()), ..defaults() }), "d");
        assert_eq!(listed(IssuedOptions { subject: Some("b".into()), ..defaults() }), "b");
        assert_eq!(listed(IssuedOptions { scopes: words(&["read"]), ..defaults() }), "abc");
        assert_eq!(code_of_kind(alice.issued(&IssuedOptions { kind: Some("x".into()), ..defaults() })), ErrorCode::InvalidArgs);
        let wrong = RevokeAllOptions { kind: Some("code".into()), audience: Some("mail".into()), ..defaults() };
        assert_eq!(alice.revoke_all(&wrong).unwrap(), 0);
        assert_eq!(alice.revoke_all(&RevokeAllOptions { subject: Some("b".into()), ..defaults() }).unwrap(), 1);
        assert_eq!(alice.revoke_all(&RevokeAllOptions { scopes: words(&["read"]), ..defaults() }).unwrap(), 2);
        assert_eq!(listed(defaults()), "d");
        let right = RevokeAllOptions { audience: Some("web".into()), ..wrong };
        assert_eq!(alice.revoke_all(&right).unwrap(), 1);
        alice.issue(&about("e")).unwrap();
        assert_eq!(alice.revoke_all(&defaults()).unwrap(), 1);
        assert_eq!(alice.revoke_all(&defaults()).unwrap(), 0);
        assert_eq!(subjects(&bob.issued(&defaults()).unwrap().0), ["of bob"]);
    }
}

/// `code`, where a case has a variable of that name.
#[track_caller]
fn code_of_kind<T, E: Coded>(result: Result<T, E>) -> ErrorCode {
    code(result)
}

through_both_doors! {
    fn of_many_who_want_one_use_one_gets_it_and_nobody_meets_a_limit(door) {
        let vault = Vault::start();
        let alice = vault.client(ALICE, door);
        let clients: Vec<Client> = (0..WANTERS).map(|at| vault.client(if at % 2 == 0 { ALICE } else { BOB }, door)).collect();
        for round in 0..ROUNDS {
            let token = alice.issue(&meant("user:bob")).unwrap().token;
            let won: usize = thread::scope(|scope| {
                let asks: Vec<_> = clients
                    .iter()
                    .map(|client| scope.spawn(|| client.validate(&token, &consume()).map(|info| info.is_some())))
                    .collect();
                asks.into_iter().map(|ask| usize::from(ask.join().unwrap().unwrap())).sum()
            });
            assert_eq!(won, 1, "round {round}");
        }
    }

    fn pages_join_to_the_whole(door) {
        let vault = Vault::builder().limit("writes-per-second", 0).start();
        let alice = vault.client(ALICE, door);
        for number in 0..250_u64 {
            alice.issue(&IssueOptions { ttl: Some(HOUR + number % 7 * DAY), ..about(&format!("{number}")) }).unwrap();
        }
        let (whole, next) = alice.issued(&IssuedOptions { limit: Some(1000), ..defaults() }).unwrap();
        assert_eq!((whole.len(), next.as_str()), (250, ""));
        let (mut joined, mut after) = (Vec::new(), String::new());
        loop {
            let options = IssuedOptions { limit: Some(33), after: Some(after).filter(|after| !after.is_empty()), ..defaults() };
            let (rows, next) = alice.issued(&options).unwrap();
            joined.extend(rows);
            after = next;
            if after.is_empty() {
                break;
            }
        }
        assert_eq!(joined, whole);
        for limit in [0, 1001] {
            assert_eq!(code(alice.issued(&IssuedOptions { limit: Some(limit), ..defaults() })), ErrorCode::InvalidArgs);
        }
        assert_eq!(code(alice.issued(&IssuedOptions { after: Some("ff".into()), ..defaults() })), ErrorCode::InvalidArgs);
    }

    fn issued_tokens_outlive_the_daemon_and_are_not_valid_in_a_sealed_vault(door) {
        let mut vault = Vault::start();
        let token = vault.client(ALICE, door).issue(&defaults()).unwrap().token;
        vault.kill_daemon();
        vault.start_daemon();
        vault.wait_for_state("serving");
        let alice = vault.client(ALICE, door);
        assert!(alice.validate(&token, &defaults()).unwrap().is_some());
        vault.client(ROOT, door).seal().unwrap();
        assert_eq!(code(alice.validate(&token, &defaults())), ErrorCode::Sealed);
        assert_eq!(code(alice.issue(&defaults())), ErrorCode::Sealed);
        assert_eq!(code(alice.revoke_all(&defaults())), ErrorCode::Sealed);
    }

    fn a_consumer_validates_and_does_not_issue(door) {
        let vault = Vault::builder().users("default-role", "consumer").start();
        let (root, bob) = (vault.client(ROOT, door), vault.client(BOB, door));
        assert_eq!(code(bob.issue(&defaults())), ErrorCode::AccessDenied);
        let token = root.issue(&meant("user:bob")).unwrap().token;
        assert!(bob.validate(&token, &defaults()).unwrap().is_some());
    }

    fn no_more_is_issued_than_the_limit_and_unknown_options_are_refused(door) {
        let vault = Vault::builder().limit("issued", 2).start();
        let alice = vault.client(ALICE, door);
        let ids: Vec<String> = (0..2).map(|_| alice.issue(&defaults()).unwrap().id).collect();
        let error = refused(alice.issue(&defaults()));
        assert_eq!(error.code(), ErrorCode::LimitsExceeded);
        assert!(error.to_string().contains("'issued'"), "{error}");
        assert_helpful(&error);
        alice.revoke(&ids[0]).unwrap();
        alice.issue(&defaults()).unwrap();
        assert_eq!(code(alice.issue(&IssueOptions { uses: Some(0), ..defaults() })), ErrorCode::InvalidArgs);
        let wire = vault.wire(ALICE, door);
        let unknown = std::collections::HashMap::from([("colour", zbus::Variant::from("red"))]);
        for method in ["Issue", "RevokeAll", "Issued"] {
            let refusal = wire.call(ISSUER_INTERFACE, method, &(&unknown,)).unwrap_err();
            assert!(refusal.name.ends_with("InvalidArgs") && refusal.text.contains("colour"), "{method}: {refusal:?}");
        }
        for method in ["Validate", "Revoke"] {
            let refusal = wire.call(ISSUER_INTERFACE, method, &("x", &unknown)).unwrap_err();
            assert!(refusal.name.ends_with("InvalidArgs") && refusal.text.contains("colour"), "{method}: {refusal:?}");
        }
    }
}
