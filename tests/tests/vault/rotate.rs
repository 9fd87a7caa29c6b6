//! Rotation: keys are drawn anew while the vault serves, and what is interrupted goes on.

use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokenvault_client::Client;
use tokenvault_proto::{ADMIN_INTERFACE, PutOptions, RotateOptions};

use crate::audit_log::ended;
use crate::common::*;
use crate::login::enrolled;
use crate::run::*;
use crate::tpm::vault_with_recovery;

fn of_alice(reencrypt: bool) -> RotateOptions {
    RotateOptions { uid: Some(ALICE.uid), reencrypt: Some(reencrypt), ..RotateOptions::default() }
}

fn of_slot(id: u32) -> RotateOptions {
    RotateOptions { slot: Some(id), ..RotateOptions::default() }
}

fn value_of(client: &Client, name: &str) -> Vec<u8> {
    client.get(name, &defaults()).unwrap().data().to_vec()
}

/// What a column of the store has, as hex, in order.
fn column(vault: &Vault, sql: &str) -> Vec<String> {
    let database = rusqlite::Connection::open(vault.state_directory().join("vault.db")).unwrap();
    let mut statement = database.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

const DEKS: &str = "SELECT hex(dek) FROM version ORDER BY id";
const VALUES: &str = "SELECT hex(value) FROM version ORDER BY id";

through_both_doors! {
    fn the_vault_key_and_the_keys_of_slots_are_drawn_anew_and_every_slot_opens_the_vault(door) {
        let mut vault = vault_with_recovery();
        let root = vault.client(ROOT, door);
        vault.client(ALICE, door).put("a", b"1", &defaults()).unwrap();
        let slots = "SELECT hex(body) || hex(wrapped_kek) FROM slot ORDER BY id";
        let (bodies, keyring) = (column(&vault, slots), column(&vault, "SELECT hex(wrapped) FROM keyring"));
        for (what, options) in [("slot", of_slot(1)), ("slot", of_slot(2)), ("vk", RotateOptions::default())] {
            let info = ended(&root, root.rotate(what, &options).unwrap());
            assert_eq!((info.state.as_str(), info.operation.as_str()), ("done", "Rotate"), "{what}: {info:?}");
        }
        assert!(column(&vault, slots).iter().zip(&bodies).all(|(now, before)| now != before));
        let now = column(&vault, "SELECT hex(wrapped) FROM keyring");
        assert!(now.len() == keyring.len() && now.iter().all(|key| !keyring.contains(key)));
        vault.restart();
        assert_eq!(vault.wait_for_state("serving").protection, "tpm2");
        let root = vault.client(ROOT, door);
        assert!(root.status().unwrap().recovery_confirmed);
        root.seal().unwrap();
        root.unseal(&RECOVERY_PRIVATE, &defaults()).unwrap();
        assert_eq!(root.status().unwrap().protection, "recovery");
        assert_eq!(value_of(&vault.client(ALICE, door), "a"), b"1");
    }

    fn the_key_of_a_user_is_drawn_anew_while_the_user_reads_and_writes(door) {
        let vault = Vault::start();
        let (root, alice) = (vault.client(ROOT, door), vault.client(ALICE, door));
        for number in 0..300 {
            alice.put(&format!("t{number}"), format!("value {number}").as_bytes(), &defaults()).unwrap();
        }
        let long: Vec<u8> = (0..300_000_u32).map(|at| (at % 251) as u8).collect();
        alice.put("long", &long, &defaults()).unwrap();
        vault.client(BOB, door).put("his", b"2", &defaults()).unwrap();
        let (deks, values) = (column(&vault, DEKS), column(&vault, VALUES));
        let operation = root.rotate("user", &of_alice(true)).unwrap();
        let mut reads = 0;
        while root.operation(operation).unwrap().state == "running" {
            assert_eq!(value_of(&alice, "t299"), b"value 299");
            alice.put("meanwhile", b"3", &defaults()).unwrap();
            reads += 1;
        }
        let info = ended(&root, operation);
        assert_eq!(info.state, "done", "{info:?}");
        assert!(info.result.number("rows") >= Some(301) && info.result.number("values") >= Some(301), "{reads}: {info:?}");
        let (deks_now, values_now) = (column(&vault, DEKS), column(&vault, VALUES));
        assert_eq!(deks.iter().filter(|dek| deks_now.contains(dek)).count(), 1, "of bob");
        let kept = values.iter().filter(|value| !value.is_empty() && values_now.contains(value)).count();
        assert_eq!(kept, 1, "of bob");
        assert!((0..300).all(|number| value_of(&alice, &format!("t{number}")) == format!("value {number}").as_bytes()));
        assert!(value_of(&alice, "long") == long);
        assert_eq!(ended(&root, root.verify().unwrap()).state, "done");
    }

    fn what_is_asked_for_amiss_is_refused_and_says_why(door) {
        let vault = Vault::start();
        let root = vault.client(ROOT, door);
        assert_eq!(code(vault.client(ALICE, door).rotate("vk", &defaults())), ErrorCode::AccessDenied);
        for (what, options) in [("coffee", defaults()), ("slot", defaults()), ("vk", of_slot(1)), ("user", of_slot(1))] {
            assert_eq!(code(root.rotate(what, &options)), ErrorCode::InvalidArgs, "{what} {options:?}");
        }
        let unknown = std::collections::HashMap::from([("nonsense", zbus::Variant::from(true))]);
        let refusal = vault.wire(ROOT, door).call(ADMIN_INTERFACE, "Rotate", &("vk", unknown)).unwrap_err();
        assert!(refusal.name.ends_with("InvalidArgs") && refusal.text.contains("nonsense"), "{refusal:?}");
        for (what, options, said) in [("slot", of_slot(99), "slot list"), ("user", of_alice(false), "user list")] {
            let info = ended(&root, root.rotate(what, &options).unwrap());
            assert_eq!(info.error_name.as_deref(), Some("org.tokenvault1.Error.InvalidArgs"), "{info:?}");
            assert!(info.error.contains(said), "{info:?}");
        }
        root.seal().unwrap();
        assert_eq!(code(root.rotate("vk", &defaults())), ErrorCode::Sealed);
    }

    fn the_keyring_is_drawn_anew_while_users_read_write_and_are_logged_in(door) {
        let mut vault = Vault::start();
        let root = vault.client(ROOT, door);
        let (alice, recovery) = enrolled(&vault, ALICE, door);
        alice.put("machine", b"1", &defaults()).unwrap();
        let issued = alice.issue(&defaults()).unwrap();
        let terms = "SELECT hex(wrapped) FROM keyring ORDER BY purpose, term";
        let keyring = column(&vault, terms);
        let operation = root.rotate("keyring", &defaults()).unwrap();
        let info = ended(&root, operation);
        assert_eq!(info.state, "done", "{info:?}");
        // A principal and its login; for the issued token, the audit log and the login the key of before is kept.
        assert!(info.result.number("rows") >= Some(2) && info.result.number("kept") == Some(3), "{info:?}");
        assert_eq!(column(&vault, terms).iter().filter(|key| !keyring.contains(key)).count(), 5);
        let is_whole = |vault: &Vault| {
            let (root, alice) = (vault.client(ROOT, door), vault.client(ALICE, door));
            assert_eq!(value_of(&alice, "machine"), b"1");
            assert_eq!(value_of(&alice, "t"), b"value");
            assert!(alice.validate(&issued.token, &defaults()).unwrap().is_some());
            assert_eq!(ended(&root, root.verify().unwrap()).state, "done");
            assert_eq!(ended(&root, root.verify_audit(&defaults()).unwrap()).state, "done");
        };
        is_whole(&vault);
        vault.restart();
        vault.wait_for_state("serving");
        let alice = vault.client(ALICE, door);
        assert_eq!(code(alice.unlock_login(ALICE.uid, &[8; 32])), ErrorCode::AccessDenied);
        alice.unlock_login(ALICE.uid, &[7; 32]).unwrap();
        is_whole(&vault);
        alice.recover_login(ALICE.uid, recovery.as_bytes(), &[9; 32]).unwrap();
        alice.unlock_login(ALICE.uid, &[9; 32]).unwrap();
        is_whole(&vault);
    }

    fn one_that_a_kill_interrupts_goes_on_by_itself(door) {
        let mut vault = Vault::start();
        let alice = vault.client(ALICE, door);
        for number in 0..100 {
            alice.put(&format!("t{number}"), b"1", &defaults()).unwrap();
        }
        // It takes a while.
        alice.put("long", &vec![7; 12 << 20], &defaults()).unwrap();
        alice.put("last", b"1", &defaults()).unwrap();
        let deks = column(&vault, DEKS);
        let root = vault.client(ROOT, door);
        let operation = root.rotate("user", &of_alice(true)).unwrap();
        wait::until("some of it to be done", || (root.operation(operation).unwrap().done > 0).then_some(()));
        vault.kill_daemon();
        let half = column(&vault, DEKS);
        let left = deks.iter().filter(|dek| half.contains(dek)).count();
        assert!(left > 0, "it was all done before the kill");
        vault.start_daemon();
        vault.wait_for_state("serving");
        let said = format!("the rotation of the key of uid {} that had been interrupted is done", ALICE.uid);
        wait::until("the rotation to be done", || vault.log().contains(&said).then_some(()));
        let now = column(&vault, DEKS);
        assert!(now.len() == 102 && !deks.iter().any(|dek| now.contains(dek)));
        let alice = vault.client(ALICE, door);
        assert!((0..100).all(|number| value_of(&alice, &format!("t{number}")) == b"1"));
        assert!(value_of(&alice, "last") == b"1" && value_of(&alice, "long") == vec![7; 12 << 20]);
        let root = vault.client(ROOT, door);
        assert_eq!(ended(&root, root.verify().unwrap()).state, "done");
    }

    fn one_that_is_cancelled_is_gone_on_with_by_who_asks_again(door) {
        let vault = Vault::start();
        let (root, alice) = (vault.client(ROOT, door), vault.client(ALICE, door));
        put_much(&alice);
        let operation = root.rotate("user", &of_alice(true)).unwrap();
        root.cancel(operation).unwrap();
        assert_eq!(ended(&root, operation).state, "cancelled");
        for how in [format!("has begun, as operation {operation}"), "was cancelled".to_owned()] {
            let line = format!("Rotate (user {}, values too) of uid 0 {how}", ALICE.uid);
            wait::until("the journal to be told", || vault.log().contains(&line).then_some(()));
        }
        assert!((0..300).all(|number| value_of(&alice, &format!("t{number}")) == b"1"));
        assert_eq!(ended(&root, root.rotate("user", &of_alice(false)).unwrap()).state, "done");
        assert!((0..300).all(|number| value_of(&alice, &format!("t{number}")) == b"1"));
    }
}

/// More than is encrypted anew within one question.
fn put_much(alice: &Client) {
    for number in 0..300 {
        alice.put(&format!("t{number}"), b"1", &defaults()).unwrap();
    }
    for number in 0..4 {
        alice.put(&format!("long{number}"), &vec![7; 12 << 20], &defaults()).unwrap();
    }
}

#[test]
fn who_interrupts_the_command_has_it_cancelled() {
    let vault = Vault::start();
    put_much(&vault.client(ALICE, Door::Socket));
    let (uid, deks) = (ALICE.uid.to_string(), column(&vault, DEKS));
    let mut command = vault.command(ROOT, "tokenvaultctl", Door::Socket);
    command.args(["rotate", "user", &uid, "--reencrypt"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    wait::until("some of it to be done", || (column(&vault, DEKS) != deks).then_some(()));
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    let (status, line) = failed(child.wait_with_output().unwrap());
    assert!(status == 8 && line.contains("cancelled"), "{status}: {line}");
    let now = column(&vault, DEKS);
    assert!(deks.iter().any(|dek| now.contains(dek)), "it went on to its end");
}

#[test]
fn the_command_says_what_was_done() {
    let vault = vault_with_recovery();
    let alice = vault.client(ALICE, Door::Socket);
    alice.put("a", b"1", &defaults()).unwrap();
    alice.put("b", b"2", &PutOptions { keep_versions: Some(3), ..defaults() }).unwrap();
    let said = |args: &[&str]| {
        let told = run(&vault, ROOT, Door::Socket, &[&["tokenvaultctl", "rotate"], args].concat());
        assert!(told.status.success(), "{args:?}: {told:?}");
        String::from_utf8(told.stdout).unwrap()
    };
    let uid = ALICE.uid.to_string();
    assert_eq!(said(&["user", &uid]), "3 rows sealed anew\n");
    assert_eq!(said(&["user", &uid, "--reencrypt"]), "3 rows sealed anew, 3 values encrypted anew\n");
    let json = said(&["user", &uid, "--json=short"]);
    let expected = format!("{{\"schema\":\"tokenvault/1\",\"uid\":{uid},\"locked\":0,\"rows\":3,\"values\":0}}\n");
    assert_eq!(json, expected);
    said(&["vk"]);
    said(&["slot", "2"]);
    let told = run(&vault, ROOT, Door::Socket, &["tokenvaultctl", "rotate", "user", "4999"]);
    assert_eq!(told.status.code(), Some(2), "{told:?}");
}
