//! Rotation of a user's machine key: everything opens all the while, and at the end nothing of before does.

use rusqlite::types::Value;
use tokenvault_core::name::ContentType;
use tokenvault_core::owner::Owner;
use tokenvault_core::token::{Annotation, Class, OpenedValue, PutOptions};
use tokenvault_core::vault::daemon;

use crate::fixture::*;

/// What the machine key of a user seals.
const SEALED: [&str; 6] = [
    "SELECT key FROM principal",
    "SELECT meta FROM token",
    "SELECT meta FROM version",
    "SELECT dek FROM version",
    "SELECT meta FROM share",
    "SELECT meta FROM issued",
];
/// What the keys of its versions encrypt.
const VALUES: [&str; 2] = ["SELECT value FROM version WHERE content IS NULL", "SELECT body FROM chunk"];

fn blobs(home: &Home, sql: &str) -> Vec<Value> {
    home.database().blobs(sql)
}

fn all(home: &Home, queries: &[&str]) -> Vec<Value> {
    queries.iter().flat_map(|sql| blobs(home, sql)).collect()
}

/// How many of these are there still.
fn left_of(before: &[Value], home: &Home, queries: &[&str]) -> usize {
    let now = all(home, queries);
    before.iter().filter(|cell| now.contains(cell)).count()
}

fn login_class() -> PutOptions {
    PutOptions { class: Some(Class::Login), ..PutOptions::default() }
}

fn unlock(home: &Home) {
    let alice = home.alice().caller;
    home.vault().unlock_login(&alice, &alice, &secret(&[7; 32])).unwrap();
}

/// Gives Alice something of everything.
fn furnish(home: &Home) {
    let alice = home.alice();
    home.vault().enrol_login(&alice.caller, &alice.caller, secret(&[7; 32])).unwrap();
    for number in 0..150 {
        alice.put(&format!("t{number}"), format!("value {number}").as_bytes()).unwrap();
    }
    let named = PutOptions {
        attributes: Some(attributes(&[("env", "prod")])),
        content_type: Some(ContentType::parse("text/plain").unwrap()),
        keep_versions: Some(5),
        ..PutOptions::default()
    };
    for version in 1..=4 {
        alice.put_with("versions", format!("version {version}").as_bytes(), named.clone()).unwrap();
    }
    alice.put_with("mine", b"of my login", login_class()).unwrap();
    alice.attach("long", &long(3, 1)).unwrap();
    alice.attach("long", &long(2, 2)).unwrap();
    alice.rollback("long", 1).unwrap();
    alice.share("versions", "uid:1002").unwrap();
    for _ in 0..80 {
        alice.token();
    }
    home.bob().put("his", b"bob's").unwrap();
}

#[track_caller]
fn check(home: &Home) {
    let alice = home.alice();
    for number in 0..150 {
        assert_eq!(alice.get(&format!("t{number}")).unwrap(), format!("value {number}").as_bytes());
    }
    for version in 1..=4 {
        assert_eq!(alice.get_version("versions", version).unwrap(), format!("version {version}").as_bytes());
    }
    assert!(alice.get("long").unwrap() == long(3, 1) && alice.get_version("long", 2).unwrap() == long(2, 2));
    let mut asked = alice.everything();
    asked.attributes = attributes(&[("env", "prod")]);
    assert_eq!(alice.names(&asked), ["versions"]);
    assert_eq!(home.bob().of(Owner::Uid(ALICE)).get_shared("versions").unwrap(), b"version 4");
    assert_eq!(home.bob().get("his").unwrap(), b"bob's");
    home.check_counters();
}

#[test]
fn everything_opens_and_nothing_is_sealed_as_it_was() {
    let mut home = Home::new();
    furnish(&home);
    let token = home.alice().token();
    let before = all(&home, &SEALED);
    let values = all(&home, &VALUES);
    let done = home.rotate_user(ALICE, false).unwrap();
    assert_eq!((done.rows, done.values, done.locked), (153 + 81, 0, 0));
    // Of Alice, the DEK of her login's token; of Bob, all there is: a principal, a token, a version, its DEK.
    assert_eq!(left_of(&before, &home, &SEALED), 1 + 4);
    assert_eq!(left_of(&values, &home, &VALUES), values.len(), "values stay as they are");
    check(&home);
    home.restart();
    check(&home);
    assert!(home.alice().validate_for(&token, &Asked::default()).unwrap().is_some());
    unlock(&home);
    assert_eq!(home.alice().get("mine").unwrap(), b"of my login");
    assert_eq!(home.vault().unfinished_rotations().unwrap(), [0; 0]);
}

#[test]
fn the_key_of_before_opens_nothing_that_is_there_now() {
    let mut home = Home::new();
    home.alice().put("t", b"1").unwrap();
    let key = home.database().value("SELECT key FROM principal", []);
    let record = home.database().value("SELECT record FROM principal", []);
    home.rotate_user(ALICE, false).unwrap();
    home.tamper(|database| database.change("UPDATE principal SET key = ?1, record = ?2", (key, record)));
    assert_eq!(refused(home.alice().get("t")), Refused::Quarantined);
}

#[test]
fn values_are_encrypted_anew_where_that_is_wanted() {
    let mut home = Home::new();
    furnish(&home);
    unlock(&home);
    let values = all(&home, &VALUES);
    let done = home.rotate_user(ALICE, true).unwrap();
    assert_eq!((done.values, done.locked), (150 + 4 + 1 + 3, 0));
    check(&home);
    wait_until("what was copied to be removed", || blobs(&home, VALUES[1]).len() == 4 + 3);
    assert_eq!(left_of(&values, &home, &VALUES), 1, "of Bob");
    let shared = "SELECT (SELECT count(*) FROM content), (SELECT sum(uses) FROM content)";
    wait_until("two versions to share one of two contents", || home.database().pairs(shared) == [(2, 3)]);
    home.restart();
    check(&home);
    unlock(&home);
    assert_eq!(home.alice().get("mine").unwrap(), b"of my login");
}

#[test]
fn what_has_its_key_of_the_new_term_stays_and_goes_with_the_next_one() {
    let home = Home::new();
    home.alice().put("before", b"1").unwrap();
    assert_eq!(refused(home.rotate_user_watched(ALICE, true, &Steps::only(1))), Refused::Cancelled);
    home.alice().put("since", b"2").unwrap();
    assert_eq!(home.rotate_user(ALICE, true).unwrap().values, 1);
    let values = all(&home, &VALUES);
    assert_eq!(home.rotate_user(ALICE, true).unwrap().values, 2);
    assert_eq!(left_of(&values, &home, &VALUES), 0);
}

#[test]
fn of_who_is_not_logged_in_the_values_of_class_login_stay_as_they_are() {
    let mut home = Home::new();
    furnish(&home);
    home.restart();
    let done = home.rotate_user(ALICE, true).unwrap();
    assert_eq!((done.values, done.locked), (150 + 4 + 3, 1));
    unlock(&home);
    assert_eq!(home.alice().get("mine").unwrap(), b"of my login");
    check(&home);
}

#[test]
fn it_is_gone_on_with_wherever_it_ended() {
    let mut home = Home::new();
    furnish(&home);
    let before = all(&home, &SEALED);
    let mut steps = 0;
    loop {
        let ended = home.rotate_user_watched(ALICE, true, &Steps::only(steps));
        if ended.is_ok() {
            break;
        }
        assert_eq!(refused(ended), Refused::Cancelled);
        home.restart();
        assert_eq!(home.vault().unfinished_rotations().unwrap(), [ALICE]);
        check(&home);
        steps += 1;
    }
    assert!(steps >= 5, "it ended in {steps} places only");
    assert_eq!(left_of(&before, &home, &SEALED), 1 + 4);
    assert_eq!(home.vault().unfinished_rotations().unwrap(), [0; 0]);
    home.restart();
    check(&home);
}

#[test]
fn one_that_is_gone_on_with_does_not_forget_that_values_were_meant_too() {
    let mut home = Home::new();
    furnish(&home);
    let values = all(&home, &VALUES);
    assert_eq!(refused(home.rotate_user_watched(ALICE, true, &Steps::only(2))), Refused::Cancelled);
    home.restart();
    home.rotate_user(ALICE, false).unwrap();
    wait_until("what was copied to be removed", || blobs(&home, VALUES[1]).len() == 4 + 3);
    assert_eq!(left_of(&values, &home, &VALUES), 2, "of Bob, and of a login that is not open");
}

#[test]
fn reads_and_writes_go_on_meanwhile() {
    let mut home = Home::new();
    furnish(&home);
    unlock(&home);
    let turn = std::sync::atomic::AtomicU64::new(0);
    let during = AtEachStep(|| {
        let turn = turn.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let alice = home.alice();
        assert_eq!(alice.get("t0").unwrap(), b"value 0");
        assert!(alice.get("long").unwrap() == long(3, 1));
        assert_eq!(alice.list().unwrap().len(), 153 + usize::try_from(turn).unwrap() + usize::from(turn > 0));
        alice.put(&format!("new{turn}"), b"made meanwhile").unwrap();
        // What keeps its key under the new term, at every place of the walk.
        let purpose = Annotation { require_purpose: Some(turn.is_multiple_of(2)), ..Annotation::default() };
        alice.annotate("t149", purpose).unwrap();
        alice.rename(&format!("t{}", 140 - turn), &format!("renamed{turn}")).unwrap();
        alice.rename(&format!("renamed{turn}"), &format!("t{}", 140 - turn)).unwrap();
        alice.put("changing", b"again and again").unwrap();
        alice.delete("changing").unwrap();
        let rolled = alice.put("rolling", b"forth and back").unwrap();
        alice.rollback("rolling", rolled.version).unwrap();
        alice.token();
    });
    let values = all(&home, &VALUES);
    home.rotate_user_watched(ALICE, true, &during).unwrap();
    let turns = turn.load(std::sync::atomic::Ordering::Relaxed);
    assert!(turns >= 5, "only {turns} steps");
    home.alice().annotate("t149", Annotation { require_purpose: Some(false), ..Annotation::default() }).unwrap();
    wait_until("what was copied to be removed", || blobs(&home, VALUES[1]).len() == 4 + 3);
    assert_eq!(
        left_of(&values, &home, &VALUES),
        1,
        "of Bob: what was annotated or renamed meanwhile got a new key too"
    );
    for _ in 0..2 {
        let alice = home.alice();
        for number in 0..150 {
            assert_eq!(alice.get(&format!("t{number}")).unwrap(), format!("value {number}").as_bytes());
        }
        assert!((0..turns).all(|turn| alice.get(&format!("new{turn}")).unwrap() == b"made meanwhile"));
        drop(alice);
        home.check_counters();
        home.restart();
    }
}

#[test]
fn a_long_value_that_is_put_back_meanwhile_gets_a_new_key_too() {
    let home = Home::new();
    let alice = home.alice();
    alice.put("a", b"1").unwrap();
    alice.attach("long", &long(2, 1)).unwrap();
    alice.attach("long", &long(2, 2)).unwrap();
    let chunks = all(&home, &VALUES[1..]);
    let once = std::sync::Once::new();
    let during = AtEachStep(|| once.call_once(|| drop(alice.rollback("long", 1).unwrap())));
    home.rotate_user_watched(ALICE, true, &during).unwrap();
    assert!(alice.get("long").unwrap() == long(2, 1));
    wait_until("what was copied to be removed", || blobs(&home, VALUES[1]).len() == 3 + 3);
    assert_eq!(left_of(&chunks, &home, &VALUES[1..]), 0);
    assert!(alice.get("long").unwrap() == long(2, 1) && alice.get_version("long", 2).unwrap() == long(2, 2));
    home.check_counters();
}

#[test]
fn nobody_who_reads_or_writes_meanwhile_meets_a_key_he_does_not_know() {
    let home = Home::new();
    home.alice().put("t", b"1").unwrap();
    home.alice().put("t", b"2").unwrap();
    let ends = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !ends.load(std::sync::atomic::Ordering::Relaxed) {
                    // One that never lies opened.
                    assert_eq!(home.alice().get_version("t", 1).unwrap(), b"1");
                }
            });
        }
        scope.spawn(|| {
            while !ends.load(std::sync::atomic::Ordering::Relaxed) {
                let purpose = Annotation { require_purpose: Some(false), ..Annotation::default() };
                home.alice().annotate("t", purpose).unwrap();
            }
        });
        for _ in 0..100 {
            home.rotate_user(ALICE, false).unwrap();
        }
        ends.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    home.check_counters();
}

#[test]
fn who_reads_a_long_value_reads_on_though_it_is_encrypted_anew() {
    let home = Home::new();
    let alice = home.alice();
    alice.attach("long", &long(5, 1)).unwrap();
    let OpenedValue::Chunked(first, mut rest) = alice.open("long").unwrap().value else { panic!("it is short") };
    let mut read = first.expose().to_vec();
    read.extend(home.vault().read_chunk(&mut rest).unwrap().unwrap().expose());
    home.rotate_user(ALICE, true).unwrap();
    wait_until("what was copied to be removed", || blobs(&home, VALUES[1]).len() == 6);
    while let Some(part) = home.vault().read_chunk(&mut rest).unwrap() {
        read.extend(part.expose());
    }
    assert!(read == long(5, 1));
    let OpenedValue::Chunked(_, mut rest) = alice.open("long").unwrap().value else { panic!("it is short") };
    alice.put("long", b"another").unwrap();
    alice.delete_version("long", 1).unwrap();
    assert_eq!(refused(home.vault().read_chunk(&mut rest)), Refused::NotFound);
}

#[test]
fn of_two_rotations_of_one_user_the_second_waits_for_the_first() {
    let home = Home::new();
    furnish(&home);
    let first = home.vault().begin_user_rotation(&daemon(), ALICE, false).unwrap();
    assert_eq!(refused(home.rotate_user(ALICE, true)), Refused::Unavailable);
    assert_eq!(home.vault().unfinished_rotations().unwrap(), [0; 0], "it is under way");
    home.rotate_user(BOB, false).unwrap();
    first.finish(&Unwatched).unwrap();
    home.rotate_user(ALICE, true).unwrap();
    check(&home);
}

#[test]
fn what_somebody_changed_ends_it_and_both_keys_stay() {
    let mut home = Home::new();
    home.alice().put("a", b"1").unwrap();
    home.alice().put("b", b"2").unwrap();
    home.alice().put("c", b"3").unwrap();
    home.tamper(|database| database.change("UPDATE token SET meta = zeroblob(length(meta)) WHERE id = 2", []));
    assert_eq!(refused(home.rotate_user(ALICE, false)), Refused::Quarantined);
    assert_eq!(home.alice().get("a").unwrap(), b"1");
    assert_eq!(home.alice().get("c").unwrap(), b"3");
    assert_eq!(home.vault().unfinished_rotations().unwrap(), [ALICE]);
}

#[test]
fn a_user_who_is_purged_meanwhile_is_no_fault_and_an_unknown_one_is_told() {
    let home = Home::new();
    assert_eq!(refused(home.rotate_user(ALICE, false)), Refused::InvalidArgs);
    for number in 0..100 {
        home.alice().put(&format!("t{number}"), b"1").unwrap();
    }
    let purges = AtEachStep(|| {
        let _gone_already = home.vault().purge_user(&daemon(), ALICE);
    });
    home.rotate_user_watched(ALICE, false, &purges).unwrap();
    home.alice().put("again", b"2").unwrap();
    assert_eq!(home.alice().get("again").unwrap(), b"2");
}

#[test]
fn a_vault_that_is_sealed_meanwhile_lets_go_of_its_keys() {
    let mut home = Home::new();
    furnish(&home);
    let seals = AtEachStep(|| {
        let _sealed_already = home.vault().seal(&daemon());
    });
    assert_eq!(refused(home.rotate_user_watched(ALICE, false, &seals)), Refused::Sealed);
    home.unseal().unwrap();
    check(&home);
    home.rotate_user(ALICE, false).unwrap();
    home.restart();
    check(&home);
}

#[test]
fn it_is_told_in_the_audit_log_when_it_began_and_when_it_ended() {
    let home = Home::new();
    home.alice().put("t", b"1").unwrap();
    home.rotate_user(ALICE, true).unwrap();
    let told: Vec<_> = records(&home)
        .into_iter()
        .filter(|record| record.operation.contains("Rotat"))
        .map(|record| (record.operation, record.owner, record.purpose))
        .collect();
    let about = |operation: &str| (operation.to_owned(), Some(ALICE), "user, values too".to_owned());
    assert_eq!(told, [about("Rotate"), about("EndRotation")]);
}
