//! The prompts, at a real terminal.
#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::{Child, Command, Stdio};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::openpty;
use nix::sys::termios::{LocalFlags, tcgetattr};

const TOKENVAULT: &str = env!("CARGO_BIN_EXE_tokenvault");
/// Nobody listens here: a command that got that far ends with this status.
const NOWHERE: &str = "unix:path=/nowhere/tokenvault/bus";
const UNREACHABLE: Option<i32> = Some(8);

/// A program at a terminal of its own.
struct Session {
    child: Child,
    keyboard: File,
    terminal: OwnedFd,
    screen: String,
}

impl Session {
    fn start(args: &[&str]) -> Self {
        let pty = openpty(None, None).unwrap();
        let end = || Stdio::from(pty.slave.try_clone().unwrap());
        let child = Command::new(TOKENVAULT)
            .args(args)
            .env("TOKENVAULT_ADDRESS", NOWHERE)
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        Self { child, keyboard: File::from(pty.master), terminal: pty.slave, screen: String::new() }
    }

    /// Waits until `text` stands on what is new on the screen, and takes it from there.
    fn expect(&mut self, text: &str) {
        while !self.screen.contains(text) {
            assert!(self.read_more(10_000), "'{text}' did not come after: {}", self.screen);
        }
        let end = self.screen.find(text).unwrap() + text.len();
        assert!(!self.screen.contains("hunter"), "a secret was echoed: {}", self.screen);
        self.screen.drain(..end);
    }

    fn read_more(&mut self, milliseconds: u16) -> bool {
        let mut ready = [PollFd::new(self.keyboard.as_fd(), PollFlags::POLLIN)];
        if poll(&mut ready, PollTimeout::from(milliseconds)).unwrap() == 0 {
            return false;
        }
        let mut bytes = [0; 1024];
        let count = self.keyboard.read(&mut bytes).unwrap();
        self.screen.push_str(&String::from_utf8_lossy(bytes.get(..count).unwrap()));
        true
    }

    fn type_keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Exit status, and what stands on the screen since the last text that was waited for.
    fn end(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().unwrap();
        while self.read_more(0) {}
        assert!(!self.screen.contains("hunter"), "a secret was echoed: {}", self.screen);
        let flags = tcgetattr(&self.terminal).unwrap().local_flags;
        assert!(flags.contains(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG), "the terminal stays spoiled");
        (status.code(), self.screen)
    }
}

#[test]
fn a_value_is_asked_for_twice_and_never_seen() {
    let mut session = Session::start(&["put", "name"]);
    session.expect("Value of 'name': ");
    session.type_keys("hunter2\r");
    session.expect("Value of 'name', again: ");
    session.type_keys("hunter3\x7f2\r");
    let (status, screen) = session.end();
    assert_eq!(status, UNREACHABLE);
    assert!(screen.contains("tokenvault: cannot reach the vault"), "{screen}");
}

#[test]
fn two_different_values_are_asked_for_once_more() {
    let mut session = Session::start(&["put", "name"]);
    session.expect("Value of 'name': ");
    session.type_keys("hunter2\r");
    session.expect("again: ");
    session.type_keys("hunter3\r");
    session.expect("The two are not the same");
    session.expect("Value of 'name': ");
    session.type_keys("\x03");
    assert_eq!(session.end().0, Some(130));
}

#[test]
fn ctrl_c_at_a_prompt_ends_the_command_and_leaves_the_terminal_as_it_was() {
    let mut session = Session::start(&["put", "name"]);
    session.expect(": ");
    session.type_keys("hunter\x03");
    let (status, screen) = session.end();
    assert_eq!(status, Some(130));
    assert!(screen.contains("tokenvault: cancelled at the prompt; "), "{screen}");
}

#[test]
fn an_empty_value_is_refused() {
    let mut session = Session::start(&["put", "name"]);
    session.expect(": ");
    session.type_keys("\r");
    session.expect("again: ");
    session.type_keys("\r");
    let (status, screen) = session.end();
    assert_eq!(status, Some(2));
    assert!(screen.contains("the value is empty"), "{screen}");
}

#[test]
fn a_value_longer_than_a_line_of_the_kernel_is_not_cut() {
    let long = "x".repeat(5_000) + "\r";
    let mut session = Session::start(&["put", "name"]);
    session.expect(": ");
    session.type_keys(&long);
    session.expect("again: ");
    session.type_keys(&long);
    assert_eq!(session.end().0, UNREACHABLE);
}

#[test]
fn get_to_a_terminal_needs_reveal() {
    let (status, screen) = Session::start(&["get", "name"]).end();
    assert_eq!(status, Some(2));
    assert!(screen.contains("standard output is a terminal") && screen.contains("--reveal"), "{screen}");
    let (status, _) = Session::start(&["get", "name", "--json"]).end();
    assert_eq!(status, Some(2));
    let (status, _) = Session::start(&["get", "name", "--reveal"]).end();
    assert_eq!(status, UNREACHABLE);
}
