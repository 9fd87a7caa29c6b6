//! What a user cannot keep from the others by taking all of it: room in the kernel's pipes, and feeders.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, fcntl};
use tokenvault_client::Client;
use tokenvault_proto::TOKENS_INTERFACE;
use tokenvault_tests::{ALICE, BOB, Door, Refusal, Vault, Wire};
use zbus::{OwnedVariant, Variant};

use crate::measure::{alone, assert_memory};

type Options = HashMap<&'static str, Variant<'static>>;

/// What a new pipe holds for a user who has used up what the kernel gives one (`fs.pipe-user-pages-soft`).
const CRIPPLED: i32 = 2 * 4096;
/// The largest pipe a user may ask for (`fs.pipe-max-size`).
const LARGEST: i32 = 1024 * 1024;
/// More enlarged pipes than the kernel gives to one user.
const MORE_THAN_ALL: usize = 200;
/// Replies that a user may leave unread at once.
const PIPES: usize = 256;
/// How long anything the bystander asks for may take.
const IN_TIME: Duration = Duration::from_secs(2);

/// The pipe of a `Get`.
fn get(wire: &Wire, name: &str) -> Result<OwnedFd, Refusal> {
    let reply = wire.call(TOKENS_INTERFACE, "Get", &(name, Options::new()))?;
    let body = reply.body();
    let (reader, _info): (zbus::OwnedFd, HashMap<String, OwnedVariant>) = body.deserialize().unwrap();
    Ok(reader.into())
}

fn read_all(reader: &mut File, size: usize) {
    reader.read_exact(&mut vec![0; size]).unwrap();
}

fn room(pipe: &impl AsFd) -> i32 {
    fcntl(pipe, FcntlArg::F_GETPIPE_SZ).unwrap()
}

/// Reads values and keeps their pipes, each made as large as it can be, until the kernel has no more for the daemon.
fn enlarge_all_there_is(wire: &Wire) -> Vec<File> {
    let mut kept = Vec::new();
    while kept.len() < MORE_THAN_ALL {
        let mut reader = File::from(get(wire, "small").unwrap());
        read_all(&mut reader, 5);
        let used_up = room(&reader) <= CRIPPLED;
        // As that user: root's pipes have no limit. The last ones fit in only as they are.
        ALICE.run(|| fcntl(&reader, FcntlArg::F_SETPIPE_SZ(LARGEST)).ok());
        kept.push(reader);
        if used_up {
            return kept;
        }
    }
    panic!("the kernel lets a user have as much room in pipes as it likes: nothing to test here");
}

/// Someone with values that are longer than a crippled pipe.
struct Owner {
    client: Client,
}

impl Owner {
    const SIZES: [usize; 3] = [3_000, 20 * 1024, 64 * 1024];

    fn at(vault: &Vault, door: Door) -> Self {
        let owner = Self { client: vault.client(BOB, door) };
        owner.puts();
        owner
    }

    /// Stores each of the values, in time.
    fn puts(&self) {
        for size in Self::SIZES {
            let begun = Instant::now();
            self.client.put(&format!("{size}"), &vec![b'b'; size], &Default::default()).expect("the other user's Put");
            assert!(begun.elapsed() < IN_TIME, "{size} bytes took {:?} to put", begun.elapsed());
        }
    }

    /// Gets each of them whole, in time.
    fn gets(&self) {
        for size in Self::SIZES {
            let begun = Instant::now();
            let value = self.client.get(&format!("{size}"), &Default::default()).expect("the other user's Get");
            assert!(value.data() == vec![b'b'; size], "{size} bytes");
            assert!(begun.elapsed() < IN_TIME, "{size} bytes took {:?} to get", begun.elapsed());
        }
    }
}

#[test]
fn pipes_enlarged_and_read_slowly_keep_long_values_from_nobody() {
    let _alone = alone();
    for door in Door::ALL {
        let mut vault = Vault::start();
        let alice = vault.client(ALICE, door);
        alice.put("small", b"small", &Default::default()).unwrap();
        alice.put("big", &[b'v'; 65_536], &Default::default()).unwrap();
        let bob = Owner::at(&vault, door);
        let wire = vault.wire(ALICE, door);
        let enlarged = enlarge_all_there_is(&wire);
        let mut slow: Vec<File> = Vec::new();
        for _ in 0..10 {
            // Every place there is for slow readers, and each goes on a little.
            while let Ok(reader) = get(&wire, "big") {
                slow.push(File::from(reader));
                assert!(slow.len() <= 2 * PIPES, "slow readers are not limited");
            }
            bob.gets();
            for reader in &mut slow {
                read_all(reader, 4096);
            }
            bob.gets();
        }
        // They were slow, and not refused.
        slow.iter_mut().for_each(|reader| read_all(reader, 4096));
        let fed = slow.iter().filter(|reader| room(reader) <= CRIPPLED).count();
        println!("{door:?}: {} pipes enlarged, {fed} of {} slow readers fed", enlarged.len(), slow.len());
        assert!(fed > 200, "the kernel gave the daemon's pipes room again");
        bob.puts();
        assert_memory(&mut vault);
    }
}
