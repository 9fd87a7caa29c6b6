//! Administration by somebody who is not root: on the bus, and with polkit's consent.

use tokenvault_tests::polkit::{Polkit, Says};

use crate::common::*;
use crate::run::*;

/// Something that root alone may.
fn administer(client: &Client) -> Result<(), Error> {
    client.slots().map(drop)
}

#[test]
fn who_polkit_permits_it_administers_over_the_bus() {
    let vault = Vault::start();
    let polkit = Polkit::on_the_bus_of(&vault, Says::Yes);
    let alice = vault.client(ALICE, Door::Bus);
    administer(&alice).unwrap();
    alice.seal().unwrap();
    alice.unseal(&[], &defaults()).unwrap();
    let asked = polkit.asked();
    assert_eq!(asked.len(), 3);
    for (subject, action, interactive) in asked {
        assert!(subject.starts_with("system-bus-name") && subject.contains(":1."), "{subject}");
        assert_eq!((action.as_str(), interactive), ("org.tokenvault1.admin", true));
    }
    // At the private socket nobody can be asked.
    assert_eq!(code(administer(&vault.client(ALICE, Door::Socket))), ErrorCode::AccessDenied);
    // It is no key to what others keep.
    vault.client(BOB, Door::Socket).put("t", b"v", &defaults()).unwrap();
    let of_bob = GetOptions { owner: Some("user:bob".into()), ..defaults() };
    assert_eq!(code(alice.get("t", &of_bob)), ErrorCode::NotFound);
    // Root asks nobody.
    administer(&vault.client(ROOT, Door::Bus)).unwrap();
    assert_eq!(polkit.asked().len(), 3);
}

#[test]
fn whatever_is_no_yes_is_a_no() {
    for says in [Says::No, Says::Fails] {
        let vault = Vault::start();
        let _polkit = Polkit::on_the_bus_of(&vault, says);
        assert_eq!(code(administer(&vault.client(ALICE, Door::Bus))), ErrorCode::AccessDenied, "{says:?}");
        administer(&vault.client(ROOT, Door::Bus)).unwrap();
    }
    let vault = Vault::start();
    let refusal = refused(administer(&vault.client(ALICE, Door::Bus)));
    assert_eq!(refusal.code(), ErrorCode::AccessDenied, "without polkit");
    assert_helpful(&refusal);
}

#[test]
fn somebody_is_asked_only_where_the_call_allows_it() {
    let vault = Vault::start();
    let polkit = Polkit::on_the_bus_of(&vault, Says::Ask);
    administer(&vault.client(ALICE, Door::Bus)).expect("the client allows it");
    let none: std::collections::HashMap<&str, zbus::Variant<'static>> = std::collections::HashMap::new();
    let refusal = vault.wire(ALICE, Door::Bus).call(tokenvault_proto::ADMIN_INTERFACE, "Slots", &none).unwrap_err();
    assert_eq!(refusal.name, "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired");
    let interactive: Vec<bool> = polkit.asked().into_iter().map(|(_, _, interactive)| interactive).collect();
    assert_eq!(interactive, [true, false]);
}

#[test]
fn a_polkit_that_says_nothing_holds_up_only_who_asks() {
    let vault = Vault::start();
    let _polkit = Polkit::on_the_bus_of(&vault, Says::Nothing);
    let mut alice = vault.client(ALICE, Door::Bus);
    alice.set_deadline(Duration::from_secs(1));
    assert_eq!(code(administer(&alice)), ErrorCode::Timeout);
    administer(&vault.client(ROOT, Door::Bus)).unwrap();
    let bob = vault.client(BOB, Door::Bus);
    bob.put("t", b"v", &defaults()).unwrap();
    assert_eq!(bob.get("t", &defaults()).unwrap().data(), b"v");
}

#[test]
fn the_command_takes_somebody_who_is_not_root_over_the_bus() {
    let vault = Vault::start();
    let _polkit = Polkit::on_the_bus_of(&vault, Says::Yes);
    let mut command = vault.command(ALICE, "tokenvaultctl", Door::Bus);
    command.env_remove("TOKENVAULT_ADDRESS").env("DBUS_SYSTEM_BUS_ADDRESS", vault.bus_address());
    let output = command.args(["slot", "list"]).output().unwrap();
    assert!(ok(output).contains("tpm2"));
    assert_eq!(failed(run(&vault, ALICE, Door::Socket, &["tokenvaultctl", "slot", "list"])).0, 4);
}
