//! What was acknowledged survives SIGKILL at any moment.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // A test ends where something is not as expected.

mod common;

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use common::*;

/// Where the child finds its store.
const STATE: &str = "TOKENVAULT_TEST_STATE";

/// Not a test: what the child process of the test below runs. Alone, it does nothing.
#[test]
#[ignore = "run by acknowledged_writes_survive_a_kill"]
fn child_writes_until_it_is_killed() {
    let Some(state) = env::var_os(STATE) else { return };
    let store = open(Path::new(&state));
    let alice = add_principal(&store, 1000);
    thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for number in 0.. {
                    let name = format!("{thread}/{number}");
                    put(store, alice, &name, &noise(number + 1, 400)).unwrap();
                    // A raw write, so that a line is either in the pipe or not.
                    std::io::stderr().write_all(format!("put {name}\n").as_bytes()).unwrap();
                    if number % 3 == 0 {
                        delete(store, id_of(store, alice, &name).unwrap()).unwrap();
                        std::io::stderr().write_all(format!("deleted {name}\n").as_bytes()).unwrap();
                    }
                }
            });
        }
    });
}

fn start_child(state: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "child_writes_until_it_is_killed", "--ignored", "--nocapture"])
        .env(STATE, state)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn acknowledged_writes_survive_a_kill() {
    for acknowledgements in [1, 7, 40, 150, 151, 400] {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let mut child = start_child(&state);
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let mut told: Vec<_> = lines.by_ref().take(acknowledgements).collect();
        child.kill().unwrap();
        child.wait().unwrap();
        told.extend(lines);
        assert!(told.len() >= acknowledgements, "the child ended too early: {told:?}");

        let store = open(&state);
        store.verify_structure().unwrap();
        let alice = read(&store, |tx| tx.principal(&principal_row(1000).uid_tag)).unwrap().id;
        for line in &told {
            let (done, name) = line.split_once(' ').unwrap();
            let number: u64 = name.split_once('/').unwrap().1.parse().unwrap();
            let value = value_of(&store, alice, name);
            if done == "deleted" {
                assert_eq!(value, None, "{line}");
            } else if !number.is_multiple_of(3) {
                assert_eq!(value.as_deref(), Some(&noise(number + 1, 400)[..]), "{line}");
            }
        }
        put(&store, alice, "after", b"value").unwrap();
    }
}
