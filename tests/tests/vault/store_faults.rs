//! A store that is damaged, foreign, newer, read-only or full: told by name, left as it was found, and nothing lost.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::*;

/// A stopped vault with a token in it.
fn stopped_vault() -> Vault {
    let mut vault = Vault::start();
    let alice = vault.client(ALICE, Door::Socket);
    for number in 0..20 {
        alice.put(&format!("t/{number}"), &[b'v'; 5000], &defaults()).unwrap();
    }
    alice.put("t", b"kept", &defaults()).unwrap();
    vault.stop_daemon();
    vault
}

/// A stopped vault with everything in the one file and nothing in its log.
fn stopped_vault_in_one_file() -> Vault {
    let vault = stopped_vault();
    let connection = rusqlite::Connection::open(store(&vault)).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    connection.close().unwrap();
    vault
}

fn store(vault: &Vault) -> PathBuf {
    vault.state_directory().join("vault.db")
}

/// What is seen at the first look is left as it was found.
fn assert_quarantined_untouched(vault: &mut Vault, word: &str) {
    let before = fs::read(store(vault)).unwrap();
    let next = assert_quarantined(vault, word);
    assert!(!next.contains("recover'"), "what cannot be read cannot be taken as it is: {next}");
    assert!(fs::read(store(vault)).unwrap() == before, "the file was changed");
}

/// The next step that the status names.
fn assert_quarantined(vault: &mut Vault, word: &str) -> String {
    vault.start_daemon();
    let status = vault.wait_for_state("quarantined");
    assert!(status.reason.contains(word), "{}", status.reason);
    assert!(status.next_step.contains("backup restore"), "{}", status.next_step);
    let alice = vault.client(ALICE, Door::Socket);
    assert_eq!(code(alice.get("t", &defaults())), ErrorCode::Quarantined);
    let error = refused(alice.put("t", b"v", &defaults()));
    assert_eq!(error.code(), ErrorCode::Quarantined);
    assert_helpful(&error);
    assert!(!alice.health().unwrap().ok);
    vault.stop_daemon();
    status.next_step
}

#[test]
fn a_truncated_store_is_quarantined() {
    let mut vault = stopped_vault_in_one_file();
    let file = File::options().write(true).open(store(&vault)).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2 / 4096 * 4096).unwrap();
    assert_quarantined(&mut vault, "");
}

#[test]
fn an_empty_store_is_quarantined_and_not_made_anew() {
    let mut vault = stopped_vault();
    File::options().write(true).open(store(&vault)).unwrap().set_len(0).unwrap();
    assert_quarantined_untouched(&mut vault, "empty");
}

#[test]
fn a_file_that_is_no_store_is_quarantined() {
    let mut vault = stopped_vault();
    fs::write(store(&vault), "not a database\n".repeat(1000)).unwrap();
    assert_quarantined_untouched(&mut vault, "not a database");
}

#[test]
fn another_programs_database_is_quarantined() {
    let mut vault = stopped_vault();
    let connection = rusqlite::Connection::open(store(&vault)).unwrap();
    connection.pragma_update(None, "application_id", 0x1234).unwrap();
    connection.close().unwrap();
    assert_quarantined_untouched(&mut vault, "another program");
}

#[test]
fn a_damaged_page_is_quarantined() {
    let mut vault = stopped_vault_in_one_file();
    let file = File::options().read(true).write(true).open(store(&vault)).unwrap();
    let pages = file.metadata().unwrap().len() / 4096;
    for page in 2..pages / 2 {
        file.write_all_at(&[0xa5; 512], page * 4096).unwrap();
    }
    assert_quarantined(&mut vault, "");
}

#[test]
fn a_slot_somebody_added_is_quarantined() {
    let mut vault = stopped_vault();
    let connection = rusqlite::Connection::open(store(&vault)).unwrap();
    connection
        .execute(
            "INSERT INTO slot (kind, body, wrapped_vk, wrapped_kek, created) \
             SELECT 'recovery', body, wrapped_vk, wrapped_kek, created FROM slot",
            [],
        )
        .unwrap();
    connection.close().unwrap();
    assert_quarantined(&mut vault, "slot table");
}

#[test]
fn a_token_that_was_given_to_another_user_does_not_open() {
    let mut vault = Vault::start();
    vault.client(ALICE, Door::Socket).put("t", b"of alice", &defaults()).unwrap();
    vault.client(BOB, Door::Socket).put("t", b"of bob", &defaults()).unwrap();
    let connection = rusqlite::Connection::open(store(&vault)).unwrap();
    // Bob's token gets the rows of Alice's version.
    connection
        .execute_batch(
            "UPDATE version SET (meta, dek, value) = \
             (SELECT meta, dek, value FROM version WHERE id >> 28 = 1) WHERE id >> 28 = 2",
        )
        .unwrap();
    connection.close().unwrap();
    let error = refused(vault.client(BOB, Door::Socket).get("t", &defaults()));
    assert_eq!(error.code(), ErrorCode::Quarantined);
    assert_eq!(vault.client(ALICE, Door::Socket).get("t", &defaults()).unwrap().data(), b"of alice");
    // With the next start the whole vault goes out of service.
    vault.restart();
    vault.wait_for_state("quarantined");
}

#[test]
fn a_newer_store_ends_the_daemon_for_good() {
    let mut vault = stopped_vault();
    let connection = rusqlite::Connection::open(store(&vault)).unwrap();
    connection.pragma_update(None, "user_version", 999).unwrap();
    connection.close().unwrap();
    let before = fs::read(store(&vault)).unwrap();
    let status = vault.run_daemon_to_its_end();
    // EX_DATAERR: the unit does not start it again after that.
    assert_eq!(status.code(), Some(65));
    assert!(vault.log().contains("newer"), "{}", vault.log());
    assert_eq!(fs::read(store(&vault)).unwrap(), before);
}

#[test]
fn a_read_only_store_is_told_and_good_again_once_it_can_be_written() {
    let mut vault = stopped_vault_in_one_file();
    fs::set_permissions(store(&vault), Permissions::from_mode(0o400)).unwrap();
    fs::set_permissions(vault.state_directory(), Permissions::from_mode(0o500)).unwrap();
    vault.start_daemon();
    let status = vault.wait_for_state("read-only");
    assert!(status.reason.contains("read-only") && !status.next_step.is_empty(), "{status:?}");
    let alice = vault.client(ALICE, Door::Socket);
    for error in [refused(alice.get("t", &defaults())), refused(alice.put("t", b"v", &defaults()))] {
        assert_eq!(error.code(), ErrorCode::Unavailable);
        assert!(error.to_string().contains("read-only"), "{error}");
    }
    vault.stop_daemon();
    fs::set_permissions(vault.state_directory(), Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(store(&vault), Permissions::from_mode(0o600)).unwrap();
    vault.start_daemon();
    vault.wait_for_state("serving");
    let alice = vault.client(ALICE, Door::Socket);
    assert_eq!(alice.get("t", &defaults()).unwrap().data(), b"kept");
    alice.put("t", b"v", &defaults()).unwrap();
}

/// A file system of a few megabytes in place of the state directory; goes with the value.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: &Path) -> Self {
        let options = format!("size=3m,mode=0700,uid={0},gid={0}", tokenvault_tests::DAEMON.uid);
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(path).status().unwrap();
        assert!(status.success(), "this test mounts a small file system and needs the right to");
        Self(path.to_owned())
    }

    /// Makes it larger, as if others had freed what they had.
    fn grow(&self) {
        let status = Command::new("mount").args(["-o", "remount,size=16m"]).arg(&self.0).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg("--lazy").arg(&self.0).status().ok();
    }
}

/// A vault on a small disk that is full, and the tokens of alice that were stored.
fn vault_on_a_full_disk() -> (Vault, SmallDisk, Vec<String>) {
    let mut vault = Vault::builder().prepare();
    let disk = SmallDisk::mount(&vault.state_directory());
    vault.start_daemon();
    vault.wait_for_state("serving");
    let alice = vault.client(ALICE, Door::Socket);
    let mut acknowledged = Vec::new();
    let error = loop {
        let name = format!("t/{}", acknowledged.len());
        match alice.put(&name, &[b'v'; 30_000], &defaults()) {
            Ok(_) => acknowledged.push(name),
            Err(error) => break error,
        }
        assert!(acknowledged.len() < 200, "the disk does not get full");
    };
    assert_eq!(error.code(), ErrorCode::Unavailable);
    assert!(error.to_string().contains("full"), "{error}");
    (vault, disk, acknowledged)
}

#[test]
fn on_a_full_disk_reads_and_deletes_go_on_and_nothing_is_lost() {
    let (mut vault, disk, mut acknowledged) = vault_on_a_full_disk();
    let alice = vault.client(ALICE, Door::Socket);
    for name in &acknowledged {
        assert_eq!(alice.get(name, &defaults()).unwrap().data().len(), 30_000, "{name}");
    }
    for name in acknowledged.drain(..10) {
        alice.delete(&name, &defaults()).unwrap();
    }
    wait::until("room for a value", || alice.put("again", b"v", &defaults()).ok());
    vault.restart();
    vault.wait_for_state("serving");
    let alice = vault.client(ALICE, Door::Socket);
    for name in &acknowledged {
        assert_eq!(alice.get(name, &defaults()).unwrap().data().len(), 30_000, "{name}");
    }
    vault.stop_daemon();
    drop(disk);
}

#[test]
fn a_rename_that_finds_no_room_takes_no_record_of_a_read_with_it() {
    let (vault, disk, acknowledged) = vault_on_a_full_disk();
    let alice = vault.client(ALICE, Door::Socket);
    // Small writes find room for some time longer.
    alice.rename(&acknowledged[1], "moved", &defaults()).unwrap();
    let names = ["moved", "moved/again"].into_iter().cycle().take(10_000);
    let refusal = names.clone().zip(names.skip(1)).find_map(|(from, to)| alice.rename(from, to, &defaults()).err());
    assert_eq!(refusal.expect("every rename finds room").code(), ErrorCode::Unavailable);
    let read = &acknowledged[0];
    alice.get(read, &defaults()).unwrap();
    let refusal = refused(alice.rename(read, "elsewhere", &defaults()));
    assert!(refusal.code() == ErrorCode::Unavailable && refusal.to_string().contains("full"), "{refusal}");
    disk.grow();
    // What could not be written is shown when it is: an attempt of before there was room may still be failing.
    let fetches = wait::until("the record of the read", || {
        let (fetches, _) = alice.fetches(read, &defaults()).ok()?;
        (!fetches.is_empty()).then_some(fetches)
    });
    assert_eq!(fetches.iter().map(|fetch| fetch.count).collect::<Vec<_>>(), [1], "{fetches:?}");
}
