//! `tokenvaultctl doctor`: what is well, what is not, and what to do about it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use serde_json::Value as Json;

use crate::common::*;
use crate::run::*;
use crate::tpm::{vault_with_recovery, worker_that_fails_with};

/// Exit status and report of the doctor.
fn examine(vault: &Vault, user: User) -> (i32, Json) {
    let output = run(vault, user, Door::Socket, &["tokenvaultctl", "doctor", "--json=short"]);
    assert_eq!(output.stderr, b"");
    (output.status.code().unwrap(), json(&String::from_utf8(output.stdout).unwrap()))
}

/// Result, message and fix of one check.
fn check(report: &Json, name: &str) -> (String, String, String) {
    let checks = report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["check"] == name).unwrap_or_else(|| panic!("no check '{name}'"));
    let text = |key: &str| check[key].as_str().unwrap_or_default().to_owned();
    (text("result"), text("message"), text("fix"))
}

/// The vault was opened by its recovery key because of this fault of the TPM: the doctor says so, to root and to others.
#[track_caller]
fn assert_tpm_fault(vault: &Vault, name: &str, fix: &str) {
    for user in [ROOT, ALICE] {
        let (status, report) = examine(vault, user);
        assert_eq!((status, &report["ok"]), (1, &Json::Bool(false)));
        let (result, message, next) = check(&report, "tpm");
        assert_eq!(result, "failed");
        assert!(message.starts_with(&format!("{name}: ")) && next.contains(fix), "{message}; {next}");
        assert_eq!(check(&report, "protection").0, "warning");
        assert_eq!(check(&report, "state").1, "serving");
    }
}

fn open_with_recovery_key(vault: &Vault) {
    vault.wait_for_state("sealed");
    vault.client(ROOT, Door::Socket).unseal(&RECOVERY_PRIVATE, &defaults()).unwrap();
}

#[test]
fn a_healthy_vault_passes_every_check() {
    let vault = vault_with_recovery();
    let (status, report) = examine(&vault, ROOT);
    assert_eq!((status, &report["ok"]), (0, &Json::Bool(true)));
    for check in report["checks"].as_array().unwrap() {
        assert_eq!(check["result"], "ok", "{check}");
    }
}

#[test]
fn an_unconfirmed_recovery_key_is_a_warning() {
    let vault = Vault::start();
    let (status, report) = examine(&vault, ROOT);
    assert_eq!(status, 0, "a warning is no failure");
    assert_eq!((check(&report, "recovery").0.as_str(), check(&report, "tpm").0.as_str()), ("warning", "ok"));
}

#[test]
fn a_missing_tpm_is_found_after_the_recovery_key_opened_the_vault() {
    let mut vault = vault_with_recovery();
    vault.stop_daemon();
    vault.stop_tpm();
    vault.start_daemon();
    open_with_recovery_key(&vault);
    assert_tpm_fault(&vault, "NoTpm", "bring the TPM back");

    // The next step is the right one.
    vault.start_tpm();
    vault.restart();
    vault.wait_for_state("serving");
    assert_eq!(examine(&vault, ROOT).0, 0);
}

#[test]
fn a_foreign_tpm_is_found_after_the_recovery_key_opened_the_vault() {
    let mut vault = vault_with_recovery();
    vault.stop_daemon();
    vault.swap_tpm();
    vault.start_daemon();
    open_with_recovery_key(&vault);
    assert_tpm_fault(&vault, "WrongTpm", "tokenvaultctl slot add tpm2");

    let old = check_slot(&vault);
    ok(run(&vault, ROOT, Door::Socket, &["tokenvaultctl", "slot", "add", "tpm2"]));
    ok(run(&vault, ROOT, Door::Socket, &["tokenvaultctl", "slot", "remove", &old]));
    let (status, report) = examine(&vault, ROOT);
    assert_eq!(status, 0, "{report}");
    assert_eq!(check(&report, "protection").0, "ok", "{report}");
    vault.restart();
    assert_eq!(vault.wait_for_state("serving").protection, "tpm2");
}

/// Number of the slot that the old TPM opens.
fn check_slot(vault: &Vault) -> String {
    let slots = vault.client(ROOT, Door::Socket).slots().unwrap();
    slots.iter().find(|slot| slot.kind == "tpm2").unwrap().id.to_string()
}

#[test]
fn a_tpm_in_lockout_is_found_after_the_recovery_key_opened_the_vault() {
    let mut vault = vault_with_recovery();
    vault.stop_daemon();
    vault.settings().worker = Some(worker_that_fails_with(&vault, 4));
    vault.start_daemon();
    open_with_recovery_key(&vault);
    assert_tpm_fault(&vault, "TpmLockout", "wait until the lockout ends");
}

#[test]
fn a_sealed_vault_is_a_failure_with_the_next_step_of_the_daemon() {
    let mut vault = vault_with_recovery();
    vault.stop_daemon();
    vault.stop_tpm();
    vault.start_daemon();
    let sealed = vault.wait_for_state("sealed");
    let (status, report) = examine(&vault, ROOT);
    assert_eq!(status, 1);
    let why = format!("sealed: {}", sealed.reason);
    assert_eq!(check(&report, "state"), ("failed".into(), why, sealed.next_step));
    let (_, message, next) = check(&report, "tpm");
    assert_eq!(message, sealed.reason);
    assert!(next.contains("tried again by itself"), "{next}");
}

#[test]
fn a_damaged_store_is_not_called_a_missing_vault() {
    let mut vault = vault_with_recovery();
    vault.stop_daemon();
    fs::write(vault.state_directory().join("vault.db"), b"this is no database, however often it is read").unwrap();
    vault.start_daemon();
    let status = vault.wait_for_state("quarantined");
    let (_, report) = examine(&vault, ROOT);
    assert_eq!(check(&report, "recovery").1, "unknown while the vault is quarantined");
    assert_eq!(check(&report, "store").2, status.next_step);
}

#[test]
fn a_state_directory_that_is_open_to_others_is_told_with_the_mode_it_needs() {
    let mut vault = vault_with_recovery();
    vault.stop_daemon();
    let directory = vault.state_directory();
    fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
    vault.start_daemon();
    let status = vault.wait_for_state("read-only");
    assert_eq!(status.next_step, format!("run 'chmod 0700 {}', then restart tokenvaultd", directory.display()));
    let (_, report) = examine(&vault, ROOT);
    assert_eq!((check(&report, "store").2, check(&report, "state").2), (status.next_step.clone(), status.next_step));
    fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();
    vault.restart();
    vault.wait_for_state("serving");
}

#[test]
fn a_user_who_is_in_no_database_reaches_the_daemon_and_is_refused() {
    let vault = Vault::start();
    let (status, report) = examine(&vault, NAMELESS);
    assert_eq!((status, check(&report, "reachable").0.as_str()), (1, "ok"));
    let (result, message, next) = check(&report, "caller");
    assert_eq!(result, "failed");
    assert!(message.contains("user database") && !next.is_empty(), "{message}; {next}");
}

#[test]
fn a_vault_that_never_had_a_tpm_needs_none() {
    let vault = Vault::builder().without_tpm().allow_host_key().start();
    vault.wait_for_state("uninitialised");
    vault.client(ROOT, Door::Socket).add_slot("host-key", &[], &defaults()).unwrap();
    for user in [ROOT, ALICE] {
        let (_, report) = examine(&vault, user);
        assert_eq!(check(&report, "tpm"), ("ok".into(), "no slot needs one".into(), String::new()));
        assert_eq!(check(&report, "protection").0, "warning");
    }
}

#[test]
fn a_credentials_socket_is_looked_at_where_there_is_one() {
    let vault = vault_with_recovery();
    let (_, report) = examine(&vault, ROOT);
    let checks = report["checks"].as_array().unwrap();
    assert!(checks.iter().all(|check| check["check"] != "credentials"), "a vault that is not installed needs none");

    let path = vault.socket().with_file_name("credentials");
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    for (mode, result) in [(0o600, "ok"), (0o666, "warning")] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let (status, report) = examine(&vault, ALICE);
        assert_eq!((status, check(&report, "credentials").0.as_str()), (0, result));
    }
    std::os::unix::fs::chown(&path, Some(BOB.uid), None).unwrap();
    let (status, report) = examine(&vault, ROOT);
    let (result, message, _) = check(&report, "credentials");
    assert!(status == 1 && result == "failed" && message.contains("uid 4243"), "{message}");
}

/// Has an /etc of its own for the script `$2`, in which `doctor` prints what it says of an installed vault.
const CONFIGURED: &str = r#"
    set -eu
    cp -a /etc/. "$1"
    mkdir -p "$1/tokenvault/tokenvault.conf.d"
    mount --bind "$1" /etc
    cd /etc/tokenvault
    doctor() { "$CTL" doctor --json=short || true; }
    eval "$2"
"#;

/// What the doctor said each time in this script, on a machine where the vault is installed and does not run.
fn examine_configured(script: &str) -> Vec<Json> {
    let etc = tempfile::tempdir().unwrap();
    let mut command = ROOT.command("/usr/bin/unshare");
    command.args(["--mount", "--", "/bin/sh", "-c", CONFIGURED, "sh"]).arg(etc.path()).arg(script);
    let ctl = tokenvault_tests::program::path("tokenvaultctl");
    let output = command.env("CTL", ctl).env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere").output().unwrap();
    ok(output).lines().map(json).collect()
}

#[test]
fn every_file_that_makes_somebody_an_administrator_or_that_root_runs_is_looked_at() {
    let reports = examine_configured(
        "touch tokenvault.conf tokenvault.conf.d/a.conf notify; chmod 755 . tokenvault.conf.d; \
         chmod 644 tokenvault.conf tokenvault.conf.d/a.conf; chmod 755 notify; doctor; \
         chmod 666 tokenvault.conf.d/a.conf; doctor; chmod 644 tokenvault.conf.d/a.conf; \
         chmod 664 tokenvault.conf; doctor; chmod 644 tokenvault.conf; \
         chown 4000000001 tokenvault.conf.d/a.conf; doctor; chown 0 tokenvault.conf.d/a.conf; \
         chmod 777 notify; doctor; chmod 755 notify; chown 4000000001 notify; doctor; chown 0 notify; \
         chown 4000000001 tokenvault.conf.d; doctor",
    );
    const AT: &str = "/etc/tokenvault";
    let expected = [
        None,
        Some(("tokenvault.conf.d/a.conf", "is open to others", "chmod go-w")),
        Some(("tokenvault.conf", "is open to others", "chmod go-w")),
        Some(("tokenvault.conf.d/a.conf", "belongs to uid 4000000001", "chown root")),
        Some(("notify", "is open to others", "chmod go-w")),
        Some(("notify", "belongs to uid 4000000001", "chown root")),
        Some(("tokenvault.conf.d", "belongs to uid 4000000001", "chown root")),
    ];
    assert_eq!(reports.len(), expected.len());
    for (report, expected) in reports.iter().zip(expected) {
        let modes = check(report, "modes");
        match expected {
            None => assert_eq!(modes.0, "ok", "{modes:?}"),
            Some((path, fault, mend)) => {
                // What is in a file is for root to see once it is root's alone.
                let read = if path.ends_with(".d") { String::new() } else { format!(" && cat -v {AT}/{path}") };
                let mend = format!("{mend} {AT}/{path}{read}");
                assert_eq!(modes, ("failed".into(), format!("{AT}/{path} {fault}"), mend));
            }
        }
    }
}

#[test]
fn a_bad_configuration_is_found_before_a_daemon_reads_it_and_when_none_answers() {
    let reports = examine_configured(
        "printf '[limits]\\ntokens = 5\\n' >tokenvault.conf; doctor; printf '[limits]\\ntokns = 5\\n' >tokenvault.conf.d/b.conf; doctor",
    );
    let [good, bad] = &reports[..] else { panic!("{reports:?}") };
    assert_eq!(check(good, "config").0, "ok", "{good}");
    assert_eq!(check(good, "reachable").2, "systemctl status tokenvaultd; journalctl -u tokenvaultd");
    let (result, message, fix) = check(bad, "config");
    assert_eq!(result, "failed");
    assert!(
        message.starts_with("/etc/tokenvault/tokenvault.conf.d/b.conf:2: ") && message.contains("tokns"),
        "{message}"
    );
    assert!(fix.contains("tokenvaultctl config check"), "{fix}");
    assert!(check(bad, "reachable").2.contains("'config'"), "{bad}");
}
