//! `tokenvault unlock` and `lock`, as people and scripts run them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;

use crate::common::*;
use crate::run::*;

/// A directory a user can write to.
fn home(vault: &Vault) -> PathBuf {
    let home = vault.path().join("home");
    fs::create_dir(&home).unwrap();
    chown(&home, Some(ALICE.uid), Some(ALICE.uid)).unwrap();
    home
}

fn unlock(vault: &Vault, door: Door, arguments: &[&str], password: &str) -> std::process::Output {
    let command = [&["tokenvault", "unlock", "--password-fd", "0"], arguments].concat();
    run_with(vault, ALICE, door, &command, password.as_bytes())
}

through_both_doors! {
    fn a_user_makes_a_login_key_uses_it_locks_and_unlocks(door) {
        let vault = Vault::start();
        let tv = |arguments: &[&str]| run(&vault, ALICE, door, arguments);
        let put = ["tokenvault", "put", "t", "--class", "login"];
        let (status, said) = failed(run_with(&vault, ALICE, door, &put, b"value"));
        assert!(status == 6 && said.contains("tokenvault unlock"), "{said}");

        let code = home(&vault).join("code");
        let code = code.to_str().unwrap();
        let output = unlock(&vault, door, &["--recovery-out", code], "correct horse\n");
        assert_eq!(ok(output), "", "nothing is said where the code went to a file");
        let written = fs::read_to_string(code).unwrap();
        assert_eq!((written.trim_end().len(), written.matches('-').count()), (49, 4), "{written:?}");
        assert_eq!(fs::metadata(code).unwrap().permissions().mode() & 0o7777, 0o600);
        ok(run_with(&vault, ALICE, door, &put, b"value"));
        ok(tv(&["tokenvault", "lock"]));
        assert_eq!(failed(tv(&["tokenvault", "get", "t"])).0, 6);
        assert!(ok(tv(&["tokenvault", "whoami"])).contains("locked"));

        let (status, said) = failed(unlock(&vault, door, &[], "wrong horse"));
        assert!(status == 4 && said.contains("recovery code"), "{said}");
        ok(unlock(&vault, door, &[], "correct horse"));
        assert_eq!(ok(tv(&["tokenvault", "get", "t"])), "value");
        assert_eq!(ok(unlock(&vault, door, &["--json=short"], "not even looked at")).trim(), "{\"schema\":\"tokenvault/1\"}");

        // The password was changed by somebody who did not know the old one.
        ok(tv(&["tokenvault", "lock"]));
        ok(unlock(&vault, door, &["--recovery", "--from-file", code], "new horse"));
        ok(tv(&["tokenvault", "lock"]));
        ok(unlock(&vault, door, &[], "new horse"));
        assert_eq!(ok(tv(&["tokenvault", "get", "t"])), "value");
    }
}

#[test]
fn what_cannot_be_kept_is_not_made() {
    let vault = Vault::start();
    let door = Door::Socket;
    let taken = home(&vault).join("taken");
    fs::write(&taken, "the only copy").unwrap();
    for (arguments, status) in [
        (vec!["--recovery-out", taken.to_str().unwrap()], 5),
        (vec!["--recovery-out", "/nowhere/code"], 2),
        (vec![], 2),
        (vec!["--recovery", "--from-file", taken.to_str().unwrap()], 3),
    ] {
        let (found, said) = failed(unlock(&vault, door, &arguments, "correct horse"));
        assert_eq!(found, status, "{arguments:?}: {said}");
        assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    }
    assert_eq!(fs::read(&taken).unwrap(), b"the only copy");
    assert!(!vault.client(ALICE, door).login_state(ALICE.uid).unwrap().enrolled);
}

#[test]
fn a_password_that_somebody_else_changed_wants_the_one_before_once() {
    let vault = Vault::start();
    let directory = home(&vault);
    let code = directory.join("code");
    ok(unlock(&vault, Door::Socket, &["--recovery-out", code.to_str().unwrap()], "the one before"));
    ok(run(&vault, ALICE, Door::Socket, &["tokenvault", "lock"]));
    let [before, new] = ["the one before", "the new one"].map(|password| {
        let file = directory.join(password);
        fs::write(&file, password).unwrap();
        file
    });
    let both = "exec \"$0\" unlock --password-fd 0 --old-password-fd 3 3<\"$1\"";
    let mut command = ALICE.command("/bin/sh");
    vault.users().apply(&mut command);
    command.args(["-c", both]).arg(tokenvault_tests::program::path("tokenvault")).arg(&before);
    command.env("TOKENVAULT_ADDRESS", vault.address_text(Door::Socket)).stdin(fs::File::open(&new).unwrap());
    ok(command.output().unwrap());
    ok(run(&vault, ALICE, Door::Socket, &["tokenvault", "lock"]));
    assert_eq!(
        failed(unlock(&vault, Door::Socket, &[], "the one before")).0,
        4,
        "once it is shown, the old one has gone"
    );
    ok(unlock(&vault, Door::Socket, &[], "the new one"));
}
