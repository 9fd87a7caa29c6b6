//! Reading the log: by page and filter, also where records are damaged; and verifying it against what is known from elsewhere.

use std::sync::Mutex;

use tokenvault_core::audit::{AuditEntry, AuditFilter, AuditRequest, ChainFault, Mark, Outcome, SCANNED_MAX};
use tokenvault_core::owner::Owner;
use tokenvault_core::policy::Role;
use tokenvault_core::port::{Cancelled, Progress};
use tokenvault_core::token::PAGE_BYTES_MAX;
use tokenvault_core::vault::{Settings, daemon};
use tokenvault_core::{Caller, Error};

use crate::fixture::*;

fn request(filter: AuditFilter, limit: usize) -> AuditRequest {
    AuditRequest { filter, limit, ..AuditRequest::default() }
}

/// Everything that a filter takes, page by page, and how many pages that were.
fn read(home: &Home, mut request: AuditRequest) -> (Vec<AuditEntry>, usize) {
    wait(|reply| home.vault().flush_audit(true, reply)).unwrap();
    let (mut entries, mut pages) = (Vec::new(), 0);
    loop {
        let page = home.vault().audit_page(&daemon(), &request).unwrap();
        assert!(page.reply_bytes() <= PAGE_BYTES_MAX + 4096, "{}", page.reply_bytes());
        entries.extend(page.entries);
        pages += 1;
        request.after = page.next;
        if page.next.is_none() {
            return (entries, pages);
        }
    }
}

fn told(entries: &[AuditEntry]) -> Vec<(u32, &str, &str)> {
    let records = entries.iter().filter_map(|entry| entry.record.as_ref());
    records.map(|record| (record.uid, record.operation.as_str(), record.name.as_str())).collect()
}

#[test]
fn the_log_is_read_in_its_order_and_backwards_page_by_page() {
    let home = Home::new();
    for number in 0..10 {
        home.alice().put(&format!("t{number}"), b"1").unwrap();
    }
    let (forwards, pages) = read(&home, request(AuditFilter::default(), 3));
    let numbers: Vec<u64> = forwards.iter().map(|entry| entry.seq).collect();
    // That it is read is a record too.
    assert!((4..=5).contains(&pages) && numbers[..11] == (1..=11).collect::<Vec<_>>(), "{pages} {numbers:?}");
    assert_eq!(told(&forwards)[1], (ALICE, "Put", "t0"));
    let (backwards, _) = read(&home, AuditRequest { newest_first: true, ..request(AuditFilter::default(), 3) });
    let mut numbers: Vec<u64> = backwards.iter().map(|entry| entry.seq).filter(|seq| *seq <= 11).collect();
    assert!(numbers.is_sorted_by(|a, b| a > b), "{numbers:?}");
    numbers.reverse();
    assert_eq!(numbers, (1..=11).collect::<Vec<_>>());
}

#[test]
fn a_filter_takes_what_it_says_and_nothing_else() {
    let home = Home::new();
    home.alice().put("t", b"1").unwrap();
    home.bob().put("t", b"1").unwrap();
    home.root().of(Owner::Machine).put("m", b"1").unwrap();
    let _refused = home.alice().of(Owner::Machine).put("m", b"2");
    home.clock.advance_usec(DAY);
    home.alice().rename("t", "u").unwrap();
    let told_by = |filter| {
        let (entries, _) = read(&home, request(filter, 100));
        told(&entries).into_iter().map(|(uid, operation, _)| (uid, operation.to_owned())).collect::<Vec<_>>()
    };
    let of_uid = AuditFilter { uid: Some(BOB), ..AuditFilter::default() };
    assert_eq!(told_by(of_uid), [(BOB, "Put".to_owned())]);
    let of_name = AuditFilter { name: Some("u".into()), ..AuditFilter::default() };
    assert_eq!(told_by(of_name), [(ALICE, "Rename".to_owned())]);
    let denied = AuditFilter { outcome: Some(Outcome::Denied), ..AuditFilter::default() };
    assert_eq!(told_by(denied.clone()), [(ALICE, "Put".to_owned())]);
    let of_machine = AuditFilter { owner: Some(Owner::Machine), ..denied };
    assert_eq!(told_by(of_machine), [(ALICE, "Put".to_owned())]);
    let of_alice = AuditFilter { owner: Some(Owner::Uid(ALICE)), ..AuditFilter::default() };
    assert_eq!(told_by(of_alice.clone()), [(ALICE, "Put".to_owned()), (ALICE, "Rename".to_owned())]);
    let late = AuditFilter { since: START.checked_add_usec(DAY), ..of_alice.clone() };
    assert_eq!(told_by(late), [(ALICE, "Rename".to_owned())]);
    let early = AuditFilter { until: START.checked_add_usec(DAY), ..of_alice };
    assert_eq!(told_by(early), [(ALICE, "Put".to_owned())]);
}

#[test]
fn a_filter_that_takes_nothing_gives_a_page_after_so_many_records() {
    let home = Home::new();
    home.alice().put("t", b"1").unwrap();
    for number in 0..SCANNED_MAX {
        home.alice().get_for("t", &format!("purpose {number}")).unwrap();
        home.clock.advance_usec(SECOND);
    }
    wait(|reply| home.vault().flush_audit(true, reply)).unwrap();
    let nobody = AuditFilter { uid: Some(4_711), ..AuditFilter::default() };
    let page = home.vault().audit_page(&daemon(), &request(nobody.clone(), 100)).unwrap();
    assert_eq!((page.entries.len(), page.next), (0, Some(SCANNED_MAX as u64)));
    assert_eq!(read(&home, request(nobody, 100)), (Vec::new(), 2));
}

#[test]
fn a_page_of_long_records_is_cut() {
    let home = Home::new();
    home.alice().put(&"n".repeat(255), b"1").unwrap();
    for number in 0..400 {
        home.alice().get_for(&"n".repeat(255), &format!("{number:0255}")).unwrap();
        home.clock.advance_usec(SECOND);
    }
    let (entries, pages) = read(&home, request(AuditFilter::default(), 1_000));
    assert!(entries.len() > 400 && pages > 1, "{} records on {pages} pages", entries.len());
}

#[test]
fn a_record_that_does_not_open_is_in_every_list_and_hides_no_other() {
    let mut home = Home::new();
    for number in 0..5 {
        home.alice().put(&format!("t{number}"), b"1").unwrap();
    }
    home.tamper(|file| file.run("UPDATE audit SET record = zeroblob(length(record)) WHERE seq = 3"));
    let of_bob = AuditFilter { uid: Some(BOB), ..AuditFilter::default() };
    assert_eq!(read(&home, request(of_bob, 100)).0, [AuditEntry { seq: 3, record: None }]);
    let of_alice = AuditFilter { uid: Some(ALICE), ..AuditFilter::default() };
    let (entries, _) = read(&home, request(of_alice, 100));
    let numbers: Vec<u64> = entries.iter().map(|entry| entry.seq).collect();
    assert_eq!(numbers, [2, 3, 4, 5, 6]);
}

#[test]
fn who_read_the_log_is_in_it() {
    let home = Home::new();
    let alice = Caller { uid: ALICE, ..daemon() };
    home.vault().audit_page(&alice, &request(AuditFilter::default(), 100)).unwrap();
    let of_alice: Vec<_> = records(&home).into_iter().filter(|record| record.uid == ALICE).collect();
    assert_eq!((of_alice.len(), of_alice[0].operation.as_str(), of_alice[0].outcome), (1, "Audit", Outcome::Ok));
}

#[test]
fn auditors_are_those_of_that_role() {
    let home = Home::new();
    let alice = Caller { uid: ALICE, user: "alice".into(), ..daemon() };
    assert!(!home.vault().is_auditor(&alice).unwrap());
    home.set(|settings| settings.default_role = Role::Auditor);
    assert!(home.vault().is_auditor(&alice).unwrap());
    assert!(!home.vault().is_auditor(&daemon()).unwrap());
}

#[test]
fn a_log_is_held_against_a_record_that_is_known_from_elsewhere() {
    let mut home = Home::new();
    for number in 0..2 {
        home.alice().put(&format!("t{number}"), b"1").unwrap();
    }
    home.stop();
    let earlier = home.copy();
    home.start(Settings::default());
    home.unseal().unwrap();
    for number in 2..5 {
        home.alice().put(&format!("t{number}"), b"1").unwrap();
    }
    let mark = home.vault().audit_head().unwrap().unwrap();
    assert_eq!(mark.seq, 7);
    home.alice().put("more", b"1").unwrap();
    let whole = verified_against(&home, Some(mark)).unwrap();
    assert_eq!((whole.records, whole.first, whole.last.seq), (8, 1, 8));
    let other = Mark { chain: [7; 32], ..mark };
    assert_eq!(verified_against(&home, Some(other)), Err(ChainFault::Record(7)));
    // The whole store as it was before: the log itself is whole.
    let home = Home::from_copy(earlier);
    home.settle();
    assert_eq!(verified(&home), Ok(4));
    assert_eq!(verified_against(&home, Some(mark)), Err(ChainFault::Record(5)));
    // And written on since.
    for number in 0..5 {
        home.alice().put(&format!("t{number}"), b"2").unwrap();
    }
    assert_eq!(verified_against(&home, Some(mark)), Err(ChainFault::Record(7)));
}

/// Cancels when it is told for the first time.
struct Impatient(Mutex<Vec<(u64, u64)>>);

impl Progress for Impatient {
    fn report(&self, done: u64, total: u64) -> Result<(), Cancelled> {
        self.0.lock().unwrap().push((done, total));
        Err(Cancelled)
    }
}

#[test]
fn verifying_says_how_far_it_is_and_can_be_cancelled() {
    let home = Home::new();
    home.alice().put("t", b"1").unwrap();
    for number in 0..1_000 {
        home.alice().get_for("t", &format!("purpose {number}")).unwrap();
    }
    wait(|reply| home.vault().flush_audit(true, reply)).unwrap();
    let watch = Impatient(Mutex::default());
    assert!(matches!(home.vault().verify_audit(None, &watch), Err(Error::Cancelled)));
    assert_eq!(*watch.0.lock().unwrap(), [(512, 1_002)]);
}

/// Seals the vault when it is told for the first time.
struct Sealing<'a>(&'a Home);

impl Progress for Sealing<'_> {
    fn report(&self, _done: u64, _total: u64) -> Result<(), Cancelled> {
        let _sealed_already = self.0.vault().seal(&daemon());
        Ok(())
    }
}

#[test]
fn a_vault_that_is_sealed_meanwhile_is_not_verified_on() {
    let home = Home::new();
    home.alice().put("t", b"1").unwrap();
    for number in 0..1_000 {
        home.alice().get_for("t", &format!("purpose {number}")).unwrap();
    }
    wait(|reply| home.vault().flush_audit(true, reply)).unwrap();
    assert!(matches!(home.vault().verify_audit(None, &Sealing(&home)), Err(Error::Sealed(_))));
}
