//! Administration by somebody who is not root: on the bus, and with polkit's consent.

use std::collections::HashMap;
use std::process::Output;

use tokenvault_tests::polkit::{Polkit, Says};
use tokenvault_tests::program;
use tokenvault_tests::user::POLKITD;
use tokenvault_tests::wire::Refusal;

use crate::common::*;
use crate::run::*;

/// Something that root alone may.
fn administer(client: &Client) -> Result<(), Error> {
    client.slots().map(drop)
}

/// The same by a call that does not allow to ask anybody.
fn administer_unasked(wire: &Wire) -> Result<zbus::Message, Refusal> {
    let none: HashMap<&str, zbus::Variant<'static>> = HashMap::new();
    wire.call(tokenvault_proto::ADMIN_INTERFACE, "Slots", &none)
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
fn polkit_is_root_or_its_own_user_and_nobody_else() {
    let vault = Vault::start();
    let polkit = Polkit::of(POLKITD, &vault, Says::Yes);
    administer(&vault.client(ALICE, Door::Bus)).unwrap();
    drop(polkit);
    // As on the bus of a session, where its users have whatever name they like.
    let alices = Polkit::of(ALICE, &vault, Says::Yes);
    for user in [ALICE, BOB] {
        assert_eq!(code(administer(&vault.client(user, Door::Bus))), ErrorCode::AccessDenied, "{user:?}");
    }
    assert_eq!(alices.asked(), []);
}

#[test]
fn somebody_is_asked_only_where_the_call_allows_it() {
    let vault = Vault::start();
    let polkit = Polkit::on_the_bus_of(&vault, Says::Ask);
    administer(&vault.client(ALICE, Door::Bus)).expect("the client allows it");
    let refusal = refused(administer_unasked(&vault.wire(ALICE, Door::Bus)));
    assert_eq!(refusal.name, "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired");
    let interactive: Vec<bool> = polkit.asked().into_iter().map(|(_, _, interactive)| interactive).collect();
    assert_eq!(interactive, [true, false]);
}

#[test]
fn a_polkit_that_says_nothing_is_a_no_and_the_question_is_taken_back() {
    let vault = Vault::start();
    let polkit = Polkit::on_the_bus_of(&vault, Says::Nothing);
    let refusal = refused(administer_unasked(&vault.wire(ALICE, Door::Bus)));
    assert_eq!(refusal.name, "org.tokenvault1.Error.AccessDenied", "{}", refusal.text);
    assert_eq!(polkit.asked().len(), 1);
    wait::until("the question to be taken back", || (polkit.unanswered() == 0).then_some(()));
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

/// Has the directory `$1` at the installed place of the vault, and runs the rest as the user `$2`.
const INSTALLED: &str = r#"
    set -eu
    run=$1 uid=$2; shift 2
    mount -t tmpfs none /run
    mkdir /run/tokenvault
    mount --bind "$run" /run/tokenvault
    exec setpriv --reuid "$uid" --regid "$uid" --clear-groups "$@"
"#;

/// What `tokenvaultctl` of Alice does where the vault is installed.
fn installed(vault: &Vault, args: &[&str]) -> Output {
    let mut command = ROOT.command("/usr/bin/unshare");
    let run = vault.path().join("run");
    command.args(["--mount", "--", "/bin/sh", "-c", INSTALLED, "sh"]).arg(run).arg(ALICE.uid.to_string());
    command.arg(program::path("tokenvaultctl")).args(args).env("DBUS_SYSTEM_BUS_ADDRESS", vault.bus_address());
    command.output().unwrap()
}

#[test]
fn somebody_who_is_not_root_looks_at_the_vault_through_the_private_socket_and_administers_over_the_bus() {
    let vault = Vault::start();
    let polkit = Polkit::on_the_bus_of(&vault, Says::Yes);
    // What else it finds on this machine is not meant here.
    let report = json(&String::from_utf8(installed(&vault, &["doctor", "--json"]).stdout).unwrap());
    let check = |name: &str| {
        let found = report["checks"].as_array().unwrap().iter().find(|check| check["check"] == name);
        found.unwrap_or_else(|| panic!("no check '{name}' in {report}"))
    };
    assert_eq!(check("socket")["message"], "/run/tokenvault/bus");
    assert_eq!((&check("door")["result"], &check("bus")["result"]), (&"ok".into(), &"ok".into()), "{report}");
    assert!(ok(installed(&vault, &["slot", "list"])).contains("tpm2"));
    assert_eq!(polkit.asked().len(), 1);
}

#[test]
fn somebody_who_is_not_root_is_told_the_state_of_a_vault_that_is_on_no_bus() {
    let vault = Vault::builder().without_bus().start();
    assert!(ok(installed(&vault, &["status"])).contains("serving"));
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
