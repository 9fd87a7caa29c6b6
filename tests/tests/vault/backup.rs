//! Backups over the running programs: made beside work, looked at without the daemon, and restored on another machine with nothing but
//! the recovery key.

use std::fs;
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tokenvault_proto::{ADMIN_INTERFACE, AuditOptions, RestoreOptions};

use crate::audit_log::ended;
use crate::common::*;
use crate::run::*;

/// A vault in which there is something, with a recovery key in a file.
fn written(door: Door) -> (Vault, PathBuf) {
    let vault = Vault::start();
    let (alice, bob) = (vault.client(ALICE, door), vault.client(BOB, door));
    alice.put("a", b"alice a 1", &defaults()).unwrap();
    alice.put("a", b"alice a 2", &defaults()).unwrap();
    alice.put("long", &vec![7; 200_000], &defaults()).unwrap();
    alice.share("a", &format!("uid:{}", BOB.uid), &defaults()).unwrap();
    bob.put("b", b"bob b 1", &defaults()).unwrap();
    let key = init(&vault, door);
    (vault, key)
}

fn init(vault: &Vault, door: Door) -> PathBuf {
    let key = vault.path().join("recovery-key");
    let file = key.to_str().unwrap();
    ok(run(vault, ROOT, door, &["tokenvaultctl", "init", "--recovery-out", file, "--confirm-from", file]));
    key
}

fn check(vault: &Vault, door: Door) {
    let (alice, bob) = (vault.client(ALICE, door), vault.client(BOB, door));
    assert_eq!(alice.get("a", &defaults()).unwrap().data(), b"alice a 2");
    assert_eq!(alice.get("a", &GetOptions { version: Some(1), ..defaults() }).unwrap().data(), b"alice a 1");
    assert_eq!(alice.get("long", &defaults()).unwrap().data(), vec![7; 200_000]);
    let of_alice = GetOptions { owner: Some(format!("uid:{}", ALICE.uid)), ..defaults() };
    assert_eq!(bob.get("a", &of_alice).unwrap().data(), b"alice a 2");
    assert_eq!(bob.get("b", &defaults()).unwrap().data(), b"bob b 1");
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn ctl(vault: &Vault, door: Door, arguments: &[&str]) -> std::process::Output {
    run(vault, ROOT, door, &[&["tokenvaultctl", "backup"], arguments].concat())
}

/// A backup in a file.
fn create(vault: &Vault, door: Door) -> PathBuf {
    let file = vault.path().join("vault.backup");
    ok(ctl(vault, door, &["create", text(&file)]));
    file
}

/// Restores what is in a file; how that went.
fn restore(vault: &Vault, door: Door, file: &Path, more: &[&str]) -> std::process::Output {
    ctl(vault, door, &[&["restore", text(file)], more].concat())
}

/// What is found by the operation that is recorded.
fn recorded(vault: &Vault, door: Door, operation: &str) -> usize {
    let options = AuditOptions { operation: Some(operation.to_owned()), outcome: Some("ok".into()), ..defaults() };
    vault.client(ROOT, door).audit(&options).unwrap().0.len()
}

through_both_doors! {
    fn one_from_before_the_recovery_key_was_confirmed_is_nobodys_word(door) {
        let vault = Vault::start();
        vault.client(ALICE, door).put("a", b"1", &defaults()).unwrap();
        let key = vault.path().join("recovery-key");
        ok(run(&vault, ROOT, door, &["tokenvaultctl", "init", "--recovery-out", text(&key)]));
        let (file, with_key) = (create(&vault, door), ["--recovery-file", text(&key)]);
        let verify = [&["verify", text(&file)], &with_key[..]].concat();
        let told = ctl(&vault, door, &verify);
        let warned = String::from_utf8_lossy(&told.stderr).into_owned();
        assert!(warned.contains("nobody vouches for it") && warned.contains("--unvouched"), "{warned}");
        assert!(ok(told).contains("this recovery key opens it"));
        let vouched =
            |arguments: &[&str]| json(&ok(ctl(&vault, door, &[arguments, &["--json=short"]].concat())))["vouched"].clone();
        assert_eq!(vouched(&verify), false);
        let other = Vault::start();
        let (status, line) = failed(restore(&other, door, &file, &with_key));
        assert!(status == 4 && line.contains("nobody vouches") && line.contains("--unvouched"), "{line}");
        ok(restore(&other, door, &file, &[&with_key[..], &["--unvouched"]].concat()));
        assert_eq!(other.client(ALICE, door).get("a", &defaults()).unwrap().data(), b"1");
        ok(run(&vault, ROOT, door, &["tokenvaultctl", "init", "--confirm-recovery", "--confirm-from", text(&key)]));
        create(&vault, door);
        assert_eq!(vouched(&verify), true);
        assert_eq!(ctl(&vault, door, &verify).stderr, b"");
    }

    fn what_was_lost_comes_back_on_another_machine_with_only_the_recovery_key(door) {
        let (lost, key) = written(door);
        let file = create(&lost, door);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(recorded(&lost, door, "Backup"), 1);
        let id = lost.status().vault_id;
        let mut vault = Vault::start();
        assert_ne!(vault.status().vault_id, id);
        let told = ok(restore(&vault, door, &file, &["--recovery-file", text(&key)]));
        assert!(told.starts_with("3 tokens restored, as of "), "{told}");
        check(&vault, door);
        let status = vault.status();
        assert_eq!((status.vault_id, status.protection.as_str(), status.recovery_confirmed), (id, "tpm2", true));
        assert_eq!((recorded(&vault, door, "Backup"), recorded(&vault, door, "Restore")), (1, 1));
        // By the TPM of this machine, and all of it is whole.
        vault.restart();
        vault.wait_for_state("serving");
        check(&vault, door);
        let root = vault.client(ROOT, door);
        let info = ended(&root, root.verify().unwrap());
        assert_eq!((info.state.as_str(), info.error.as_str()), ("done", ""));
        vault.client(ALICE, door).put("new", b"1", &defaults()).unwrap();
        wait::until("the rows to be verified", || vault.log().contains("are as the vault wrote them").then_some(()));
        drop(lost);
    }

    fn nobody_makes_or_restores_one_who_may_not(door) {
        let vault = Vault::start();
        let alice = vault.client(ALICE, door);
        let (reader, writer) = std::io::pipe().unwrap();
        assert_eq!(code(alice.backup(writer.as_fd())), ErrorCode::AccessDenied);
        assert_eq!(code(alice.restore(reader.as_fd(), &[1; 32], &defaults())), ErrorCode::AccessDenied);
        let unknown = std::collections::HashMap::from([("nonsense", zbus::Variant::from(true))]);
        let out = zbus::Fd::from(std::os::fd::OwnedFd::from(writer.try_clone().unwrap()));
        let refusal = vault.wire(ROOT, door).call(ADMIN_INTERFACE, "Backup", &(out, unknown)).unwrap_err();
        assert!(refusal.name.ends_with("InvalidArgs") && refusal.text.contains("nonsense"), "{refusal:?}");
        // The wrong ends.
        let root = vault.client(ROOT, door);
        assert_eq!(code(root.backup(reader.as_fd())), ErrorCode::InvalidArgs);
        assert_eq!(code(root.restore(writer.as_fd(), &[1; 32], &defaults())), ErrorCode::InvalidArgs);
        root.seal().unwrap();
        assert_eq!(code(root.backup(writer.as_fd())), ErrorCode::Sealed);
    }

    fn without_a_recovery_key_none_is_made(door) {
        let vault = Vault::start();
        let file = vault.path().join("vault.backup");
        let (status, line) = failed(ctl(&vault, door, &["create", text(&file)]));
        assert_eq!(status, 8);
        assert!(line.contains("nobody could open a backup") && line.contains("'tokenvaultctl init'"), "{line}");
        assert!(!file.exists());
        assert_eq!(recorded(&vault, door, "Backup"), 0);
    }

    fn a_vault_that_holds_tokens_is_replaced_only_when_that_is_said(door) {
        let (lost, key) = written(door);
        let (file, recovery) = (create(&lost, door), ["--recovery-file", text(&key)]);
        let mut vault = Vault::start();
        vault.client(CAROL, door).put("other", b"1", &defaults()).unwrap();
        let (status, line) = failed(restore(&vault, door, &file, &recovery));
        assert_eq!(status, 4);
        assert!(line.contains("--replace"), "{line}");
        let told = restore(&vault, door, &file, &[&recovery[..], &["--replace"]].concat());
        let note = String::from_utf8_lossy(&told.stderr).into_owned();
        assert!(note.contains("vault.db.replaced-1"), "{note}");
        ok(told);
        check(&vault, door);
        assert_eq!(code(vault.client(CAROL, door).get("other", &defaults())), ErrorCode::NotFound);
        vault.stop_daemon();
        let state = |name: &str| vault.state_directory().join(name);
        // The log belongs to the other one, if there is any.
        for log in ["vault.db-wal", "vault.db-shm"] {
            let _none = fs::remove_file(state(log));
        }
        fs::rename(state("vault.db.replaced-1"), state("vault.db")).unwrap();
        vault.start_daemon();
        vault.wait_for_state("serving");
        assert_eq!(vault.client(CAROL, door).get("other", &defaults()).unwrap().data(), b"1");
    }

    fn a_backup_that_is_not_whole_changes_nothing(door) {
        let (lost, key) = written(door);
        let file = create(&lost, door);
        let whole = fs::read(&file).unwrap();
        let vault = Vault::start();
        vault.client(CAROL, door).put("other", b"1", &defaults()).unwrap();
        let damaged = vault.path().join("damaged.backup");
        let middle = whole.len() / 2;
        let flipped: Vec<u8> = whole.iter().enumerate().map(|(at, byte)| byte ^ u8::from(at == middle)).collect();
        let longer = [&whole[..], b"x"].concat();
        for (bytes, named) in [
            (&flipped[..], "chunk "),
            (&whole[..middle], "cut off at byte "),
            (&longer[..], "something follows the end of the backup at byte "),
            (&b"not a backup at all, whatever it is"[..], "not a backup"),
        ] {
            fs::write(&damaged, bytes).unwrap();
            let more = ["--replace", "--recovery-file", text(&key)];
            let (status, line) = failed(restore(&vault, door, &damaged, &more));
            assert_eq!(status, 2, "{line}");
            assert!(line.contains(named), "{named}: {line}");
            let (status, line) = failed(ctl(&vault, door, &["verify", text(&damaged), "--recovery-file", text(&key)]));
            assert!(line.contains(named) && [1, 2].contains(&status), "{named}: {line}");
        }
        let other = vault.path().join("other-key");
        ok(run(&Vault::start(), ROOT, door, &["tokenvaultctl", "init", "--recovery-out", text(&other)]));
        let (status, line) = failed(restore(&vault, door, &file, &["--replace", "--recovery-file", text(&other)]));
        assert_eq!(status, 4);
        assert!(line.contains("was not made for this recovery key"), "{line}");
        assert_eq!(vault.client(CAROL, door).get("other", &defaults()).unwrap().data(), b"1");
        assert!(vault.status().state == "serving" && recorded(&vault, door, "Restore") == 0);
        let left = fs::read_dir(vault.state_directory()).unwrap().map(|entry| entry.unwrap().file_name());
        assert!(!left.into_iter().any(|name| name.to_string_lossy().contains("restored")));
    }

    fn one_that_nobody_reads_keeps_neither_the_keys_of_a_sealed_vault_nor_another_from_being_restored(door) {
        let (vault, key) = written(door);
        let file = create(&vault, door);
        vault.client(ALICE, door).put("longer", &vec![1; 1 << 20], &defaults()).unwrap();
        let root = vault.client(ROOT, door);
        let stalled = || {
            let (mut reader, writer) = std::io::pipe().unwrap();
            let id = root.backup(writer.as_fd()).unwrap();
            reader.read_exact(&mut [0; 1000]).unwrap();
            assert_eq!(root.operation(id).unwrap().state, "running");
            (reader, id)
        };
        let (reader, id) = stalled();
        let begun = std::time::Instant::now();
        ok(restore(&vault, door, &file, &["--replace", "--recovery-file", text(&key)]));
        // It waits half a minute for whoever goes on, and then gives up.
        assert!(begun.elapsed().as_secs() < 25, "{:?}", begun.elapsed());
        assert_eq!(ended(&root, id).state, "failed");
        check(&vault, door);
        drop(reader);
        vault.client(ALICE, door).put("longer", &vec![1; 1 << 20], &defaults()).unwrap();
        let (reader, id) = stalled();
        root.seal().unwrap();
        let info = ended(&root, id);
        assert_eq!((info.state.as_str(), info.error_name.as_deref()), ("failed", Some("org.tokenvault1.Error.Sealed")));
        drop(reader);
    }

    fn one_that_nobody_reads_is_cancelled_and_one_whose_reader_goes_has_failed(door) {
        let (vault, _) = written(door);
        vault.client(ALICE, door).put("longer", &vec![1; 1 << 20], &defaults()).unwrap();
        let root = vault.client(ROOT, door);
        let (mut reader, writer) = std::io::pipe().unwrap();
        let id = root.backup(writer.as_fd()).unwrap();
        drop(writer);
        reader.read_exact(&mut [0; 1000]).unwrap();
        assert_eq!(root.operation(id).unwrap().state, "running");
        // Others read and write meanwhile.
        check(&vault, door);
        vault.client(BOB, door).put("meanwhile", b"1", &defaults()).unwrap();
        root.cancel(id).unwrap();
        assert_eq!(ended(&root, id).state, "cancelled");
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).unwrap();
        assert!(rest.len() < 1 << 20, "the rest of it never came");
        let (reader, writer) = std::io::pipe().unwrap();
        let id = root.backup(writer.as_fd()).unwrap();
        drop((reader, writer));
        let info = ended(&root, id);
        assert_eq!((info.state.as_str(), info.error_name.as_deref()), ("failed", Some("org.tokenvault1.Error.Unavailable")));
        assert!(info.error.contains("could not be written") && info.error.contains("; "), "{}", info.error);
        // And one that comes in from nobody.
        let (reader, writer) = std::io::pipe().unwrap();
        let replace = RestoreOptions { replace: Some(true), ..defaults() };
        let id = root.restore(reader.as_fd(), &[1; 32], &replace).unwrap();
        root.cancel(id).unwrap();
        assert_eq!(ended(&root, id).state, "cancelled");
        drop(writer);
        check(&vault, door);
    }
}

#[test]
fn it_is_listed_and_verified_without_the_daemon() {
    let (mut vault, key) = written(Door::Socket);
    let file = create(&vault, Door::Socket);
    fs::write(vault.path().join("notes.txt"), b"no backup").unwrap();
    let id = vault.status().vault_id;
    vault.stop_daemon();
    let listed = ok(ctl(&vault, Door::Socket, &["list", text(vault.path())]));
    assert!(listed.contains(&id) && listed.contains("vault.backup") && !listed.contains("notes"), "{listed}");
    assert_eq!(listed.lines().count(), 2, "a header and a backup: {listed}");
    let outside = ok(ctl(&vault, Door::Socket, &["verify", text(&file)]));
    assert!(outside.contains("nothing is cut off") && outside.contains("--recovery-file"), "{outside}");
    let inside = ok(ctl(&vault, Door::Socket, &["verify", text(&file), "--recovery-file", text(&key)]));
    assert!(inside.contains("it is whole") && inside.contains("this recovery key opens it"), "{inside}");
    let (status, line) = failed(ctl(&vault, Door::Socket, &["list", text(&vault.path().join("notes.txt"))]));
    assert!(status == 2 && line.contains("not a backup"), "{line}");
    let cut = fs::read(&file).unwrap();
    fs::write(&file, &cut[..cut.len() - 1]).unwrap();
    let told = ctl(&vault, Door::Socket, &["verify", text(&file), "--json=short"]);
    assert_eq!(told.status.code(), Some(1));
    assert_eq!(String::from_utf8(told.stdout).unwrap(), "{\"schema\":\"tokenvault/1\",\"ok\":false}\n");
}

#[test]
fn it_goes_through_standard_output_and_input_and_never_to_a_terminal() {
    let (vault, key) = written(Door::Socket);
    let made = ctl(&vault, Door::Socket, &["create"]);
    assert!(made.status.success() && made.stdout.starts_with(b"\x89tokenvault"), "{}", made.status);
    let arguments = ["tokenvaultctl", "backup", "restore", "-", "--recovery-file", text(&key)];
    let other = Vault::start();
    ok(run_with(&other, ROOT, Door::Socket, &arguments, &made.stdout));
    check(&other, Door::Socket);
    let shown = at_a_terminal(&vault, ROOT, &["tokenvaultctl", "backup", "create"]);
    assert!(shown.contains("a backup is not written to a terminal"), "{shown}");
    let (status, _) = failed(ctl(&vault, Door::Socket, &["create", "--json"]));
    assert_eq!(status, 2);
}

#[test]
fn a_disk_without_room_for_it_keeps_no_half_of_it() {
    let (vault, _) = written(Door::Socket);
    let place = vault.path().join("small");
    fs::create_dir(&place).unwrap();
    let program = tokenvault_tests::program::path("tokenvaultctl");
    let script = format!(
        "mount -t tmpfs -o size=64k none {place} || exit 99\n\
         {program} backup create {place}/vault.backup; status=$?\n\
         ls -A {place}; exit $status",
        place = place.display(),
        program = program.display()
    );
    let mut command = Command::new("unshare");
    command.args(["-m", "--propagation", "private", "sh", "-c", &script]);
    let told = command.env("TOKENVAULT_ADDRESS", vault.address_text(Door::Socket)).output().unwrap();
    let line = String::from_utf8_lossy(&told.stderr);
    assert_eq!(told.status.code(), Some(8), "{line}");
    assert!(line.contains("No space left") || line.contains("no space left"), "{line}");
    assert_eq!(told.stdout, b"", "something was left there");
    check(&vault, Door::Socket);
}

#[test]
fn where_no_tpm_answers_it_is_restored_and_said_what_to_do() {
    let (lost, key) = written(Door::Socket);
    let file = create(&lost, Door::Socket);
    let mut vault = Vault::builder().without_tpm().start();
    assert_eq!(vault.status().state, "uninitialised");
    let told = restore(&vault, Door::Socket, &file, &["--recovery-file", text(&key)]);
    let warning = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(warning.contains("tokenvaultctl slot add tpm2"), "{warning}");
    ok(told);
    check(&vault, Door::Socket);
    vault.restart();
    vault.wait_for_state("sealed");
    let unseal = ["tokenvaultctl", "unseal", "--recovery", "--from-file", text(&key)];
    ok(run(&vault, ROOT, Door::Socket, &unseal));
    check(&vault, Door::Socket);

    let mut vault = Vault::builder().without_tpm().allow_host_key().start();
    let told = ok(restore(&vault, Door::Socket, &file, &["--json=short", "--recovery-file", text(&key)]));
    assert_eq!(json(&told)["slot"], "host-key");
    vault.restart();
    vault.wait_for_state("serving");
    check(&vault, Door::Socket);
}

#[test]
fn a_directory_keeps_the_newest_and_a_program_is_given_each() {
    let (vault, key) = written(Door::Socket);
    let (shelf, hook, copy) = (vault.path().join("shelf"), vault.path().join("hook"), vault.path().join("copy"));
    fs::create_dir(&shelf).unwrap();
    fs::write(&hook, format!("#!/bin/sh\nexec cat >{}\n", copy.display())).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o700)).unwrap();
    // Of another vault, and of somebody else's making.
    let (other, _) = written(Door::Socket);
    let theirs = shelf.join("vault-20200101T000000Z.backup");
    fs::copy(create(&other, Door::Socket), &theirs).unwrap();
    fs::write(shelf.join("vault-20200102T000000Z.backup"), b"no backup").unwrap();
    let own = create(&vault, Door::Socket);
    fs::copy(&own, shelf.join("kept.backup")).unwrap();
    fs::copy(&own, shelf.join("vault-20200103T000000Z.backup")).unwrap();
    fs::copy(&own, shelf.join("vault-20200104T000000Z.backup")).unwrap();
    let arguments = ["create", "--json=short", "--into", text(&shelf), "--keep", "2", "--hook", text(&hook)];
    let told = json(&ok(ctl(&vault, Door::Socket, &arguments)));
    let file = PathBuf::from(told["file"].as_str().unwrap());
    assert_eq!(fs::read(&copy).unwrap(), fs::read(&file).unwrap());
    ok(ctl(&vault, Door::Socket, &["verify", text(&copy), "--recovery-file", text(&key)]));
    let mut left: Vec<_> = fs::read_dir(&shelf).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    let new = file.file_name().unwrap();
    let expected = ["kept.backup", "vault-20200101T000000Z.backup", "vault-20200102T000000Z.backup"];
    assert_eq!(left[..3], expected.map(std::ffi::OsString::from));
    assert_eq!((left.len(), left[3].to_str(), left[4].as_os_str()), (5, Some("vault-20200104T000000Z.backup"), new));
    fs::write(&hook, "#!/bin/sh\nexit 3\n").unwrap();
    let arguments = ["create", "--into", text(&shelf), "--keep", "1", "--hook", text(&hook)];
    let told = ctl(&vault, Door::Socket, &arguments);
    let line = String::from_utf8(told.stderr).unwrap();
    assert!(
        told.status.code() == Some(1) && line.contains("did not take the backup") && line.contains(".backup'"),
        "{line}"
    );
    // Those of others, what has another name, and the new one: a program that fails does not have backups fill the disk.
    assert_eq!(fs::read_dir(&shelf).unwrap().count(), 4, "{line}");
}

#[test]
fn a_daemon_that_is_killed_while_one_comes_in_serves_what_it_had() {
    let (lost, key) = written(Door::Socket);
    let backup = fs::read(create(&lost, Door::Socket)).unwrap();
    let mut vault = Vault::start();
    vault.client(CAROL, Door::Socket).put("other", b"1", &defaults()).unwrap();
    let unfinished = vault.state_directory().join("vault.db.restored");
    let code = fs::read(&key).unwrap();
    let mut private = [0; 32];
    tokenvault_proto::read_key(code.trim_ascii(), &mut private).unwrap();
    let root = vault.client(ROOT, Door::Socket);
    let (reader, mut writer) = std::io::pipe().unwrap();
    let id = root.restore(reader.as_fd(), &private, &RestoreOptions { replace: Some(true), ..defaults() }).unwrap();
    std::io::Write::write_all(&mut writer, &backup[..backup.len() / 2]).unwrap();
    wait::until("the backup to come in", || unfinished.exists().then_some(()));
    assert_eq!(root.operation(id).unwrap().state, "running");
    vault.kill_daemon();
    vault.start_daemon();
    vault.wait_for_state("serving");
    assert_eq!(vault.client(CAROL, Door::Socket).get("other", &defaults()).unwrap().data(), b"1");
    assert!(!unfinished.exists());
}
