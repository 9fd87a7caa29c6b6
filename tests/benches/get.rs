//! How long `Get` takes at both doors, beside `Status`, which opens no pipe and no value. Prints a table; judges nothing.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement that cannot go on has nothing to say"
)]

use std::time::{Duration, Instant};

use tokenvault_tests::{ALICE, Door, Vault};

/// Calls measured, after a tenth of that to warm up.
const CALLS: usize = 5_000;
/// Tokens in the store.
const TOKENS: usize = 1_000;
/// Bytes of a value.
const SIZE: usize = 256;

/// p50 and p99 of a call.
fn measure(mut call: impl FnMut(usize)) -> (Duration, Duration) {
    (0..CALLS / 10).for_each(&mut call);
    let time = |number| {
        let begun = Instant::now();
        call(number);
        begun.elapsed()
    };
    let mut times: Vec<Duration> = (0..CALLS).map(time).collect();
    times.sort_unstable();
    (times[CALLS / 2], times[CALLS * 99 / 100])
}

fn main() {
    // `cargo test --all-targets` runs it too; there it only has to build.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let vault = Vault::builder().limit("writes-per-second", 0).limit("reads-per-second", 0).start();
    let alice = vault.client(ALICE, Door::Socket);
    for number in 0..TOKENS {
        alice.put(&format!("t/{number}"), &[b'v'; SIZE], &Default::default()).unwrap();
    }
    println!("{TOKENS} tokens, values of {SIZE} bytes, {CALLS} calls one after the other, microseconds");
    println!("{:8} {:8} {:>8} {:>8}", "door", "call", "p50", "p99");
    for door in Door::ALL {
        let client = vault.client(ALICE, door);
        let status = measure(|_| drop(client.status().unwrap()));
        let get = measure(|number| {
            let name = format!("t/{}", number * 7919 % TOKENS);
            assert_eq!(client.get(&name, &Default::default()).unwrap().data().len(), SIZE);
        });
        for (call, (p50, p99)) in [("Status", status), ("Get", get)] {
            println!("{:8} {call:8} {:8} {:8}", door.as_str(), p50.as_micros(), p99.as_micros());
        }
    }
}
