//! Descriptors that come in with calls.

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use tokenvault_proto::TOKENS_INTERFACE;
use tokenvault_tests::{ALICE, DAEMON, Door, RawPeer, Vault, pipe, wait};
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
    let bob = Bystander::at(&vault, Door::Socket);
    let mut peer = RawPeer::open(&vault, ALICE, Door::Socket);
    let (mut watch, carried) = carried();
    let call = put(&peer);
    let most = limit_descriptors(pid, &behind_the_first_free(pid).to_string());
    peer.write_with(&call, &[carried.as_fd(), carried.as_fd()]).unwrap();
    drop(carried);
    assert!(peer.is_hung_up_on(), "what lost its descriptors is listened to");
    limit_descriptors(pid, &most);
    assert_eq!(watch.read(&mut [0]).expect("the daemon still has a descriptor"), 0);
    bob.is_served();
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
