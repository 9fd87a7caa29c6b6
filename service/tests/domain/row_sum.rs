//! The sum over the rows: somebody who can write the store and has no key removes, adds and puts back whole rows, which open as they
//! always did. The sum tells of it, and the vault goes out of service.

use tokenvault_core::Error;
use tokenvault_core::keyring::Keyring;
use tokenvault_core::port::{Cancelled, HeapMemory, MetaKey, Progress, Tag};
use tokenvault_core::slot::table::{self, Covered};
use tokenvault_core::slot::{Slot, SlotSecret};
use tokenvault_core::token::{Annotation, PutOptions};
use tokenvault_core::vault::{Settings, State, VaultId};

use crate::fixture::*;

/// Something of every kind.
fn written() -> Home {
    let home = Home::new();
    let (alice, bob) = (home.alice(), home.bob());
    let marked = PutOptions { attributes: Some(attributes(&[("host", "db1")])), ..PutOptions::default() };
    alice.put_with("a", b"alice a 1", marked).unwrap();
    alice.put("a", b"alice a 2").unwrap();
    alice.put("b", b"alice b 1").unwrap();
    alice.attach("long", &long(3, 7)).unwrap();
    alice.share("a", "uid:1002").unwrap();
    alice.share("b", "uid:1002").unwrap();
    bob.put("a", b"bob a 1").unwrap();
    bob.token();
    bob.token();
    alice.offer("b").unwrap();
    for user in [&alice, &bob] {
        home.vault().enrol_login(&user.caller, &user.caller, secret(&[7; 32])).unwrap();
    }
    home
}

/// Verifies the rows of a vault whose file was changed by `edit`.
fn after(edit: &str) -> Result<u64, Refused> {
    let mut home = written();
    home.tamper(|file| file.run(edit));
    let verified = answer(home.vault().verify_rows(&Unwatched)).map(|whole| whole.rows);
    if verified == Err(Refused::Quarantined) {
        assert_eq!(home.vault().state(), State::Quarantined, "{edit}");
        assert_eq!(refused(home.alice().get("b")), Refused::Quarantined, "{edit}");
    }
    verified
}

#[test]
fn what_the_vault_has_written_is_whole_also_after_a_restart() {
    let home = written();
    let rows = home.vault().verify_rows(&Unwatched).unwrap().rows;
    assert!(rows > 20, "{rows}");
    assert_eq!(after(""), Ok(rows));
}

#[test]
fn whatever_the_vault_does_is_accounted_for() {
    let mut home = written();
    let (alice, bob) = (home.alice(), home.bob());
    let steps: [(&str, &dyn Fn()); 9] = [
        ("what was refused", &|| assert_eq!(refused(alice.rename("a", "b")), Refused::Exists)),
        ("a rename", &|| alice.rename("a", "c").unwrap()),
        ("a rollback", &|| drop(alice.rollback("c", 1).unwrap())),
        ("a version less", &|| alice.delete_version("c", 2).unwrap()),
        ("a share less", &|| alice.unshare("c", "uid:1002").unwrap()),
        ("a long value less", &|| alice.delete("long").unwrap()),
        ("a token less", &|| alice.delete("b").unwrap()),
        ("all that was issued", &|| assert_eq!(bob.revoke_all(&Default::default()).unwrap(), 2)),
        ("a user of another day", &|| drop(bob.put("new", b"1").unwrap())),
    ];
    for (what, step) in steps {
        step();
        home.settle();
        assert!(home.vault().verify_rows(&Unwatched).is_ok(), "{what}");
    }
    drop((alice, bob));
    home.restart();
    home.vault().verify_rows(&Unwatched).unwrap();
}

#[test]
fn a_row_that_was_removed_is_missed() {
    for edit in [
        "DELETE FROM share WHERE id = 1",
        "DELETE FROM attribute",
        "DELETE FROM version WHERE id = 1 << 28 | 1",
        "DELETE FROM version WHERE id >> 28 = 2; DELETE FROM share WHERE token = 2; DELETE FROM issued WHERE token = 2; DELETE FROM token WHERE id = 2",
        "DELETE FROM issued WHERE id = 1",
        "DELETE FROM login WHERE principal = 1",
        "DELETE FROM token WHERE principal = 2; DELETE FROM version WHERE id >> 28 = 4; DELETE FROM issued WHERE principal = 2; DELETE FROM login WHERE principal = 2; DELETE FROM principal WHERE id = 2",
    ] {
        assert_eq!(after(edit), Err(Refused::Quarantined), "{edit}");
    }
}

/// Something that the vault does.
type Act = fn(&Home);

#[test]
fn rows_that_were_put_back_are_noticed() {
    let acts: [(&str, Act); 5] = [
        ("share", |home| home.alice().unshare("a", "uid:1002").unwrap()),
        ("issued", |home| assert_eq!(home.bob().revoke_all(&Default::default()).unwrap(), 2)),
        ("version", |home| home.alice().delete_version("a", 1).unwrap()),
        ("attribute", |home| {
            home.alice()
                .annotate("a", Annotation { attributes: Some(attributes(&[])), ..Annotation::default() })
                .unwrap();
        }),
        ("login", |home| {
            let alice = home.alice().caller;
            home.vault().set_login_key(&alice, &alice, secret(&[7; 32]), secret(&[8; 32])).unwrap();
        }),
    ];
    for (table, act) in acts {
        let mut home = written();
        home.stop();
        let kept = home.copy();
        home.start(Settings::default());
        home.unseal().unwrap();
        act(&home);
        home.settle();
        home.vault().verify_rows(&Unwatched).unwrap();
        home.tamper(|file| {
            file.attach(&kept.path().join("vault.db"));
            file.run(&format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM theirs.{table}"));
        });
        assert_eq!(answer(home.vault().verify_rows(&Unwatched)), Err(Refused::Quarantined), "{table}");
    }
}

#[test]
fn counters_that_make_no_sense_keep_nothing_from_being_noticed() {
    let edit =
        "UPDATE principal SET bytes = 9223372036854775807, tokens = 9223372036854775807, issued = 9223372036854775807";
    assert!(after(edit).is_ok());
    assert_eq!(after(&format!("{edit}; DELETE FROM share WHERE id = 1")), Err(Refused::Quarantined));
}

#[test]
fn a_row_that_was_changed_is_noticed_in_every_column_that_counts() {
    for edit in [
        "UPDATE token SET newest = newest + 1 WHERE id = 1",
        "UPDATE version SET stored_bytes = stored_bytes + 64 WHERE id = 1 << 28 | 1",
        "UPDATE version SET expires_day = 20100 WHERE id = 1 << 28 | 1",
        "UPDATE version SET value = CAST(substr(value, 2) AS BLOB) WHERE id = 1 << 28 | 1",
        "UPDATE share SET expires_day = 20100 WHERE id = 1",
        "UPDATE issued SET expires_day = expires_day + 1 WHERE id = 1",
        "UPDATE principal SET record = key WHERE id = 1",
        "UPDATE login SET record = x'00' WHERE principal = 1",
        "INSERT INTO meta VALUES ('recovery-confirmed', x'00000001')",
        "UPDATE meta SET value = x'07' WHERE key = 'instance-id'",
        "UPDATE slot SET created = created + 1",
    ] {
        assert_eq!(after(edit), Err(Refused::Quarantined), "{edit}");
    }
    // What quotas go by is counted anew by nobody, and grants nothing.
    assert!(after("UPDATE principal SET tokens = 99 WHERE id = 1").is_ok());
}

#[test]
fn the_sum_cannot_be_taken_away_changed_or_kept_from_another_day() {
    let state_after = |edit: &str| {
        let mut home = written();
        home.tamper(|file| file.run(edit));
        home.vault().state()
    };
    assert_eq!(state_after(""), State::Serving);
    assert_eq!(state_after("DELETE FROM meta WHERE key = 'row-sum'"), State::Quarantined);
    assert_eq!(state_after("UPDATE meta SET value = x'' WHERE key = 'row-sum'"), State::Quarantined);
    let mut home = written();
    let mut kept = rusqlite::types::Value::Null;
    home.tamper(|file| kept = file.value("SELECT value FROM meta WHERE key = 'row-sum'", []));
    home.alice().put("new", b"1").unwrap();
    home.tamper(|file| file.change("UPDATE meta SET value = ?1 WHERE key = 'row-sum'", [&kept]));
    assert_eq!(answer(home.vault().verify_rows(&Unwatched)), Err(Refused::Quarantined));
}

#[test]
fn an_end_of_the_audit_log_that_was_cut_off_is_missed() {
    // Though the chain is whole.
    for edit in [
        "DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)",
        "DELETE FROM audit WHERE seq > 3",
        "DELETE FROM audit",
    ] {
        assert_eq!(after(edit), Err(Refused::Quarantined), "{edit}");
    }
}

/// The MAC of the slots of a store that has no sum.
fn mac_without_sum(home: &Home) -> Tag {
    let (id, slots, keyring) = home.read(|tx| Ok((tx.meta(MetaKey::VaultId)?, tx.slots()?, tx.keyring()?)));
    let id: VaultId = id.unwrap().try_into().unwrap();
    let vk = Slot::parse(&slots[0], &id).unwrap().open(SlotSecret::Key(&key(&HOST_KEY)), &HeapMemory).unwrap();
    let keyring = Keyring::open(&keyring, &vk, &id, &HeapMemory).unwrap();
    table::compute(
        &keyring.slots().newest().unwrap(),
        &id,
        &Covered { slots, has_row_sum: false, anchored: None, vouched: None },
        &HeapMemory,
    )
    .unwrap()
}

#[test]
fn a_store_without_a_sum_is_given_one_when_it_is_opened() {
    let mut home = written();
    // As the last release has left it: no sum, and a slot table's MAC that does not tell of one.
    let mac = mac_without_sum(&home);
    home.stop();
    home.database().change("DELETE FROM meta WHERE key = 'row-sum'", []);
    home.database().change("UPDATE meta SET value = ?1 WHERE key = 'slot-mac'", [mac]);
    home.start(Settings::default());
    home.unseal().unwrap();
    assert_eq!(home.alice().get("b").unwrap(), b"alice b 1");
    home.vault().verify_rows(&Unwatched).unwrap();
    home.tamper(|file| file.run("DELETE FROM share WHERE id = 1"));
    assert_eq!(answer(home.vault().verify_rows(&Unwatched)), Err(Refused::Quarantined));
}

struct Enough;

impl Progress for Enough {
    fn report(&self, _done: u64, _total: u64) -> Result<(), Cancelled> {
        Err(Cancelled)
    }
}

#[test]
fn who_wants_no_more_is_not_kept_and_nothing_is_said_of_the_rows() {
    let home = written();
    for number in 0..200 {
        home.bob().put(&format!("t{number}"), b"1").unwrap();
    }
    assert!(matches!(home.vault().verify_rows(&Enough), Err(Error::Cancelled)));
    assert_eq!(home.vault().state(), State::Serving);
}
