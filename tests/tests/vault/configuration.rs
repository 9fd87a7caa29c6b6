//! The configuration file: checked as a whole, refused with file and line, reloaded without losing a good one.

use crate::common::*;

#[test]
fn an_unknown_key_is_refused_with_file_and_line() {
    let mut vault = Vault::builder().prepare();
    vault.settings().extra = "# a comment\nvault-colour = \"blue\"\n".into();
    let status = vault.run_daemon_to_its_end();
    assert_eq!(status.code(), Some(78), "{status}");
    let log = vault.log();
    assert!(log.contains("tokenvault.conf:2") && log.contains("vault-colour"), "{log}");
}

#[test]
fn a_file_can_be_checked_without_a_start() {
    let mut vault = Vault::builder().prepare();
    let check = |vault: &Vault| {
        let file = vault.write_configuration();
        let mut command = tokenvault_tests::DAEMON.command(tokenvault_tests::program::path("tokenvaultd"));
        command.args(["--check-config", "--config"]).arg(file).output().unwrap()
    };
    assert!(check(&vault).status.success());
    vault.settings().limits.insert("tokenss", 3);
    let output = check(&vault);
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("tokenss"), "{said}");
}

#[test]
fn a_reload_puts_other_limits_in_force() {
    let mut vault = Vault::builder().limit("tokens", 1).start();
    let (alice, root) = (vault.client(ALICE, Door::Socket), vault.client(ROOT, Door::Socket));
    alice.put("a", b"v", &defaults()).unwrap();
    assert_eq!(code(alice.put("b", b"v", &defaults())), ErrorCode::LimitsExceeded);
    vault.settings().limits.insert("tokens", 2);
    vault.write_configuration();
    root.reload().unwrap();
    alice.put("b", b"v", &defaults()).unwrap();
    assert_eq!(alice.status().unwrap().quota_tokens, 2);
}

#[test]
fn a_reload_of_a_bad_file_keeps_the_good_one() {
    let mut vault = Vault::builder().limit("tokens", 1).start();
    let (alice, root) = (vault.client(ALICE, Door::Socket), vault.client(ROOT, Door::Socket));
    vault.settings().limits.insert("tokens", 5);
    vault.settings().extra = "nonsense = true\n".into();
    vault.write_configuration();
    let error = refused(root.reload());
    assert_eq!(error.code(), ErrorCode::InvalidArgs);
    assert!(error.to_string().contains("nonsense"), "{error}");
    alice.put("a", b"v", &defaults()).unwrap();
    assert_eq!(code(alice.put("b", b"v", &defaults())), ErrorCode::LimitsExceeded);
}

#[test]
fn who_is_taken_in_is_a_setting() {
    let vault = Vault::builder().users("enrol", "admin").start();
    let alice = vault.client(ALICE, Door::Socket);
    let error = refused(alice.put("a", b"v", &defaults()));
    assert_eq!(error.code(), ErrorCode::AccessDenied);
    assert!(error.to_string().contains("users.enrol"), "{error}");
    vault.client(ROOT, Door::Socket).put("a", b"v", &defaults()).unwrap();
}

#[test]
fn the_role_of_a_new_user_is_a_setting() {
    let vault = Vault::builder().users("default-role", "consumer").start();
    let alice = vault.client(ALICE, Door::Socket);
    assert_eq!(alice.who_am_i().unwrap().role, "consumer");
    assert_eq!(code(alice.put("a", b"v", &defaults())), ErrorCode::AccessDenied);
    assert_eq!(code(alice.get("a", &defaults())), ErrorCode::NotFound);
}
