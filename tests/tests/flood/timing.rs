//! S7: the time of a refusal does not tell a foreign token from a missing one.

use std::collections::HashMap;
use std::time::Instant;

use tokenvault_proto::TOKENS_INTERFACE;
use tokenvault_tests::{ALICE, BOB, Door, Vault};
use zbus::Variant;

use crate::measure::alone;

/// Pairs of calls.
const SAMPLES: usize = 100_000;
/// Two distributions differ when Welch's t is beyond this (the bound of the TVLA method).
const BOUND: f64 = 4.5;

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
    vault.client(BOB, Door::Socket).put("own", b"v", &Default::default()).unwrap();
    let wire = vault.wire(BOB, Door::Socket);
    let time = |name: &str| {
        let options: HashMap<&str, Variant<'static>> = HashMap::from([("owner", Variant::from("uid:4242"))]);
        let begun = Instant::now();
        wire.call(TOKENS_INTERFACE, "Get", &(name, options)).expect_err("it is not bob's");
        begun.elapsed().as_secs_f64()
    };
    let (mut foreign, mut missing) = (Vec::new(), Vec::new());
    for number in 0..SAMPLES {
        // In turns, and in changing order, so that whatever drifts drifts for both.
        let (there, absent) = (format!("secret/{:04}", number % 100), format!("absent/{:04}", number % 100));
        if number % 2 == 0 {
            foreign.push(time(&there));
            missing.push(time(&absent));
        } else {
            missing.push(time(&absent));
            foreign.push(time(&there));
        }
    }
    let t = welch_t(&mut foreign, &mut missing);
    println!("Welch's t over {SAMPLES} pairs: {t:.2}");
    assert!(t.abs() < BOUND, "reply times tell a foreign token from a missing one: t = {t:.2}");
}

#[test]
fn the_measure_sees_a_difference_where_there_is_one() {
    let noise = |seed: u64| (0..20_000).map(move |n| ((n * 7919 + seed) % 1009) as f64);
    let same = welch_t(&mut noise(1).collect::<Vec<_>>(), &mut noise(500).collect::<Vec<_>>());
    let shifted =
        welch_t(&mut noise(1).collect::<Vec<_>>(), &mut noise(500).map(|time| time + 30.0).collect::<Vec<_>>());
    assert!(same.abs() < BOUND && shifted.abs() > BOUND, "{same} {shifted}");
}
