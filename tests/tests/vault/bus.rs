//! A bus that comes later, goes, and comes back; and what the packaged policy lets pass.

use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::{fs, thread};

use tokenvault_tests::bus::TestBus;
use zbus::Message;

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

/// A place where a bus should be, for everyone to connect to.
fn place_of_a_bus(vault: &Vault) -> UnixListener {
    let path = TestBus::socket_in(vault.path());
    let listener = UnixListener::bind(&path).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap();
    listener
}

#[test]
fn a_bus_that_says_nothing_is_not_waited_for_without_end() {
    let mut vault = Vault::builder().without_bus().prepare();
    let _silent = place_of_a_bus(&vault);
    vault.start_daemon();
    let alice = vault.client(ALICE, Door::Socket);
    let told = || alice.health().unwrap().bus.contains("does not answer").then_some(());
    wait::until("the vault to say that the bus does not answer", told);
}

/// A bus that greets, and hangs up on whoever asks it for a name.
fn hang_up_at_the_name(mut bus: UnixStream) -> io::Result<()> {
    bus.write_all(b"OK 0123456789abcdef0123456789abcdef\r\nAGREE_UNIX_FD\r\n")?;
    let (mut said, mut byte) = (Vec::new(), [0]);
    while !said.ends_with(b"BEGIN\r\n") {
        bus.read_exact(&mut byte)?;
        said.push(byte[0]);
    }
    loop {
        let mut call = vec![0; 16];
        bus.read_exact(&mut call)?;
        let number = |at: usize| u32::from_le_bytes(call[at..at + 4].try_into().unwrap());
        let (rest, serial) = (number(12).next_multiple_of(8) + number(4), number(8));
        call.resize(16 + rest as usize, 0);
        bus.read_exact(&mut call[16..])?;
        if call.windows(11).any(|word| word == b"RequestName") {
            return Ok(());
        }
        let call = Message::method_call("/", "Call").serial(serial.try_into().unwrap()).build(&()).unwrap();
        let reply = Message::method_return(&call.header()).build(&":1.1").unwrap();
        bus.write_all(reply.data().bytes())?;
    }
}

#[test]
fn a_bus_that_is_lost_while_it_is_joined_is_not_said_to_refuse_the_name() {
    let mut vault = Vault::builder().without_bus().prepare();
    let bus = place_of_a_bus(&vault);
    // It ends with the test; nobody waits for it.
    thread::spawn(move || {
        bus.incoming().flatten().for_each(|daemon| drop(thread::spawn(|| hang_up_at_the_name(daemon))));
    });
    vault.start_daemon();
    let bus = vault.client(ALICE, Door::Socket).health().unwrap().bus;
    assert!(bus != "ok" && !bus.contains("policy"), "{bus}");
}
