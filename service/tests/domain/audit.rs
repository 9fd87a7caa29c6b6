//! What is written down: every change in order, reads folded, refusals folded, and no more than the log may hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;

use tokenvault_core::audit::{Outcome, Receipt};
use tokenvault_core::owner::Owner;
use tokenvault_core::token::Annotation;
use tokenvault_core::vault::{NewSlot, daemon};

use crate::fixture::*;

/// Operation, name, version and count of the records of a user.
fn of_user(home: &Home, uid: u32) -> Vec<(String, String, u64, u64)> {
    let of_them = records(home).into_iter().filter(|record| record.uid == uid && record.outcome == Outcome::Ok);
    of_them.map(|record| (record.operation, record.name, record.version, record.count)).collect()
}

#[test]
fn every_change_is_recorded_in_the_order_it_was_made() {
    let home = Home::new();
    let alice = home.alice();
    alice.put("t", b"1").unwrap();
    alice.generate("t", b"2").unwrap();
    alice.rollback("t", 1).unwrap();
    alice.annotate("t", Annotation { require_purpose: Some(true), ..Annotation::default() }).unwrap();
    alice.rename("t", "u").unwrap();
    alice.delete_version("u", 1).unwrap();
    alice.delete("u").unwrap();
    let told = of_user(&home, ALICE);
    let told: Vec<_> = told
        .iter()
        .map(|(operation, name, version, count)| (operation.as_str(), name.as_str(), *version, *count))
        .collect();
    assert_eq!(
        told,
        [
            ("Put", "t", 1, 1),
            ("Generate", "t", 2, 1),
            ("Rollback", "t", 3, 1),
            ("Annotate", "t", 3, 1),
            ("Rename", "t", 0, 1),
            ("Delete", "u", 1, 1),
            ("Delete", "u", 0, 1),
        ]
    );
    let renamed: Vec<_> = records(&home).into_iter().filter_map(|record| record.renamed_to).collect();
    assert_eq!(renamed, ["u"], "what becomes of the name later can be followed");
}

#[test]
fn what_happens_to_the_vault_itself_is_recorded() {
    let home = Home::new();
    let slot = home.vault().add_slot(&daemon(), &NewSlot::Recovery(&public_of(&[6; 32]))).unwrap();
    home.vault().confirm_recovery(&daemon(), &key(&[6; 32])).unwrap();
    home.vault().remove_slot(&daemon(), slot, false).unwrap();
    home.vault().seal(&daemon()).unwrap();
    home.unseal().unwrap();
    let told: Vec<_> = of_user(&home, ROOT).into_iter().map(|record| record.0).collect();
    assert_eq!(told, ["CreateVault", "AddSlot", "ConfirmRecovery", "RemoveSlot", "Seal", "Unseal"]);
}

#[test]
fn a_record_says_who_when_whose_and_what_for() {
    let home = Home::new();
    home.root().of(Owner::Machine).put("t", b"1").unwrap();
    home.clock.advance_usec(SECOND);
    home.root().of(Owner::Machine).get_for("t", "rotate").unwrap();
    let record = records(&home).pop().unwrap();
    assert_eq!((record.operation.as_str(), record.outcome), ("Get", Outcome::Ok));
    assert_eq!((record.uid, record.owner, record.pid), (ROOT, Some(ROOT), Some(4711)));
    assert_eq!((record.name.as_str(), record.version, record.purpose.as_str()), ("t", 1, "rotate"));
    assert_eq!(record.time.as_usec(), START.as_usec() + SECOND);
}

#[test]
fn what_was_refused_or_failed_changes_nothing_and_is_no_change_in_the_log() {
    let home = Home::new();
    let alice = home.alice();
    alice.put("t", b"1").unwrap();
    home.set(|settings| settings.tokens = 1);
    assert_eq!(refused(alice.put("u", b"1")), Refused::LimitsExceeded);
    assert_eq!(refused(alice.delete("missing")), Refused::NotFound);
    let changes: Vec<_> = of_user(&home, ALICE).into_iter().map(|record| record.0).collect();
    assert_eq!(changes, ["Put"]);
}

#[test]
fn equal_reads_within_a_second_are_two_records_with_their_count() {
    let home = Home::new();
    let alice = home.alice();
    alice.put("t", b"1").unwrap();
    for _ in 0..100 {
        alice.get("t").unwrap();
    }
    alice.get_for("t", "another purpose").unwrap();
    home.bob().put("t", b"1").unwrap();
    home.bob().get("t").unwrap();
    home.clock.advance_usec(SECOND);
    alice.get("t").unwrap();
    let mut reads: Vec<_> =
        of_user(&home, ALICE).into_iter().filter(|record| record.0 == "Get").map(|record| record.3).collect();
    reads.sort_unstable();
    assert_eq!(reads, [1, 1, 1, 99]);
}

#[test]
fn reads_wait_for_a_commit_and_are_durable_after_one() {
    let mut home = Home::new();
    home.alice().put("t", b"1").unwrap();
    let before = home.read(|tx| tx.audit_head()).unwrap().seq;
    home.alice().get("t").unwrap();
    assert!(home.vault().audit_waits());
    assert_eq!(home.read(|tx| tx.audit_head()).unwrap().seq, before);
    wait(|reply| home.vault().flush_audit(true, reply)).unwrap();
    assert!(!home.vault().audit_waits());
    assert_eq!(home.read(|tx| tx.audit_head()).unwrap().seq, before + 1);
    home.restart();
    assert!(records(&home).iter().any(|record| record.operation == "Get"));
}

/// A vault whose log is durable, with a token.
fn durable() -> Home {
    let home = Home::new();
    home.set(|settings| settings.audit_durable = true);
    home.alice().put("t", b"1").unwrap();
    home
}

fn receipt(home: &Home) -> Receipt {
    home.alice().open("t").unwrap().receipt.expect("a receipt to settle")
}

fn gets(home: &Home) -> Vec<u64> {
    records(home).iter().filter(|record| record.operation == "Get").map(|record| record.count).collect()
}

#[test]
fn where_the_log_is_durable_a_value_waits_for_its_record_and_equal_ones_are_counted_behind_it() {
    let home = durable();
    let before = home.read(|tx| tx.audit_head()).unwrap().seq;
    let first = receipt(&home);
    wait(|reply| home.vault().settle(first, reply)).unwrap();
    assert_eq!(home.read(|tx| tx.audit_head()).unwrap().seq, before + 1, "it is there before the value leaves");
    for _ in 0..100 {
        assert!(home.alice().open("t").unwrap().receipt.is_none(), "there is nothing to wait for any more");
    }
    home.clock.advance_usec(SECOND);
    let next = receipt(&home);
    wait(|reply| home.vault().settle(next, reply)).unwrap();
    let mut counts = gets(&home);
    counts.sort_unstable();
    assert_eq!(counts, [1, 1, 100]);
}

#[test]
fn a_read_behind_one_whose_record_is_being_written_waits_for_it() {
    let home = durable();
    let (first, second) = (receipt(&home), receipt(&home));
    let (sender, answered) = channel();
    home.vault().settle(second, Box::new(move |result| sender.send(answer(result)).unwrap()));
    assert!(answered.try_recv().is_err(), "nothing is written yet");
    wait(|reply| home.vault().settle(first, reply)).unwrap();
    assert_eq!(answered.recv().unwrap(), Ok(()));
    assert_eq!(gets(&home), [1, 1]);
}

#[test]
fn a_value_whose_record_cannot_be_written_is_not_settled_nor_is_one_behind_it() {
    let home = durable();
    let (first, behind) = (receipt(&home), receipt(&home));
    let foreign = home.database();
    foreign.lock();
    assert_eq!(refused(wait(|reply| home.vault().settle(first, reply))), Refused::Unavailable);
    assert_eq!(refused(wait(|reply| home.vault().settle(behind, reply))), Refused::Unavailable);
    foreign.unlock();
    let again = receipt(&home);
    wait(|reply| home.vault().settle(again, reply)).unwrap();
    home.clock.advance_usec(SECOND);
    let (late, behind) = (receipt(&home), receipt(&home));
    home.vault().seal(&daemon()).unwrap();
    assert_eq!(refused(wait(|reply| home.vault().settle(late, reply))), Refused::Sealed);
    assert_eq!(refused(wait(|reply| home.vault().settle(behind, reply))), Refused::Unavailable);
}

#[test]
fn a_read_that_is_given_up_leaves_none_waiting_behind_it() {
    let home = durable();
    let (first, second) = (receipt(&home), receipt(&home));
    drop(first);
    assert_eq!(refused(wait(|reply| home.vault().settle(second, reply))), Refused::Unavailable);
    let next = receipt(&home);
    wait(|reply| home.vault().settle(next, reply)).unwrap();
}

#[test]
fn what_could_not_be_made_durable_is_not_said_to_be() {
    let home = Home::new();
    home.alice().put("t", b"1").unwrap();
    home.alice().get("t").unwrap();
    home.vault().quarantine("for a test".into());
    assert_eq!(refused(wait(|reply| home.vault().flush_audit(true, reply))), Refused::Quarantined);
    assert!(!home.vault().audit_waits(), "nobody is to wait for what cannot happen");
}

#[test]
fn a_commit_that_fails_loses_no_record() {
    let home = Home::new();
    home.alice().put("t", b"1").unwrap();
    home.alice().get("t").unwrap();
    let foreign = home.database();
    foreign.lock();
    assert_eq!(refused(wait(|reply| home.vault().flush_audit(true, reply))), Refused::Unavailable);
    foreign.unlock();
    assert_eq!(records(&home).iter().filter(|record| record.operation == "Get").count(), 1);
}

#[test]
fn refusals_within_a_minute_are_two_records_without_the_names_that_were_tried() {
    let home = Home::new();
    let bob = home.bob();
    for number in 0..20 {
        assert_eq!(refused(bob.get(&format!("guess {number}"))), Refused::NotFound);
    }
    let denied: Vec<_> = records(&home).into_iter().filter(|record| record.uid == BOB).collect();
    let told: Vec<_> = denied.iter().map(|record| (record.outcome, record.name.as_str(), record.count)).collect();
    assert_eq!(told, [(Outcome::NotFound, "guess 0", 1), (Outcome::NotFound, "", 19)]);
}

#[test]
fn every_way_of_being_refused_is_recorded() {
    let home = Home::new();
    home.alice().put("t", b"1").unwrap();
    let machine = home.alice().of(Owner::Machine);
    let _refused = (home.bob().of(Owner::Uid(ALICE)).get("t"), machine.put("t", b"1"), home.bob().delete("t"));
    let _frozen = home.alice().renamed("mallory").describe("t");
    let mut told: Vec<_> = records(&home)
        .into_iter()
        .filter(|record| record.outcome != Outcome::Ok)
        .map(|record| (record.uid, record.operation, record.outcome.as_str()))
        .collect();
    told.sort_unstable();
    let expected = [
        (ALICE, "Describe", "denied"),
        (ALICE, "Put", "denied"),
        (BOB, "Delete", "not-found"),
        (BOB, "Get", "not-found"),
    ];
    assert_eq!(told, expected.map(|(uid, operation, outcome)| (uid, operation.to_owned(), outcome)));
}

#[test]
fn the_oldest_records_go_at_the_cap_and_the_rest_still_verifies() {
    let mut home = Home::new();
    home.set(|settings| settings.audit_records = 500);
    home.alice().put("t", b"1").unwrap();
    for number in 0..2_200 {
        home.alice().get_for("t", &format!("purpose {number}")).unwrap();
    }
    let kept = verified(&home).unwrap();
    assert!((500..1_500).contains(&kept), "{kept}");
    let first = home.read(|tx| tx.audit(0, 1))[0].seq;
    assert_eq!(first, 1_501);
    home.restart();
    home.alice().put("t", b"2").unwrap();
    assert_eq!(verified(&home), Ok(kept + 2));
}

#[test]
fn without_a_cap_nothing_goes() {
    let home = Home::new();
    home.set(|settings| settings.audit_records = 0);
    home.alice().put("t", b"1").unwrap();
    for number in 0..1_100 {
        home.alice().get_for("t", &format!("purpose {number}")).unwrap();
    }
    assert_eq!(verified(&home), Ok(1_102));
}

#[test]
fn who_waits_for_records_is_told_of_reads_and_refusals() {
    let home = Home::new();
    home.alice().put("t", b"1").unwrap();
    let told = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&told);
    home.vault().on_audit(move || {
        counter.fetch_add(1, Ordering::SeqCst);
    });
    home.alice().get("t").unwrap();
    let _refused = home.alice().get("missing");
    assert_eq!(told.load(Ordering::SeqCst), 2);
}
