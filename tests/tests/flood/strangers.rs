//! Uids nobody can name, while the user database hangs: they keep nothing from users who are known.

use std::collections::HashMap;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::stat::Mode;
use tokenvault_proto::{MANAGER_INTERFACE, TOKENS_INTERFACE};
use tokenvault_tests::{ALICE, BOB, CAROL, Door, ROOT, RawPeer, User, Vault};
use zbus::Variant;

use crate::doors::greet;
use crate::measure::{Bystander, alone};

/// From here on whoever asks the user database waits: it is a pipe that nobody writes.
fn hang_user_database(vault: &Vault) {
    let (new, passwd) = (vault.path().join("hanging"), vault.path().join("passwd"));
    nix::unistd::mkfifo(&new, Mode::from_bits_truncate(0o644)).unwrap();
    fs::rename(new, passwd).unwrap();
    // nss_wrapper has no lock where it lets go of the file before: of two look-ups that find it replaced both would close it.
    greet(vault, stranger(u16::MAX.into())).expect("who cannot be looked up is turned away");
}

const fn stranger(number: u32) -> User {
    User { name: "", uid: 100_000 + number }
}

#[test]
fn calls_of_strangers_keep_no_place_from_users_while_the_user_database_hangs() {
    const CALLS: usize = 64;
    let _alone = alone();
    for door in Door::ALL {
        let vault = Vault::builder().limit("in-flight-total", 64).start();
        let bob = Bystander::at(&vault, door);
        let root = vault.client(ROOT, door);
        // The bus asks the user database too, when somebody connects, and lets nobody in without a name.
        let users: Vec<User> = match door {
            Door::Socket => (0..8).map(stranger).collect(),
            Door::Bus => vec![ALICE, CAROL],
        };
        let peers: Vec<_> = users.into_iter().map(|user| RawPeer::open(&vault, user, door)).collect();
        hang_user_database(&vault);
        let over = Instant::now() + Duration::from_secs(4);
        thread::scope(|scope| {
            for mut peer in peers {
                scope.spawn(move || {
                    let mut ask = |count: usize| {
                        let options = HashMap::<&str, Variant<'_>>::new();
                        let calls: Vec<u8> =
                            (0..count).flat_map(|_| peer.message(MANAGER_INTERFACE, "WhoAmI", &options)).collect();
                        peer.write(&calls).unwrap();
                        (0..count).for_each(|_| assert!(!peer.read_reply().expect("silence").is_return()));
                    };
                    while Instant::now() < over {
                        ask(CALLS);
                    }
                });
            }
            while Instant::now() < over {
                bob.is_served();
                assert_eq!(root.status().expect("root is refused").state, "serving");
            }
        });
    }
}

#[test]
fn who_cannot_be_looked_up_is_no_stranger_at_the_private_door() {
    const OF_EACH: usize = 60;
    let _alone = alone();
    let vault = Vault::start();
    let bob = Bystander::at(&vault, Door::Socket);
    hang_user_database(&vault);
    let held: Vec<_> = thread::scope(|scope| {
        let of_uid = |user| (0..OF_EACH).filter_map(|_| greet(&vault, user)).collect::<Vec<_>>();
        let threads: Vec<_> = (0..2).map(|number| scope.spawn(move || of_uid(stranger(number)))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    // More than strangers get together: they may well be users.
    assert_eq!(held.len(), 2 * OF_EACH);
    bob.is_served();
    assert_eq!(vault.client(BOB, Door::Socket).who_am_i().unwrap().user, "bob");
}

#[test]
fn names_of_users_that_do_not_exist_are_misses() {
    let _alone = alone();
    let vault = Vault::builder().limit("misses-per-second", 2).start();
    let wire = vault.wire(ALICE, Door::Socket);
    let list = |owner: String| {
        let filter = HashMap::from([("owner", Variant::from(owner))]);
        wire.call(TOKENS_INTERFACE, "List", &filter).map(drop)
    };
    let refusal = (0..100).find_map(|number| list(format!("user:nobody{number}")).err()).expect("no limit");
    assert!(refusal.text.contains("'misses-per-second'"), "{}", refusal.text);
    list("user:bob".into()).expect("a user that exists is none");
}
