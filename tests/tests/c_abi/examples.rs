//! The examples, which people copy.

use std::process::Command;

use tokenvault_tests::{ALICE, BOB, Door, User, Vault, program, stage};

use crate::kit::{self, Under};

/// The C and the Python example, ready to run.
fn examples(vault: &Vault) -> Vec<Vec<String>> {
    let examples = program::source_root().join("ffi/examples");
    let get = kit::compile(vault, &examples.join("get.c"), Under::Plain);
    // Copied, since not every user can enter a directory where a source tree lies.
    let script = vault.path().join("get.py");
    std::fs::copy(examples.join("get.py"), &script).unwrap();
    let words = |words: &[&std::path::Path]| words.iter().map(|word| word.to_str().unwrap().to_owned()).collect();
    vec![words(&[&get]), words(&["/usr/bin/python3".as_ref(), &script])]
}

fn command(vault: &Vault, user: User, door: Door, words: &[String]) -> Command {
    let mut command = user.command(&words[0]);
    command.args(&words[1..]).env("TOKENVAULT_ADDRESS", vault.address_text(door));
    command.env("LD_LIBRARY_PATH", stage::library_directory());
    command
}

#[test]
fn the_examples_write_a_token_and_fail_with_the_reason() {
    let vault = Vault::start();
    vault.client(ALICE, Door::Socket).put("api/key", b"s3cret", &Default::default()).unwrap();
    for words in examples(&vault) {
        for door in Door::ALL {
            let output = kit::succeed(command(&vault, ALICE, door, &words).arg("api/key"));
            assert_eq!(output.stdout, b"s3cret", "{words:?}");
            let output = command(&vault, BOB, door, &words).arg("api/key").output().unwrap();
            assert_eq!(output.status.code(), Some(3), "{words:?}");
            assert!(String::from_utf8_lossy(&output.stderr).contains("no such token"), "{output:?}");
            assert!(output.stdout.is_empty());
        }
        let mut lost = command(&vault, ALICE, Door::Socket, &words);
        let output = lost.arg("api/key").env("TOKENVAULT_ADDRESS", "unix:path=/nonexistent").output().unwrap();
        assert_eq!(output.status.code(), Some(11), "{words:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("/nonexistent"), "{output:?}");
    }
}
