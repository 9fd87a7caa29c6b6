//! What the doors let in and hold: large calls.

use std::thread;

use serde::ser::{Serialize, SerializeMap, Serializer};
use tokenvault_proto::{BUS_NAME, OBJECT_PATH, TOKENS_INTERFACE};
use tokenvault_tests::{ALICE, Door, RawPeer, Vault, pipe};
use zbus::{Fd, Message, Variant};

use crate::measure::{Bystander, alone};

const MIB: usize = 1024 * 1024;

/// An option dictionary with one key again and again, which no map can be.
struct Repeated {
    key: &'static str,
    times: usize,
}

impl zbus::Type for Repeated {
    const SIGNATURE: &'static zbus::Signature = <std::collections::HashMap<&str, Variant<'_>> as zbus::Type>::SIGNATURE;
}

impl Serialize for Repeated {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for _ in 0..self.times {
            map.serialize_entry(self.key, &Variant::from("machine"))?;
        }
        map.end()
    }
}

#[test]
fn large_calls_at_the_bus_are_answered_and_not_held() {
    const CALLS: usize = 4;
    let _alone = alone();
    let mut vault = Vault::start();
    let before = vault.daemon().process().memory_kib("VmHWM");
    let bob = Bystander::at(&vault, Door::Bus);
    thread::scope(|scope| {
        for _ in 0..CALLS {
            scope.spawn(|| {
                let wire = vault.wire(ALICE, Door::Bus);
                // Its end stays open: a call that was let in would be held for as long as a pipe may take.
                let (reader, _writer) = pipe::open();
                let options = Repeated { key: "class", times: 28 * MIB / 32 };
                let put = wire.call(TOKENS_INTERFACE, "Put", &("t", Fd::from(reader), options));
                let refusal = put.expect_err("28 MiB of options were taken");
                assert_eq!(refusal.name, "org.tokenvault1.Error.InvalidArgs", "{}", refusal.text);
                assert!(refusal.text.contains("256 KiB"), "{}", refusal.text);
            });
        }
    });
    bob.is_served();
    let grown = vault.daemon().process().memory_kib("VmHWM").saturating_sub(before);
    println!("{CALLS} calls of 28 MiB: the daemon grew by {grown} KiB at most");
    assert!(grown < 8 * 1024, "the daemon grew by {grown} KiB");
}

#[test]
fn a_large_call_is_answered_whatever_its_sender_stands_behind() {
    let _alone = alone();
    let vault = Vault::start();
    let mut peer = RawPeer::open(&vault, ALICE, Door::Bus);
    let path = format!("/{}", "p".repeat(MIB));
    let (long_path, long_body) = (path.as_str(), "x".repeat(MIB));
    for (path, body) in [(long_path, "x"), (OBJECT_PATH, &long_body), (long_path, &long_body)] {
        let call = Message::method_call(path, "List").destination(BUS_NAME).interface(TOKENS_INTERFACE);
        peer.write(call.build(&body).unwrap().data().bytes()).unwrap();
        assert!(peer.read_reply().expect("silence").is_error("org.tokenvault1.Error.InvalidArgs"));
    }
    // And what comes behind it is read from its beginning.
    Bystander::at(&vault, Door::Bus).is_served();
}

tokenvault_tests::through_both_doors! {
    fn an_option_given_twice_is_refused_by_name(door) {
        let _alone = alone();
        let vault = Vault::start();
        let wire = vault.wire(ALICE, door);
        for times in [2, 1000] {
            let put = ("t", Fd::from(pipe::holding(b"v")), Repeated { key: "class", times });
            let refusal = wire.call(TOKENS_INTERFACE, "Put", &put).expect_err("a repeated option was taken");
            assert_eq!(refusal.name, "org.tokenvault1.Error.InvalidArgs");
            assert!(refusal.text.contains("'class'"), "{}", refusal.text);
        }
        let put = ("t", Fd::from(pipe::holding(b"v")), Repeated { key: "class", times: 1 });
        wire.call(TOKENS_INTERFACE, "Put", &put).expect("an option given once");
    }
}
