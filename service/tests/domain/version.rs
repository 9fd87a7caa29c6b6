//! Versions: which are kept, deleted and brought back.

use tokenvault_core::name::ContentType;
use tokenvault_core::token::{Annotation, CleanupRequest, Expiry, PutOptions};
use tokenvault_core::vault::ClockWord;

use crate::fixture::*;

fn put_numbers(user: &User, name: &str, count: u8) {
    (1..=count).for_each(|number| drop(user.put(name, &[number]).unwrap()));
}

#[test]
fn ten_versions_are_kept_when_nothing_is_said() {
    let home = Home::new();
    let alice = home.alice();
    put_numbers(&alice, "t", 12);
    assert_eq!(alice.version_numbers("t"), (3..=12).rev().collect::<Vec<_>>());
    assert_eq!(refused(alice.get_version("t", 2)), Refused::NotFound);
    assert_eq!(alice.get_version("t", 3).unwrap(), [3]);
    assert_eq!(alice.get("t").unwrap(), [12]);
}

#[test]
fn only_as_many_versions_are_kept_as_was_said() {
    let home = Home::new();
    let alice = home.alice();
    alice.put_with("t", b"1", PutOptions { keep_versions: Some(1), ..PutOptions::default() }).unwrap();
    alice.put("t", b"2").unwrap();
    assert_eq!(alice.version_numbers("t"), [2]);
    alice.put_with("t", b"3", PutOptions { keep_versions: Some(2), ..PutOptions::default() }).unwrap();
    alice.put("t", b"4").unwrap();
    assert_eq!(alice.version_numbers("t"), [4, 3]);
    for keep_versions in [0, 1_001] {
        let options = PutOptions { keep_versions: Some(keep_versions), ..PutOptions::default() };
        assert_eq!(refused(alice.put_with("t", b"5", options)), Refused::InvalidArgs);
        let change = Annotation { keep_versions: Some(keep_versions), ..Annotation::default() };
        assert_eq!(refused(alice.annotate("t", change)), Refused::InvalidArgs);
    }
}

#[test]
fn keeping_fewer_versions_lets_the_oldest_go_at_once() {
    let home = Home::new();
    let alice = home.alice();
    put_numbers(&alice, "t", 5);
    alice.annotate("t", Annotation { keep_versions: Some(2), ..Annotation::default() }).unwrap();
    assert_eq!(alice.version_numbers("t"), [5, 4]);
    assert_eq!(alice.usage().unwrap(), (1, TOKEN + 2 * VERSION));
    alice.annotate("t", Annotation { keep_versions: Some(5), ..Annotation::default() }).unwrap();
    assert_eq!(alice.version_numbers("t"), [5, 4], "what went does not come back");
}

#[test]
fn versions_are_listed_newest_first_with_one_current() {
    let home = Home::new();
    let alice = home.alice();
    alice.put("t", b"1").unwrap();
    home.clock.advance_usec(SECOND);
    alice.put("t", b"22").unwrap();
    let versions = alice.versions("t").unwrap();
    let told: Vec<_> = versions.iter().map(|version| (version.version, version.size, version.current)).collect();
    assert_eq!(told, [(2, 2, true), (1, 1, false)]);
    assert_eq!(versions[0].created.as_usec() - versions[1].created.as_usec(), SECOND);
}

#[test]
fn the_current_version_deleted_leaves_the_one_before() {
    let home = Home::new();
    let alice = home.alice();
    put_numbers(&alice, "t", 3);
    alice.delete_version("t", 3).unwrap();
    assert_eq!(alice.get("t").unwrap(), [2]);
    assert_eq!(alice.describe("t").unwrap().version, 2);
    assert_eq!(alice.put("t", b"new").unwrap().version, 4, "numbers are not used again");
}

#[test]
fn the_current_version_deleted_leaves_the_newest_that_has_not_expired() {
    let home = Home::new();
    let alice = home.alice();
    let put = |value: &[u8], expiry: Expiry| {
        alice.put_with("t", value, PutOptions { expiry, ..PutOptions::default() }).unwrap();
    };
    put(b"1", Expiry::Never);
    put(b"2", Expiry::After(SECOND));
    put(b"3", Expiry::Never);
    let word = CleanupRequest { clock_is_right: Some(ClockWord::Synchronised), ..CleanupRequest::default() };
    home.vault().cleanup(&home.root().caller, word).unwrap();
    home.clock.advance_usec(SECOND);
    assert_eq!(alice.version_numbers("t"), [3, 1]);
    alice.delete_version("t", 3).unwrap();
    assert_eq!((alice.get("t").unwrap(), alice.version_numbers("t")), (b"1".to_vec(), vec![1]));
    put(b"4", Expiry::Never);
    assert_eq!(alice.version_numbers("t"), [4, 1]);
    home.check_counters();
}

#[test]
fn by_a_clock_that_may_be_wrong_no_other_version_is_deleted() {
    let home = Home::new();
    let alice = home.alice();
    for expiry in [Expiry::Never, Expiry::After(SECOND), Expiry::Never] {
        alice.put_with("t", b"v", PutOptions { expiry, ..PutOptions::default() }).unwrap();
    }
    home.clock.set_wall(START.checked_add_usec(SECOND).unwrap());
    alice.delete_version("t", 3).unwrap();
    home.clock.set_wall(START);
    assert_eq!(alice.version_numbers("t"), [2, 1], "all of them are there when it is right again");
}

#[test]
fn an_older_version_deleted_leaves_the_others() {
    let home = Home::new();
    let alice = home.alice();
    put_numbers(&alice, "t", 3);
    alice.delete_version("t", 2).unwrap();
    assert_eq!(alice.version_numbers("t"), [3, 1]);
    assert_eq!(refused(alice.get_version("t", 2)), Refused::NotFound);
    assert_eq!(refused(alice.delete_version("t", 2)), Refused::NotFound);
    for missing in [0, 4, 1 << 28, (1 << 28) + 1, u64::MAX] {
        assert_eq!(refused(alice.delete_version("t", missing)), Refused::NotFound, "{missing}");
        assert_eq!(refused(alice.get_version("t", missing)), Refused::NotFound, "{missing}");
        assert_eq!(refused(alice.rollback("t", missing)), Refused::NotFound, "{missing}");
    }
}

#[test]
fn with_its_last_version_a_token_goes() {
    let home = Home::new();
    let alice = home.alice();
    put_numbers(&alice, "t", 2);
    alice.delete_version("t", 1).unwrap();
    alice.delete_version("t", 2).unwrap();
    assert_eq!(refused(alice.describe("t")), Refused::NotFound);
    assert_eq!(alice.usage().unwrap(), (0, 0));
}

#[test]
fn a_version_number_that_runs_over_does_not_reach_another_token() {
    let home = Home::new();
    let alice = home.alice();
    alice.put("first", b"1").unwrap();
    alice.put("second", b"other").unwrap();
    // In the store the versions of the second token begin where those of the first end.
    assert_eq!(refused(alice.get_version("first", (1 << 28) + 1)), Refused::NotFound);
}

#[test]
fn a_rollback_makes_a_new_version_of_the_old_value() {
    let home = Home::new();
    let alice = home.alice();
    let text = |text: &str| Some(ContentType::parse(text).unwrap());
    alice.put_with("t", b"old", PutOptions { content_type: text("text/a"), ..PutOptions::default() }).unwrap();
    let newer = PutOptions {
        content_type: text("text/b"),
        attributes: Some(attributes(&[("a", "1")])),
        require_purpose: Some(true),
        ..PutOptions::default()
    };
    alice.put_with("t", b"new", newer).unwrap();
    let info = alice.rollback("t", 1).unwrap();
    assert_eq!((info.version, info.size, info.content_type.as_str()), (3, 3, "text/a"));
    assert_eq!(info.attributes, attributes(&[("a", "1")]).into_map(), "attributes are the token's");
    assert!(info.require_purpose);
    assert_eq!(alice.get_for("t", "look").unwrap(), b"old");
    assert_eq!(alice.version_numbers("t"), [3, 2, 1]);
}

#[test]
fn a_rollback_to_the_oldest_kept_version_works_though_it_goes() {
    let home = Home::new();
    let alice = home.alice();
    alice.put_with("t", b"1", PutOptions { keep_versions: Some(2), ..PutOptions::default() }).unwrap();
    alice.put("t", b"2").unwrap();
    assert_eq!(alice.rollback("t", 1).unwrap().version, 3);
    assert_eq!(alice.get("t").unwrap(), b"1");
    assert_eq!(alice.version_numbers("t"), [3, 2]);
}

#[test]
fn a_rollback_of_what_is_not_there_is_not_found() {
    let home = Home::new();
    let alice = home.alice();
    assert_eq!(refused(alice.rollback("t", 1)), Refused::NotFound);
    alice.put("t", b"1").unwrap();
    assert_eq!(refused(alice.rollback("t", 2)), Refused::NotFound);
    assert_eq!(alice.version_numbers("t"), [1]);
}
