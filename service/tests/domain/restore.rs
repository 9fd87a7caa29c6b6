//! Restoring a backup, with nothing but the recovery key: all of it, or nothing has changed.

use std::sync::mpsc::channel;
use std::time::Duration;

use tokenvault_core::Error;
use tokenvault_core::audit::FetchesRequest;
use tokenvault_core::owner::Owner;
use tokenvault_core::port::{MetaKey, SealError};
use tokenvault_core::slot::SlotKind;
use tokenvault_core::token::{Class, PutOptions};
use tokenvault_core::vault::{HostKey, RestoreRequest, State, daemon};

use crate::fixture::user::caller;
use crate::fixture::*;

/// What of a vault a test remembers.
struct Told {
    issued: String,
    recovery_code: Vec<u8>,
}

/// Something of every kind.
fn written() -> (Home, Told) {
    let home = Home::new();
    home.add_recovery();
    let (alice, bob) = (home.alice(), home.bob());
    let marked = PutOptions { attributes: Some(attributes(&[("host", "db1")])), ..PutOptions::default() };
    alice.put_with("a", b"alice a 1", marked).unwrap();
    alice.put("a", b"alice a 2").unwrap();
    alice.put("gone", b"alice gone").unwrap();
    alice.put("b", b"alice b 1").unwrap();
    alice.attach("long", &long(3, 7)).unwrap();
    alice.share("a", "uid:1002").unwrap();
    alice.share("long", "uid:1002").unwrap();
    bob.put("a", b"bob a 1").unwrap();
    let issued = bob.token();
    let code = home.vault().enrol_login(&alice.caller, &alice.caller, secret(&[7; 32])).unwrap();
    let login = PutOptions { class: Some(Class::Login), ..PutOptions::default() };
    alice.put_with("mine", b"alice mine", login).unwrap();
    alice.delete("gone").unwrap();
    assert_eq!(home.bob().of(Owner::Uid(ALICE)).get_shared("a").unwrap(), b"alice a 2");
    (home, Told { issued, recovery_code: code.expose().to_vec() })
}

/// Everything in `written` is there.
fn check(home: &Home, told: &Told) {
    let (alice, bob) = (home.alice(), home.bob());
    assert_eq!(alice.get("a").unwrap(), b"alice a 2");
    assert_eq!(alice.get_version("a", 1).unwrap(), b"alice a 1");
    assert_eq!(alice.describe("a").unwrap().attributes["host"], "db1");
    assert_eq!(alice.get("b").unwrap(), b"alice b 1");
    assert_eq!(alice.get("long").unwrap(), long(3, 7));
    assert_eq!(refused(alice.get("gone")), Refused::NotFound);
    assert_eq!(bob.get("a").unwrap(), b"bob a 1");
    let of_alice = || home.bob().of(Owner::Uid(ALICE));
    assert_eq!(of_alice().get_shared("a").unwrap(), b"alice a 2");
    assert_eq!(of_alice().get_shared("long").unwrap(), long(3, 7));
    assert!(bob.is_valid(&told.issued));
    assert_eq!(refused(alice.get("mine")), Refused::Locked);
    home.vault().unlock_login(&alice.caller, &alice.caller, &secret(&[7; 32])).unwrap();
    assert_eq!(alice.get("mine").unwrap(), b"alice mine");
    home.check_counters();
}

/// Which files stand in its directory.
fn files(home: &Home) -> Vec<String> {
    let entries = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn everything_comes_back_in_an_empty_vault_with_only_the_recovery_key() {
    let (source, told) = written();
    let backup = source.backup();
    let mut log = records(&source);
    log.truncate(log.iter().position(|record| record.operation == "Backup").unwrap() + 1);
    let mut home = Home::new();
    let own = home.vault().id();
    let restored = home.restore(&backup, false).unwrap();
    assert_eq!((restored.tokens, restored.made), (5, START.as_usec()));
    assert_eq!(restored.slot, Some(SlotKind::HostKey));
    assert_eq!((home.vault().id(), home.vault().id() == own), (source.vault().id(), false));
    let instance = |home: &Home| home.read(|tx| tx.meta(MetaKey::InstanceId)).unwrap();
    assert_ne!(instance(&home), instance(&source));
    check(&home, &told);
    home.vault().verify_slots().unwrap();
    // The log goes on where it was, and says that it was restored.
    let restored = records(&home);
    let operations: Vec<&str> = restored.iter().map(|record| record.operation.as_str()).collect();
    assert_eq!(operations[..log.len()], log.iter().map(|record| record.operation.as_str()).collect::<Vec<_>>());
    assert_eq!(operations[log.len()], "Restore");
    verified(&home).unwrap();
    let asked = FetchesRequest { token: home.alice().named("a"), limit: 10, after: String::new() };
    assert!(!home.alice().fetches(&asked).unwrap().fetches.is_empty());
    // And after a start, by the host key of this machine.
    home.restart();
    assert!(home.vault().status().recovery_confirmed);
    check(&home, &told);
    verified(&home).unwrap();
    let recovered = home.vault().recover_login(
        &home.alice().caller,
        &home.alice().caller,
        secret(&told.recovery_code),
        secret(&[8; 32]),
    );
    assert!(recovered.is_ok());
}

#[test]
fn it_is_sealed_to_the_tpm_of_this_machine_and_without_one_it_says_so() {
    let (source, told) = written();
    let backup = source.backup();
    let request = |sealer| RestoreRequest {
        private: &*Box::leak(Box::new(key(&RECOVERY))),
        sealer,
        host_key: None,
        replace: false,
        unvouched: false,
    };
    let sealer = ScriptedSealer::default();
    let mut home = Home::bare();
    let restored = home.vault().restore(&caller(ROOT), &mut &*backup, &request(&sealer), &Unwatched).unwrap();
    assert_eq!((restored.slot, restored.no_tpm), (Some(SlotKind::Tpm2), None));
    let kinds: Vec<String> = home.vault().slots().unwrap().into_iter().map(|slot| slot.kind).collect();
    assert_eq!(kinds, ["recovery", "tpm2"], "the host key of the other machine stayed there");
    home.stop();
    home.start(Default::default());
    home.vault().unseal_unattended(&daemon(), &sealer, &HostKey::NotAllowed).unwrap();
    check(&home, &told);

    let mut home = Home::bare();
    sealer.tell(Some(SealError::NoTpm("none here".into())));
    let restored = home.vault().restore(&caller(ROOT), &mut &*backup, &request(&sealer), &Unwatched).unwrap();
    assert_eq!((restored.slot, restored.no_tpm.is_some()), (None, true));
    check(&home, &told);
    home.stop();
    home.start(Default::default());
    home.unseal().unwrap_err();
    home.vault().unseal_with(&daemon(), &key(&RECOVERY), None).unwrap();
    check(&home, &told);
}

#[test]
fn a_vault_that_holds_something_is_replaced_only_where_that_is_said_and_is_kept() {
    let (source, told) = written();
    let backup = source.backup();
    let mut home = Home::new();
    home.bob().put("other", b"1").unwrap();
    home.settle();
    let before = home.vault().id();
    let error = home.restore(&backup, false).unwrap_err();
    assert!(matches!(&error, Error::AccessDenied(text) if text.contains("option 'replace'")), "{error}");
    assert_eq!(home.bob().get("other").unwrap(), b"1");
    let restored = home.restore(&backup, true).unwrap();
    assert_eq!(restored.kept.as_deref(), Some("vault.db.replaced-1"));
    check(&home, &told);
    assert_eq!(refused(home.bob().get("other")), Refused::NotFound);
    // The one that was kept is whole, and opens as before.
    home.stop();
    let file = |name: &str| home.path().join(name);
    std::fs::rename(file("vault.db.replaced-1"), file("vault.db")).unwrap();
    home.start(Default::default());
    home.unseal().unwrap();
    assert_eq!(home.vault().id(), before);
    assert_eq!(home.bob().get("other").unwrap(), b"1");
    assert_eq!(records(&home).iter().filter(|record| record.operation == "Restore").count(), 2, "refused, and done");
    verified(&home).unwrap();
    home.vault().verify_rows(&Unwatched).unwrap();
}

#[test]
fn a_backup_of_the_vault_itself_takes_it_back() {
    let (home, told) = written();
    let backup = home.backup();
    home.alice().put("a", b"alice a 3").unwrap();
    home.alice().put("later", b"1").unwrap();
    home.alice().unshare("a", "uid:1002").unwrap();
    home.restore(&backup, true).unwrap();
    check(&home, &told);
    assert_eq!(refused(home.alice().get("later")), Refused::NotFound);
    verified(&home).unwrap();
    // A number that was given after the backup was made is that of nobody any more.
    home.alice().put("new", b"1").unwrap();
    home.check_counters();
}

#[test]
fn every_damage_is_refused_with_its_place_and_changes_nothing() {
    let (source, _) = written();
    let (backup, other) = (source.backup(), source.backup());
    let home = Home::new();
    home.bob().put("other", b"1").unwrap();
    home.settle();
    let (before, head) = (files(&home), home.vault().audit_head().unwrap());
    let mut random = Random::new(17);
    let mut damaged: Vec<(String, Vec<u8>)> = Vec::new();
    let step = backup.len() / 60;
    for part in 0..60 {
        let at = part * step + usize::from(random.bytes(1)[0]) % step;
        let mut bytes = backup.clone();
        bytes[at] ^= 1 << (random.bytes(1)[0] % 8);
        damaged.push((format!("byte {at}"), bytes));
    }
    for cut in [1, 16, 100, backup.len() / 2, backup.len() - 1] {
        damaged.push((format!("cut at {cut}"), backup[..cut].to_vec()));
    }
    // Chunks are as long as each other, and these two backups too.
    let header = 20 + u32::from_be_bytes(backup[16..20].try_into().unwrap()) as usize;
    let chunk = 5 + u32::from_be_bytes(backup[header + 1..header + 5].try_into().unwrap()) as usize;
    assert!(backup.len() > header + 3 * chunk, "it has some chunks");
    let (first, second, rest) = (header..header + chunk, header + chunk..header + 2 * chunk, header + 2 * chunk..);
    let swapped = [&backup[..header], &backup[second.clone()], &backup[first.clone()], &backup[rest.clone()]].concat();
    let spliced = [&backup[..header], &backup[first], &other[second], &backup[rest]].concat();
    damaged.extend([
        ("swapped".to_owned(), swapped),
        ("spliced".to_owned(), spliced),
        ("appended".to_owned(), [&backup[..], b"x"].concat()),
    ]);
    for (what, bytes) in damaged {
        let error = home.restore(&bytes, true).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::InvalidArgs(_) | Error::AccessDenied(_)), "{what}: {text}");
        let named = ["chunk ", "at byte ", "header", "not a backup", "recovery key", "format"];
        assert!(named.iter().any(|place| text.contains(place)), "{what}: {text}");
    }
    home.settle();
    assert_eq!(home.bob().get("other").unwrap(), b"1");
    assert_eq!(home.vault().state(), State::Serving);
    assert_eq!(files(&home), before, "nothing is left of them");
    assert_eq!(home.vault().audit_head().unwrap(), head);
    home.vault().verify_rows(&Unwatched).unwrap();
    // And one that is whole all the same.
    home.restore(&backup, true).unwrap();
}

#[test]
fn who_stops_giving_or_has_another_key_changes_nothing() {
    let (source, _) = written();
    let backup = source.backup();
    let home = Home::new();
    let before = home.vault().id();
    let mut stops = Until { inner: &*backup, left: backup.len() / 2 };
    assert_eq!(refused(home.restore_with(&mut stops, &RECOVERY, false)), Refused::Timeout);
    assert_eq!(refused(home.restore_with(&mut &*backup, &[8; 32], false)), Refused::AccessDenied);
    assert_eq!((home.vault().id(), home.vault().state()), (before, State::Serving));
    home.alice().put("goes on", b"1").unwrap();
    home.vault().verify_rows(&Unwatched).unwrap();
}

#[test]
fn it_waits_for_whoever_holds_the_keys_and_is_closed_meanwhile() {
    let (source, told) = written();
    let backup = source.backup();
    let home = Home::new();
    home.bob().put("old", b"1").unwrap();
    home.add_recovery();
    // Somebody who has begun, and takes his time.
    let held = home.vault().begin_backup(&caller(ROOT)).unwrap();
    let (restored_sender, restored) = channel();
    std::thread::scope(|scope| {
        scope.spawn(|| restored_sender.send(home.restore(&backup, true)).unwrap());
        wait_until("the vault to be closed", || home.vault().state() == State::Sealed);
        assert!(restored.recv_timeout(Duration::from_millis(300)).is_err(), "nobody was waited for");
        assert_eq!(refused(home.bob().put("new", b"1")), Refused::Sealed);
        assert_eq!(refused(held.write(&mut Vec::new(), &Unwatched)), Refused::Sealed);
        restored.recv().unwrap().unwrap();
    });
    check(&home, &told);
}

#[test]
fn a_value_that_was_coming_in_before_is_refused_and_takes_nothing_of_another_with_it() {
    let (source, told) = written();
    let backup = source.backup();
    let home = Home::new();
    let options = home.bob().options();
    home.bob().attach("other", &long(2, 1)).unwrap();
    let (mut before, rest) = home.bob().half_upload("half", &options);
    home.restore(&backup, true).unwrap();
    // Its content has the number that this one has.
    let (mut upload, end) = home.bob().half_upload("half", &options);
    assert_eq!(refused(home.bob().feed(&mut before, &rest, true)), Refused::Unavailable);
    drop(before);
    home.settle();
    home.bob().feed(&mut upload, &end, true).unwrap();
    home.bob().finish_upload("half", options, upload).unwrap();
    assert_eq!(home.bob().get("half").unwrap(), long(2, 1));
    check(&home, &told);
}

#[test]
fn what_was_coming_in_when_the_backup_was_made_comes_in_no_more_and_counts_for_nobody() {
    let (source, told) = written();
    let options = source.bob().options();
    let (upload, _) = source.bob().half_upload("half", &options);
    let backup = source.backup();
    drop(upload);
    let home = Home::new();
    home.restore(&backup, false).unwrap();
    assert_eq!(home.database().pairs("SELECT id, open FROM content WHERE open = 1"), []);
    check(&home, &told);
}

#[test]
fn a_login_that_was_open_before_is_closed_and_no_read_of_the_vault_before_comes_into_the_log_of_the_other() {
    let (source, told) = written();
    let backup = source.backup();
    let home = Home::new();
    let alice = home.alice();
    home.vault().enrol_login(&alice.caller, &alice.caller, secret(&[5; 32])).unwrap();
    alice.put("secret-name", b"1").unwrap();
    for _ in 0..3 {
        alice.get("secret-name").unwrap();
    }
    home.restore(&backup, true).unwrap();
    assert_eq!(refused(alice.get("mine")), Refused::Locked);
    assert!(records(&home).iter().all(|record| record.name != "secret-name"));
    check(&home, &told);
}

#[test]
fn a_vault_whose_users_have_nothing_any_more_is_kept_with_its_log_and_replaced_only_where_that_is_said() {
    let (source, told) = written();
    let backup = source.backup();
    let home = Home::new();
    home.bob().put("a", b"1").unwrap();
    home.bob().delete("a").unwrap();
    home.settle();
    assert_eq!(refused(home.restore(&backup, false)), Refused::AccessDenied);
    let restored = home.restore(&backup, true).unwrap();
    assert_eq!(restored.kept.as_deref(), Some("vault.db.replaced-1"));
    check(&home, &told);
    // Also one that never had any: it has a log all the same. What is no vault has nothing.
    for (mut home, kept) in [(Home::new(), Some("vault.db.replaced-1")), (Home::bare(), None)] {
        assert_eq!(home.restore(&backup, false).unwrap().kept.as_deref(), kept);
        home.stop();
    }
}

#[test]
fn a_lockdown_outlasts_a_restore() {
    let (source, _) = written();
    let backup = source.backup();
    let home = Home::new();
    let root = home.root().caller;
    home.vault().set_lockdown(&root, true).unwrap();
    home.restore(&backup, true).unwrap();
    assert!(home.vault().is_locked_down());
    assert_eq!(refused(home.alice().get("a")), Refused::Unavailable);
    home.vault().set_lockdown(&root, false).unwrap();
    assert_eq!(home.alice().get("a").unwrap(), b"alice a 2");
    home.check_counters();
}
