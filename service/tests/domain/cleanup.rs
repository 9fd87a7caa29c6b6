//! Deleting what has expired: a week later, by a clock that is known to have been right, and nothing else.

use tokenvault_core::issued::IssueRequest;
use tokenvault_core::port::ReadTx;
use tokenvault_core::token::{CleanupReport, CleanupRequest, Expiry, PutOptions};
use tokenvault_core::vault::ClockWord;

use crate::fixture::*;

const WEEK: u64 = 7 * DAY;
const NOTHING: CleanupReport =
    CleanupReport { tokens: 0, versions: 0, shares: 0, offers: 0, issued: 0, held_back: 0, damaged: 0, more: false };
/// What has ended is found by whole days.
const SURELY: u64 = WEEK + DAY;

fn cleanup(home: &Home, request: CleanupRequest) -> CleanupReport {
    home.vault().cleanup(&home.root().caller, request).unwrap()
}

fn trusted() -> CleanupRequest {
    CleanupRequest { clock_is_right: Some(ClockWord::Administrator), ..CleanupRequest::default() }
}

fn for_a_day() -> PutOptions {
    PutOptions { expiry: Expiry::After(DAY), ..PutOptions::default() }
}

fn forever() -> PutOptions {
    PutOptions { expiry: Expiry::Never, ..PutOptions::default() }
}

/// Alice's token that ends after a day, with two versions, and one of hers and Bob's that stay.
fn home_with_tokens() -> Home {
    let home = Home::new();
    home.alice().put("ends", b"1").unwrap();
    home.alice().put_with("ends", b"2", for_a_day()).unwrap();
    home.alice().put("stays", b"1").unwrap();
    home.bob().put("stays", b"1").unwrap();
    home
}

fn rows(home: &Home) -> (u64, u64) {
    let totals = home.read(|tx| ReadTx::totals(tx));
    (totals.tokens, totals.bytes)
}

#[test]
fn what_has_expired_is_deleted_a_week_later_and_not_before() {
    let home = home_with_tokens();
    let before = rows(&home);
    for wait in [DAY - 1, 1, WEEK - DAY] {
        home.clock.advance_usec(wait);
        assert_eq!(cleanup(&home, trusted()), NOTHING);
        assert_eq!(rows(&home), before);
    }
    home.clock.advance_usec(2 * DAY);
    assert_eq!(cleanup(&home, trusted()), CleanupReport { tokens: 1, versions: 2, ..NOTHING });
    assert_eq!(rows(&home), (2, 2 * (TOKEN + VERSION)));
    assert_eq!(home.alice().usage().unwrap(), (1, TOKEN + VERSION), "the quota has it back");
    assert_eq!(home.alice().get("stays").unwrap(), b"1");
    assert_eq!(home.bob().get("stays").unwrap(), b"1");
    assert_eq!(cleanup(&home, trusted()), NOTHING);
    home.check_counters();
    assert!(verified(&home).is_ok());
}

#[test]
fn a_cleanup_that_is_to_delete_only_so_much_says_that_there_is_more() {
    let home = home_with_tokens();
    home.alice().put_with("ends-too", b"1", for_a_day()).unwrap();
    home.bob().put_with("ends", b"1", for_a_day()).unwrap();
    home.alice().issue(IssueRequest { ttl: DAY, ..plain() }).unwrap();
    home.clock.advance_usec(DAY + SURELY);
    let some = CleanupRequest { most: Some(1), ..trusted() };
    let mut all = CleanupReport { more: true, ..NOTHING };
    let mut calls = 0;
    while all.more {
        let report = cleanup(&home, some);
        all.tokens += report.tokens;
        all.issued += report.issued;
        all.more = report.more;
        calls += 1;
    }
    assert_eq!((all.tokens, all.issued), (3, 1));
    assert_eq!(calls, 3, "what was issued, the tokens, and that there is nothing more");
    assert_eq!(cleanup(&home, trusted()), NOTHING);
}

#[test]
fn a_dry_run_counts_the_same_and_deletes_nothing() {
    let home = home_with_tokens();
    home.root().put("shared", b"1").unwrap();
    home.root().share_with("shared", "unit:app.service", START.checked_add_usec(DAY), None).unwrap();
    home.clock.advance_usec(DAY + SURELY);
    let before = rows(&home);
    let dry = cleanup(&home, CleanupRequest { dry_run: true, ..trusted() });
    assert_eq!(dry, CleanupReport { tokens: 1, versions: 2, shares: 1, ..NOTHING });
    assert_eq!(rows(&home), before);
    assert_eq!(cleanup(&home, trusted()), dry);
}

#[test]
fn an_older_version_that_ended_goes_alone() {
    let home = Home::new();
    let alice = home.alice();
    alice.put_with("t", b"1", for_a_day()).unwrap();
    alice.put_with("t", b"2", forever()).unwrap();
    home.clock.advance_usec(DAY + SURELY);
    let dry = cleanup(&home, CleanupRequest { dry_run: true, ..trusted() });
    assert_eq!(dry, CleanupReport { versions: 1, ..NOTHING });
    assert_eq!(cleanup(&home, trusted()), dry);
    assert_eq!(alice.get("t").unwrap(), b"2");
    assert_eq!(alice.version_numbers("t"), [2]);
    assert_eq!(alice.usage().unwrap(), (1, TOKEN + VERSION));
}

#[test]
fn a_share_that_ended_goes_and_the_token_knows_it() {
    let home = Home::new();
    let root = home.root();
    root.put("t", b"1").unwrap();
    root.share_with("t", "unit:ends.service", START.checked_add_usec(DAY), None).unwrap();
    root.share("t", "unit:stays.service").unwrap();
    home.clock.advance_usec(DAY + SURELY);
    assert_eq!(cleanup(&home, trusted()), CleanupReport { shares: 1, ..NOTHING });
    assert_eq!(root.grantees("t"), [("unit:stays.service".to_owned(), None)]);
    assert_eq!(root.usage().unwrap(), (1, TOKEN + VERSION + SHARE));
    assert!(root.describe("t").unwrap().shared);
}

#[test]
fn what_was_issued_is_deleted_by_what_it_says_itself_and_damage_stops_nobody_elses() {
    let mut home = home_with_tokens();
    let ends = home.alice().issue(IssueRequest { ttl: DAY, ..plain() }).unwrap();
    let stays = home.alice().issue(IssueRequest { ttl: 3_650 * DAY, ..plain() }).unwrap();
    assert!(home.alice().is_valid(&ends.token) && home.alice().is_valid(&stays.token));
    home.tamper(|file| file.change("UPDATE issued SET expires_day = 1 WHERE id = 2", []));
    home.clock.advance_usec(DAY + SURELY);
    let expected = CleanupReport { tokens: 1, versions: 2, issued: 1, damaged: 1, ..NOTHING };
    assert_eq!(cleanup(&home, trusted()), expected);
    home.tamper(|file| {
        assert_eq!(file.value("SELECT count(*) FROM issued", []), 1.into());
    });
}

#[test]
fn the_word_of_an_administrator_that_the_clock_is_right_is_written_down() {
    let home = home_with_tokens();
    for (request, said) in [(CleanupRequest::default(), 0), (trusted(), 1), (trusted(), 2)] {
        cleanup(&home, CleanupRequest { owner: Some(4_000), ..request });
        let records = records(&home);
        let words: Vec<_> = records.iter().filter(|record| record.purpose == "clock-is-right").collect();
        assert_eq!(words.len(), said);
        assert!(words.iter().all(|word| (word.uid, word.operation.as_str()) == (ROOT, "Cleanup")));
    }
}

#[test]
fn only_the_tokens_of_the_owner_that_was_named_go() {
    let home = home_with_tokens();
    home.bob().put_with("ends", b"1", for_a_day()).unwrap();
    home.clock.advance_usec(DAY + SURELY);
    let of = |uid| CleanupRequest { owner: Some(uid), ..trusted() };
    assert_eq!(cleanup(&home, of(4_000)), NOTHING);
    assert_eq!(cleanup(&home, of(BOB)), CleanupReport { tokens: 1, versions: 1, ..NOTHING });
    assert_eq!(home.alice().usage().unwrap().0, 2);
    assert_eq!(cleanup(&home, of(ALICE)), CleanupReport { tokens: 1, versions: 2, ..NOTHING });
}

#[test]
fn a_boot_with_a_clock_in_the_future_deletes_nothing() {
    let mut home = home_with_tokens();
    assert_eq!(cleanup(&home, trusted()), NOTHING);
    let years = START.checked_add_usec(3_650 * DAY).unwrap();
    home.clock.set_wall(years);
    home.restart();
    assert_eq!(refused(home.alice().get("ends")), Refused::NotFound, "it is not given out meanwhile");
    assert_eq!(cleanup(&home, CleanupRequest::default()), CleanupReport { held_back: 1, ..NOTHING });
    home.clock.set_wall(START);
    home.restart();
    assert_eq!(home.alice().get("ends").unwrap(), b"2");
}

#[test]
fn without_a_word_about_the_clock_nothing_is_deleted() {
    let home = home_with_tokens();
    home.clock.advance_usec(DAY + SURELY);
    assert_eq!(cleanup(&home, CleanupRequest::default()), CleanupReport { held_back: 1, ..NOTHING });
    assert_eq!(cleanup(&home, trusted()).tokens, 1);
}

#[test]
fn a_clock_that_was_right_once_goes_on_with_the_time_since_boot() {
    let mut home = home_with_tokens();
    assert_eq!(cleanup(&home, trusted()), NOTHING);
    home.restart();
    assert_eq!(cleanup(&home, CleanupRequest::default()), NOTHING);
    home.clock.advance_usec(DAY + SURELY);
    assert_eq!(cleanup(&home, CleanupRequest::default()).tokens, 1);
}

#[test]
fn a_clock_that_was_set_back_keeps_what_it_says_has_not_ended_until_it_is_right() {
    let home = home_with_tokens();
    home.clock.advance_usec(DAY + SURELY);
    assert_eq!(cleanup(&home, CleanupRequest { dry_run: true, ..trusted() }).tokens, 1);
    home.clock.set_wall(START);
    for request in [CleanupRequest::default(), trusted()] {
        assert_eq!(cleanup(&home, request), NOTHING);
        assert_eq!(refused(home.alice().get("ends")), Refused::NotFound, "it is not given out either");
    }
    home.clock.set_wall(START.checked_add_usec(DAY + SURELY).unwrap());
    assert_eq!(cleanup(&home, trusted()).tokens, 1);
}

#[test]
fn many_go_in_steps_and_all_of_them_go() {
    let home = Home::new();
    for number in 0..150 {
        home.alice().put_with(&format!("a/{number}"), b"1", for_a_day()).unwrap();
        home.bob().put_with(&format!("b/{number}"), b"1", for_a_day()).unwrap();
    }
    home.alice().put("stays", b"1").unwrap();
    home.clock.advance_usec(DAY + SURELY);
    assert_eq!(cleanup(&home, trusted()), CleanupReport { tokens: 300, versions: 300, ..NOTHING });
    assert_eq!(rows(&home), (1, TOKEN + VERSION));
    let records = records(&home);
    let deleted = records.iter().filter(|record| record.operation == "Cleanup" && record.owner.is_some());
    assert_eq!(deleted.map(|record| record.count).sum::<u64>(), 300);
    assert!(verified(&home).is_ok());
}

#[test]
fn a_date_that_was_changed_behind_the_vaults_back_deletes_nothing() {
    let mut home = home_with_tokens();
    home.alice().put_with("also ends", b"1", for_a_day()).unwrap();
    assert_eq!(cleanup(&home, trusted()), NOTHING);
    home.tamper(|file| file.run("UPDATE version SET expires_day = 1 WHERE id >> 28 = 2"));
    home.clock.advance_usec(DAY + SURELY);
    let report = cleanup(&home, trusted());
    assert_eq!((report.tokens, report.damaged), (2, 1), "what is beside it goes all the same");
    assert_eq!(home.read(|tx| tx.versions(2)).len(), 1);
}

#[test]
fn what_was_issued_and_offered_goes_a_week_after_its_end() {
    let home = Home::new();
    let alice = home.alice();
    alice.put("t", b"1").unwrap();
    alice.issue(plain()).unwrap();
    let stays = alice.issue(IssueRequest { ttl: 100 * DAY, ..plain() }).unwrap();
    alice.offer("t").unwrap();
    assert_eq!(cleanup(&home, trusted()), NOTHING);
    home.clock.advance_usec(DAY + SURELY);
    let dry = cleanup(&home, CleanupRequest { dry_run: true, ..trusted() });
    assert_eq!(dry, CleanupReport { offers: 1, issued: 1, ..NOTHING });
    home.check_counters();
    assert_eq!(cleanup(&home, CleanupRequest { owner: Some(BOB), ..trusted() }), NOTHING);
    assert_eq!(cleanup(&home, trusted()), dry);
    assert_eq!(cleanup(&home, trusted()), NOTHING);
    assert!(home.root().is_valid(&stays.token));
    home.check_counters();
}
