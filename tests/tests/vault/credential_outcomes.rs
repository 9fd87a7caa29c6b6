//! Every outcome of `LoadCredential=`: unit, journal, `credential test` and audit log are told the same of it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use rusqlite::Connection;
use tokenvault_tests::Loaded;
use tokenvault_tests::service_manager::finish;

use crate::common::*;
use crate::credentials::{assert_refused, last_refusal, load, value, with};
use crate::run::*;

/// In the year 2100, microseconds.
const FAR: u64 = 4_102_444_800_000_000;

/// The unit fails, and the journal and `credential test`, through each door, say the same cause and the same next step.
#[track_caller]
fn assert_told((vault, unit, id): (&Vault, &str, &str), cause: &str, next: &str) {
    assert_refused(vault, (unit, id), cause, next);
    let line = last_refusal(vault);
    for door in Door::ALL {
        let output = run(vault, ROOT, door, &["tokenvaultctl", "credential", "test", unit, id, "--json=short"]);
        assert_eq!(output.status.code(), Some(1), "{unit} {id}");
        let test = json(&String::from_utf8(output.stdout).unwrap());
        let [told, step] = ["cause", "next-step"].map(|key| test[key].as_str().unwrap().to_owned());
        assert!(test["granted"] == false && test["unit"] == unit && test["id"] == id, "{test}");
        assert!(told.contains(cause) && line.contains(&told), "{told}: {line}");
        // A cause that says what to do stands alone in the journal.
        assert!(format!("{told}; {step}").contains(next), "{told}; {step}");
    }
}

/// Makes machine tokens, each shared with the unit of its name and spoilt in its own way.
fn spoil(vault: &Vault) {
    let root = vault.client(ROOT, Door::Socket);
    for name in ["of-login", "used", "ended", "expired"] {
        root.put(name, b"secret", &defaults()).unwrap();
        let uses = (name == "used").then_some(1);
        root.share(name, &format!("unit:{name}.service"), &ShareOptions { uses, ..defaults() }).unwrap();
    }
    root.enrol_login(ROOT.uid, &[7; 32]).unwrap();
    root.put("of-login", b"secret", &PutOptions { class: Some("login".into()), ..defaults() }).unwrap();
    assert_eq!(root.get("of-login", &defaults()).unwrap().data(), b"secret", "it is open for root");
    assert_eq!(vault.service_manager().load("used.service", "used"), value(b"secret"));
    vault.client(ALICE, Door::Socket).put("hers", b"secret", &defaults()).unwrap();
    // Last, and a moment for each: one that is over when it comes to the vault is refused.
    let soon = || now() + 2_000_000;
    root.share("ended", "unit:ended.service", &ShareOptions { expires: Some(soon()), ..defaults() }).unwrap();
    root.annotate("expired", &AnnotateOptions { expires: Some(soon()), ..defaults() }).unwrap();
    let over = soon();
    wait::until("what expires to have expired", || (now() > over).then_some(()));
}

/// Unit and id, the cause of its refusal and the next step. Each unit has a name of its own: equal refusals are counted, and not
/// written down one by one.
const REFUSALS: [(&str, &str, &str, &str); 7] = [
    ("other", "key", "not shared with the unit", "tokenvault share key unit:other.service --owner machine"),
    ("missing", "missing", "no machine token", "tokenvault put missing --owner machine"),
    ("hers", "hers", "no machine token", "tokenvault put hers --owner machine"),
    ("of-login", "of-login", "of class 'login'", "tokenvault put of-login --owner machine --class machine"),
    ("used", "used", "uses of the share with the unit are up", "tokenvault share used unit:used.service"),
    ("ended", "ended", "share with the unit has expired", "tokenvault share ended unit:ended.service"),
    ("expired", "expired", "token of that name has expired", "tokenvault put expired --owner machine"),
];

#[test]
fn every_refusal_is_told_by_its_cause_and_written_down() {
    let mut vault = with(&defaults());
    spoil(&vault);
    vault.stop_daemon();
    let before = audit_records(&vault);
    vault.start_daemon();
    vault.wait_for_state("serving");
    for (unit, id, cause, next) in REFUSALS {
        assert_told((&vault, &format!("{unit}.service"), id), cause, next);
    }
    vault.stop_daemon();
    // And the opening of the vault. A test is no record.
    assert_eq!(audit_records(&vault) - before, 7 + 1);
    vault.start_daemon();
    vault.wait_for_state("serving");
    let root = vault.client(ROOT, Door::Socket);
    root.put("of-login", b"open", &PutOptions { class: Some("machine".into()), ..defaults() }).unwrap();
    assert_eq!(vault.service_manager().load("of-login.service", "of-login"), value(b"open"), "the next step was right");
}

#[test]
fn what_is_granted_is_told_too() {
    let vault = with(&ShareOptions { uses: Some(3), expires: Some(FAR), ..defaults() });
    assert_eq!(load(&vault), value(b"secret"));
    wait::until("the journal to say so", || {
        vault.log().contains("unit app.service is given the credential 'key', version 1").then_some(())
    });
    for door in Door::ALL {
        let test = ["tokenvaultctl", "credential", "test", "app.service", "key", "--json=short"];
        let test = json(&ok(run(&vault, ROOT, door, &test)));
        assert!(test["granted"] == true && test["cause"] == "" && test["next-step"] == "", "{test}");
        assert!(
            test["version"] == 1 && test["size"] == 6 && test["uses-left"] == 2 && test["expires"] == FAR,
            "{test}"
        );
        assert!(!test.to_string().contains("secret"), "the value stays where it is");
    }
    assert_eq!(vault.client(ROOT, Door::Socket).shares("key", &defaults()).unwrap()[0].uses_left, Some(2));
}

#[test]
fn an_id_that_no_unit_can_ask_for_is_told_by_the_test() {
    let vault = with(&defaults());
    let too_long = "k".repeat(85 - "app.service".len());
    for (id, cause) in [("a/b", "without '/'"), ("", "file name"), (too_long.as_str(), "longer than the 84 bytes")] {
        let test = vault.client(ROOT, Door::Socket).test_credential("app.service", id).unwrap();
        assert!(!test.granted && test.cause.contains(cause), "{id}: {test:?}");
    }
}

#[test]
fn an_instance_of_a_template_is_a_unit_of_its_own() {
    let vault = with(&defaults());
    vault.client(ROOT, Door::Socket).share("key", "unit:web@1.service", &defaults()).unwrap();
    assert_eq!(vault.service_manager().load("web@1.service", "key"), value(b"secret"));
    for unit in ["web@2.service", "web@11.service", "web.service", "Web@1.service", "app@1.service", "App.service"] {
        assert_told((&vault, unit, "key"), "not shared with the unit", &format!("share key unit:{unit}"));
    }
}

#[test]
fn a_quarantined_vault_gives_units_nothing() {
    let mut vault = with(&defaults());
    vault.stop_daemon();
    let store = Connection::open(vault.state_directory().join("vault.db")).unwrap();
    let copy = "INSERT INTO slot (kind, body, wrapped_vk, wrapped_kek, created) \
                SELECT 'recovery', body, wrapped_vk, wrapped_kek, created FROM slot";
    store.execute(copy, []).unwrap();
    store.close().unwrap();
    vault.start_daemon();
    vault.wait_for_state("quarantined");
    assert_told((&vault, "app.service", "key"), "the vault is quarantined", "restore a backup");
}

#[test]
fn where_there_is_no_vault_yet_units_fail_at_once() {
    let vault = Vault::builder().with_credentials().without_tpm().start();
    vault.wait_for_state("uninitialised");
    assert_told((&vault, "app.service", "key"), "there is no vault yet", "tokenvaultctl init");
}

#[test]
fn a_vault_that_cannot_open_its_store_gives_units_nothing() {
    let mut vault = with(&defaults());
    vault.stop_daemon();
    fs::set_permissions(vault.state_directory(), Permissions::from_mode(0o755)).unwrap();
    vault.start_daemon();
    vault.wait_for_state("read-only");
    assert_told((&vault, "app.service", "key"), "is open to others", "chmod 0700");
}

#[test]
fn a_unit_that_asks_while_no_daemon_runs_is_answered_by_the_next_one() {
    let mut vault = with(&defaults());
    assert!(vault.stop_daemon().success());
    let waiting = vault.service_manager().ask("app.service", "key");
    let refused = vault.service_manager().ask("other.service", "key");
    vault.start_daemon();
    assert_eq!(finish(waiting), value(b"secret"));
    assert_eq!(finish(refused), Loaded::TooLong);
}

through_both_doors! {
    fn a_shared_token_that_goes_gives_back_what_its_shares_took_of_the_quota(door) {
        let vault = Vault::builder().limit("bytes", 4_096).start();
        let root = vault.client(ROOT, door);
        let bytes = || root.status().unwrap().bytes;
        for round in 0..3 {
            assert_eq!(bytes(), 0, "round {round}");
            root.put("key", b"k", &defaults()).unwrap();
            let unshared = bytes();
            // As many as there is room for: in each round as many as in the first.
            let shares = (0..).take_while(|number| share_within(&root, *number)).count();
            assert_eq!(shares, root.shares("key", &defaults()).unwrap().len());
            assert!(shares > 3 && bytes() > unshared && bytes() <= 4_096, "{shares} shares, {} bytes", bytes());
            root.unshare("key", "unit:app@0.service", &defaults()).unwrap();
            assert!(share_within(&root, 0) && !share_within(&root, 1_000), "one went, and one fits");
            root.delete("key", &defaults()).unwrap();
        }
        assert_eq!(bytes(), 0);
        // Nor does what an expired token was shared with stay when its name is used again.
        let for_a_day = PutOptions { ttl: Some(86_400_000_000), ..defaults() };
        root.put("key", b"k", &for_a_day).unwrap();
        let unshared = bytes();
        assert!(share_within(&root, 0));
        root.annotate("key", &AnnotateOptions { expires: Some(now() + 2_000_000), ..defaults() }).unwrap();
        wait::until("the token to expire", || root.describe("key", &defaults()).is_err().then_some(()));
        root.put("key", b"k", &for_a_day).unwrap();
        assert_eq!(bytes(), unshared);
    }
}

/// Whether there was room for one more share.
fn share_within(root: &Client, number: u32) -> bool {
    let outcome = root.share("key", &format!("unit:app@{number}.service"), &defaults());
    outcome.map_err(|error| assert_eq!(error.code(), ErrorCode::LimitsExceeded, "{error}")).is_ok()
}
