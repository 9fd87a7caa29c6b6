//! What units are given by `LoadCredential=`, asked for as systemd asks.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use tokenvault_tests::process::Process;
use tokenvault_tests::service_manager::{connect_from, finish};
use tokenvault_tests::{Loaded, program};

use crate::common::*;

const APP: &str = "unit:app.service";

/// A unit that starts with this.
pub fn value(bytes: &[u8]) -> Loaded {
    Loaded::Credential(bytes.to_vec())
}

/// What is read when the other end hangs up.
fn nothing() -> Loaded {
    value(b"")
}

/// A vault with a machine token `key` that is shared with `app.service`.
pub fn with(options: &ShareOptions) -> Vault {
    let vault = Vault::builder().with_credentials().start();
    let root = vault.client(ROOT, Door::Socket);
    root.put("key", b"secret", &defaults()).unwrap();
    root.share("key", APP, options).unwrap();
    vault
}

/// What that unit is given.
pub fn load(vault: &Vault) -> Loaded {
    vault.service_manager().load("app.service", "key")
}

/// What the journal says about the last refusal.
pub fn last_refusal(vault: &Vault) -> String {
    let log = vault.log();
    let line = log.lines().rev().find(|line| line.contains("is refused the credential"));
    line.unwrap_or_else(|| panic!("no refusal in: {log}")).to_owned()
}

/// The unit fails, and the journal has one line with unit, id, the cause and what to do.
#[track_caller]
pub fn assert_refused(vault: &Vault, (unit, id): (&str, &str), cause: &str, next: &str) {
    assert_eq!(vault.service_manager().load(unit, id), Loaded::TooLong, "{unit} {id}");
    let line = last_refusal(vault);
    for part in [&format!("unit {unit} "), &format!("'{id}'"), cause, next] {
        assert!(line.contains(part), "'{part}' is missing: {line}");
    }
}

#[test]
fn a_unit_is_given_the_token_that_is_shared_with_it() {
    let vault = with(&defaults());
    assert_eq!(load(&vault), value(b"secret"));
    let root = vault.client(ROOT, Door::Socket);
    let longest = vec![7; 65_536];
    root.put("key", &longest, &defaults()).unwrap();
    assert_eq!(load(&vault), value(&longest), "the newest version, whole");
    assert!(!vault.log().contains("warn: unit"), "nothing to warn of");
}

#[test]
fn whoever_is_refused_fails_and_the_journal_says_why() {
    let vault = with(&defaults());
    let share = "tokenvault share key unit:other.service";
    assert_refused(&vault, ("other.service", "key"), "not shared with the unit", share);
    assert_refused(&vault, ("app@1.service", "key"), "not shared with the unit", "tokenvault share");
    assert_refused(&vault, ("app.service", "missing"), "no machine token", "tokenvault put missing --owner machine");
    let root = vault.client(ROOT, Door::Socket);
    vault.client(ALICE, Door::Socket).put("hers", b"v", &defaults()).unwrap();
    assert_refused(&vault, ("app.service", "hers"), "no machine token", "tokenvault put");
    root.unshare("key", APP, &defaults()).unwrap();
    assert_refused(&vault, ("app.service", "key"), "not shared with the unit", "tokenvault share");
    root.share("key", APP, &defaults()).unwrap();
    assert_eq!(load(&vault), value(b"secret"));
    root.delete("key", &defaults()).unwrap();
    assert_refused(&vault, ("app.service", "key"), "no machine token", "tokenvault put");
}

#[test]
fn uses_are_counted_over_a_restart() {
    let mut vault = with(&ShareOptions { uses: Some(2), ..defaults() });
    assert_eq!(load(&vault), value(b"secret"));
    vault.kill_daemon();
    vault.start_daemon();
    assert_eq!(load(&vault), value(b"secret"));
    assert_refused(&vault, ("app.service", "key"), "uses of the share with the unit are up", "tokenvault share key");
    let shares = vault.client(ROOT, Door::Socket).shares("key", &defaults()).unwrap();
    assert_eq!(shares, [], "with its last use it has ended");
}

#[test]
fn of_64_who_want_the_last_use_one_gets_it() {
    let vault = with(&ShareOptions { uses: Some(1), ..defaults() });
    let root = vault.client(ROOT, Door::Socket);
    for _ in 0..10 {
        root.share("key", APP, &ShareOptions { uses: Some(1), ..defaults() }).unwrap();
        let start = Barrier::new(64);
        let answers: Vec<Loaded> = thread::scope(|scope| {
            let ask = || {
                start.wait();
                load(&vault)
            };
            let asking: Vec<_> = (0..64).map(|_| scope.spawn(ask)).collect();
            asking.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(answers.iter().filter(|answer| **answer == value(b"secret")).count(), 1);
        assert_eq!(answers.iter().filter(|answer| **answer == Loaded::TooLong).count(), 63);
    }
}

#[test]
fn only_root_is_the_service_manager() {
    let vault = with(&defaults());
    let path = vault.service_manager().path().to_owned();
    let name = b"1/unit/app.service/key";
    assert!(ALICE.run(|| connect_from(&path, name)).is_err(), "the file keeps them out");
    // And where it does not, the kernel's word does.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(ALICE.run(|| finish(connect_from(&path, name).unwrap())), nothing());
    assert!(vault.log().contains("uid 4242 is not the service manager"), "{}", vault.log());
    assert_eq!(load(&vault), value(b"secret"));
}

#[test]
fn root_who_asks_for_no_unit_is_refused() {
    let vault = with(&defaults());
    let manager = vault.service_manager();
    // Whatever of systemd's reads there would take nothing for an empty credential.
    for name in [
        &b"unit/app.service/key"[..],
        b"1/user/app.service/key",
        b"1/unit/app.service/key/more",
        b"x/unit/app.service/key",
        b"1/unit/app.service/k\xff",
        b"1/cryptsetup/volume",
    ] {
        assert_eq!(manager.load_from(name), Loaded::TooLong, "{}", String::from_utf8_lossy(name));
    }
    let unnamed = std::os::unix::net::UnixStream::connect(manager.path()).unwrap();
    assert_eq!(finish(unnamed), Loaded::TooLong);
    assert_eq!(vault.log().matches("it asks for no credential of a unit").count(), 7);
    assert_eq!(load(&vault), value(b"secret"));
}

#[test]
fn units_that_cannot_be_shared_with_fail() {
    let vault = with(&defaults());
    let cases =
        [("app.socket", "key", "end in '.service'"), ("app@.service", "key", "template"), ("app.service", "k:y", "id")];
    for (unit, id, cause) in cases {
        assert_refused(&vault, (unit, id), cause, "correct the unit's file");
    }
}

#[test]
fn a_vault_whose_tpm_is_late_has_units_wait() {
    let mut vault = with(&defaults());
    vault.stop_daemon();
    vault.stop_tpm();
    vault.start_daemon();
    vault.wait_for_state("sealed");
    let waiting: Vec<_> = (0..3).map(|_| vault.service_manager().ask("app.service", "key")).collect();
    vault.start_tpm();
    for stream in waiting {
        assert_eq!(finish(stream), value(b"secret"));
    }
    assert_eq!(vault.status().state, "serving");
}

#[test]
fn whoever_waits_outlives_a_daemon_that_is_killed() {
    let mut vault = with(&defaults());
    vault.stop_daemon();
    vault.stop_tpm();
    vault.start_daemon();
    vault.wait_for_state("sealed");
    let waiting = vault.service_manager().ask("app.service", "key");
    vault.kill_daemon();
    vault.start_tpm();
    vault.start_daemon();
    assert_eq!(finish(waiting), value(b"secret"));
}

#[test]
fn waiting_for_a_tpm_has_an_end_and_then_there_is_none() {
    let mut vault = with(&defaults());
    vault.settings().limits.insert("credential-seconds", 2);
    vault.stop_daemon();
    vault.stop_tpm();
    let begun = Instant::now();
    vault.start_daemon();
    assert_refused(&vault, ("app.service", "key"), "NoTpm", "check the TPM device");
    assert!(begun.elapsed() >= Duration::from_secs(2), "it did not wait");
    let begun = Instant::now();
    assert_refused(&vault, ("app.service", "key"), "NoTpm", "check the TPM device");
    assert!(begun.elapsed() < Duration::from_secs(2), "it waited again");
}

#[test]
fn a_vault_that_needs_an_administrator_refuses_at_once() {
    let vault = with(&defaults());
    vault.client(ROOT, Door::Socket).seal().unwrap();
    let begun = Instant::now();
    assert_refused(&vault, ("app.service", "key"), "an administrator sealed it", "tokenvaultctl unseal");
    assert!(begun.elapsed() < Duration::from_secs(20), "it waited for nobody");
}

#[test]
fn readers_that_do_not_read_keep_nobody_waiting() {
    let vault = with(&defaults());
    let manager = vault.service_manager();
    // Each of them is sent more than its socket takes.
    let silent: Vec<_> = (0..32).map(|_| manager.ask("other.service", "key")).collect();
    for _ in 0..100 {
        assert_eq!(load(&vault), value(b"secret"));
    }
    // One that reads after all reads a refusal, and one that goes away is not missed.
    let mut silent = silent.into_iter();
    assert_eq!(finish(silent.next().unwrap()), Loaded::TooLong);
    drop(silent);
    assert_eq!(load(&vault), value(b"secret"));
}

/// That it is there before and not just soon after is seen with a disk that hangs, in the suite of floods.
#[test]
fn what_units_get_is_in_the_audit_log() {
    for (uses, reads) in [(Some(1), "batched"), (Some(1), "durable"), (None, "durable"), (None, "batched")] {
        let vault = Vault::builder().with_credentials().extra(&format!("audit.reads = \"{reads}\"")).start();
        let root = vault.client(ROOT, Door::Socket);
        root.put("key", b"secret", &defaults()).unwrap();
        root.share("key", APP, &ShareOptions { uses, ..defaults() }).unwrap();
        let before = audit_records(&vault);
        assert_eq!(load(&vault), value(b"secret"));
        if (uses, reads) == (None, "batched") {
            wait::until("the record to be written", || (audit_records(&vault) > before).then_some(()));
        }
        assert_eq!(audit_records(&vault), before + 1, "uses {uses:?}, {reads}");
    }
}

#[test]
fn a_daemon_that_is_told_to_stop_answers_who_came_in_before() {
    let mut vault = with(&defaults());
    let unread = vault.service_manager().ask("other.service", "key");
    wait::until("the refusal to begin", || vault.log().contains("is refused the credential").then_some(()));
    let reader = thread::spawn(move || finish(unread));
    assert!(vault.stop_daemon().success());
    assert_eq!(reader.join().unwrap(), Loaded::TooLong);
}

#[test]
fn without_a_passed_socket_a_daemon_that_is_not_root_has_none_and_says_so() {
    let vault = Vault::start();
    assert!(!vault.path().join("run/credentials").exists());
    assert!(vault.log().contains("units are given no credentials"), "{}", vault.log());
}

#[test]
fn a_daemon_of_roots_makes_a_socket_of_its_own_for_root_alone() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::create_dir(at("state")).unwrap();
    fs::set_permissions(at("state"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::create_dir(at("run")).unwrap();
    let tcti = format!("device:{}", at("no-tpm").display());
    let configuration = format!(
        "state-dir = {:?}\nruntime-dir = {:?}\nbus = \"none\"\n[tpm]\ntcti = {tcti:?}\nworker = {:?}\n",
        at("state"),
        at("run"),
        program::path("tokenvault-tpm")
    );
    fs::write(at("vault.conf"), configuration).unwrap();
    let mut command = ROOT.command(program::path("tokenvaultd"));
    let child = command.arg("--config").arg(at("vault.conf")).stderr(std::process::Stdio::null()).spawn().unwrap();
    let mut daemon = Process::adopt(child);
    let socket = at("run/credentials");
    let made = wait::until("the socket to be made", || fs::metadata(&socket).ok());
    assert_eq!((made.mode() & 0o7777, made.uid()), (0o600, 0));
    // There is no vault: nothing to wait for.
    assert_eq!(finish(connect_from(&socket, b"1/unit/app.service/key").unwrap()), Loaded::TooLong);
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(daemon.wait(wait::PATIENCE).unwrap().success());
    assert!(!socket.exists(), "it goes with its daemon");
}
