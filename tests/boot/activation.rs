//! Whoever needs the vault has it started.

use crate::common::*;

/// Switches off everything of ours that runs or listens, but the one unit.
fn only(unit: &str) -> Machine {
    let machine = serving();
    machine.put(ALICE, "api/key", "woken up");
    machine.root(&format!("systemctl stop {} {} {SERVICE}", SOCKETS[0], SOCKETS[1])).succeeds();
    if unit != SERVICE {
        machine.root(&format!("systemctl start {unit}")).succeeds();
    }
    assert_eq!(machine.property(SERVICE, "ActiveState"), "inactive");
    machine
}

#[test]
fn a_call_on_the_bus_starts_the_daemon() {
    let machine = only(SERVICE);
    let fetched = machine.user(ALICE, &Door::Bus.shell("tokenvault get api/key"));
    assert_eq!(fetched.succeeds(), "woken up");
    assert_eq!(machine.property(SERVICE, "ActiveState"), "active");
    let owner = machine.user(ALICE, "busctl --system --no-pager list | grep '^org.tokenvault1 '").succeeds();
    assert!(owner.contains(SERVICE), "the bus had systemd start it, not a program of its own: {owner}");
}

#[test]
fn a_client_of_the_private_socket_starts_the_daemon() {
    let machine = only(SOCKETS[0]);
    let fetched = machine.user(ALICE, &Door::Socket.shell("tokenvault get api/key"));
    assert_eq!(fetched.succeeds(), "woken up");
    assert_eq!(machine.property(SERVICE, "ActiveState"), "active");
}

#[test]
fn a_daemon_that_was_killed_is_back_by_itself() {
    let machine = serving();
    machine.put(ALICE, "api/key", "survives");
    let killed = machine.property(SERVICE, "MainPID");
    machine.root(&format!("systemctl kill --signal=KILL {SERVICE}")).succeeds();
    // Before anybody calls, which would start it as well.
    wait::until("another daemon", || {
        let now = machine.property(SERVICE, "MainPID");
        (now != killed && now != "0").then_some(())
    });
    assert_eq!(machine.get(ALICE, "api/key"), "survives");
}
