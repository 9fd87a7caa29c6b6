//! Somebody who can write the store and has no key works on tokens: whatever is moved, swapped or brought back, no value
//! comes out where it does not belong.

use rusqlite::types::Value;
use tokenvault_core::Error;
use tokenvault_core::token::{Annotation, Expiry, ListRequest, PutOptions};
use tokenvault_core::vault::State;

use crate::fixture::*;

/// Alice: `a` (token 1, versions 1 and 2) and `b` (token 2); Bob: `a` (token 3).
fn written() -> Home {
    let home = Home::new();
    let marked = |host| PutOptions { attributes: Some(attributes(&[("host", host)])), ..PutOptions::default() };
    home.alice().put_with("a", b"alice a 1", marked("db1")).unwrap();
    home.alice().put("a", b"alice a 2").unwrap();
    home.alice().put_with("b", b"alice b 1", marked("db2")).unwrap();
    home.bob().put("a", b"bob a 1").unwrap();
    home
}

const A1: i64 = 1 << 28 | 1;
const A2: i64 = 1 << 28 | 2;
const B1: i64 = 2 << 28 | 1;
const BOBS: i64 = 3 << 28 | 1;

/// Pairs of versions: of one token, of one user, of two users.
const PAIRS: [(i64, i64); 3] = [(A1, A2), (A2, B1), (A2, BOBS)];

#[test]
fn swapped_cells_of_two_versions_do_not_open() {
    let sets: [&[&str]; 5] = [&["value"], &["dek"], &["dek", "value"], &["meta"], &["meta", "dek", "value"]];
    for columns in sets {
        for rows in PAIRS {
            let mut home = written();
            home.tamper(|file| file.swap("version", columns, rows));
            assert_eq!(refused(home.alice().get("a")), Refused::Quarantined, "{columns:?} {rows:?}");
            let other = match rows {
                (A1, _) => answer(home.alice().get_version("a", 1)),
                (_, B1) => answer(home.alice().get("b")),
                _ => answer(home.bob().get("a")),
            };
            assert_eq!(other, Err(Refused::Quarantined), "{columns:?} {rows:?}");
            assert_eq!(home.vault().state(), State::Serving, "one bad row does not take everyone's vault down");
        }
    }
}

#[test]
fn an_untouched_token_beside_a_tampered_one_is_still_given_out() {
    let mut home = written();
    home.tamper(|file| file.swap("version", &["value"], (A1, A2)));
    assert_eq!(home.alice().get("b").unwrap(), b"alice b 1");
    assert_eq!(home.bob().get("a").unwrap(), b"bob a 1");
}

#[test]
fn a_value_without_a_place_to_go_is_not_decrypted() {
    let mut home = written();
    // Decrypting would find this.
    home.tamper(|file| file.swap("version", &["value"], (A1, A2)));
    let full = Error::LimitsExceeded { limit: "pipes", retry: String::new() };
    assert_eq!(refused(home.alice().open_if("a", Err(full))), Refused::LimitsExceeded);
    assert_eq!(refused(home.alice().open_if("a", Ok(()))), Refused::Quarantined);
}

#[test]
fn a_version_whose_class_was_changed_does_not_open() {
    for class in [1, 2, 255] {
        let mut home = written();
        home.tamper(|file| file.change("UPDATE version SET class = ?1 WHERE id = ?2", (class, A2)));
        assert_eq!(refused(home.alice().get("a")), Refused::Quarantined);
        assert_eq!(refused(home.alice().describe("a")), Refused::Quarantined);
        assert_eq!(home.alice().get("b").unwrap(), b"alice b 1");
    }
}

#[test]
fn an_older_version_cannot_be_made_the_current_one() {
    for edit in [
        "UPDATE token SET current = 1 WHERE id = 1",
        "UPDATE token SET newest = 9 WHERE id = 1",
        "UPDATE token SET current = 1, newest = 1 WHERE id = 1",
    ] {
        let mut home = written();
        home.tamper(|file| file.change(edit, []));
        assert_eq!(refused(home.alice().get("a")), Refused::Quarantined, "{edit}");
        assert_eq!(refused(home.alice().get_version("a", 1)), Refused::Quarantined, "{edit}");
        assert_eq!(refused(home.alice().put("a", b"3")), Refused::Quarantined, "{edit}");
        assert_eq!(refused(home.alice().list()), Refused::Quarantined, "{edit}");
    }
}

#[test]
fn a_token_moved_to_another_user_opens_for_neither() {
    let mut home = written();
    home.tamper(|file| file.change("UPDATE token SET principal = 2 WHERE id = 2", []));
    assert_eq!(refused(home.alice().get("b")), Refused::NotFound);
    assert_eq!(refused(home.bob().get("b")), Refused::NotFound);
    assert_eq!(refused(home.bob().list()), Refused::Quarantined);
}

#[test]
fn users_who_changed_rows_find_nothing_of_each_other() {
    let mut home = written();
    home.tamper(|file| file.run("UPDATE principal SET id = 9 WHERE id = 1; UPDATE principal SET id = 1 WHERE id = 2; UPDATE principal SET id = 2 WHERE id = 9"));
    assert_eq!(refused(home.alice().get("a")), Refused::NotFound);
    assert_eq!(refused(home.bob().get("a")), Refused::NotFound);
    for columns in [
        &["uid_tag"][..],
        &["key"],
        &["record"],
        &["generation"],
        &["uid_tag", "record"],
        &["key", "generation"],
        &["key", "record", "generation"],
    ] {
        let mut home = written();
        home.tamper(|file| file.swap("principal", columns, (1, 2)));
        assert_eq!(refused(home.alice().get("a")), Refused::Quarantined, "{columns:?}");
        assert_eq!(refused(home.bob().get("a")), Refused::Quarantined, "{columns:?}");
        assert_eq!(refused(home.alice().put("new", b"1")), Refused::Quarantined, "{columns:?}");
    }
}

#[test]
fn a_name_that_was_given_to_another_token_does_not_open_it() {
    for columns in [&["name_tag"][..], &["meta"], &["name_tag", "meta"]] {
        let mut home = written();
        home.tamper(|file| file.swap("token", columns, (1, 2)));
        assert_eq!(refused(home.alice().get("a")), Refused::Quarantined, "{columns:?}");
        assert_eq!(refused(home.alice().get("b")), Refused::Quarantined, "{columns:?}");
    }
}

#[test]
fn metadata_of_an_earlier_day_does_not_take_the_wish_for_a_purpose_away() {
    let mut home = written();
    let mut kept = Value::Null;
    home.tamper(|file| kept = file.value("SELECT meta FROM token WHERE id = 1", []));
    home.alice().annotate("a", Annotation { require_purpose: Some(true), ..Annotation::default() }).unwrap();
    home.tamper(|file| file.change("UPDATE token SET meta = ?1 WHERE id = 1", [&kept]));
    assert_eq!(refused(home.alice().get("a")), Refused::Quarantined);
    assert_eq!(refused(home.alice().get_version("a", 1)), Refused::Quarantined);
}

#[test]
fn metadata_of_an_earlier_day_does_not_revive_what_has_expired() {
    let mut home = written();
    let mut kept = (Value::Null, Value::Null);
    home.tamper(|file| {
        let read = |column| file.value(&format!("SELECT {column} FROM version WHERE id = ?1"), [B1]);
        kept = (read("meta"), read("expires_day"));
    });
    let change = Annotation { expiry: Some(Expiry::After(SECOND)), ..Annotation::default() };
    home.alice().annotate("b", change).unwrap();
    home.clock.advance_usec(SECOND);
    assert_eq!(refused(home.alice().get("b")), Refused::NotFound);
    home.tamper(|file| {
        file.change("UPDATE version SET meta = ?1, expires_day = ?2 WHERE id = ?3", (&kept.0, &kept.1, B1));
    });
    assert_eq!(refused(home.alice().get("b")), Refused::Quarantined);
}

#[test]
fn a_token_brought_back_under_another_number_does_not_open() {
    let mut home = written();
    home.tamper(|file| {
        file.run("UPDATE token SET id = 20 WHERE id = 2; UPDATE version SET id = 20 << 28 | 1 WHERE id = 2 << 28 | 1");
    });
    assert_eq!(refused(home.alice().get("b")), Refused::Quarantined);
    assert_eq!(home.alice().get("a").unwrap(), b"alice a 2");
}

#[test]
fn a_version_copied_under_a_new_number_is_not_one() {
    let mut home = written();
    home.tamper(|file| {
        let copy = "INSERT INTO version SELECT ?1, class, expires_day, stored_bytes, meta, dek, value, content FROM version WHERE id = ?2";
        file.change(copy, (Database::version_row(1, 7), A1));
    });
    assert_eq!(refused(home.alice().get_version("a", 7)), Refused::Quarantined);
    assert_eq!(refused(home.alice().rollback("a", 7)), Refused::Quarantined);
    assert_eq!(home.alice().get("a").unwrap(), b"alice a 2");
}

#[test]
fn a_token_whose_current_version_is_gone_is_not_replaced_by_an_older_one() {
    let mut home = written();
    home.tamper(|file| file.change("DELETE FROM version WHERE id = ?1", [A2]));
    assert_eq!(refused(home.alice().get("a")), Refused::NotFound);
    assert_eq!(refused(home.alice().describe("a")), Refused::Quarantined);
    assert_eq!(refused(home.alice().get_version("a", 1)), Refused::NotFound);
}

#[test]
fn an_attribute_that_was_added_in_the_file_is_not_believed() {
    let mut home = written();
    home.tamper(|file| {
        file.change("INSERT INTO attribute SELECT tag, 2 FROM attribute WHERE token = 1", []);
    });
    let alice = home.alice();
    let wanted = ListRequest { attributes: attributes(&[("host", "db1")]), ..alice.everything() };
    assert_eq!(alice.names(&wanted), ["a"]);
}

#[test]
fn a_user_of_another_vault_does_not_open_in_this_one() {
    let mut other = written();
    other.stop();
    let mut home = written();
    let theirs = other.path().join("vault.db");
    home.tamper(|file| {
        file.attach(&theirs);
        for column in ["generation", "record", "key"] {
            file.change(
                &format!(
                    "UPDATE principal SET {column} = (SELECT {column} FROM theirs.principal WHERE id = 1) WHERE id = 1"
                ),
                [],
            );
        }
    });
    assert_eq!(refused(home.alice().get("a")), Refused::Quarantined);
}

/// The names in a list of what Alice has, or how it is refused.
fn listed(home: &Home) -> Result<Vec<String>, Refused> {
    answer(home.alice().list()).map(|tokens| tokens.into_iter().map(|token| token.name).collect())
}

#[test]
fn what_was_listed_before_is_not_believed_of_a_row_that_was_changed_since() {
    let home = written();
    let file = home.database();
    let both = || Ok(vec!["a".to_owned(), "b".to_owned()]);
    assert_eq!(listed(&home), both());
    for (table, column) in [
        ("token", "meta"),
        ("token", "name_tag"),
        ("token", "newest"),
        ("token", "current"),
        ("version", "meta"),
        ("version", "class"),
        ("version", "expires_day"),
        ("version", "stored_bytes"),
    ] {
        let id = if table == "token" { 1 } else { A2 };
        let was = file.value(&format!("SELECT {column} FROM {table} WHERE id = ?1"), [id]);
        let changed = match &was {
            Value::Blob(bytes) => Value::Blob(bytes.iter().rev().copied().collect()),
            Value::Integer(1..) if column == "current" => Value::Integer(1),
            Value::Integer(number) => Value::Integer(number + 1),
            _ => Value::Integer(100_000),
        };
        let update = format!("UPDATE {table} SET {column} = ?1 WHERE id = {id}");
        file.change(&update, [changed]);
        assert_eq!(listed(&home), Err(Refused::Quarantined), "{table}.{column}");
        file.change(&update, [was]);
        assert_eq!(listed(&home), both(), "{table}.{column}");
    }
}

#[test]
fn what_one_user_listed_is_not_told_to_another_whose_row_it_has_become() {
    let home = written();
    assert_eq!(listed(&home), Ok(vec!["a".to_owned(), "b".to_owned()]));
    home.database().change("UPDATE token SET principal = 2 WHERE id = 2", []);
    assert_eq!(refused(home.bob().list()), Refused::Quarantined);
}
