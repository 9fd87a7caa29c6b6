use super::*;
use crate::{Caller, caller::Door};

fn read(name: &str, at: u64) -> AuditRecord {
    let caller = Caller { uid: 7, gids: [7].into(), user: "alice".into(), door: Door::Socket, pid: None };
    AuditRecord { name: name.into(), ..AuditRecord::new(&caller, "Get", Timestamp::from_usec(at)) }
}

#[test]
fn the_first_read_waits_for_no_window() {
    let queue = AuditQueue::default();
    queue.note(read("a", 10)).unwrap();
    assert_eq!(queue.take(Timestamp::from_usec(11), false).len(), 1);
}

#[test]
fn equal_reads_of_a_second_are_one_more_record_with_their_count() {
    let queue = AuditQueue::default();
    for at in 0..1_000 {
        queue.note(read("a", 10 + at)).unwrap();
    }
    assert_eq!(queue.take(Timestamp::from_usec(2_000), false).len(), 1);
    let rest = queue.take(Timestamp::from_usec(10 + FOLD_READS_USEC), false);
    assert_eq!(rest.iter().map(|record| record.count).collect::<Vec<_>>(), [999]);
    assert!(queue.is_idle());
}

#[test]
fn who_looks_sees_what_was_counted_so_far_and_nothing_twice() {
    let queue = AuditQueue::default();
    let counts = |records: Vec<AuditRecord>| records.iter().map(|record| record.count).collect::<Vec<_>>();
    for (before, seen) in [(5, vec![1, 4]), (0, vec![]), (3, vec![3])] {
        (0..before).for_each(|at| queue.note(read("a", 10 + at)).unwrap());
        assert_eq!(counts(queue.take_so_far(Timestamp::from_usec(100))), seen);
    }
    queue.note(read("a", 200)).unwrap();
    assert_eq!(counts(queue.take(Timestamp::from_usec(300), false)), [0; 0], "it still goes on");
    assert_eq!(counts(queue.take(Timestamp::from_usec(10 + FOLD_READS_USEC), false)), [1]);
}

/// A read of a token that uid 7 has.
fn own(name: &str, at: u64) -> AuditRecord {
    AuditRecord { owner: Some(7), ..read(name, at) }
}

#[test]
fn reads_of_one_token_are_taken_alone_and_the_next_begins_a_run() {
    let queue = AuditQueue::default();
    let of_another = AuditRecord { owner: Some(8), ..own("a", 10) };
    let missed = AuditRecord { outcome: Outcome::NotFound, ..own("a", 10) };
    for record in [own("a", 10), own("a", 11), own("a", 12), own("b", 13), of_another, missed] {
        queue.note(record).unwrap();
    }
    let counts = |records: Vec<AuditRecord>| records.iter().map(|record| record.count).collect::<Vec<_>>();
    assert_eq!(counts(queue.end_runs_of(7, "a")), [1, 2]);
    assert_eq!(counts(queue.end_runs_of(7, "a")), [0; 0]);
    queue.note(own("a", 14)).unwrap();
    assert_eq!(counts(queue.take(Timestamp::from_usec(15), true)), [1; 4], "what was left, and the first of a new run");
}

#[test]
fn whoever_has_runs_ended_again_and_again_does_not_fill_the_log() {
    let queue = AuditQueue::default();
    let mut records = Vec::new();
    for at in 0..50_000 {
        queue.note(own("a", at)).unwrap();
        queue.note(own("a", at)).unwrap();
        records.extend(queue.end_runs_of(7, "a"));
    }
    records.extend(queue.take(Timestamp::from_usec(50_000), true));
    assert!(records.len() < 5_000, "{}", records.len());
    assert_eq!(records.iter().map(|record| record.count).sum::<u64>(), 100_000);
}

#[test]
fn different_reads_are_not_folded() {
    let queue = AuditQueue::default();
    queue.note(read("a", 1)).unwrap();
    queue.note(read("b", 2)).unwrap();
    assert_eq!(queue.take(Timestamp::from_usec(3), false).len(), 2);
}

#[test]
fn a_uid_whose_reads_all_differ_does_not_fill_the_log() {
    let queue = AuditQueue::default();
    for number in 0..50_000 {
        let purpose = number.to_string();
        queue.note(AuditRecord { purpose, ..read("a", number * 10) }).unwrap();
    }
    queue.note(AuditRecord { uid: 8, ..read("b", 500_000) }).unwrap();
    let records = queue.take(Timestamp::from_usec(500_000), true);
    assert!(records.len() < 2_500, "{}", records.len());
    assert_eq!(records.iter().filter(|record| record.uid == 7).map(|record| record.count).sum::<u64>(), 50_000);
    assert!(records.iter().any(|record| record.uid == 8 && record.name == "b"), "another's stays as it is");
}

#[test]
fn denials_are_folded_without_the_names_that_were_tried() {
    let queue = AuditQueue::default();
    for name in ["a", "b", "c"] {
        queue.note(AuditRecord { outcome: Outcome::NotFound, ..read(name, 5) }).unwrap();
    }
    let records = queue.take(Timestamp::from_usec(6), true);
    assert_eq!(records.iter().map(|record| record.count).sum::<u64>(), 3);
    assert_eq!(records.len(), 2);
}

#[test]
fn nothing_is_lost_when_a_commit_fails() {
    let queue = AuditQueue::default();
    queue.note(read("a", 1)).unwrap();
    let taken = queue.take(Timestamp::from_usec(2), false);
    queue.note(read("b", 3)).unwrap();
    queue.put_back(taken);
    let names: Vec<_> = queue.take(Timestamp::from_usec(4), false).into_iter().map(|record| record.name).collect();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn a_clock_set_back_does_not_keep_a_run_open() {
    let queue = AuditQueue::default();
    queue.note(read("a", 1_000)).unwrap();
    queue.note(read("a", 1_001)).unwrap();
    assert_eq!(queue.take(Timestamp::from_usec(1), false).len(), 2);
    assert!(queue.is_idle());
}

fn firsts(queue: &AuditQueue, reads: impl Iterator<Item = AuditRecord>) -> Vec<AuditRecord> {
    reads
        .filter_map(|read| {
            let mut receipt = queue.note_durably(read).unwrap()?;
            let record = receipt.take_record();
            receipt.settle(true);
            record
        })
        .collect()
}

#[test]
fn durable_reads_are_folded_behind_the_first() {
    let queue = AuditQueue::default();
    let written = firsts(&queue, (0..1_000).map(|at| read("a", 10 + at)));
    assert_eq!(written.iter().map(|record| record.count).collect::<Vec<_>>(), [1]);
    let rest = queue.take(Timestamp::from_usec(10 + FOLD_READS_USEC), false);
    assert_eq!(rest.iter().map(|record| record.count).collect::<Vec<_>>(), [999]);
    assert_eq!(firsts(&queue, std::iter::once(read("a", 20 + FOLD_READS_USEC))).len(), 1);
}

#[test]
fn durable_reads_that_all_differ_do_not_fill_the_log() {
    let queue = AuditQueue::default();
    let reads = (0..50_000).map(|number| AuditRecord { purpose: number.to_string(), ..read("a", number * 10) });
    let written = firsts(&queue, reads);
    assert!(written.len() < 2_500, "{}", written.len());
    let counted: u64 = queue.take(Timestamp::from_usec(500_000), true).iter().map(|record| record.count).sum();
    assert_eq!(written.len() as u64 + counted, 50_000);
}

#[test]
fn a_durable_read_does_not_stand_behind_a_record_that_was_only_noted() {
    let queue = AuditQueue::default();
    queue.note(read("a", 1)).unwrap();
    assert_eq!(firsts(&queue, std::iter::once(read("a", 2))).len(), 1);
}
