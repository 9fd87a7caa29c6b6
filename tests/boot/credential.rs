//! `LoadCredential=ID:/run/tokenvault/credentials`: a unit has its token, or it fails to start.

use std::time::{Duration, Instant};

use crate::common::*;

/// What systemd says of a unit whose credentials could not be set up.
const NO_CREDENTIALS: &str = "243";
const VALUE: &str = "what the service needs";
/// What the journal of the vault says when nothing is shared.
const NOT_SHARED: &str = "the machine token is not shared with the unit; run 'tokenvault share";

/// Lays down the unit `app.service`, which leaves what it was given in `/run/app` if it ever starts.
fn with_unit() -> Machine {
    let machine = serving();
    lay_down(&machine, "app");
    machine
}

fn lay_down(machine: &Machine, name: &str) {
    let unit = "[Service]\nType=oneshot\nRemainAfterExit=yes\nLoadCredential=api-key:/run/tokenvault/credentials\n\
         ExecStart=sh -c 'cat $${CREDENTIALS_DIRECTORY}/api-key >/run/%N'\n[Install]\nWantedBy=multi-user.target\n";
    machine.write(&format!("/etc/systemd/system/{name}.service"), unit);
    machine.root("systemctl daemon-reload").succeeds();
}

fn share(machine: &Machine, more: &str) {
    machine.root_reading(VALUE, "tokenvault put api-key").succeeds();
    machine.root(&format!("tokenvault share api-key unit:app.service {more}")).succeeds();
}

/// The unit must fail for want of its credential, without its command having run.
#[track_caller]
fn assert_fails(machine: &Machine, name: &str) {
    machine.root(&format!("systemctl start {name}.service")).fails();
    let unit = format!("{name}.service");
    assert_eq!(machine.property(&unit, "ActiveState"), "failed");
    assert_eq!(machine.property(&unit, "ExecMainStatus"), NO_CREDENTIALS);
    machine.root(&format!("test -e /run/{name}")).fails();
}

/// The same, with the cause in the vault's journal.
#[track_caller]
fn assert_refused(machine: &Machine, name: &str, cause: &str) {
    assert_fails(machine, name);
    let unit = format!("{name}.service");
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
    assert_refused(&machine, "app", "there is no machine token of that name; run 'tokenvault put");
    machine.root_reading(VALUE, "tokenvault put api-key").succeeds();
    machine.root("tokenvaultctl credential test app.service api-key").fails_with(1);
    assert_refused(&machine, "app", NOT_SHARED);
    // A share with one unit is none with another.
    share(&machine, "");
    lay_down(&machine, "other");
    assert_refused(&machine, "other", NOT_SHARED);
    machine.root("systemctl restart app.service").succeeds();
    machine.root("tokenvault unshare api-key unit:app.service && rm /run/app").succeeds();
    machine.root("systemctl stop app.service").succeeds();
    assert_refused(&machine, "app", NOT_SHARED);
}

#[test]
fn a_token_of_a_user_is_no_credential() {
    let machine = with_unit();
    machine.user_reading(ALICE, VALUE, "tokenvault put api-key").succeeds();
    machine.user(ALICE, "tokenvault share api-key unit:app.service").fails();
    assert_refused(&machine, "app", "there is no machine token of that name");
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
    assert_refused(&machine, "app", "the uses of the share with the unit are up");
}

#[test]
fn a_share_that_has_expired_starts_no_unit() {
    let machine = with_unit();
    share(&machine, "--expires 1s");
    wait::until("the share to expire", || {
        machine.root("tokenvaultctl credential test app.service api-key").ok().is_none().then_some(())
    });
    assert_refused(&machine, "app", "the share with the unit has expired");
    share(&machine, "--expires 1h");
    machine.root("systemctl start app.service").succeeds();
    assert_eq!(machine.root("cat /run/app").succeeds(), VALUE);
}

#[test]
fn a_unit_of_a_machine_whose_vault_is_switched_off_fails_to_start() {
    let machine = with_unit();
    share(&machine, "");
    machine.root(&format!("systemctl mask --now {} {} {SERVICE}", SOCKETS[1], SOCKETS[0])).succeeds();
    assert_fails(&machine, "app");
    machine.root(&format!("systemctl unmask {} {} {SERVICE}", SOCKETS[1], SOCKETS[0])).succeeds();
    machine.root(&format!("systemctl start {}", SOCKETS[1])).succeeds();
    machine.root("systemctl start app.service").succeeds();
    assert_eq!(machine.root("cat /run/app").succeeds(), VALUE);
}

#[test]
fn a_unit_waits_for_a_tpm_that_does_not_come_no_longer_than_the_configuration_says() {
    let mut machine = with_unit();
    share(&machine, "");
    machine.write("/etc/tokenvault/tokenvault.conf", "[limits]\ncredential-seconds = 5\n");
    machine.stop();
    machine.start(None);
    machine.wait_for_state("sealed");
    let begin = Instant::now();
    machine.root(&format!("systemctl restart {SERVICE} && systemctl --no-block start app.service")).succeeds();
    wait::until("a unit that waits for a TPM that may still come", || {
        (machine.property("app.service", "ActiveState") == "activating").then_some(())
    });
    assert_refused(&machine, "app", "NoTpm");
    assert!((Duration::from_secs(5)..Duration::from_secs(40)).contains(&begin.elapsed()), "{:?}", begin.elapsed());
}

#[test]
fn a_unit_template_is_given_what_is_shared_with_that_instance() {
    let machine = serving();
    lay_down(&machine, "app@");
    machine.root_reading(VALUE, "tokenvault put api-key").succeeds();
    machine.root("tokenvault share api-key unit:app@one.service").succeeds();
    machine.root("systemctl start app@one.service").succeeds();
    assert_eq!(machine.root("cat /run/app@one").succeeds(), VALUE);
    assert_refused(&machine, "app@two", NOT_SHARED);
}
