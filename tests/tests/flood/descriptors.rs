//! Descriptors: those that come in with calls, and those that go out with replies nobody reads.

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use tokenvault_proto::TOKENS_INTERFACE;
use tokenvault_tests::{ALICE, BOB, DAEMON, Door, RawPeer, Vault, pipe, wait};
use zbus::{Fd, Variant};

use crate::measure::{Bystander, alone};

type Options = HashMap<&'static str, Variant<'static>>;

/// A `Put` without its descriptor.
fn put(peer: &RawPeer) -> Vec<u8> {
    peer.message(TOKENS_INTERFACE, "Put", &("t", Fd::from(pipe::holding(b"v")), Options::new()))
}

/// Something to be carried, and an end that tells when nobody has it any more.
fn carried() -> (UnixStream, UnixStream) {
    let (watch, carried) = UnixStream::pair().unwrap();
    watch.set_read_timeout(Some(wait::PATIENCE)).unwrap();
    (watch, carried)
}

/// Lets a process have numbers of descriptors up to `most`; the limit it had.
fn limit_descriptors(pid: u32, most: &str) -> String {
    let prlimit = |arguments: &[&str]| {
        let pid = format!("--pid={pid}");
        let output = DAEMON.command("/usr/bin/prlimit").arg(pid).args(arguments).output().expect("prlimit");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let before = prlimit(&["--nofile", "--output=SOFT", "--noheadings", "--raw"]);
    prlimit(&[&format!("--nofile={most}:")]);
    before
}

/// The number behind the lowest one that is free.
fn behind_the_first_free(pid: u32) -> u32 {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let open: Vec<u32> = open.map(|entry| entry.file_name().to_str().unwrap().parse().unwrap()).collect();
    (0..).find(|number| !open.contains(number)).unwrap() + 1
}

#[test]
fn descriptors_that_come_when_there_is_room_for_some_of_them_do_not_stay() {
    let _alone = alone();
    let mut vault = Vault::start();
    let pid = vault.daemon().process().id();
    let bob = vault.client(BOB, Door::Socket);
    bob.put("t", b"bob's", &Default::default()).unwrap();
    let mut peer = RawPeer::open(&vault, ALICE, Door::Socket);
    let (mut watch, carried) = carried();
    let call = put(&peer);
    // It opens and closes nothing between the look and the call.
    vault.daemon().process().stop();
    let most = limit_descriptors(pid, &behind_the_first_free(pid).to_string());
    peer.write_with(&call, &[carried.as_fd(), carried.as_fd()]).unwrap();
    vault.daemon().process().go_on();
    drop(carried);
    assert!(peer.is_hung_up_on(), "what lost its descriptors is listened to");
    limit_descriptors(pid, &most);
    assert_eq!(watch.read(&mut [0]).expect("the daemon still has a descriptor"), 0);
    assert_eq!(bob.get("t", &Default::default()).expect("the connection of another").data(), b"bob's");
    Bystander::at(&vault, Door::Socket).is_served();
}

#[test]
fn a_call_with_more_descriptors_than_any_method_takes_is_hung_up_on() {
    let _alone = alone();
    let vault = Vault::start();
    let mut peer = RawPeer::open(&vault, ALICE, Door::Socket);
    let fd = || Fd::from(pipe::holding(b"v"));
    let call = peer.message(TOKENS_INTERFACE, "Put", &("t", fd(), fd(), fd(), Options::new()));
    let (mut watch, carried) = carried();
    peer.write_with(&call, &[carried.as_fd(); 3]).unwrap();
    drop(carried);
    assert_eq!(watch.read(&mut [0]).expect("the daemon still has a descriptor"), 0);
    assert!(peer.is_hung_up_on());
}

#[test]
fn descriptors_of_one_user_leave_room_for_those_of_the_others() {
    const CALLS: usize = 250;
    let _alone = alone();
    let mut vault = Vault::builder().limit("in-flight", 0).limit("in-flight-total", 0).prepare();
    assert!(vault.start_daemon_under(&["/usr/bin/prlimit", "--nofile=1024:1024"]));
    let bob = Bystander::at(&vault, Door::Socket);
    // Its end stays open, so no value ever ends.
    let (reader, _writer) = pipe::open();
    let mut peers: Vec<RawPeer> = (0..8).map(|_| RawPeer::open(&vault, ALICE, Door::Socket)).collect();
    let call = put(&peers[0]);
    // What the daemon does not take waits in the socket.
    for peer in &mut peers {
        let sent = (0..CALLS).take_while(|_| peer.write_with(&call, &[reader.as_fd()]).is_ok()).count();
        println!("{sent} calls with a descriptor fit");
    }
    bob.is_served();
    let another = vault.client(BOB, Door::Socket);
    another.get("t", &Default::default()).expect("the other user has a connection more");
    let open = vault.daemon().process().open_files();
    println!("the daemon has {open} descriptors open");
    assert!(open < 1024 * 3 / 4, "{open} descriptors");
}

/// A connection of alice with unread values, a `Get` for each of `count`.
fn with_values_unread(vault: &Vault, count: usize) -> Option<RawPeer> {
    let mut peer = RawPeer::open_if_let_in(vault, ALICE, Door::Socket)?;
    let calls = peer.message(TOKENS_INTERFACE, "Get", &("t", Options::new())).repeat(count);
    peer.write(&calls).unwrap();
    Some(peer)
}

#[test]
fn values_left_unread_keep_the_place_of_their_connection() {
    const CONNECTIONS: u64 = 4;
    let _alone = alone();
    let vault = Vault::builder().limit("connections", CONNECTIONS).start();
    vault.client(ALICE, Door::Socket).put("t", b"alice's", &Default::default()).unwrap();
    let bob = Bystander::at(&vault, Door::Socket);
    let hoard_one = |_| {
        let peer = with_values_unread(&vault, 20)?;
        peer.leave_unread();
        Some(peer)
    };
    let hoard: Vec<RawPeer> = (0..40).filter_map(hoard_one).collect();
    assert_eq!(hoard.len(), CONNECTIONS as usize, "who leaves replies unread may leave more");
    bob.is_served();
    drop(hoard);
    wait::until("the places of those that are gone", || with_values_unread(&vault, 1));
}

#[test]
fn values_that_nobody_reads_are_a_part_of_what_the_daemon_may_have_under_way() {
    const CALLS: usize = 160;
    let _alone = alone();
    let mut vault = Vault::builder().prepare();
    assert!(vault.start_daemon_under(&["/usr/bin/prlimit", "--nofile=512:512"]));
    vault.client(ALICE, Door::Socket).put("t", b"alice's", &Default::default()).unwrap();
    let bob = Bystander::at(&vault, Door::Socket);
    let mut peer = with_values_unread(&vault, CALLS).unwrap();
    // As many turns as all of her calls need.
    for _ in 0..2 * CALLS {
        bob.is_served();
    }
    let replies: Vec<_> = (0..CALLS).map(|number| peer.read_reply().unwrap_or_else(|| panic!("{number}"))).collect();
    let given = replies.iter().filter(|reply| reply.is_return()).count();
    let refused = replies.iter().filter(|reply| reply.is_error("org.tokenvault1.Error.LimitsExceeded")).count();
    assert_eq!(given + refused, CALLS);
    assert!(given < CALLS / 2, "{given} of {CALLS} were given at once");
    // Who has read is given more; as many as may lie unread in their pipes, which were closed here.
    for _ in 0..256 - CALLS {
        let call = peer.message(TOKENS_INTERFACE, "Get", &("t", Options::new()));
        peer.write(&call).unwrap();
        assert!(peer.read_reply().expect("silence").is_return());
    }
}
