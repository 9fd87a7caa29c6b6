//! The daemon is killed and started again while C programs use it.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use tokenvault_tests::process::Process;
use tokenvault_tests::{ALICE, Door, ROOT, Vault, wait};

use crate::kit::{self, Under};
use crate::under_everything;

/// Does what the program asks for, line by line, until it ends.
fn run(under: Under, door: Door) {
    let mut vault = Vault::builder().limit("writes-per-second", 0).limit("misses-per-second", 0).start();
    let program = kit::compile(&vault, &kit::source("restart.c"), under);
    let mut command = kit::command(&vault, ALICE, door, &program, under);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut tell, hear) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    let mut process = Process::adopt(child);
    let mut asked = 0;
    for line in hear.lines() {
        let line = line.unwrap();
        asked += 1;
        if line.starts_with("kill") {
            vault.kill_daemon();
        }
        if line.ends_with("start") {
            vault.start_daemon();
            vault.wait_for_state("serving");
            // The name comes back to the bus by itself.
            wait::until("the door to open again", || vault.client_if_up(ROOT, door));
        }
        writeln!(tell, "done").unwrap();
    }
    assert!(process.wait(wait::PATIENCE).expect("restart.c hangs").success());
    assert_eq!(asked, 7);
}

under_everything! {
    fn a_client_outlives_the_daemon(under) {
        run(under, Door::Socket);
    }
}

#[test]
fn a_client_of_the_bus_outlives_the_daemon() {
    run(Under::Plain, Door::Bus);
}
