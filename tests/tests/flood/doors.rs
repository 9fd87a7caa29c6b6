//! What the doors let in and hold: large calls, uids nobody knows; and how they are closed.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use serde::ser::{Serialize, SerializeMap, Serializer};
use tokenvault_proto::{BUS_NAME, OBJECT_PATH, TOKENS_INTERFACE};
use tokenvault_tests::wait::{self, PATIENCE};
use tokenvault_tests::{ALICE, BOB, Door, ROOT, RawPeer, User, Vault, pipe};
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

/// Says all of the greeting at once; the connection if it is let in.
pub fn greet(vault: &Vault, user: User) -> Option<UnixStream> {
    let mut stream = RawPeer::connect(vault, user, Door::Socket).ok()?;
    stream.write_all(b"\0AUTH EXTERNAL\r\nDATA\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n").ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut said, mut byte) = (Vec::new(), [0]);
    while !said.ends_with(b"AGREE_UNIX_FD\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        said.push(byte[0]);
    }
    said.ends_with(b"AGREE_UNIX_FD\r\n").then_some(stream)
}

#[test]
fn uids_that_nobody_knows_do_not_fill_the_private_door() {
    const UIDS: u32 = 128;
    const OF_EACH: usize = 64;
    let _alone = alone();
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    let vault = Vault::start();
    let held: Vec<UnixStream> = thread::scope(|scope| {
        let of_uid = |uid| (0..OF_EACH).filter_map(|_| greet(&vault, User { name: "", uid })).collect::<Vec<_>>();
        let threads: Vec<_> = (0..UIDS).map(|number| scope.spawn(move || of_uid(100_000 + number))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(vault.client(ROOT, Door::Socket).status().expect("root is turned away").state, "serving");
    Bystander::at(&vault, Door::Socket).is_served();
    println!("{} connections of nameless uids were let in", held.len());
    assert!(!held.is_empty() && held.len() <= 64, "{} connections of nameless uids", held.len());
}

#[test]
fn a_call_of_the_bus_that_is_under_way_at_a_stop_is_answered() {
    let _alone = alone();
    let mut vault = Vault::start();
    let (wire, other) = (vault.wire(ALICE, Door::Bus), vault.wire(BOB, Door::Bus));
    let (reader, writer) = pipe::open();
    let put = thread::spawn(move || {
        let options = Repeated { key: "class", times: 0 };
        let reply = wire.call(TOKENS_INTERFACE, "Put", &("t", Fd::from(reader), options));
        reply.map(|reply| reply.body().deserialize::<u64>().unwrap())
    });
    // The daemon has taken the call when it holds the pipe.
    let pipe_of_test = fs::metadata(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&writer))).unwrap();
    let pid = vault.daemon().process().id();
    wait::until("the daemon to take the call", || holds(pid, &pipe_of_test).then_some(()));
    vault.daemon().process().signal(Signal::SIGTERM);
    wait::until("the name to be given back", || {
        let owned = other.call_bus("NameHasOwner", &BUS_NAME).unwrap();
        (!owned.body().deserialize::<bool>().unwrap()).then_some(())
    });
    fs::File::from(writer).write_all(b"late").unwrap();
    assert_eq!(put.join().unwrap(), Ok(1), "a call that was under way has no answer");
    assert!(vault.daemon().process().wait(PATIENCE).expect("it does not stop").success());
    vault.start_daemon();
    assert_eq!(vault.client(ALICE, Door::Socket).get("t", &Default::default()).unwrap().data(), b"late");
}

/// Whether a process has the same file open.
fn holds(pid: u32, file: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    let open = fs::read_dir(format!("/proc/{pid}/fd")).expect("the process is gone").flatten();
    open.filter_map(|entry| fs::metadata(entry.path()).ok())
        .any(|other| (other.dev(), other.ino()) == (file.dev(), file.ino()))
}
