//! What expires is told ahead of time and when it does: each once, also over a restart, and nothing that has changed.

use tokenvault_core::Timestamp;
use tokenvault_core::token::{Ahead, Annotation, DueRequest, Expiry, PutOptions};

use crate::announcement::Heard;
use crate::fixture::*;

fn ahead() -> Ahead {
    Ahead::new(&[7 * DAY, DAY]).unwrap()
}

/// Walks once through everything that is due; when it will be again, as far as was seen.
fn walk(home: &Home) -> Option<Timestamp> {
    let vault = home.vault();
    let mut pass = vault.begin_due(ahead()).unwrap();
    while let Some(due) = vault.step_due(&mut pass).unwrap() {
        vault.tell_due(&mut pass, due).unwrap();
    }
    vault.end_due(&pass).unwrap();
    pass.soonest()
}

fn for_days(days: u64) -> PutOptions {
    PutOptions { expiry: Expiry::After(days * DAY), ..PutOptions::default() }
}

fn since_start(usec: u64) -> Option<Timestamp> {
    START.checked_add_usec(usec)
}

#[test]
fn each_distance_is_told_once_and_the_end_too() {
    let mut home = Home::new();
    walk(&home);
    home.alice().put_with("t", b"1", for_days(10)).unwrap();
    home.alice().put("never", b"1").unwrap();
    let mut told = Vec::new();
    for half_days in 0..24 {
        let heard = Heard::of(&home);
        walk(&home);
        walk(&home);
        told.extend(heard.lines().into_iter().map(|line| format!("{half_days}: {line}")));
        // Also over a restart.
        home.restart();
        home.clock.advance_usec(DAY / 2);
    }
    let end = 10 * DAY;
    assert_eq!(
        told,
        [format!("6: 1001 t expiring {end}"), format!("18: 1001 t expiring {end}"), "20: 1001 t expired 0".to_owned()]
    );
}

#[test]
fn a_walk_says_when_something_is_due_next() {
    let home = Home::new();
    walk(&home);
    home.alice().put_with("t", b"1", for_days(1)).unwrap();
    // To the microsecond: the day's end, at which another day has to be looked at, comes later.
    home.alice()
        .put_with("u", b"1", PutOptions { expiry: Expiry::After(DAY - SECOND), ..PutOptions::default() })
        .unwrap();
    assert!(walk(&home).unwrap() <= since_start(DAY - SECOND).unwrap());
    home.clock.advance_usec(DAY - 2 * SECOND);
    assert_eq!(walk(&home), since_start(DAY - SECOND));
    let heard = Heard::of(&home);
    home.clock.advance_usec(SECOND - 1);
    walk(&home);
    assert_eq!(heard.lines(), [""; 0], "a microsecond before");
    home.clock.advance_usec(1);
    walk(&home);
    assert_eq!(heard.lines(), ["1001 u expired 0"]);
}

#[test]
fn what_was_missed_is_told_by_its_nearest_distance_alone() {
    let home = Home::new();
    walk(&home);
    for (name, days) in [("a", 8), ("b", 5), ("c", 2), ("far", 20)] {
        home.alice().put_with(name, b"1", for_days(days)).unwrap();
    }
    home.clock.advance_usec(4 * DAY + SECOND);
    let heard = Heard::of(&home);
    walk(&home);
    let mut told = heard.lines();
    told.sort();
    let expected =
        [format!("1001 a expiring {}", 8 * DAY), format!("1001 b expiring {}", 5 * DAY), "1001 c expired 0".into()];
    assert_eq!(told, expected);
}

#[test]
fn only_the_version_that_is_current_counts() {
    let home = Home::new();
    walk(&home);
    let alice = home.alice();
    alice.put_with("put", b"1", for_days(2)).unwrap();
    alice.put("put", b"2").unwrap();
    alice.put_with("prolonged", b"1", for_days(2)).unwrap();
    let later = Annotation { expiry: Some(Expiry::After(30 * DAY)), ..Annotation::default() };
    alice.annotate("prolonged", later).unwrap();
    alice.put_with("gone", b"1", for_days(2)).unwrap();
    alice.delete("gone").unwrap();
    for number in 0..3 {
        let value = format!("{number}");
        alice.put_with("several", value.as_bytes(), for_days(2)).unwrap();
    }
    let heard = Heard::of(&home);
    home.clock.advance_usec(2 * DAY);
    walk(&home);
    assert_eq!(heard.lines(), ["1001 several expired 0"], "once, though three versions end that day");
}

#[test]
fn what_changes_between_the_look_and_the_word_is_not_told() {
    let home = Home::new();
    walk(&home);
    home.alice().put_with("t", b"1", for_days(1)).unwrap();
    home.alice().put_with("u", b"1", for_days(1)).unwrap();
    home.clock.advance_usec(DAY);
    let (heard, vault) = (Heard::of(&home), home.vault());
    let mut pass = vault.begin_due(ahead()).unwrap();
    let mut changed = false;
    while let Some(due) = vault.step_due(&mut pass).unwrap() {
        if !due.is_empty() && !changed {
            changed = true;
            home.alice().put("t", b"2").unwrap();
        }
        vault.tell_due(&mut pass, due).unwrap();
    }
    assert!(changed);
    assert_eq!(heard.lines(), ["1001 t put 2", "1001 u expired 0"]);
}

#[test]
fn many_that_expire_on_one_day_are_each_told_once() {
    let home = Home::new();
    walk(&home);
    for number in 0..300 {
        home.alice().put_with(&format!("t{number}"), b"1", for_days(1)).unwrap();
    }
    let heard = Heard::of(&home);
    home.clock.advance_usec(DAY);
    walk(&home);
    let mut told = heard.lines();
    told.sort();
    told.dedup();
    assert_eq!((told.len(), heard.lines().len()), (300, 0));
}

#[test]
fn a_clock_that_was_set_back_begins_anew() {
    let home = Home::new();
    home.clock.set_wall(since_start(1000 * DAY).unwrap());
    walk(&home);
    home.clock.set_wall(START);
    walk(&home);
    home.alice().put_with("t", b"1", for_days(1)).unwrap();
    let heard = Heard::of(&home);
    home.clock.advance_usec(DAY);
    walk(&home);
    assert_eq!(heard.lines(), ["1001 t expired 0"]);
}

#[test]
fn a_damaged_row_keeps_nobody_elses_from_being_told() {
    let mut home = Home::new();
    walk(&home);
    home.alice().put_with("a", b"1", for_days(1)).unwrap();
    home.bob().put_with("b", b"1", for_days(1)).unwrap();
    home.tamper(|database| database.run("UPDATE token SET meta = zeroblob(length(meta)) WHERE id = 1"));
    let heard = Heard::of(&home);
    home.clock.advance_usec(DAY);
    walk(&home);
    assert_eq!(heard.lines(), ["1002 b expired 0"]);
}

#[test]
fn administrators_list_what_was_due_in_a_time_page_by_page() {
    let home = Home::new();
    for number in 0..600 {
        home.alice().put_with(&format!("t{number}"), b"1", for_days(7)).unwrap();
    }
    home.bob().put_with("soon", b"1", for_days(1)).unwrap();
    home.bob().put_with("far", b"1", for_days(20)).unwrap();
    home.clock.advance_usec(2 * DAY);
    let list = |since: Timestamp| {
        let request = DueRequest { ahead: ahead(), since, until: since_start(2 * DAY).unwrap() };
        let (mut after, mut names, mut pages) = (String::new(), Vec::new(), 0);
        loop {
            let (tokens, next) = home.vault().list_due(request.clone(), &after).unwrap();
            names.extend(tokens.into_iter().map(|token| (token.owner, token.name)));
            pages += 1;
            if next.is_empty() {
                return (names, pages);
            }
            after = next;
        }
    };
    assert_eq!(list(START).0, [(BOB, "soon".to_owned())], "those of a week were due when they were stored");
    let (mut names, pages) = list(Timestamp::from_usec(START.as_usec() - SECOND));
    names.sort();
    names.dedup();
    assert_eq!((names.len(), pages), (601, 3));
    let request = DueRequest { ahead: ahead(), since: START, until: since_start(2 * DAY).unwrap() };
    for nonsense in ["x", "0.1", "0.1.2", "1.2.3.4.5", "-"] {
        assert_eq!(refused(home.vault().list_due(request.clone(), nonsense)), Refused::InvalidArgs, "{nonsense}");
    }
    assert!(home.vault().list_due(request, "999999").unwrap().0.is_empty());
}
