//! The TPM of an installed machine, when it is not the one that it was.

use crate::common::*;

/// `Sealed`, by the table of exit statuses.
const SEALED: i32 = 6;

#[test]
fn another_tpm_leaves_the_vault_sealed_and_the_recovery_key_opens_it() {
    let mut machine = serving();
    machine.set_up_recovery("/root/recovery-key");
    machine.put(ALICE, "api/key", "not for this chip");
    machine.stop();
    machine.start(Some("another-tpm"));
    assert_eq!(machine.enter(&["systemctl", "is-system-running"]).succeeds(), "running");
    machine.wait_for_state("sealed");
    assert!(machine.root("tokenvaultctl status").succeeds().contains("WrongTpm"));
    machine.user(ALICE, "tokenvault get api/key").fails_with(SEALED);
    machine.root("tokenvaultctl unseal --recovery --from-file /root/recovery-key").succeeds();
    assert_eq!(machine.get(ALICE, "api/key"), "not for this chip");
    // The old chip still opens what it opened.
    machine.stop();
    machine.start(Some("tpm"));
    machine.wait_for_state("serving");
}

#[test]
fn a_machine_that_got_its_tpm_later_makes_its_vault_then() {
    let mut machine = Machine::installed_without_tpm();
    assert_eq!(machine.state(), "uninitialised");
    machine.stop();
    machine.start(Some("tpm"));
    machine.wait_for_state("serving");
    machine.put(ALICE, "api/key", "at last");
    assert_eq!(machine.get(ALICE, "api/key"), "at last");
}
