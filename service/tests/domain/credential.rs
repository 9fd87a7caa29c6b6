//! What a unit is given: every cause of a refusal, and uses that many want at once.

use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Barrier};
use std::thread;

use tokenvault_core::Caller;
use tokenvault_core::caller::Door;
use tokenvault_core::token::{Class, CredentialRefusal, Expiry, PutOptions};
use tokenvault_core::unit::UnitName;
use tokenvault_core::vault::Vault;

use crate::fixture::*;

const APP: &str = "unit:app.service";

fn unit(name: &str) -> UnitName {
    UnitName::parse(name).unwrap()
}

fn service_manager() -> Caller {
    Caller { door: Door::Credential, ..user::caller(ROOT) }
}

fn load_from(vault: &Arc<Vault>, name: &str, id: &str) -> Result<(u64, Vec<u8>), CredentialRefusal> {
    let (sender, receiver) = sync_channel(1);
    let reply = Box::new(move |result| drop(sender.send(result)));
    vault.load_credential(&service_manager(), &unit(name), id, reply);
    let credential = receiver.recv().expect("every request is answered")?;
    Ok((credential.version, credential.value.expose().to_vec()))
}

fn load(home: &Home, name: &str, id: &str) -> Result<(u64, Vec<u8>), CredentialRefusal> {
    load_from(home.vault(), name, id)
}

fn test(home: &Home, name: &str, id: &str) -> Result<(u64, Option<u32>), CredentialRefusal> {
    let grant = home.vault().test_credential(&service_manager(), &unit(name), id)?;
    Ok((grant.version, grant.uses_left))
}

/// Asks for it and tests it: both must be refused, for the same cause.
#[track_caller]
fn refusal(home: &Home, name: &str, id: &str) -> CredentialRefusal {
    let refused = load(home, name, id).expect_err("it was given");
    let tested = test(home, name, id).expect_err("the test says that it would be given");
    assert_eq!(refused.to_string(), tested.to_string());
    refused
}

fn shared(uses: Option<u32>) -> Home {
    let home = Home::new();
    home.root().put("key", b"secret").unwrap();
    home.root().share_with("key", APP, None, uses).unwrap();
    home
}

#[test]
fn a_unit_is_given_what_is_shared_with_it() {
    let home = shared(None);
    for _ in 0..3 {
        assert_eq!(load(&home, "app.service", "key").unwrap(), (1, b"secret".to_vec()));
    }
    home.root().put("key", b"rotated").unwrap();
    assert_eq!(load(&home, "app.service", "key").unwrap(), (2, b"rotated".to_vec()));
    assert_eq!(test(&home, "app.service", "key").unwrap(), (2, None));
}

#[test]
fn every_cause_of_a_refusal_has_a_name() {
    use CredentialRefusal::*;
    let home = shared(None);
    home.alice().put("hers", b"v").unwrap();
    assert!(matches!(refusal(&home, "app.service", "missing"), NoToken));
    assert!(matches!(refusal(&home, "app.service", "hers"), NoToken), "no machine token");
    assert!(matches!(refusal(&home, "app.service", ".."), NoName(_)));
    for other in ["other.service", "app@1.service", "app.service.service"] {
        assert!(matches!(refusal(&home, other, "key"), NotShared), "{other}");
    }
    home.root().unshare("key", APP).unwrap();
    assert!(matches!(refusal(&home, "app.service", "key"), NotShared));
    home.root().share_with("key", APP, START.checked_add_usec(SECOND), None).unwrap();
    load(&home, "app.service", "key").unwrap();
    home.clock.advance_usec(SECOND);
    assert!(matches!(refusal(&home, "app.service", "key"), ShareExpired));
    home.root().put_with("key", b"v", PutOptions { expiry: Expiry::After(SECOND), ..PutOptions::default() }).unwrap();
    home.root().share("key", APP).unwrap();
    load(&home, "app.service", "key").unwrap();
    home.clock.advance_usec(SECOND);
    assert!(matches!(refusal(&home, "app.service", "key"), TokenExpired));
    home.vault().seal(&home.root().caller).unwrap();
    assert!(matches!(refusal(&home, "app.service", "key"), Vault(tokenvault_core::Error::Sealed(_))));
}

#[test]
fn a_token_that_opens_for_a_login_is_given_to_no_unit() {
    let home = shared(None);
    let root = home.root().caller;
    home.vault().enrol_login(&root, &root, secret(&[7; 32])).unwrap();
    home.vault().unlock_login(&root, &root, &secret(&[7; 32])).unwrap();
    home.root().put_with("key", b"v", PutOptions { class: Some(Class::Login), ..PutOptions::default() }).unwrap();
    assert_eq!(home.root().get("key").unwrap(), b"v", "it is open for root");
    assert!(matches!(refusal(&home, "app.service", "key"), CredentialRefusal::LoginClass));
}

#[test]
fn a_next_step_names_unit_and_id() {
    for refusal in [CredentialRefusal::NoToken, CredentialRefusal::NotShared, CredentialRefusal::NoUsesLeft] {
        let next = refusal.next_step("app.service", "key");
        assert!(next.contains("tokenvault share key unit:app.service --owner machine"), "{next}");
    }
}

#[test]
fn uses_are_counted_and_then_up() {
    let home = shared(Some(2));
    assert_eq!(test(&home, "app.service", "key").unwrap(), (1, Some(2)), "a test uses nothing up");
    for left in [vec![(APP.to_owned(), Some(1))], vec![]] {
        assert_eq!(load(&home, "app.service", "key").unwrap(), (1, b"secret".to_vec()));
        assert_eq!(home.root().grantees("key"), left, "with the last use it has ended");
    }
    assert!(matches!(refusal(&home, "app.service", "key"), CredentialRefusal::NoUsesLeft));
    home.check_counters();
    home.root().share_with("key", APP, None, Some(1)).unwrap();
    load(&home, "app.service", "key").unwrap();
}

#[test]
fn of_many_who_want_the_last_use_one_gets_it() {
    for _ in 0..20 {
        let home = shared(Some(1));
        let (vault, start) = (home.vault(), Barrier::new(64));
        let given = thread::scope(|scope| {
            let ask = || {
                start.wait();
                load_from(vault, "app.service", "key")
            };
            let asking: Vec<_> = (0..64).map(|_| scope.spawn(ask)).collect();
            let answers: Vec<_> = asking.into_iter().map(|thread| thread.join().unwrap()).collect();
            for answer in &answers {
                assert!(matches!(answer, Ok(_) | Err(CredentialRefusal::NoUsesLeft)), "{answer:?}");
            }
            answers.into_iter().filter(Result::is_ok).count()
        });
        assert_eq!(given, 1);
    }
}

#[test]
fn a_token_that_wants_a_purpose_is_given_for_that_of_the_unit() {
    let home = Home::new();
    let wants = PutOptions { require_purpose: Some(true), ..PutOptions::default() };
    home.root().put_with("key", b"secret", wants).unwrap();
    home.root().share("key", APP).unwrap();
    load(&home, "app.service", "key").unwrap();
    let record = records(&home).pop().unwrap();
    assert_eq!((record.operation.as_str(), record.purpose.as_str()), ("LoadCredential", "LoadCredential"));
}

#[test]
fn what_units_get_and_do_not_get_is_in_the_audit_log() {
    for uses in [None, Some(1)] {
        for durable in [false, true] {
            let home = shared(uses);
            home.set(|settings| settings.audit_durable = durable);
            load(&home, "app.service", "key").unwrap();
            load(&home, "other.service", "key").unwrap_err();
            load(&home, "app.service", "missing").unwrap_err();
            let mut found: Vec<_> = records(&home)
                .into_iter()
                .filter(|record| record.operation == "LoadCredential")
                .map(|record| {
                    assert_eq!((record.uid, record.owner, record.door), (0, Some(0), 3));
                    (record.outcome.as_str(), record.unit.unwrap(), record.name, record.version)
                })
                .collect();
            found.sort();
            let expected = [
                ("denied", "other.service".to_owned(), "key".to_owned(), 0),
                ("not-found", "app.service".to_owned(), "missing".to_owned(), 0),
                ("ok", "app.service".to_owned(), "key".to_owned(), 1),
            ];
            assert_eq!(found, expected, "uses {uses:?}, durable {durable}");
            verified(&home).unwrap();
        }
    }
}

#[test]
fn equal_reads_of_two_units_are_two_records() {
    let home = shared(None);
    home.root().share("key", "unit:web.service").unwrap();
    for name in ["app.service", "web.service", "app.service"] {
        load(&home, name, "key").unwrap();
    }
    let mut units: Vec<_> = records(&home)
        .into_iter()
        .filter(|record| record.operation == "LoadCredential")
        .map(|record| (record.unit.unwrap(), record.count))
        .collect();
    units.sort();
    assert_eq!(units, [("app.service".to_owned(), 1), ("app.service".to_owned(), 1), ("web.service".to_owned(), 1)]);
}
