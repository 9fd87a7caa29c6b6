//! Running the commands, and what they say.

use std::io::Write;
use std::process::{Output, Stdio};

use serde_json::Value as Json;

use crate::common::*;

/// Runs a command to its end with `input` on its standard input.
pub fn run_with(vault: &Vault, user: User, door: Door, arguments: &[&str], input: &[u8]) -> Output {
    tokenvault_tests::record::command(door, arguments);
    let mut command = vault.command(user, arguments[0], door);
    command.args(&arguments[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that refuses its arguments does not read its input.
    child.stdin.take().unwrap().write_all(input).ok();
    child.wait_with_output().unwrap()
}

/// The same without input.
pub fn run(vault: &Vault, user: User, door: Door, arguments: &[&str]) -> Output {
    run_with(vault, user, door, arguments, b"")
}

/// What a terminal shows of a command of plain words.
pub fn at_a_terminal(vault: &Vault, user: User, arguments: &[&str]) -> String {
    let program = tokenvault_tests::program::path(arguments[0]);
    let words = [&[program.to_str().unwrap()], &arguments[1..]].concat().join(" ");
    let mut command = user.command("/usr/bin/script");
    command.args(["-qec", &words, "/dev/null"]).env("TOKENVAULT_ADDRESS", vault.address_text(Door::Socket));
    let output = command.stdin(Stdio::null()).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Standard output of a command that must work.
#[track_caller]
pub fn ok(output: Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// Exit status and the line on standard error of a command that must be refused.
#[track_caller]
pub fn failed(output: Output) -> (i32, String) {
    let line = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "it should have been refused");
    assert_eq!(line.lines().count(), 1, "one line: {line:?}");
    assert_eq!(output.stdout, b"", "nothing on standard output");
    (output.status.code().expect("an exit status"), line)
}

/// What a command with `--json` has printed: one document.
#[track_caller]
pub fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}
