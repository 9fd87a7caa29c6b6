//! A wall clock that shows nonsense (D5): nothing that has expired is valid again, and nothing that is valid is lost for ever.

use std::cell::Cell;

use tokenvault_core::Timestamp;
use tokenvault_core::issued::IssueRequest;
use tokenvault_core::port::Clock;
use tokenvault_core::token::{CleanupReport, CleanupRequest, Expiry, ListRequest, PutOptions};
use tokenvault_core::unit::UnitName;
use tokenvault_core::vault::ClockWord;

use crate::fixture::*;

const HOUR: u64 = 3_600 * SECOND;
const YEARS: u64 = 3_650 * DAY;
/// Of everything that ends.
const KINDS: usize = 9;

/// One of everything that ends an hour after it was made, and a value that never ends.
struct Ends {
    token: String,
    code: (String, String),
    offer: String,
    /// How often it was asked of something whether it is valid.
    asked: Cell<usize>,
}

impl Ends {
    fn make(home: &Home) -> Self {
        let (alice, root) = (home.alice(), home.root());
        let for_an_hour = || PutOptions { expiry: Expiry::After(HOUR), ..PutOptions::default() };
        alice.put_with("version", b"1", for_an_hour()).unwrap();
        for (name, options) in
            [("t", for_an_hour()), ("stays", PutOptions::default()), ("version", PutOptions::default())]
        {
            alice.put_with(name, b"1", options).unwrap();
        }
        root.put("key", b"1").unwrap();
        let end = home.clock.now().checked_add_usec(HOUR).unwrap();
        root.share_with("key", "unit:app.service", Some(end), None).unwrap();
        let issue = |request: IssueRequest| alice.issue(IssueRequest { ttl: HOUR, ..request }).unwrap();
        let (token, code) = (issue(plain()), issue(code()));
        Self {
            token: token.token.to_string(),
            code: (code.token.to_string(), code.id.to_string()),
            offer: alice.offer_for("stays", HOUR, 5).unwrap().code.to_string(),
            asked: Cell::default(),
        }
    }

    /// What of it is valid. The offer is used up by that, so it is redeemed only where it must not be valid.
    fn valid(&self, home: &Home, may_be_valid: bool) -> [bool; KINDS] {
        let (alice, manager) = (home.alice(), home.root().caller);
        let app = UnitName::parse("app.service").unwrap();
        let (digits, id) = &self.code;
        self.asked.set(self.asked.get() + KINDS);
        [
            alice.get("t").is_ok(),
            alice.get_hot("t").is_some() || may_be_valid,
            alice.get_version("version", 1).is_ok(),
            alice.names(&alice.everything()).contains(&"t".to_owned()),
            home.vault().test_credential(&manager, &app, "key").is_ok(),
            alice.is_valid(&self.token),
            alice.is_valid_hot(&self.token) || may_be_valid,
            alice.is_code(digits, id),
            may_be_valid || alice.redeem(&self.offer).is_ok(),
        ]
    }
}

fn cleanup(home: &Home, clock_is_right: bool) -> CleanupReport {
    cleanup_by(home, clock_is_right.then_some(ClockWord::Administrator), false)
}

fn cleanup_by(home: &Home, clock_is_right: Option<ClockWord>, dry_run: bool) -> CleanupReport {
    let request = CleanupRequest { clock_is_right, dry_run, ..CleanupRequest::default() };
    home.vault().cleanup(&home.root().caller, request).unwrap()
}

/// A vault that was told once that the clock is right, with everything in it valid and read lately.
fn home_with_trusted_time() -> (Home, Ends) {
    let home = Home::new();
    let ends = Ends::make(&home);
    assert_eq!(cleanup(&home, true), CleanupReport::default());
    assert_eq!(ends.valid(&home, true), [true; KINDS]);
    assert!(home.alice().get_hot("t").is_some() && home.alice().is_valid_hot(&ends.token));
    (home, ends)
}

fn set_wall(home: &Home, usec: u64) {
    home.clock.set_wall(Timestamp::from_usec(usec));
}

#[test]
fn a_clock_that_is_set_back_brings_nothing_back() {
    let (mut asked, mut boots) = (0, 0);
    let clocks = [0, 1, START.as_usec() - YEARS, START.as_usec() - 1, START.as_usec(), START.as_usec() + HOUR - 1];
    for back in clocks {
        let (mut home, ends) = home_with_trusted_time();
        home.clock.advance_usec(HOUR);
        assert_eq!(ends.valid(&home, false), [false; KINDS]);
        set_wall(&home, back);
        assert_eq!(ends.valid(&home, false), [false; KINDS], "{back}");
        assert_eq!(home.alice().get("stays").unwrap(), b"1");
        // Nor by a restart, or by one behind a boot, where the time was written down.
        home.vault().note_time().unwrap();
        home.restart();
        assert_eq!(ends.valid(&home, false), [false; KINDS], "{back}");
        home.stop();
        home.clock.reboot();
        home.start(tokenvault_core::vault::Settings::default());
        home.unseal().unwrap();
        assert_eq!(ends.valid(&home, false), [false; KINDS], "{back}");
        (asked, boots) = (asked + ends.asked.get(), boots + 1);
        // What is made meanwhile ends in its time.
        home.alice()
            .put_with("new", b"1", PutOptions { expiry: Expiry::After(HOUR), ..PutOptions::default() })
            .unwrap();
        assert_eq!(home.alice().get("new").unwrap(), b"1");
        home.clock.advance_usec(HOUR);
        assert_eq!(refused(home.alice().get("new")), Refused::NotFound);
    }
    let what = format!("{KINDS} kinds of ends asked about {asked} times over {boots} boots");
    proof(
        "D5",
        &format!("clock set back to {} times, ten years and more: {what}, nothing expired was valid", clocks.len()),
    );
}

#[test]
fn a_clock_in_the_future_hides_what_ends_and_takes_nothing_away() {
    let (mut asked, clocks) = (0, [START.as_usec() + YEARS, u64::MAX, i64::MAX as u64]);
    for ahead in clocks {
        let (mut home, ends) = home_with_trusted_time();
        set_wall(&home, ahead);
        for restarted in [false, true] {
            assert_eq!(ends.valid(&home, false)[..8], [false; 8], "{ahead}");
            assert_eq!(home.alice().get("stays").unwrap(), b"1");
            assert_eq!(cleanup(&home, false).tokens, 0, "nothing is deleted by it");
            home.vault().note_time().unwrap();
            if !restarted {
                home.restart();
            }
        }
        set_wall(&home, START.as_usec() + 1);
        assert_eq!(ends.valid(&home, true), [true; KINDS], "{ahead}");
        assert_eq!(home.bob().redeem(&ends.offer).unwrap(), b"1");
        asked += ends.asked.get();
    }
    let what = format!("{KINDS} kinds of ends asked about {asked} times");
    proof(
        "D5",
        &format!("ahead by {} times, ten years and more, and back: {what}, nothing valid was lost", clocks.len()),
    );
}

#[test]
fn a_time_that_was_trusted_by_mistake_is_taken_back_by_another_word() {
    let (home, ends) = home_with_trusted_time();
    set_wall(&home, START.as_usec() + DAY);
    cleanup(&home, true);
    set_wall(&home, START.as_usec());
    assert_eq!(ends.valid(&home, false)[..8], [false; 8]);
    assert_eq!(home.vault().clock_is_behind_usec(), DAY);
    cleanup(&home, true);
    assert_eq!(ends.valid(&home, true), [true; KINDS]);
    assert_eq!(home.vault().clock_is_behind_usec(), 0);
}

#[test]
fn without_a_word_about_the_clock_the_wall_clock_counts() {
    let home = Home::new();
    let ends = Ends::make(&home);
    assert!(!home.vault().has_trusted_time());
    set_wall(&home, START.as_usec() + HOUR);
    assert_eq!(ends.valid(&home, false)[..8], [false; 8]);
    set_wall(&home, START.as_usec());
    assert_eq!(ends.valid(&home, true), [true; KINDS]);
}

#[test]
fn what_expires_soon_is_found_by_the_time_that_counts() {
    let (home, _) = home_with_trusted_time();
    set_wall(&home, 0);
    let soon = ListRequest { expires_before: START.checked_add_usec(2 * HOUR), ..home.alice().everything() };
    assert_eq!(home.alice().names(&soon), ["t"]);
    home.clock.advance_usec(HOUR);
    assert_eq!(home.alice().names(&soon), [""; 0]);
}

#[test]
fn as_much_time_as_there_was_left_is_the_end_though_nobody_ever_said_that_the_clock_is_right() {
    for wrong in [0, START.as_usec() - YEARS, START.as_usec() + YEARS] {
        let mut home = Home::new();
        set_wall(&home, wrong.max(START.as_usec()));
        let ends = Ends::make(&home);
        set_wall(&home, wrong.min(START.as_usec()));
        home.clock.advance_usec(HOUR - 1);
        assert_eq!(ends.valid(&home, true), [true; KINDS], "{wrong}");
        home.restart();
        home.clock.advance_usec(1);
        assert_eq!(ends.valid(&home, false), [false; KINDS], "{wrong}");
        home.restart();
        assert_eq!(ends.valid(&home, false), [false; KINDS], "{wrong}");
        // Behind a boot there is only the wall clock.
        home.stop();
        home.clock.reboot();
        home.start(tokenvault_core::vault::Settings::default());
        home.unseal().unwrap();
        assert_eq!(ends.valid(&home, true), [true; KINDS], "{wrong}");
    }
}

#[test]
fn what_is_stored_anew_ends_when_it_would_have() {
    let home = Home::new();
    let alice = home.alice();
    alice.put_with("t", b"1", PutOptions { expiry: Expiry::After(HOUR), ..PutOptions::default() }).unwrap();
    alice.put("t", b"2").unwrap();
    set_wall(&home, START.as_usec() - DAY);
    home.clock.advance_usec(HOUR / 2);
    alice.rollback("t", 1).unwrap();
    alice.rename("t", "u").unwrap();
    home.clock.advance_usec(HOUR / 2 - 1);
    assert_eq!(alice.get("u").unwrap(), b"1");
    home.clock.advance_usec(1);
    assert_eq!(refused(alice.get("u")), Refused::NotFound);
}

#[test]
fn a_clock_that_is_synchronised_moves_time_forward_and_never_back() {
    let (home, ends) = home_with_trusted_time();
    home.clock.advance_usec(HOUR);
    set_wall(&home, START.as_usec());
    cleanup_by(&home, Some(ClockWord::Synchronised), false);
    assert_eq!(ends.valid(&home, false), [false; KINDS]);
    assert_eq!(home.vault().clock_is_behind_usec(), HOUR);
    set_wall(&home, START.as_usec() + DAY);
    cleanup_by(&home, Some(ClockWord::Synchronised), false);
    set_wall(&home, START.as_usec());
    assert_eq!(home.vault().clock_is_behind_usec(), DAY);
}

#[test]
fn a_run_that_only_counts_goes_by_a_word_and_does_not_keep_it() {
    let (home, _) = home_with_trusted_time();
    set_wall(&home, START.as_usec() + 30 * DAY);
    assert!(home.vault().holds_expired_back().unwrap());
    for word in [ClockWord::Administrator, ClockWord::Synchronised] {
        let counted = cleanup_by(&home, Some(word), true);
        assert!(counted.tokens == 1 && counted.held_back == 0, "{counted:?}");
        let kept = cleanup_by(&home, None, true);
        assert!(kept.tokens == 0 && kept.held_back > 0, "{kept:?}");
    }
    set_wall(&home, START.as_usec());
    assert!(!home.vault().holds_expired_back().unwrap());
    assert_eq!(home.vault().clock_is_behind_usec(), 0);
}

#[test]
fn the_time_goes_on_while_the_daemon_is_stopped_in_one_boot() {
    let (mut home, ends) = home_with_trusted_time();
    home.vault().note_time().unwrap();
    home.stop();
    home.clock.advance_usec(HOUR);
    set_wall(&home, START.as_usec());
    home.start(tokenvault_core::vault::Settings::default());
    home.unseal().unwrap();
    assert_eq!(home.vault().clock_is_behind_usec(), HOUR);
    assert_eq!(ends.valid(&home, false), [false; KINDS]);
}
