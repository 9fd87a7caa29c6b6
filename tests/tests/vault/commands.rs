//! The commands, as people and scripts run them.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::common::*;
use crate::run::*;

through_both_doors! {
    fn a_user_puts_gets_lists_and_deletes(door) {
        let vault = Vault::start();
        let tv = |arguments: &[&str]| run(&vault, ALICE, door, arguments);
        let value = b"s3cret \xff\0 value\n";
        let put = ["tokenvault", "put", "api/key", "--attribute", "env=prod", "--content-type", "text/plain"];
        assert_eq!(ok(run_with(&vault, ALICE, door, &put, value)).trim(), "1");
        let output = tv(&["tokenvault", "get", "api/key"]);
        assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (value.as_slice(), b"".as_slice()));
        assert!(ok(tv(&["tokenvault", "list"])).contains("api/key"));
        let described = json(&ok(tv(&["tokenvault", "describe", "api/key", "--json=short"])));
        let text = described.to_string();
        assert!(text.contains("\"env\":\"prod\"") && text.contains("text/plain") && text.contains("uid:4242"), "{text}");
        ok(tv(&["tokenvault", "annotate", "api/key", "--attribute", "env=test"]));
        ok(tv(&["tokenvault", "mv", "api/key", "api/old-key"]));
        assert_eq!(failed(tv(&["tokenvault", "get", "api/key"])).0, 3);
        assert!(ok(tv(&["tokenvault", "list", "--attribute", "env=test", "--json=short"])).contains("api/old-key"));
        ok(tv(&["tokenvault", "rm", "api/old-key"]));
        assert!(!ok(tv(&["tokenvault", "list"])).contains("api/old-key"));
    }

    fn versions_are_shown_and_rolled_back(door) {
        let vault = Vault::start();
        for value in [b"one", b"two"] {
            ok(run_with(&vault, ALICE, door, &["tokenvault", "put", "t"], value));
        }
        let tv = |arguments: &[&str]| run(&vault, ALICE, door, arguments);
        assert!(ok(tv(&["tokenvault", "versions", "t"])).lines().count() >= 2);
        ok(tv(&["tokenvault", "rollback", "t", "1"]));
        assert_eq!(ok(tv(&["tokenvault", "get", "t"])), "one");
    }

    fn a_generated_value_is_not_shown_unless_asked(door) {
        let vault = Vault::start();
        let tv = |arguments: &[&str]| ok(run(&vault, ALICE, door, arguments));
        let said = tv(&["tokenvault", "generate", "t", "--length", "20", "--charset", "hex"]);
        let value = tv(&["tokenvault", "get", "t"]);
        assert_eq!(value.len(), 20);
        assert!(!said.contains(&value));
        let shown = tv(&["tokenvault", "generate", "t", "--length", "20", "--show"]);
        assert_eq!(shown, tv(&["tokenvault", "get", "t"]));
    }

    fn whoami_and_status_speak_of_the_caller(door) {
        let vault = Vault::start();
        let me = json(&ok(run(&vault, ALICE, door, &["tokenvault", "whoami", "--json=short"]))).to_string();
        assert!(me.contains("\"user\":\"alice\"") && me.contains(&format!("\"door\":\"{}\"", door.as_str())), "{me}");
        let text = ok(run(&vault, ALICE, door, &["tokenvault", "status"]));
        assert!(text.contains("serving") && text.contains("NOT protected"), "{text}");
        assert!(text.contains("Opened by: tpm2"), "{text}");
        let text = ok(run(&vault, ROOT, door, &["tokenvaultctl", "status", "--json=short"]));
        assert!(json(&text).to_string().contains("\"state\":\"serving\""), "{text}");
    }

    fn run_hands_values_to_one_command(door) {
        let vault = Vault::start();
        ok(run_with(&vault, ALICE, door, &["tokenvault", "put", "db"], b"hunter2"));
        let script = "printf %s \"$PASSWORD\"; printf '|'; cat \"$PASSWORD_FILE\"";
        let said = ok(run(
            &vault,
            ALICE,
            door,
            &["tokenvault", "run", "--env", "PASSWORD=db", "--file", "PASSWORD_FILE=db", "--", "sh", "-c", script],
        ));
        assert_eq!(said, "hunter2|hunter2");
        let status = run(&vault, ALICE, door, &["tokenvault", "run", "--env", "P=db", "--", "sh", "-c", "exit 42"]);
        assert_eq!(status.status.code(), Some(42), "the command's own exit status");
        let (status, _) = failed(run(&vault, ALICE, door, &["tokenvault", "run", "--env", "P=none", "--", "echo", "ran"]));
        assert_eq!(status, 3, "without its token the command is not run");
    }
}

#[test]
fn a_limit_cuts_the_list_after_it_was_sorted() {
    let vault = Vault::start();
    for name in ["c", "a", "b"] {
        vault.client(ALICE, Door::Socket).put(name, b"v", &defaults()).unwrap();
    }
    let listed = |limit: &str| {
        let text = ok(run(&vault, ALICE, Door::Socket, &["tokenvault", "list", "--limit", limit, "--json=short"]));
        let names =
            json(&text)["tokens"].as_array().unwrap().iter().map(|token| token["name"].to_string()).collect::<Vec<_>>();
        names.join(" ")
    };
    assert_eq!(
        (listed("1"), listed("2"), listed("9")),
        (r#""a""#.into(), r#""a" "b""#.into(), r#""a" "b" "c""#.into())
    );
}

#[test]
fn a_refusal_speaks_of_the_options_of_the_command_line() {
    let vault = Vault::start();
    ok(run_with(&vault, ALICE, Door::Socket, &["tokenvault", "put", "t", "--require-purpose"], b"v"));
    let told = |arguments: &[&str], user| failed(run(&vault, user, Door::Socket, arguments)).1;
    let line = told(&["tokenvault", "get", "t"], ALICE);
    assert!(line.ends_with("name it in --purpose\n"), "{line}");
    assert!(told(&["tokenvault", "get", "t", "--owner", "bob"], ALICE).contains("--owner must be"));
    vault.client(ROOT, Door::Socket).add_slot("recovery", &RECOVERY_PUBLIC, &defaults()).unwrap();
    let line = told(&["tokenvaultctl", "slot", "remove", "2"], ROOT);
    assert!(line.ends_with("remove it with --force\n"), "{line}");
}

#[test]
fn what_cannot_be_read_or_is_too_short_is_a_mistake_of_the_command_line() {
    let vault = Vault::start();
    let (status, line) = failed(run(&vault, ALICE, Door::Socket, &["tokenvault", "put", "t", "--from-fd", "9"]));
    assert_eq!(status, 2);
    assert!(line.contains("descriptor 9"), "{line}");
    let add = ["tokenvaultctl", "slot", "add", "passphrase", "--passphrase-fd", "0"];
    let (status, line) = failed(run_with(&vault, ROOT, Door::Socket, &add, b"seven77\n"));
    assert_eq!(status, 2);
    assert!(line.contains("8 characters or more") && !line.contains("seven77"), "{line}");
}

#[test]
fn a_bad_configuration_is_refused_with_the_place_to_correct() {
    let vault = Vault::start();
    let path = vault.write_configuration();
    fs::write(&path, "no-such-key = 1\n").unwrap();
    let (status, line) = failed(run(&vault, ROOT, Door::Socket, &["tokenvaultctl", "reload"]));
    assert_eq!(status, 2);
    assert!(line.contains("no-such-key") && line.contains("; correct it and reload again"), "{line}");
}

#[test]
fn sealing_says_until_when() {
    let vault = Vault::start();
    let sealed = run(&vault, ROOT, Door::Socket, &["tokenvaultctl", "seal"]);
    assert!(String::from_utf8_lossy(&sealed.stderr).contains("until it is unsealed or the daemon starts again"));
    ok(sealed);
}

#[test]
fn a_value_on_the_command_line_is_refused_with_the_reason() {
    let vault = Vault::start();
    let (status, line) = failed(run(&vault, ALICE, Door::Socket, &["tokenvault", "put", "t", "hunter2"]));
    assert_eq!(status, 2);
    assert!(line.contains("standard input") && !line.contains("hunter2"), "{line}");
    assert_eq!(failed(run(&vault, ALICE, Door::Socket, &["tokenvault", "get", "t"])).0, 3);
}

#[test]
fn a_value_ends_with_a_line_feed_on_a_terminal_and_nowhere_else() {
    let vault = Vault::start();
    ok(run_with(&vault, ALICE, Door::Socket, &["tokenvault", "put", "t"], b"value"));
    assert_eq!(at_a_terminal(&vault, ALICE, &["tokenvault", "get", "t", "--reveal"]), "value\r\n");
    assert_eq!(ok(run(&vault, ALICE, Door::Socket, &["tokenvault", "get", "t", "--reveal"])), "value");
    ok(run_with(&vault, ALICE, Door::Socket, &["tokenvault", "put", "t"], b"line\n"));
    assert_eq!(at_a_terminal(&vault, ALICE, &["tokenvault", "get", "t", "--reveal"]), "line\r\n");
}

#[test]
fn a_version_that_is_not_there_is_told_with_those_that_are() {
    let vault = Vault::start();
    ok(run_with(&vault, ALICE, Door::Socket, &["tokenvault", "put", "t"], b"value"));
    for verb in [&["get", "t", "--version", "7"][..], &["rm", "t", "--version", "7"], &["rollback", "t", "7"]] {
        let (status, line) = failed(run(&vault, ALICE, Door::Socket, &[&["tokenvault"], verb].concat()));
        assert_eq!(status, 3);
        let expected = "tokenvault: no such token, or no version 7 of it; see 'tokenvault versions t'\n";
        assert_eq!(line, expected, "{verb:?}");
    }
}

#[test]
fn a_value_comes_from_a_file_or_a_descriptor_too() {
    let vault = Vault::start();
    let file = vault.path().join("value");
    fs::write(&file, b"from a file").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let tv = |arguments: &[&str]| ok(run(&vault, ALICE, Door::Socket, arguments));
    tv(&["tokenvault", "put", "t", "--from-file", file.to_str().unwrap()]);
    assert_eq!(tv(&["tokenvault", "get", "t"]), "from a file");
    let put = ["tokenvault", "put", "t", "--from-fd", "0"];
    ok(run_with(&vault, ALICE, Door::Socket, &put, b"from a descriptor"));
    assert_eq!(tv(&["tokenvault", "get", "t"]), "from a descriptor");
}

#[test]
fn modes_and_expiry_are_options_of_put() {
    let vault = Vault::start();
    let put = |more: &[&str]| {
        let arguments = [&["tokenvault", "put", "t"], more].concat();
        run_with(&vault, ALICE, Door::Socket, &arguments, b"v")
    };
    ok(put(&["--mode", "create", "--ttl", "90s"]));
    assert_eq!(failed(put(&["--mode", "create"])).0, 5);
    assert_eq!(failed(put(&["--expect-version", "7"])).0, 5);
    assert_eq!(failed(put(&["--ttl", "soon"])).0, 2);
    let info = vault.client(ALICE, Door::Socket).describe("t", &defaults()).unwrap();
    let lifetime = info.expires.unwrap() - info.created;
    assert!((89_000_000..=91_000_000).contains(&lifetime), "{lifetime}");
}

#[test]
fn the_bounds_that_the_commands_know_are_those_of_the_vault() {
    use tokenvault_proto::{GENERATE_LENGTH_MAX, KEEP_VERSIONS_MAX};
    let vault = Vault::start();
    let alice = vault.client(ALICE, Door::Socket);
    let characters = |length| GenerateOptions { length: Some(length), ..defaults() };
    assert_eq!(alice.generate("t", &characters(GENERATE_LENGTH_MAX)).unwrap().data().len(), 4096);
    assert_eq!(code(alice.generate("t", &characters(GENERATE_LENGTH_MAX + 1))), ErrorCode::InvalidArgs);
    let keep = |versions| PutOptions { keep_versions: Some(versions), ..defaults() };
    alice.put("t", b"v", &keep(KEEP_VERSIONS_MAX)).unwrap();
    assert_eq!(code(alice.put("t", b"v", &keep(KEEP_VERSIONS_MAX + 1))), ErrorCode::InvalidArgs);
}

#[test]
fn an_administrator_sets_up_recovery_without_a_terminal() {
    let vault = Vault::start();
    let ctl = |arguments: &[&str]| run(&vault, ROOT, Door::Socket, &[&["tokenvaultctl"], arguments].concat());
    let key = vault.path().join("recovery-key");
    let key = key.to_str().unwrap();
    ok(ctl(&["init", "--recovery-out", key]));
    assert_eq!(fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!vault.status().recovery_confirmed);
    ok(ctl(&["init", "--confirm-recovery", "--confirm-from", key]));
    assert!(vault.status().recovery_confirmed);
    let slots = ok(ctl(&["slot", "list"]));
    assert!(slots.contains("tpm2") && slots.contains("recovery"), "{slots}");

    ok(ctl(&["seal"]));
    assert_eq!(failed(run(&vault, ALICE, Door::Socket, &["tokenvault", "list"])).0, 6);
    ok(ctl(&["unseal", "--recovery", "--from-file", key]));
    assert_eq!(vault.status().protection, "recovery");
    ok(ctl(&["seal"]));
    ok(ctl(&["unseal"]));
    assert_eq!(vault.status().protection, "tpm2");
}

#[test]
fn unseal_with_a_slot_tries_that_slot_only() {
    let vault = Vault::start();
    vault.client(ROOT, Door::Socket).add_slot("recovery", &RECOVERY_PUBLIC, &defaults()).unwrap();
    let ctl = |arguments: &[&str]| run(&vault, ROOT, Door::Socket, &[&["tokenvaultctl"], arguments].concat());
    ok(ctl(&["seal"]));
    // Slot 1 is the TPM's, slot 2 the recovery key's.
    for (slot, why) in [("99", "there is no slot 99"), ("2", "slot 2 does not open unattended")] {
        let (status, line) = failed(ctl(&["unseal", "--slot", slot]));
        assert_eq!(status, 2);
        assert!(line.contains(why) && line.contains("; "), "{line}");
        assert_eq!(vault.status().state, "sealed");
    }
    ok(ctl(&["unseal", "--slot", "1"]));
    assert_eq!(vault.status().protection, "tpm2");
}

#[test]
fn init_makes_the_key_and_confirms_it_in_one_go() {
    let vault = Vault::start();
    let key = vault.path().join("recovery-key");
    let key = key.to_str().unwrap();
    let init = ["tokenvaultctl", "init", "--recovery-out", key, "--confirm-from", key];
    ok(run(&vault, ROOT, Door::Socket, &init));
    assert!(vault.status().recovery_confirmed);
    ok(run(&vault, ROOT, Door::Socket, &["tokenvaultctl", "init"]));
}

#[test]
fn a_mistyped_recovery_key_is_not_confirmed() {
    let vault = Vault::start();
    let key = vault.path().join("recovery-key");
    ok(run(&vault, ROOT, Door::Socket, &["tokenvaultctl", "init", "--recovery-out", key.to_str().unwrap()]));
    let mut typed = fs::read(&key).unwrap();
    let last = typed.iter().rposition(u8::is_ascii_alphanumeric).unwrap();
    typed[last] = if typed[last] == b'c' { b'b' } else { b'c' };
    let confirm = ["tokenvaultctl", "init", "--confirm-recovery", "--confirm-from", "-"];
    let (status, _) = failed(run_with(&vault, ROOT, Door::Socket, &confirm, &typed));
    assert_eq!(status, 2);
    assert!(!vault.status().recovery_confirmed);
}

#[test]
fn init_makes_a_vault_where_there_is_no_tpm() {
    let vault = Vault::builder().without_tpm().allow_host_key().start();
    vault.wait_for_state("uninitialised");
    let key = vault.path().join("recovery-key");
    let init = ["tokenvaultctl", "init", "--host-key", "--recovery-out", key.to_str().unwrap()];
    ok(run(&vault, ROOT, Door::Socket, &init));
    let status = vault.wait_for_state("serving");
    assert_eq!(status.protection, "host-key");
    assert!(status.disk_theft.contains("NOT protected"));
}

#[test]
fn without_a_daemon_the_next_step_is_said() {
    let mut vault = Vault::start();
    vault.stop_daemon();
    for arguments in [["tokenvault", "list"], ["tokenvaultctl", "status"]] {
        let (status, line) = failed(run(&vault, ALICE, Door::Socket, &arguments));
        assert_eq!(status, 8);
        assert!(line.contains("tokenvaultd"), "{line}");
    }
}

#[test]
fn no_value_is_in_an_error_or_the_environment_of_the_command() {
    let vault = Vault::builder().limit("value-bytes", 10).limit("attachment-bytes", 10).start();
    let put = ["tokenvault", "put", "t"];
    let (status, line) = failed(run_with(&vault, ALICE, Door::Socket, &put, b"hunter2hunter2"));
    assert_eq!(status, 2);
    assert!(line.contains("10 bytes") && !line.contains("hunter2"), "{line}");
}

#[test]
fn a_refusal_names_the_command_that_helps_and_it_is_one_of_the_command_line() {
    let vault = Vault::start();
    let alice = vault.client(ALICE, Door::Socket);
    for name in ["a", "b"] {
        alice.put(name, b"v", &defaults()).unwrap();
    }
    let said = |user, words: &[&str]| failed(run(&vault, user, Door::Socket, &[&["tokenvault"], words].concat())).1;
    for (user, words, help) in [
        (ALICE, &["revoke", "unknown"][..], "see 'tokenvault issued'"),
        (ALICE, &["revoke", "--scope", "x"], "--all"),
        (ALICE, &["unshare", "a", "user:bob"], "'tokenvault shares'"),
        (ALICE, &["mv", "a", "b"], "choose another name, or delete that one before with 'tokenvault rm'"),
        (BOB, &["get", "a", "--owner", "user:alice"], "see 'tokenvault list --shared-with-me'"),
        (BOB, &["describe", "a", "--owner", "user:alice"], "see 'tokenvault list --shared-with-me'"),
        (ALICE, &["describe", "a/../b"], "no part is empty, '.' or '..'"),
        (ALICE, &["describe", "no"], "see 'tokenvault list'"),
    ] {
        let line = said(user, words);
        assert!(line.contains(help), "{words:?}: {line}");
    }
}
