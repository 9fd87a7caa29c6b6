//! Users who are deleted while the vault is closed: notes, as userdel leaves them, and what comes of them at both doors. What is
//! frozen by them and what is not is the domain's own suite.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::PathBuf;
use std::time::Duration;

use tokenvault_proto::DeletionInfo;
use tokenvault_tests::{DAEMON, program, wait};

use crate::common::*;
use crate::run::*;

const MINUTE: Duration = Duration::from_secs(60);
const ID: &str = "0b5c2a4e-4a51-4b8e-9c0d-0c6a1f2e3d4c";

/// Where userdel leaves notes for this vault; made as the package makes it.
fn notes(vault: &Vault) -> PathBuf {
    let directory = vault.path().join("state-deleted");
    if !directory.exists() {
        fs::create_dir(&directory).unwrap();
        chown(&directory, Some(ROOT.uid), Some(DAEMON.uid)).unwrap();
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o2750)).unwrap();
    }
    directory
}

fn leave_note(vault: &Vault, id: &str, user: &str) -> PathBuf {
    let note = notes(vault).join(id);
    fs::write(&note, format!("{user}\n")).unwrap();
    fs::set_permissions(&note, fs::Permissions::from_mode(0o644)).unwrap();
    note
}

/// A vault in which Alice and Bob have a token, and a note about Alice that it has not seen.
fn with_note() -> Vault {
    let mut vault = Vault::start();
    for user in [ALICE, BOB] {
        vault.client(user, Door::Socket).put("t", b"v", &defaults()).unwrap();
    }
    vault.stop_daemon();
    leave_note(&vault, ID, "alice");
    vault
}

fn told(deletions: &[DeletionInfo]) -> Vec<(&str, &str, bool)> {
    deletions.iter().map(|note| (note.id.as_str(), note.user.as_str(), note.done)).collect()
}

fn cleanup(vault: &Vault, door: Door) -> String {
    let notes = notes(vault);
    ok(run(vault, ROOT, door, &["tokenvaultctl", "cleanup", "--quiet", "--notes", notes.to_str().unwrap()]))
}

through_both_doors! {
    fn whom_a_note_names_is_nobody_after_the_next_start(door) {
        let mut vault = with_note();
        vault.start_daemon();
        vault.wait_for_state("serving");
        assert_eq!(code(vault.client(ALICE, door).get("t", &defaults())), ErrorCode::AccessDenied);
        assert_eq!(vault.client(BOB, door).get("t", &defaults()).unwrap().data(), b"v");
        let root = vault.client(ROOT, door);
        assert_eq!(told(&root.deletions().unwrap()), [(ID, "alice", true)]);
        assert!(vault.log().contains("uid 4242 are frozen"), "{}", vault.log());
        // The note goes with the next cleanup, and is not heeded again if it does not.
        root.adopt_user(ALICE.uid, &defaults()).unwrap();
        vault.restart();
        vault.wait_for_state("serving");
        assert_eq!(vault.client(ALICE, door).get("t", &defaults()).unwrap().data(), b"v");
        cleanup(&vault, door);
        assert!(!notes(&vault).join(ID).exists());
        assert_eq!(vault.client(ROOT, door).deletions().unwrap(), []);
        assert_eq!(vault.client(ALICE, door).get("t", &defaults()).unwrap().data(), b"v");
    }

    fn a_note_waits_for_a_vault_that_is_sealed_and_one_that_is_open_heeds_it_at_the_next_cleanup(door) {
        let vault = Vault::start();
        vault.client(ALICE, door).put("t", b"v", &defaults()).unwrap();
        vault.client(BOB, door).put("t", b"v", &defaults()).unwrap();
        let root = vault.client(ROOT, door);
        root.seal().unwrap();
        leave_note(&vault, ID, "alice");
        assert_eq!(told(&root.deletions().unwrap()), [(ID, "alice", false)]);
        root.unseal(&[], &defaults()).unwrap();
        assert_eq!(code(vault.client(ALICE, door).get("t", &defaults())), ErrorCode::AccessDenied);
        assert_eq!(vault.client(BOB, door).get("t", &defaults()).unwrap().data(), b"v");
        leave_note(&vault, "1", "bob");
        cleanup(&vault, door);
        assert_eq!(code(vault.client(BOB, door).get("t", &defaults())), ErrorCode::AccessDenied);
        assert_eq!(root.deletions().unwrap(), []);
    }

    fn notes_are_for_administrators(door) {
        let vault = Vault::start();
        leave_note(&vault, ID, "alice");
        assert_eq!(code(vault.client(ALICE, door).deletions()), ErrorCode::AccessDenied);
    }
}

#[test]
fn a_note_that_is_left_while_the_vault_serves_is_heeded_within_a_minute_unasked() {
    let vault = Vault::start();
    for user in [ALICE, BOB] {
        vault.client(user, Door::Socket).put("t", b"v", &defaults()).unwrap();
    }
    leave_note(&vault, ID, "alice");
    let frozen = "uid 4242 are frozen";
    wait::until_within(MINUTE, "the note to be heeded", || vault.log().contains(frozen).then_some(()));
    for door in Door::ALL {
        assert_eq!(code(vault.client(ALICE, door).get("t", &defaults())), ErrorCode::AccessDenied);
        assert_eq!(vault.client(BOB, door).get("t", &defaults()).unwrap().data(), b"v");
    }
}

#[test]
fn of_notes_that_others_may_have_removed_those_that_are_roots_are_heeded_and_that_is_told() {
    let mut vault = with_note();
    fs::set_permissions(notes(&vault), fs::Permissions::from_mode(0o777)).unwrap();
    let forged = leave_note(&vault, "1b5c2a4e-4a51-4b8e-9c0d-0c6a1f2e3d4c", "bob");
    chown(&forged, Some(BOB.uid), None).unwrap();
    vault.start_daemon();
    vault.wait_for_state("serving");
    assert_eq!(code(vault.client(ALICE, Door::Socket).get("t", &defaults())), ErrorCode::AccessDenied);
    assert_eq!(vault.client(BOB, Door::Socket).get("t", &defaults()).unwrap().data(), b"v");
    let refusal = refused(vault.client(ROOT, Door::Socket).deletions());
    assert!(refusal.code() == ErrorCode::Unavailable && refusal.to_string().contains("root alone"), "{refusal}");
    assert_helpful(&refusal);
}

/// Calls what userdel calls when it has deleted a user, with the places of this vault; what it says.
fn hook(vault: &Vault, user: &str) -> String {
    let text = fs::read_to_string(program::source_root().join("packaging/userdel/userdel-post.d/tokenvault")).unwrap();
    let places = [
        ("/var/lib/tokenvault-deleted", notes(vault)),
        ("/var/lib/tokenvault/vault.db", vault.state_directory().join("vault.db")),
        ("/run/tokenvault/bus", vault.socket()),
        ("/run/tokenvault-userdel", vault.path().join("userdel")),
    ];
    let text = places.iter().fold(text, |text, (place, here)| {
        assert!(text.contains(place), "it no longer names {place}");
        text.replace(place, here.to_str().unwrap())
    });
    let script = vault.path().join("hook");
    fs::write(&script, text).unwrap();
    let programs = program::path("tokenvaultctl").parent().unwrap().display().to_string();
    let mut command = std::process::Command::new("/bin/sh");
    command.env_clear().env("PATH", format!("{programs}:/usr/bin:/bin")).env("SUBJECT", user).arg(&script);
    vault.users().apply(&mut command);
    let output = command.output().unwrap();
    assert!(output.status.success(), "it makes no deletion fail: {output:?}");
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

fn left(vault: &Vault) -> Vec<String> {
    let entries = fs::read_dir(notes(vault)).unwrap();
    entries.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect()
}

#[test]
fn what_userdel_calls_freezes_at_once_or_leaves_a_note_that_is_heeded() {
    let mut vault = Vault::start();
    for user in [ALICE, BOB, CAROL] {
        vault.client(user, Door::Socket).put("t", b"v", &defaults()).unwrap();
    }
    let users = [ROOT, DAEMON, BOB, CAROL];
    vault.users().set(&users).unwrap();
    for (user, state) in [("alice", "frozen"), ("nobody-of-the-vault", "none")] {
        assert_eq!(hook(&vault, user), "", "{state}");
        assert_eq!(left(&vault), [""; 0], "{user} is {state}, and there is nothing more to heed");
    }
    let root = vault.client(ROOT, Door::Socket);
    assert_eq!(root.users().unwrap()[0].state, "frozen");
    // Sealed, and then not there at all.
    root.seal().unwrap();
    assert!(hook(&vault, "bob").contains("frozen as soon as it is open"));
    vault.stop_daemon();
    // What is called before the deletion has kept the uid.
    fs::create_dir(vault.path().join("userdel")).unwrap();
    fs::write(vault.path().join("userdel/carol"), "4244\n").unwrap();
    vault.users().set(&[ROOT, DAEMON, BOB]).unwrap();
    let said = hook(&vault, "carol");
    assert!(said.contains("frozen as soon as it is open"), "{said}");
    let mut noted = left(&vault);
    noted.sort();
    assert_eq!(noted, ["bob\n", "carol\n4244\n"]);
    vault.users().set(&users).unwrap();
    vault.start_daemon();
    vault.wait_for_state("serving");
    for user in [BOB, CAROL] {
        assert_eq!(code(vault.client(user, Door::Socket).get("t", &defaults())), ErrorCode::AccessDenied);
    }
    cleanup(&vault, Door::Socket);
    assert_eq!(left(&vault), [""; 0]);
    // Where no note can be left, it says what is to be done.
    vault.stop_daemon();
    fs::remove_dir(notes(&vault)).unwrap();
    fs::write(vault.path().join("state-deleted"), "").unwrap();
    assert!(hook(&vault, "bob").contains("tokenvaultctl user freeze bob"));
}

#[test]
fn a_user_whom_the_vault_does_not_have_is_frozen_with_a_status_of_its_own() {
    let vault = Vault::start();
    let (status, line) = failed(run(&vault, ROOT, Door::Socket, &["tokenvaultctl", "user", "freeze", "alice"]));
    assert!(status == 3 && line.contains("nothing of a user 'alice'"), "{status} {line}");
}
