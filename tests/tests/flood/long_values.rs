//! A user who has more long values read at once than anybody needs.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::thread;

use tokenvault_proto::TOKENS_INTERFACE;
use tokenvault_tests::{ALICE, Door, Vault};
use zbus::{OwnedVariant, Variant};

use crate::measure::{Bystander, Control, Siege, alone, assert_memory};

/// Readers at once, each with a connection: so many crowds of so many.
const CROWDS: usize = 2;
const CROWD: usize = 32;
/// The longest value there is.
const LENGTH: usize = 16 << 20;

fn read_in_a_crowd(vault: &Vault, (door, readers): (Door, usize), siege: &Siege) {
    thread::scope(|scope| {
        for _ in 0..readers {
            scope.spawn(|| read(vault, door, siege));
        }
        siege.begin();
    });
}

/// Reads the value to its end, again and again.
fn read(vault: &Vault, door: Door, siege: &Siege) {
    let wire = vault.wire(ALICE, door);
    while siege.goes_on() {
        // Who has as many values on their way as one may have is refused another.
        let Ok(reply) = wire.call(TOKENS_INTERFACE, "Get", &("long", HashMap::<&str, Variant<'static>>::new())) else {
            continue;
        };
        let (reader, _info): (zbus::OwnedFd, HashMap<String, OwnedVariant>) = reply.body().deserialize().unwrap();
        let read = io::copy(&mut File::from(OwnedFd::from(reader)), &mut io::sink()).unwrap();
        assert!(read == LENGTH as u64 || !siege.goes_on(), "{read} bytes");
    }
}

#[test]
fn long_values_that_many_read_at_once_slow_nothing_that_another_has_looked_up() {
    let _alone = alone();
    let mut vault = Vault::builder().limit("connections", 0).start();
    vault.client(ALICE, Door::Socket).put("long", &vec![b'l'; LENGTH], &Default::default()).unwrap();
    for door in Door::ALL {
        // What has to be read in the store takes its turn among those who have something read there.
        let bob = Bystander::at(&vault, door)
            .asking(|client| drop(client.list(&Default::default()).expect("the second user is refused")));
        // They are no worse than a few readers each.
        let few = |siege: &Siege| read_in_a_crowd(&vault, (door, 2), siege);
        let many = |siege: &Siege| read_in_a_crowd(&vault, (door, CROWD), siege);
        let control = Control { attack: &few, ask: &|| bob.ask() };
        bob.endures(&format!("long values, {door:?}"), CROWDS, &many, Some(control));
    }
    assert_memory(&mut vault);
}
