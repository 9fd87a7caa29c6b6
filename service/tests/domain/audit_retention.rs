//! Keeping the log short: by number, bytes and age; what went is said in it, and the rest still verifies.

use tokenvault_core::Timestamp;
use tokenvault_core::audit::AuditRecord;
use tokenvault_core::token::CleanupRequest;
use tokenvault_core::vault::{ClockWord, daemon};

use crate::fixture::*;

/// A log of so many different reads, a second apart.
fn written(reads: usize) -> Home {
    let home = Home::new();
    home.alice().put("t", b"1").unwrap();
    for number in 0..reads {
        home.alice().get_for("t", &format!("purpose {number}")).unwrap();
        home.clock.advance_usec(SECOND);
    }
    wait(|reply| home.vault().flush_audit(true, reply)).unwrap();
    home.settle();
    home
}

fn shorten(home: &Home) -> u64 {
    home.vault().shorten_audit(&Unwatched).unwrap()
}

/// The clock is synchronised; an administrator's word would be one record more.
fn trust_the_clock(home: &Home) {
    let request = CleanupRequest { clock_is_right: Some(ClockWord::Synchronised), ..CleanupRequest::default() };
    home.vault().cleanup(&daemon(), request).unwrap();
}

/// The records that say that others were let go: to which, and how many.
fn said(home: &Home) -> Vec<(u64, u64)> {
    let of_it = records(home).into_iter().filter(|record| record.operation == "PruneAudit");
    of_it.map(|AuditRecord { version, count, .. }| (version, count)).collect()
}

fn first(home: &Home) -> u64 {
    home.read(|tx| tx.audit(0, 1))[0].seq
}

#[test]
fn a_lower_cap_is_reached_in_small_steps_that_the_log_tells_of() {
    let home = written(5_000);
    let before = verified(&home).unwrap();
    assert_eq!(shorten(&home), 0, "there is room");
    home.set(|settings| settings.audit_records = 100);
    let gone = shorten(&home);
    // Each step is a record itself.
    let kept = verified(&home).unwrap();
    assert_eq!((before, gone, kept), (5_002, 4_904, 101));
    assert_eq!(said(&home), [(2_000, 2_000), (4_000, 2_000), (4_904, 904)]);
    assert_eq!(shorten(&home), 0, "and then there is nothing to do");
}

#[test]
fn a_log_that_takes_too_much_room_loses_its_oldest_records() {
    let home = written(5_000);
    let bytes = |home: &Home| home.read(|tx| tx.audit_bytes(0, usize::MAX)).unwrap().1;
    let before = bytes(&home);
    home.set(|settings| settings.audit_bytes = before / 2);
    assert_eq!(shorten(&home), 4_000);
    assert!(bytes(&home) <= before / 2);
    assert_eq!((first(&home), said(&home)), (4_001, vec![(2_000, 2_000), (4_000, 2_000)]));
    assert_eq!(verified(&home), Ok(1_004));
}

#[test]
fn records_go_with_their_age_and_what_is_younger_stays() {
    let home = written(100);
    home.clock.advance_usec(10 * DAY);
    home.alice().put("young", b"1").unwrap();
    home.set(|settings| settings.audit_age_usec = 5 * DAY);
    assert_eq!(shorten(&home), 0, "nobody says that the clock is right");
    trust_the_clock(&home);
    assert_eq!(shorten(&home), 102);
    let kept: Vec<_> = records(&home).into_iter().map(|record| record.operation).collect();
    assert_eq!(kept, ["Put", "PruneAudit"]);
    assert_eq!(verified(&home), Ok(2));
}

#[test]
fn a_clock_ten_years_ahead_empties_no_log() {
    let home = written(100);
    trust_the_clock(&home);
    home.set(|settings| settings.audit_age_usec = 365 * DAY);
    home.clock.set_wall(Timestamp::from_usec(START.as_usec() + 3_650 * DAY));
    assert_eq!(shorten(&home), 0);
    home.clock.advance_usec(400 * DAY);
    assert_eq!(shorten(&home), 102, "by the time since boot they have become old");
}

#[test]
fn a_record_dated_ahead_keeps_no_older_one() {
    let mut home = Home::new();
    home.alice().put("old", b"1").unwrap();
    home.clock.advance_usec(3_650 * DAY);
    home.alice().put("ahead", b"1").unwrap();
    home.stop();
    // The same log, with a clock that is right again.
    let home = Home::from_copy(home.copy());
    trust_the_clock(&home);
    home.alice().put("right", b"1").unwrap();
    home.clock.advance_usec(10 * DAY);
    home.alice().put("young", b"1").unwrap();
    home.set(|settings| settings.audit_age_usec = 5 * DAY);
    shorten(&home);
    let kept: Vec<_> = records(&home).into_iter().map(|record| record.name).collect();
    assert_eq!(kept, ["young", ""]);
    assert!(verified(&home).is_ok());
}

#[test]
fn a_log_of_which_everything_is_old_keeps_the_record_that_says_so() {
    let mut home = written(10);
    home.clock.advance_usec(10 * DAY);
    home.set(|settings| settings.audit_age_usec = DAY);
    trust_the_clock(&home);
    assert_eq!(shorten(&home), 12);
    assert_eq!((first(&home), said(&home)), (13, vec![(12, 12)]));
    home.restart();
    home.alice().put("t", b"2").unwrap();
    assert_eq!(verified(&home), Ok(3), "the chain goes on");
}

#[test]
fn a_shortened_log_that_is_tampered_with_does_not_verify() {
    let mut home = written(3_000);
    home.set(|settings| settings.audit_records = 500);
    shorten(&home);
    let begins = first(&home);
    home.tamper(|file| file.run(&format!("DELETE FROM audit WHERE seq < {}", begins + 10)));
    assert!(verified(&home).is_err());
}
