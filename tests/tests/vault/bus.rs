//! A bus that comes later, goes, and comes back; and what the packaged policy lets pass.

use crate::common::*;

fn wait_for_the_bus_door(vault: &Vault, user: User) -> Client {
    let address = vault.address(Door::Bus);
    wait::until("the vault to be on the bus", || {
        user.run(|| {
            let client = Client::open(Some(&address)).ok()?;
            client.status().ok()?;
            Some(client)
        })
    })
}

#[test]
fn a_bus_that_comes_later_is_joined() {
    let mut vault = Vault::builder().without_bus().start();
    let alice = vault.client(ALICE, Door::Socket);
    alice.put("t", b"v", &defaults()).unwrap();
    let health = alice.health().unwrap();
    assert!(health.bus != "ok" && !health.ok, "{health:?}");
    vault.start_bus();
    assert_eq!(wait_for_the_bus_door(&vault, ALICE).get("t", &defaults()).unwrap().data(), b"v");
    assert_eq!(alice.health().unwrap().bus, "ok");
}

#[test]
fn a_bus_that_goes_and_comes_back_is_joined_again() {
    let mut vault = Vault::start();
    wait_for_the_bus_door(&vault, ALICE).put("t", b"v", &defaults()).unwrap();
    for _ in 0..2 {
        vault.stop_bus();
        let alice = vault.client(ALICE, Door::Socket);
        assert_eq!(alice.get("t", &defaults()).unwrap().data(), b"v", "the socket is open meanwhile");
        vault.start_bus();
        assert_eq!(wait_for_the_bus_door(&vault, ALICE).get("t", &defaults()).unwrap().data(), b"v");
    }
    assert_eq!(vault.status().state, "serving", "and the vault was never sealed");
}

#[test]
fn callers_are_learnt_anew_when_the_bus_was_replaced() {
    let mut vault = Vault::start();
    wait_for_the_bus_door(&vault, ALICE).put("t", b"of alice", &defaults()).unwrap();
    vault.stop_bus();
    vault.start_bus();
    // Unique names begin anew: what was alice's may now be bob's.
    for _ in 0..5 {
        let bob = wait_for_the_bus_door(&vault, BOB);
        assert_eq!(bob.who_am_i().unwrap().uid, BOB.uid);
        assert_eq!(code(bob.get("t", &defaults())), ErrorCode::NotFound);
    }
}

#[test]
fn nobody_else_can_take_the_vaults_name() {
    let mut vault = Vault::start();
    wait_for_the_bus_door(&vault, ALICE);
    vault.stop_daemon();
    for user in [ALICE, ROOT] {
        let refusal = vault.wire(user, Door::Bus).call_bus("RequestName", &("org.tokenvault1", 4_u32)).unwrap_err();
        assert_eq!(refusal.name, "org.freedesktop.DBus.Error.AccessDenied", "{}", user.name);
    }
}

#[test]
fn the_policy_lets_the_standard_interfaces_pass() {
    let vault = Vault::start();
    wait_for_the_bus_door(&vault, ALICE);
    let wire = vault.wire(ALICE, Door::Bus);
    wire.call("org.freedesktop.DBus.Peer", "Ping", &()).unwrap();
    wire.call("org.freedesktop.DBus.Properties", "Get", &(MANAGER_INTERFACE, "State")).unwrap();
    assert!(wire.introspect().contains(TOKENS_INTERFACE));
}
