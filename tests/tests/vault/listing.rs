//! `List`: metadata in pages, filtered.

use std::collections::BTreeMap;

use tokenvault_core::Timestamp;
use tokenvault_core::token::{Class, TokenInfo as DomainInfo};

use crate::common::*;

fn put_many(client: &impl Tokens, names: &[&str]) {
    for name in names {
        client.store(name, b"v").unwrap();
    }
}

through_every_client! {
    fn a_list_shows_each_token_once_with_its_metadata(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        assert_eq!(alice.list(&defaults()).unwrap(), (vec![], String::new()), "nothing yet");
        put_many(&alice, &["one", "two", "three"]);
        alice.put("two", b"longer", &defaults()).unwrap();
        let (tokens, next) = alice.list(&defaults()).unwrap();
        assert_eq!(next, "");
        let mut seen: Vec<_> = tokens.iter().map(|t| (t.name.as_str(), t.version, t.size)).collect();
        seen.sort_unstable();
        assert_eq!(seen, [("one", 1, 1), ("three", 1, 1), ("two", 2, 6)]);
        for token in &tokens {
            assert_eq!(*token, alice.describe(&token.name, &defaults()).unwrap());
        }
    }

    fn a_prefix_selects_by_name(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        put_many(&alice, &["prod/a", "prod/b", "production", "test/a"]);
        let listed = |prefix: &str| {
            let (tokens, _) = alice.list(&ListOptions { prefix: Some(prefix.into()), ..defaults() }).unwrap();
            let mut found: Vec<String> = names(&tokens).into_iter().map(str::to_owned).collect();
            found.sort_unstable();
            found
        };
        assert_eq!(listed("prod/"), ["prod/a", "prod/b"]);
        assert_eq!(listed("prod"), ["prod/a", "prod/b", "production"]);
        assert_eq!(listed("nothing"), Vec::<String>::new());
        assert_eq!(listed(""), ["prod/a", "prod/b", "production", "test/a"]);
    }

    fn attributes_select_tokens_that_carry_them_all(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        let put = |name: &str, pairs: &[(&str, &str)]| {
            alice.put(name, b"v", &PutOptions { attributes: attributes(pairs), ..defaults() }).unwrap();
        };
        put("one", &[("env", "prod"), ("team", "a")]);
        put("two", &[("env", "prod"), ("team", "b")]);
        put("three", &[("env", "test"), ("team", "a")]);
        let listed = |pairs: &[(&str, &str)]| {
            let (tokens, _) = alice.list(&ListOptions { attributes: attributes(pairs), ..defaults() }).unwrap();
            let mut found: Vec<String> = names(&tokens).into_iter().map(str::to_owned).collect();
            found.sort_unstable();
            found
        };
        assert_eq!(listed(&[("env", "prod")]), ["one", "two"]);
        assert_eq!(listed(&[("env", "prod"), ("team", "a")]), ["one"]);
        assert_eq!(listed(&[("env", "PROD")]), Vec::<String>::new());
        assert_eq!(listed(&[("nothing", "prod")]), Vec::<String>::new());
    }

    fn a_list_shows_what_expires_before_a_time(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        let hour = 3_600_000_000;
        put_many(&alice, &["never"]);
        alice.put("soon", b"v", &PutOptions { ttl: Some(hour), ..defaults() }).unwrap();
        alice.put("late", b"v", &PutOptions { ttl: Some(48 * hour), ..defaults() }).unwrap();
        let expires = alice.describe("soon", &defaults()).unwrap().expires.unwrap();
        let before = |limit| {
            let (tokens, _) = alice.list(&ListOptions { expires_before: Some(limit), ..defaults() }).unwrap();
            names(&tokens).into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(before(expires + hour), ["soon"]);
        assert_eq!(before(expires), Vec::<String>::new());
    }
}

through_both_doors! {
    fn pages_give_every_token_exactly_once(door) {
        let vault = Vault::start();
        let alice = vault.client(ALICE, door);
        let expected: Vec<String> = (0..25).map(|number| format!("page/{number:02}")).collect();
        put_many(&alice, &expected.iter().map(String::as_str).collect::<Vec<_>>());
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let (tokens, next) = alice.list(&ListOptions { limit: Some(10), after, ..defaults() }).unwrap();
            assert!(tokens.len() <= 10);
            seen.extend(tokens.into_iter().map(|token| token.name));
            if next.is_empty() {
                break;
            }
            after = Some(next);
        }
        seen.sort_unstable();
        assert_eq!(seen, expected);
    }

    fn a_page_of_large_rows_ends_early_and_nothing_is_lost_or_doubled(door) {
        let vault = Vault::start();
        let alice = vault.client(ALICE, door);
        let pairs: BTreeMap<String, String> = (0..32).map(|at| (format!("{at:064}"), "v".repeat(1024))).collect();
        let heavy = PutOptions { attributes: Some(pairs), content_type: Some("text/plain".into()), ..defaults() };
        let light = PutOptions { ttl: Some(3_600_000_000), ..defaults() };
        let expected: Vec<String> = (0..40).map(|number| format!("page/{number:02}")).collect();
        for (number, name) in expected.iter().enumerate() {
            alice.put(name, b"v", if number % 2 == 0 { &heavy } else { &light }).unwrap();
        }
        let (mut seen, mut pages, mut after) = (Vec::new(), 0, None);
        loop {
            let wanted = ListOptions { limit: Some(1000), after, ..defaults() };
            let (reply, (tokens, next)) = page_on_the_wire(&vault, door, &wanted);
            let core_says: usize = tokens.iter().map(estimated).sum();
            assert!(reply <= 256 * 1024 && reply <= core_says + 320, "{reply} bytes, {core_says} estimated");
            assert!(core_says < reply + reply / 4, "{reply} bytes, {core_says} estimated");
            seen.extend(tokens.into_iter().map(|token| token.name));
            pages += 1;
            if next.is_empty() {
                break;
            }
            after = Some(next);
        }
        assert_eq!(seen, expected);
        assert_eq!(pages, 3, "20 rows of 35 KB, seven to a page");
    }

    fn a_page_is_at_most_a_thousand(door) {
        let vault = Vault::start();
        let alice = vault.client(ALICE, door);
        put_many(&alice, &["a"]);
        assert_eq!(alice.list(&ListOptions { limit: Some(1000), ..defaults() }).unwrap().0.len(), 1);
        for limit in [0, 1001, u32::MAX] {
            let error = refused(alice.list(&ListOptions { limit: Some(limit), ..defaults() }));
            assert_eq!(error.code(), ErrorCode::InvalidArgs, "limit {limit}");
            assert!(error.to_string().contains("limit"), "{error}");
        }
    }

    fn a_place_in_the_list_is_nobody_elses(door) {
        let vault = Vault::start();
        let (alice, bob) = (vault.client(ALICE, door), vault.client(BOB, door));
        put_many(&alice, &["a", "b"]);
        put_many(&bob, &["a", "b"]);
        let (_, next) = alice.list(&ListOptions { limit: Some(1), ..defaults() }).unwrap();
        assert_ne!(next, "");
        for after in [next, "1".into(), "zz".into(), "é".into(), "00".repeat(100)] {
            let error = refused(bob.list(&ListOptions { after: Some(after.clone()), ..defaults() }));
            assert_eq!(error.code(), ErrorCode::InvalidArgs, "{after}");
        }
    }
}

/// A page, and the bytes of the reply it came in.
fn page_on_the_wire(vault: &Vault, door: Door, wanted: &ListOptions) -> (usize, (Vec<TokenInfo>, String)) {
    let reply = vault.wire(ALICE, door).call(TOKENS_INTERFACE, "List", wanted).unwrap();
    let body = reply.body();
    (body.len(), body.deserialize().unwrap())
}

/// What the domain says a row takes on the wire.
fn estimated(row: &TokenInfo) -> usize {
    let row = row.clone();
    let domain = DomainInfo {
        name: row.name,
        owner: ALICE.uid,
        version: row.version,
        size: row.size,
        class: Class::Machine,
        content_type: row.content_type,
        attributes: row.attributes,
        created: Timestamp::from_usec(row.created),
        updated: Timestamp::from_usec(row.updated),
        expires: row.expires.map(Timestamp::from_usec),
        require_purpose: row.require_purpose,
        shared: false,
        grant: None,
    };
    domain.reply_bytes()
}
