//! A bus of its own for a keyring.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use tokenvault_tests::process::Process;

/// Runs a `dbus-daemon` that prints its address on standard output once it listens.
pub fn start(command: &mut Command) -> Process {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("dbus-daemon (package dbus-daemon)");
    let said = child.stdout.take().expect("a piped stdout");
    let process = Process::adopt(child);
    let mut address = String::new();
    BufReader::new(said).read_line(&mut address).expect("the address of the bus");
    assert!(!address.is_empty(), "the bus did not start");
    process
}
