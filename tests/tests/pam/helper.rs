//! The helper by itself.

use std::io::Write as _;
use std::process::Stdio;

use tokenvault_tests::process::Process;
use tokenvault_tests::{ROOT, memory, program, wait};

#[test]
fn a_password_lies_in_the_memory_of_the_helper_once() {
    let mut command = ROOT.command(program::path("tokenvault-pam-helper"));
    command.args(["set-key", "root"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let helper = Process::adopt(child);
    let password = b"a password that is found nowhere else";
    // It goes on waiting for the second.
    input.write_all(&[&password[..], b"\0"].concat()).unwrap();
    let copies = || Some(memory::copies(helper.id(), password)).filter(|copies| *copies > 0);
    assert_eq!(wait::until("the password to be read", copies), 1);
}
