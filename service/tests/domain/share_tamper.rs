//! Somebody who can write the store and has no key works on shares: none is moved, lengthened or brought back to another.

use rusqlite::types::Value;
use tokenvault_core::Caller;
use tokenvault_core::caller::Door;
use tokenvault_core::token::CredentialRefusal;
use tokenvault_core::unit::UnitName;

use crate::fixture::*;

/// Tokens 1 and 2; shares: 1 of token 1 with `app`, 2 of token 2 with `web`, 3 of token 1 with `db` until tomorrow.
fn written() -> Home {
    let home = Home::new();
    let root = home.root();
    root.put("one", b"1").unwrap();
    root.put("two", b"2").unwrap();
    root.share("one", "unit:app.service").unwrap();
    root.share("two", "unit:web.service").unwrap();
    root.share_with("one", "unit:db.service", START.checked_add_usec(DAY), Some(1)).unwrap();
    home
}

fn load(home: &Home, unit: &str, id: &str) -> Result<u64, CredentialRefusal> {
    let manager = Caller { door: Door::Credential, ..user::caller(ROOT) };
    home.vault().test_credential(&manager, &UnitName::parse(unit).unwrap(), id).map(|grant| grant.version)
}

#[track_caller]
fn assert_damaged(home: &Home, unit: &str, id: &str) {
    let refusal = load(home, unit, id).expect_err("it was given");
    assert!(matches!(refusal, CredentialRefusal::Vault(tokenvault_core::Error::Quarantined(_))), "{refusal}");
}

#[test]
fn an_untouched_share_gives() {
    let home = written();
    assert_eq!(load(&home, "app.service", "one").unwrap(), 1);
    assert_eq!(load(&home, "db.service", "one").unwrap(), 1);
}

#[test]
fn a_share_does_not_open_for_another_token() {
    let mut home = written();
    home.tamper(|file| file.change("UPDATE share SET token = 2 WHERE id = 1", []));
    assert_damaged(&home, "app.service", "two");
}

#[test]
fn a_share_does_not_open_for_another_grantee() {
    let mut home = written();
    home.tamper(|file| {
        file.change("UPDATE share SET meta = (SELECT meta FROM share WHERE id = 1) WHERE id = 3", []);
    });
    assert_damaged(&home, "db.service", "one");
    let mut home = written();
    home.tamper(|file| {
        let tag = file.value("SELECT grantee_tag FROM share WHERE id = 2", []);
        file.change("UPDATE share SET grantee_tag = ?1 WHERE id = 1", [tag]);
    });
    assert_damaged(&home, "web.service", "one");
}

#[test]
fn a_share_is_not_lengthened() {
    let mut home = written();
    home.tamper(|file| file.change("UPDATE share SET expires_day = expires_day + 1000 WHERE id = 3", []));
    assert_damaged(&home, "db.service", "one");
    let mut home = written();
    home.tamper(|file| file.change("UPDATE share SET expires_day = NULL WHERE id = 3", []));
    assert_damaged(&home, "db.service", "one");
}

#[test]
fn a_flipped_bit_anywhere_in_a_share_is_found() {
    for column in ["meta", "grantee_tag"] {
        let mut home = written();
        home.tamper(|file| {
            let Value::Blob(mut cell) = file.value(&format!("SELECT {column} FROM share WHERE id = 1"), []) else {
                panic!("no blob")
            };
            cell[20] ^= 1;
            file.change(&format!("UPDATE share SET {column} = ?1 WHERE id = 1"), [Value::Blob(cell)]);
        });
        let refusal = load(&home, "app.service", "one").expect_err("it was given");
        match column {
            // Found no more.
            "grantee_tag" => assert!(matches!(refusal, CredentialRefusal::NotShared), "{refusal}"),
            _ => assert!(matches!(refusal, CredentialRefusal::Vault(_)), "{refusal}"),
        }
    }
}
