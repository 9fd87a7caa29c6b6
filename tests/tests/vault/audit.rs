//! The audit log under the running daemon: what is in the store when.

use crate::common::*;

through_both_doors! {
    fn a_durable_log_has_a_read_before_its_value_leaves_and_folds_equal_ones(door) {
        let mut vault = Vault::builder().extra("audit.reads = \"durable\"").start();
        let alice = vault.client(ALICE, door);
        for name in ["a", "b"] {
            alice.put(name, b"v", &defaults()).unwrap();
        }
        let before = audit_records(&vault);
        alice.get("a", &defaults()).unwrap();
        alice.get("b", &defaults()).unwrap();
        assert!(audit_records(&vault) >= before + 2, "each is written when its value is there");
        let begun = std::time::Instant::now();
        for _ in 0..500 {
            alice.get("a", &defaults()).unwrap();
        }
        // The first of a second, and those that followed it.
        let most = 2 * (begun.elapsed().as_secs().cast_signed() + 2);
        vault.stop_daemon();
        let written = audit_records(&vault) - before - 2;
        assert!((1..=most).contains(&written), "{written} records of 500 equal reads");
    }
}

#[test]
fn records_that_a_stop_cannot_write_are_counted_in_the_log() {
    let mut vault = Vault::builder().start();
    let bob = vault.client(BOB, Door::Socket);
    vault.client(ROOT, Door::Socket).seal().unwrap();
    // Refused, and written down as soon as there are keys.
    assert_eq!(code(bob.seal()), ErrorCode::AccessDenied);
    vault.stop_daemon();
    assert!(vault.log().contains("are lost with the daemon's end (1)"), "{}", vault.log());
    vault.start_daemon();
    vault.wait_for_state("serving");
    vault.stop_daemon();
    assert_eq!(vault.log().matches("are lost").count(), 1, "nothing is said where nothing is lost");
}
