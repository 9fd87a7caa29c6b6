//! Offers, through every way in: a code gives a token's value once.

use std::thread;

use tokenvault_proto::{IssuedOptions, OfferOptions, RedeemOptions};

use crate::common::*;

const ROUNDS: usize = 1_000;
const WANTERS: usize = 64;

/// A code that begins like `code` and ends otherwise.
fn wrong(code: &str) -> String {
    let last = if code.ends_with('7') { '8' } else { '7' };
    format!("{}{last}", &code[..code.len() - 1])
}

through_every_client! {
    fn whoever_has_the_code_gets_the_value_once(door) {
        let vault = Vault::start();
        let (alice, bob) = (door.client(&vault, ALICE), door.client(&vault, BOB));
        let value = vec![b'v'; 65_536];
        alice.put("t", &value, &PutOptions { attributes: attributes(&[("env", "prod")]), ..defaults() }).unwrap();
        let (offered, info) = alice.offer("t", &defaults()).unwrap();
        assert_eq!((offered.len(), info.attempts_left), (19, 5));
        assert!(offered.replace('-', "").starts_with(&info.id) && info.expires > 0);
        let redeemed = bob.redeem(&offered.to_lowercase().replace('-', ""), &defaults()).unwrap();
        assert!(redeemed.data() == value);
        let token = redeemed.info();
        assert_eq!((token.name.as_str(), token.owner.as_str(), token.version), ("t", "uid:4242", 1));
        assert_eq!((token.permission.as_str(), token.size, token.attributes["env"].as_str()), ("read", 65_536, "prod"));
        for who in [&alice, &bob] {
            let error = refused(who.redeem(&offered, &defaults()));
            assert_eq!(error.code(), ErrorCode::NotFound);
            assert!(error.to_string().contains("no such offer"), "{error}");
        }
        assert_eq!(code(bob.get("t", &GetOptions { owner: Some("user:alice".into()), ..defaults() })), ErrorCode::NotFound);
    }

    fn after_so_many_wrong_codes_the_right_one_gives_nothing(door) {
        let vault = Vault::start();
        let (alice, bob) = (door.client(&vault, ALICE), door.client(&vault, BOB));
        alice.put("t", b"v", &defaults()).unwrap();
        let (offered, _) = alice.offer("t", &OfferOptions { attempts: Some(2), ..defaults() }).unwrap();
        for _ in 0..2 {
            assert_eq!(code(bob.redeem(&wrong(&offered), &defaults())), ErrorCode::NotFound);
        }
        assert_eq!(code(bob.redeem(&offered, &defaults())), ErrorCode::NotFound);
        for text in ["", "nonsense", "0000-0000-0000-0000", "é"] {
            assert_eq!(code(bob.redeem(text, &defaults())), ErrorCode::NotFound, "{text}");
        }
    }

    fn an_offer_follows_a_rename_ends_with_its_token_and_is_withdrawn(door) {
        let vault = Vault::start();
        let (alice, bob) = (door.client(&vault, ALICE), door.client(&vault, BOB));
        alice.put("t", b"v", &defaults()).unwrap();
        let offers: Vec<_> = (0..3).map(|_| alice.offer("t", &defaults()).unwrap()).collect();
        alice.rename("t", "u", &defaults()).unwrap();
        let listed = alice.issued(&IssuedOptions { kind: Some("offer".into()), ..defaults() }).unwrap().0;
        assert_eq!(listed.iter().filter(|info| info.subject == "u" && info.kind == "offer").count(), 3);
        assert_eq!(code(bob.revoke(&offers[0].1.id)), ErrorCode::NotFound);
        alice.revoke(&offers[0].1.id).unwrap();
        assert_eq!(code(bob.redeem(&offers[0].0, &defaults())), ErrorCode::NotFound);
        assert_eq!(bob.redeem(&offers[1].0, &defaults()).unwrap().data(), b"v");
        alice.delete("u", &defaults()).unwrap();
        assert_eq!(code(bob.redeem(&offers[2].0, &defaults())), ErrorCode::NotFound);
        assert_eq!(alice.status().unwrap().bytes, 0);
    }

    fn an_offer_expires_and_impossible_ones_are_refused(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        alice.put("t", b"v", &defaults()).unwrap();
        let (offered, info) = alice.offer("t", &OfferOptions { ttl: Some(50_000), ..defaults() }).unwrap();
        wait::until("the offer to end", || {
            alice.issued(&defaults()).unwrap().0.iter().all(|row| row.id != info.id).then_some(())
        });
        assert_eq!(code(alice.redeem(&offered, &defaults())), ErrorCode::NotFound);
        assert_eq!(code(alice.offer("missing", &defaults())), ErrorCode::NotFound);
        for options in [OfferOptions { attempts: Some(101), ..defaults() }, OfferOptions { ttl: Some(u64::MAX), ..defaults() }] {
            assert_eq!(code(alice.offer("t", &options)), ErrorCode::InvalidArgs, "{options:?}");
        }
    }

    fn a_purpose_that_is_required_is_asked_for_and_the_offer_stands(door) {
        let vault = Vault::start();
        let (alice, bob) = (door.client(&vault, ALICE), door.client(&vault, BOB));
        alice.put("t", b"v", &PutOptions { require_purpose: Some(true), ..defaults() }).unwrap();
        let (offered, _) = alice.offer("t", &defaults()).unwrap();
        assert_eq!(code(bob.redeem(&offered, &defaults())), ErrorCode::AccessDenied);
        let options = RedeemOptions { purpose: Some("deploy".into()), app: Some("ci".into()) };
        assert_eq!(bob.redeem(&offered, &options).unwrap().data(), b"v");
    }

    fn machine_tokens_are_offered_by_root(door) {
        let vault = Vault::start();
        let (root, alice) = (door.client(&vault, ROOT), door.client(&vault, ALICE));
        root.put("m", b"v", &defaults()).unwrap();
        let machine = OfferOptions { owner: Some("machine".into()), ..defaults() };
        assert_eq!(code(alice.offer("m", &machine)), ErrorCode::AccessDenied);
        let (offered, _) = root.offer("m", &machine).unwrap();
        assert_eq!(alice.redeem(&offered, &defaults()).unwrap().info().owner, "uid:0");
    }
}

through_both_doors! {
    fn of_many_with_the_code_one_gets_the_value_and_nobody_meets_a_limit(door) {
        let vault = Vault::start();
        let alice = vault.client(ALICE, door);
        alice.put("t", b"value", &defaults()).unwrap();
        let clients: Vec<Client> = (0..WANTERS).map(|at| vault.client(if at % 2 == 0 { BOB } else { CAROL }, door)).collect();
        for round in 0..ROUNDS {
            let (offered, _) = alice.offer("t", &defaults()).unwrap();
            let answers: Vec<Result<Vec<u8>, ErrorCode>> = thread::scope(|scope| {
                let redeem = |client: &Client| match client.redeem(&offered, &defaults()) {
                    Ok(value) => Ok(value.data().to_vec()),
                    Err(error) => Err(error.code()),
                };
                let asks: Vec<_> = clients.iter().map(|client| scope.spawn(move || redeem(client))).collect();
                asks.into_iter().map(|ask| ask.join().unwrap()).collect()
            });
            let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
            assert_eq!(won, [Ok(b"value".to_vec())], "round {round}");
            assert!(lost.iter().all(|answer| *answer == Err(ErrorCode::NotFound)), "round {round}: {lost:?}");
        }
    }

    fn wrong_codes_are_misses_and_offers_outlive_the_daemon(door) {
        let mut vault = Vault::start();
        let alice = vault.client(ALICE, door);
        alice.put("t", b"v", &defaults()).unwrap();
        let (offered, _) = alice.offer("t", &defaults()).unwrap();
        drop(alice);
        vault.restart();
        vault.wait_for_state("serving");
        let bob = vault.client(BOB, door);
        let limited = (0..1_000).any(|_| code(bob.redeem("0000-0000-0000-0000", &defaults())) == ErrorCode::LimitsExceeded);
        assert!(limited, "codes are not to be tried out at leisure");
        assert_eq!(vault.client(CAROL, door).redeem(&offered, &defaults()).unwrap().data(), b"v");
    }
}
