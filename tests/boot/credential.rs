//! `LoadCredential=ID:/run/tokenvault/credentials`: a unit has its token, or it fails to start.

use crate::common::*;

/// What systemd says of a unit whose credentials could not be set up.
const NO_CREDENTIALS: &str = "243";
const VALUE: &str = "what the service needs";

/// Lays down the unit `app.service`, which leaves what it was given in `/run/app` if it ever starts.
fn with_unit() -> Machine {
    let machine = serving();
    lay_down(&machine, "app");
    machine
}

fn lay_down(machine: &Machine, name: &str) {
    let unit = format!(
        "[Service]\nType=oneshot\nRemainAfterExit=yes\nLoadCredential=api-key:/run/tokenvault/credentials\n\
         ExecStart=sh -c 'cat $${{CREDENTIALS_DIRECTORY}}/api-key >/run/{name}'\n[Install]\nWantedBy=multi-user.target\n"
    );
    machine.write(&format!("/etc/systemd/system/{name}.service"), &unit);
    machine.root("systemctl daemon-reload").succeeds();
}

fn share(machine: &Machine, more: &str) {
    machine.root_reading(VALUE, "tokenvault put api-key").succeeds();
    machine.root(&format!("tokenvault share api-key unit:app.service {more}")).succeeds();
}

/// The unit must fail for want of its credential, without its command having run; what the vault's journal says.
#[track_caller]
fn assert_refused(machine: &Machine, name: &str, cause: &str) {
    machine.root(&format!("systemctl start {name}.service")).fails();
    let unit = format!("{name}.service");
    assert_eq!(machine.property(&unit, "ActiveState"), "failed");
    assert_eq!(machine.property(&unit, "ExecMainStatus"), NO_CREDENTIALS);
    machine.root(&format!("test -e /run/{name}")).fails();
    let journal = machine.journal(SERVICE);
    let line = journal.lines().rev().find(|line| line.contains(&unit)).expect("a line about the unit");
    assert!(line.contains("'api-key'") && line.contains(cause) && !line.contains(VALUE), "{line}");
}

#[test]
fn a_unit_that_the_token_is_shared_with_is_given_it() {
    let machine = with_unit();
    share(&machine, "");
    machine.root("tokenvaultctl credential test app.service api-key").succeeds();
    machine.root("systemctl start app.service").succeeds();
    assert_eq!(machine.root("cat /run/app").succeeds(), VALUE);
    assert!(!machine.journal("app.service").contains(VALUE) && !machine.journal(SERVICE).contains(VALUE));
}

#[test]
fn a_unit_that_nothing_is_shared_with_fails_to_start_with_the_reason_in_the_journal() {
    let machine = with_unit();
    machine.root_reading(VALUE, "tokenvault put api-key").succeeds();
    machine.root("tokenvaultctl credential test app.service api-key").fails_with(1);
    assert_refused(&machine, "app", "share");
    // A share with one unit is none with another.
    share(&machine, "");
    lay_down(&machine, "other");
    assert_refused(&machine, "other", "share");
    machine.root("systemctl restart app.service").succeeds();
    machine.root("tokenvault unshare api-key unit:app.service && rm /run/app").succeeds();
    machine.root("systemctl stop app.service").succeeds();
    assert_refused(&machine, "app", "share");
}

#[test]
fn a_token_of_a_user_is_no_credential() {
    let machine = with_unit();
    machine.user_reading(ALICE, VALUE, "tokenvault put api-key").succeeds();
    machine.user(ALICE, "tokenvault share api-key unit:app.service").fails();
    assert_refused(&machine, "app", "api-key");
}

#[test]
fn a_unit_of_a_sealed_vault_fails_to_start() {
    let machine = with_unit();
    share(&machine, "");
    machine.root("tokenvaultctl seal").succeeds();
    assert_refused(&machine, "app", "sealed");
    machine.root("tokenvaultctl unseal && systemctl start app.service").succeeds();
    assert_eq!(machine.root("cat /run/app").succeeds(), VALUE);
}

#[test]
fn a_unit_of_the_boot_waits_for_the_vault_and_is_given_its_token() {
    let mut machine = with_unit();
    share(&machine, "");
    machine.root("systemctl enable app.service").succeeds();
    machine.reboot();
    assert_eq!(machine.property("app.service", "ActiveState"), "active");
    assert_eq!(machine.root("cat /run/app").succeeds(), VALUE);
}

#[test]
fn a_unit_that_needs_its_token_starts_a_vault_that_is_down() {
    let machine = with_unit();
    share(&machine, "");
    machine.root(&format!("systemctl stop {SERVICE}")).succeeds();
    machine.root("systemctl start app.service").succeeds();
    assert_eq!(machine.root("cat /run/app").succeeds(), VALUE);
}

#[test]
fn a_share_for_one_use_starts_a_unit_once() {
    let machine = with_unit();
    share(&machine, "--uses 1");
    machine.root("systemctl start app.service").succeeds();
    machine.root("systemctl stop app.service && rm /run/app").succeeds();
    assert_refused(&machine, "app", "share");
}

#[test]
fn a_unit_template_is_given_what_is_shared_with_that_instance() {
    let machine = serving();
    lay_down(&machine, "app@");
    machine.root_reading(VALUE, "tokenvault put api-key").succeeds();
    machine.root("tokenvault share api-key unit:app@one.service").succeeds();
    machine.root("systemctl start app@one.service").succeeds();
    machine.root("systemctl start app@two.service").fails();
    assert_eq!(machine.root("cat /run/app@").succeeds(), VALUE);
}
