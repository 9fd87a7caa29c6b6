//! What people do with a vault all day, as ordinary users of an installed machine and with its sandbox in force.

use crate::common::*;

/// Every verb of `tokenvault` once and more, as a shell script that ends at the first thing that is not as it should be.
const DAY: &str = include_str!("day.sh");

fn spend_a_day(machine: &Machine) {
    for user in [ALICE, BOB] {
        for door in Door::ALL {
            let said = machine.user_reading(user, DAY, &door.shell("exec sh -eux"));
            said.succeeds();
        }
    }
}

/// What the service or the kernel complains about.
fn complaints(machine: &Machine) -> Vec<String> {
    let journal =
        machine.enter(&["journalctl", "--boot", "--output=cat", "--no-pager", "-p", "warning", "-u", SERVICE]);
    journal.succeeds().lines().filter(|line| !line.contains("recovery")).map(str::to_owned).collect()
}

#[test]
fn a_day_of_two_users_at_both_doors_leaves_nothing_in_the_journal() {
    let machine = serving();
    machine.as_packaged();
    machine.root(&format!("systemctl restart {SERVICE}")).succeeds();
    machine.wait_for_state("serving");
    spend_a_day(&machine);
    assert_eq!(complaints(&machine), Vec::<String>::new());
    assert_eq!(machine.property(SERVICE, "NRestarts"), "0");
}

#[test]
fn nothing_that_is_done_all_day_needs_a_system_call_the_unit_forbids() {
    let mut machine = Machine::installed_without_tpm();
    machine.stop();
    // From the first moment on: the worker makes the vault's slot, and opens it at the second start.
    machine.start(Some("tpm"));
    machine.wait_for_state("serving");
    machine.set_up_recovery("/root/recovery-key");
    machine.root(&format!("systemctl restart {SERVICE}")).succeeds();
    machine.wait_for_state("serving");
    assert_eq!(machine.property(SERVICE, "SystemCallErrorNumber"), "2147483646", "the drop-in is in force");
    spend_a_day(&machine);
    machine.root("tokenvaultctl slot list && tokenvaultctl seal && tokenvaultctl unseal").succeeds();
    machine
        .root(
            "tokenvaultctl doctor && tokenvaultctl cleanup && tokenvaultctl user list && tokenvaultctl user show alice",
        )
        .succeeds();
    machine.root("tokenvaultctl user disable alice && tokenvaultctl user enable alice").succeeds();
    machine.root(&format!("systemctl reload {SERVICE}")).succeeds();
    assert_eq!(complaints(&machine), Vec::<String>::new());
    assert_eq!(machine.property(SERVICE, "NRestarts"), "0");
    machine.root(&format!("systemctl stop {SERVICE}")).succeeds();
    assert_eq!(machine.property(SERVICE, "Result"), "success");
}

#[test]
fn what_happens_is_found_in_the_journal_by_its_number_and_explained() {
    let machine = serving();
    let assert_told = |id: &str, says: &str| {
        let entry = wait::until(&format!("an entry {id}"), || {
            let found = machine.root(&format!("journalctl --no-pager --quiet --catalog MESSAGE_ID={id}")).succeeds();
            (!found.is_empty()).then_some(found)
        });
        assert!(entry.contains(says) && entry.contains("Subject: "), "{id}: {entry}");
    };
    assert_told("b3ba0c43e4104d85ab6899c2eb0cf4f5", "tokenvaultd");
    assert_told("34c3405679c442a1aa9eb8f45df0ba5c", "open");
    // A state that is over before it was told is not told.
    machine.root("tokenvaultctl seal").succeeds();
    assert_told("ccaeffdb390a4a399dc5e471697a5166", "seal");
    machine.user(ALICE, "TOKENVAULT_ADDRESS=unix:path=/run/tokenvault/bus tokenvaultctl seal").fails();
    assert_told("376b26fb20d4488ba3de26743b8ff9b3", "administ");
}
