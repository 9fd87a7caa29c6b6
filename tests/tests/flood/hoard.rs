//! What a user cannot keep from the others by taking all of it: room in the kernel's pipes, feeders, secret memory.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokenvault_client::Client;
use tokenvault_proto::TOKENS_INTERFACE;
use tokenvault_tests::{ALICE, BOB, CAROL, Door, ROOT, RawPeer, Refusal, User, Vault, Wire, pipe, wait};
use zbus::{Fd, OwnedVariant, Variant};

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
        let least = match door {
            Door::Socket => 200,
            // Those whose values are being fed count as on their way over the bus, where a user has a few places.
            Door::Bus => 6,
        };
        assert!(fed >= least, "the kernel gave the daemon's pipes room again");
        bob.puts();
        assert_memory(&mut vault);
    }
}

/// A user whose Puts never end.
struct Hoarder {
    wire: Wire,
    writers: Vec<File>,
}

impl Hoarder {
    /// How many and how long: together, of three users, more than there is secret memory, and the short ones for what the
    /// long ones leave.
    const WAVES: [(usize, usize); 3] = [(200, 128 * 1024), (30, 64 * 1024), (20, 16 * 1024)];

    fn at(vault: &Vault, user: User, door: Door) -> Self {
        Self { wire: vault.wire(user, door), writers: Vec::new() }
    }

    /// Puts values that have all of their bytes, but no end; waits until each is taken or refused.
    fn put_without_end(&mut self, (count, size): (usize, usize)) {
        for _ in 0..count {
            let (reader, writer) = pipe::open();
            fcntl(&writer, FcntlArg::F_SETPIPE_SZ(LARGEST)).unwrap();
            let mut writer = File::from(writer);
            writer.write_all(&vec![b'x'; size]).unwrap();
            self.wire.send(TOKENS_INTERFACE, "Put", &("t", Fd::from(reader), Options::new()));
            self.writers.push(writer);
        }
        for writer in &self.writers {
            wait::until("a value to be taken or refused", || (is_refused(writer) || is_empty(writer)).then_some(()));
        }
    }

    fn refused(&self) -> usize {
        self.writers.iter().filter(|writer| is_refused(writer)).count()
    }
}

/// What a pipe without a reader says to its writer.
fn is_refused(writer: &File) -> bool {
    let mut polls = [PollFd::new(writer.as_fd(), PollFlags::empty())];
    poll(&mut polls, PollTimeout::ZERO).unwrap();
    polls[0].revents().is_some_and(|events| events.contains(PollFlags::POLLERR))
}

/// Shrinking is refused to a pipe that holds more than that.
fn is_empty(writer: &File) -> bool {
    let room = room(writer);
    let empty = fcntl(writer, FcntlArg::F_SETPIPE_SZ(4096)).is_ok();
    fcntl(writer, FcntlArg::F_SETPIPE_SZ(room)).unwrap();
    empty
}

#[test]
fn values_that_never_end_leave_secret_memory_to_the_others() {
    let _alone = alone();
    let longest = Hoarder::WAVES[0].1;
    let mut vault = Vault::builder().limit("value-bytes", longest as u64).start();
    for door in Door::ALL {
        let bob = Owner::at(&vault, door);
        let mut hoarders = [ALICE, CAROL, ROOT].map(|user| Hoarder::at(&vault, user, door));
        for wave in Hoarder::WAVES {
            hoarders.iter_mut().for_each(|hoarder| hoarder.put_without_end(wave));
        }
        bob.puts();
        bob.gets();
        let refused = hoarders.each_ref().map(Hoarder::refused);
        println!("{door:?}: of {} endless values each, {refused:?} refused", hoarders[0].writers.len());
        assert!(refused.iter().all(|refused| *refused > 0), "they never came to their limit: {refused:?}");
        drop(hoarders);
        let carol = vault.client(CAROL, door);
        let put_the_longest = || carol.put("t", &vec![b'x'; longest], &Default::default()).ok();
        wait::until("the hoarders' secret memory to be given back", put_the_longest);
    }
    assert_memory(&mut vault);
}

#[test]
fn replies_that_are_never_read_keep_the_bus_from_others_for_a_few_seconds_only() {
    /// How long the vault waits for the bus to go on.
    const STALL: Duration = Duration::from_secs(5);
    let _alone = alone();
    let mut vault = Vault::builder().without_bus().start();
    // The bus reads nothing more of the vault while more than this of its messages lies unread. It is 127 MiB elsewhere.
    vault.start_bus_with(&[("max_incoming_bytes", 256 * 1024)]);
    let bob = wait::until("the vault to be on the bus", || vault.client_if_up(BOB, Door::Bus));
    bob.put("t", b"bob's", &Default::default()).unwrap();
    let mut peer = RawPeer::open(&vault, ALICE, Door::Bus);
    // Each with a number of its own: the bus passes on no second call with the number of one that is unanswered.
    let calls = (0..300).flat_map(|_| peer.message("org.freedesktop.DBus.Introspectable", "Introspect", &()));
    let calls: Vec<u8> = calls.collect();
    peer.write(&calls).unwrap();
    let left = "the bus has taken nothing from the vault";
    wait::until(left, || vault.log().contains(left).then_some(()));
    let begun = Instant::now();
    let of_bob = || Some(vault.client_if_up(BOB, Door::Bus)?.get("t", &Default::default()).ok()?.data().to_vec());
    assert_eq!(wait::until("the bus to be joined again", of_bob), b"bob's");
    println!("served again {:?} after it was told", begun.elapsed());
    assert!(begun.elapsed() < STALL, "{:?}", begun.elapsed());
    assert_eq!(vault.log().matches(left).count(), 1, "told once");
    drop(peer);
    assert_memory(&mut vault);
}
