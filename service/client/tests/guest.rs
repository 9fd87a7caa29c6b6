//! What a client leaves in the program it is a guest of. One test: it counts what belongs to the whole process, so the
//! stand-in runs in a process of its own.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use std::io::{PipeWriter, Read, Write};
use std::path::Path;

use common::Server;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use tokenvault_client::{Address, Client, ErrorCode, GetOptions};

/// Runs `work` in a child process that ends with it.
fn in_child(work: impl FnOnce()) -> Pid {
    // SAFETY: the child uses its own memory and file descriptors only, and the C library keeps its allocator usable in
    // the child of a program with threads. It leaves without running anything of the parent's.
    match unsafe { fork() }.unwrap() {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            let status = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).map_or(1, |()| 0);
            // SAFETY: ends the process at once.
            unsafe { libc::_exit(status) }
        }
    }
}

/// Starts the stand-in; it ends when the returned pipe is closed.
fn server(directory: &Path) -> (Pid, PipeWriter) {
    let (mut until, stop) = std::io::pipe().unwrap();
    let (mut ready, mut started) = std::io::pipe().unwrap();
    let mut stop = Some(stop);
    let pid = in_child(|| {
        drop(stop.take());
        let _server = Server::start(directory);
        started.write_all(b"x").unwrap();
        until.read_to_end(&mut Vec::new()).unwrap();
    });
    ready.read_exact(&mut [0]).unwrap();
    (pid, stop.unwrap())
}

fn entries(directory: &str) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}

fn caught_signals() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    status.lines().find(|line| line.starts_with("SigCgt:")).unwrap().to_owned()
}

fn use_and_close(address: &Address) {
    let client = Client::open(Some(address)).unwrap();
    client.get("any", &GetOptions::default()).unwrap();
    assert_eq!(client.status().unwrap().state, "serving");
}

/// What the child sees: its parent's client refuses to work, dropping it is harmless, and one of its own works.
fn inherit(client: Client, address: &Address) -> String {
    let refused = client.status().unwrap_err();
    drop(client);
    let own = Client::open(Some(address)).unwrap().status().unwrap().state;
    format!("{:?}: {refused}; {own}", refused.code())
}

#[test]
fn a_client_leaves_nothing_behind_and_a_forked_one_leaves_the_parents_alone() {
    let directory = tempfile::tempdir().unwrap();
    let (server, stop) = server(directory.path());
    let address = Address::Socket(directory.path().join("bus"));
    let before = (entries("/proc/self/task"), caught_signals());
    use_and_close(&address);
    let kept = entries("/proc/self/fd");
    let client = Client::open(Some(&address)).unwrap();
    client.status().unwrap();
    assert_eq!((entries("/proc/self/task"), caught_signals()), before);

    let (mut reader, mut writer) = std::io::pipe().unwrap();
    let mut inherited = Some(client);
    let child = in_child(|| {
        let seen = inherit(inherited.take().unwrap(), &address);
        writer.write_all(seen.as_bytes()).unwrap();
    });
    drop(writer);
    let mut seen = String::new();
    reader.read_to_string(&mut seen).unwrap();
    drop(reader);
    assert_eq!(waitpid(child, None).unwrap(), WaitStatus::Exited(child, 0));
    assert!(seen.starts_with(&format!("{:?}: ", ErrorCode::Unavailable)), "{seen}");
    assert!(seen.contains("after fork()") && seen.ends_with("; serving"), "{seen}");
    let client = inherited.unwrap();
    assert_eq!(client.status().unwrap().state, "serving");

    drop(client);
    assert_eq!(entries("/proc/self/fd"), kept);
    drop(stop);
    assert_eq!(waitpid(server, None).unwrap(), WaitStatus::Exited(server, 0));
}
