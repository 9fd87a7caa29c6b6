//! S7: the time of a refusal does not tell a foreign token from a missing one, nor an issued one from one that was never issued.

use std::collections::HashMap;
use std::time::Instant;

use tokenvault_proto::{ISSUER_INTERFACE, ShareOptions, TOKENS_INTERFACE};
use tokenvault_tests::{ALICE, BOB, Door, Vault, proof};
use zbus::Variant;

use crate::measure::alone;

/// Pairs of calls of the two methods that are asked most.
const SAMPLES: usize = 100_000;
/// Two distributions differ when Welch's t is beyond this (the bound of the TVLA method).
pub const BOUND: f64 = 4.5;

/// Mean and variance without the slowest hundredth, which is the scheduler's.
fn moments(times: &mut [f64]) -> (f64, f64, f64) {
    times.sort_by(f64::total_cmp);
    let kept = &times[..times.len() * 99 / 100];
    let count = kept.len() as f64;
    let mean = kept.iter().sum::<f64>() / count;
    let variance = kept.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, variance, count)
}

fn welch_t(first: &mut [f64], second: &mut [f64]) -> f64 {
    let ((mean_1, variance_1, count_1), (mean_2, variance_2, count_2)) = (moments(first), moments(second));
    (mean_1 - mean_2) / (variance_1 / count_1 + variance_2 / count_2).sqrt()
}

#[test]
fn a_foreign_token_takes_as_long_as_a_missing_one() {
    let _alone = alone();
    let vault = Vault::builder().limit("misses-per-second", 0).limit("reads-per-second", 0).start();
    let alice = vault.client(ALICE, Door::Socket);
    for number in 0..100 {
        alice.put(&format!("secret/{number:04}"), &[b'v'; 200], &Default::default()).unwrap();
    }
    // What is shared with others, and what else is shared with him, must not tell either.
    for number in (0..100).step_by(2) {
        alice.share(&format!("secret/{number:04}"), "user:carol", &Default::default()).unwrap();
    }
    alice.put("lent", b"v", &Default::default()).unwrap();
    alice.share("lent", "user:bob", &Default::default()).unwrap();
    vault.client(BOB, Door::Socket).put("own", b"v", &Default::default()).unwrap();
    let wire = vault.wire(BOB, Door::Socket);
    let time = |name: &str| {
        let options: HashMap<&str, Variant<'static>> = HashMap::from([("owner", Variant::from("uid:4242"))]);
        let begun = Instant::now();
        wire.call(TOKENS_INTERFACE, "Get", &(name, options)).expect_err("it is not bob's");
        begun.elapsed().as_secs_f64()
    };
    let names = |kind: &str| (0..100).map(|number| format!("{kind}/{number:04}")).collect::<Vec<_>>();
    let t = compare(SAMPLES, time, &names("secret"), &names("absent"));
    assert!(t.abs() < BOUND, "reply times tell a foreign token from a missing one: t = {t:.2}");
    proof("S7", &format!("Get of foreign and missing: t = {t:.2} over {SAMPLES} pairs"));
}

/// In a small store each name finds its neighbour, always the same one: what that is must not tell either. Nor must it tell
/// whether a uid has stored anything.
#[test]
fn in_a_small_store_a_foreign_token_and_a_foreign_owner_take_as_long_as_missing_ones() {
    let _alone = alone();
    let vault = Vault::builder().limit("misses-per-second", 0).limit("reads-per-second", 0).start();
    let alice = vault.client(ALICE, Door::Socket);
    for name in ["foreign", "lent", "lent/too"] {
        alice.put(name, &[b'v'; 200], &Default::default()).unwrap();
    }
    for name in ["lent", "lent/too"] {
        let options = ShareOptions { note: Some("n".repeat(1_024)), ..Default::default() };
        alice.share(name, "user:bob", &options).unwrap();
    }
    let wire = vault.wire(BOB, Door::Socket);
    let time = |asked: &str| {
        let (owner, name) = asked.split_once(' ').unwrap();
        let options: HashMap<&str, Variant<'static>> = HashMap::from([("owner", Variant::from(owner.to_owned()))]);
        let begun = Instant::now();
        wire.call(TOKENS_INTERFACE, "Get", &(name, options)).expect_err("it is not bob's");
        begun.elapsed().as_secs_f64()
    };
    let names = |owner: &str, kind: &str| -> Vec<String> {
        (0..16)
            .map(|number| {
                format!("{owner} {kind}{}", if kind == "foreign" { String::new() } else { number.to_string() })
            })
            .collect()
    };
    let missing = names("uid:4242", "absent");
    let t = compare(SAMPLES, time, &names("uid:4242", "foreign"), &missing);
    assert!(t.abs() < BOUND, "reply times tell a foreign token from a missing one: t = {t:.2}");
    let owners: Vec<String> = (0..16).map(|number| format!("uid:{} absent{number}", 5_000 + number)).collect();
    let t = compare(SAMPLES, time, &owners, &missing);
    assert!(t.abs() < BOUND, "reply times tell who has stored something: t = {t:.2}");
}

#[test]
fn somebody_elses_issued_token_takes_as_long_as_one_that_was_never_issued() {
    let _alone = alone();
    let limits = ["misses-per-second", "reads-per-second", "writes-per-second"];
    let vault = limits.iter().fold(Vault::builder(), |builder, limit| builder.limit(limit, 0)).start();
    let (alice, bob) = (vault.client(ALICE, Door::Socket), vault.client(BOB, Door::Socket));
    let issue = || alice.issue(&Default::default()).unwrap();
    let tokens: Vec<String> = (0..100).map(|_| issue().token.to_string()).collect();
    let never: Vec<String> = (0..100)
        .map(|_| {
            let issued = issue();
            alice.revoke(&issued.id).unwrap();
            issued.token.to_string()
        })
        .collect();
    bob.issue(&Default::default()).unwrap();
    // What its issuer has validated lies opened: that must not tell either.
    assert!(tokens.iter().step_by(2).all(|token| alice.validate(token, &Default::default()).unwrap().is_some()));
    let wire = vault.wire(BOB, Door::Socket);
    let time = |token: &str| {
        let options: HashMap<&str, Variant<'static>> = HashMap::new();
        let begun = Instant::now();
        let reply = wire.call(ISSUER_INTERFACE, "Validate", &(token, options)).expect("that it is not valid");
        let elapsed = begun.elapsed().as_secs_f64();
        assert!(!reply.body().deserialize::<(bool, HashMap<String, zbus::OwnedVariant>)>().unwrap().0);
        elapsed
    };
    let t = compare(SAMPLES, time, &tokens, &never);
    assert!(t.abs() < BOUND, "reply times tell an issued token from one that was never issued: t = {t:.2}");
    proof("S7", &format!("Validate: t = {t:.2} over {SAMPLES} pairs"));
}

/// Welch's t of the times that two kinds take.
pub fn compare(pairs: usize, time: impl Fn(&str) -> f64, one: &[String], other: &[String]) -> f64 {
    let (mut ones, mut others) = (Vec::new(), Vec::new());
    for (number, (one, other)) in one.iter().zip(other).cycle().take(pairs).enumerate() {
        // In turns, and in changing order, so that whatever drifts drifts for both.
        if number % 2 == 0 {
            ones.push(time(one));
            others.push(time(other));
        } else {
            others.push(time(other));
            ones.push(time(one));
        }
    }
    let t = welch_t(&mut ones, &mut others);
    println!("Welch's t over {pairs} pairs: {t:.2}");
    t
}

#[test]
fn the_measure_sees_a_difference_where_there_is_one() {
    let noise = |seed: u64| (0..20_000).map(move |n| ((n * 7919 + seed) % 1009) as f64);
    let same = welch_t(&mut noise(1).collect::<Vec<_>>(), &mut noise(500).collect::<Vec<_>>());
    let shifted =
        welch_t(&mut noise(1).collect::<Vec<_>>(), &mut noise(500).map(|time| time + 30.0).collect::<Vec<_>>());
    assert!(same.abs() < BOUND && shifted.abs() > BOUND, "{same} {shifted}");
}
