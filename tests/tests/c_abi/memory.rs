//! D6: memory that runs out ends no program. What a call cannot hold it says, wherever that shows, and the next one works.

use std::collections::BTreeMap;

use tokenvault_client::{IssueOptions, PutOptions};
use tokenvault_tests::{ALICE, Door, Vault, proof};

use crate::kit::{self, Under};

/// Rows of the lists.
const ROWS: usize = 120;
/// Far more than a pipe holds.
const LONG: usize = 4 * 1024 * 1024;

/// What the program asks for.
fn vault() -> Vault {
    // A pipe whose value nobody had memory for stays open until the vault has given up waiting for its reader.
    let vault = Vault::builder().limit("writes-per-second", 0).limit("pipes", 0).start();
    let alice = vault.client(ALICE, Door::Socket);
    let described = |at: usize| {
        let attributes = (0..4).map(|key| (format!("key-{key}"), format!("{at} {}", "v".repeat(key * 40)))).collect();
        PutOptions { attributes: Some(attributes), keep_versions: Some(1000), ..PutOptions::default() }
    };
    for at in 0..ROWS {
        alice.put(&format!("list/{at}"), b"value", &described(at)).unwrap();
        alice.put("m/versions", b"value", &described(at)).unwrap();
        let claims = BTreeMap::from([("team".to_owned(), "t".repeat(at))]);
        let scopes = Some(vec!["read".to_owned(), format!("write-{at}")]);
        alice.issue(&IssueOptions { claims: Some(claims), scopes, ..IssueOptions::default() }).unwrap();
    }
    alice.put("m/short", b"value", &described(0)).unwrap();
    alice.share("m/short", "user:bob", &Default::default()).unwrap();
    alice.put("m/value", &[b'v'; 65536], &Default::default()).unwrap();
    alice.put("m/long", &vec![b'l'; LONG], &Default::default()).unwrap();
    vault
}

/// Runs the program, whose calls must all have failed cleanly; how many did.
fn run(vault: &Vault, how: &str) -> u64 {
    let program = kit::compile(vault, &kit::source("memory.c"), Under::Plain);
    let mut command = kit::command(vault, ALICE, Door::Socket, &program, Under::Plain);
    let output = kit::succeed(command.arg(how));
    let (counts, told) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    let counts: Vec<u64> = counts.split_whitespace().map(|count| count.parse().unwrap()).collect();
    let [failures, clean, aborts] = counts[..] else { panic!("{counts:?}\n{told}") };
    proof("D6", &format!("by {how}: {failures} allocation failures, {clean} clean, {aborts} aborts"));
    assert!(clean == failures && aborts == 0, "{told}");
    failures
}

#[test]
fn no_call_ends_a_program_that_has_no_memory_left() {
    let vault = vault();
    assert!(run(&vault, "budget") > 1000);
    assert!(run(&vault, "limit") > 100);
}
