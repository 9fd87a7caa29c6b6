//! S7 for the other methods that name a token of somebody's: the time of their refusal tells no foreign one from a missing one.

use std::collections::HashMap;
use std::time::Instant;

use tokenvault_proto::{ISSUER_INTERFACE, TOKENS_INTERFACE};
use tokenvault_tests::{ALICE, BOB, Door, Vault, Wire, pipe, proof, times};
use zbus::{Fd, Variant};

use crate::measure::alone;
use crate::timing::{BOUND, compare};

/// Pairs of calls of each method.
const PAIRS: (usize, usize) = (20_000, 100_000);
/// How many of each kind are asked for in turns.
const NAMES: usize = 100;

const METHODS: [&str; 12] = [
    "Describe", "Versions", "Shares", "Share", "Unshare", "Rollback", "Rename", "Annotate", "Delete", "Offer",
    "Fetches", "Put",
];

/// The time of one refusal.
fn time(wire: &Wire, method: &str, name: &str) -> f64 {
    let mut options: HashMap<&str, Variant<'static>> = HashMap::from([("owner", Variant::from("uid:4242"))]);
    let value = (method == "Put").then(|| {
        options.insert("mode", Variant::from("replace"));
        Fd::from(pipe::holding(b"forged"))
    });
    let begun = Instant::now();
    let reply = match method {
        "Put" => wire.call(TOKENS_INTERFACE, method, &(name, value.expect("it was made"), options)),
        "Share" | "Unshare" => wire.call(TOKENS_INTERFACE, method, &(name, "user:carol", options)),
        "Rollback" => wire.call(TOKENS_INTERFACE, method, &(name, 1_u64, options)),
        "Rename" => wire.call(TOKENS_INTERFACE, method, &(name, "renamed", options)),
        _ => wire.call(TOKENS_INTERFACE, method, &(name, options)),
    };
    let elapsed = begun.elapsed().as_secs_f64();
    assert_eq!(reply.expect_err("it is not bob's").name, "org.tokenvault1.Error.NotFound", "{method}");
    elapsed
}

/// A vault whose limits are out of the way.
fn vault() -> Vault {
    let limits = ["misses-per-second", "reads-per-second", "writes-per-second"];
    limits.iter().fold(Vault::builder(), |builder, limit| builder.limit(limit, 0)).start()
}

#[test]
fn no_method_takes_longer_for_a_foreign_token_than_for_a_missing_one() {
    let _alone = alone();
    let vault = vault();
    let alice = vault.client(ALICE, Door::Socket);
    for number in 0..NAMES {
        let name = format!("secret/{number:04}");
        alice.put(&name, &[b'v'; 200], &Default::default()).unwrap();
        if number % 2 == 0 {
            alice.share(&name, "user:carol", &Default::default()).unwrap();
        }
    }
    vault.client(BOB, Door::Socket).put("own", b"v", &Default::default()).unwrap();
    let wire = vault.wire(BOB, Door::Socket);
    let names = |kind: &str| (0..NAMES).map(|number| format!("{kind}/{number:04}")).collect::<Vec<_>>();
    let (foreign, missing) = (names("secret"), names("absent"));
    let pairs = times(PAIRS.0, PAIRS.1);
    let told: Vec<(&str, f64)> = METHODS
        .iter()
        .map(|method| (*method, compare(pairs, |name| time(&wire, method, name), &foreign, &missing)))
        .collect();
    let telling: Vec<_> = told.iter().filter(|(_, t)| t.abs() >= BOUND).collect();
    assert!(telling.is_empty(), "reply times tell a foreign token from a missing one: {telling:.2?} of {told:.2?}");
    let most = told.iter().map(|(_, t)| t.abs()).fold(0.0, f64::max);
    proof("S7", &format!("{} other methods: abs(t) at most {most:.2} over {pairs} pairs of each", told.len()));
}

#[test]
fn revoking_takes_as_long_for_what_somebody_else_has_issued() {
    let _alone = alone();
    let vault = vault();
    let alice = vault.client(ALICE, Door::Socket);
    let issue = || alice.issue(&Default::default()).unwrap().id;
    let (issued, gone): (Vec<String>, Vec<String>) = (0..NAMES).map(|_| (issue(), issue())).unzip();
    gone.iter().for_each(|id| alice.revoke(id).unwrap());
    vault.client(BOB, Door::Socket).issue(&Default::default()).unwrap();
    let wire = vault.wire(BOB, Door::Socket);
    let time = |id: &str| {
        let options: HashMap<&str, Variant<'static>> = HashMap::new();
        let begun = Instant::now();
        let refusal = wire.call(ISSUER_INTERFACE, "Revoke", &(id, options)).expect_err("it is not bob's");
        let elapsed = begun.elapsed().as_secs_f64();
        assert_eq!(refusal.name, "org.tokenvault1.Error.NotFound");
        elapsed
    };
    let pairs = times(PAIRS.0, PAIRS.1);
    let t = compare(pairs, time, &issued, &gone);
    assert!(t.abs() < BOUND, "reply times tell what somebody else has issued: t = {t:.2}");
    proof("S7", &format!("Revoke: t = {t:.2} over {pairs} pairs"));
}
