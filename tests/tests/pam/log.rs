//! What the module says in the system's log: one line for what somebody should do something about, and never a password.

use std::os::unix::net::UnixDatagram;

use crate::kit::{Site, succeed};

/// Runs a command where `/dev` has nothing but a log that is the test's; the directory of the test is `$0`.
const WITH_LOG: &str = "mkdir \"$0/dev\"; mount -t tmpfs none \"$0/dev\"; touch \"$0/dev/log\" \"$0/dev/null\"
    mount --bind \"$0/log\" \"$0/dev/log\"; mount --bind /dev/null \"$0/dev/null\"; mount --rbind \"$0/dev\" /dev; exec \"$@\"";

/// What is logged during a login, without the number of the process.
fn logged(site: &Site) -> Vec<String> {
    let log = UnixDatagram::bind(site.file("log")).unwrap();
    log.set_nonblocking(true).unwrap();
    let directory = site.file("").display().to_string();
    let programs = ["/usr/bin/unshare", "--mount", "/bin/sh", "-euc", WITH_LOG, &directory];
    let actions = ["answer:horse", "look", "authenticate", "open_session", "same", "close_session", "end"];
    succeed(&mut site.command_by(&programs, "alice", &actions));
    let mut lines = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(len) = log.recv(&mut buffer) {
        let line = String::from_utf8_lossy(&buffer[..len]).into_owned();
        let (head, text) = line.split_once("]: ").unwrap();
        let (priority, _) = head.split_once("pam_tokenvault[").unwrap();
        lines.push(format!("{priority}{text}"));
    }
    lines
}

#[test]
fn a_vault_that_cannot_be_reached_is_one_warning() {
    let site = Site::new().with_script("exit 8");
    let helper = site.file("helper").display().to_string();
    let site = site.with_arguments(&format!("helper={helper}"));
    let expected =
        "<84>(login:session) session of alice: the vault cannot be reached; see 'systemctl status tokenvaultd'";
    assert_eq!(logged(&site), [expected]);
}

#[test]
fn what_is_usual_is_logged_only_when_that_is_asked_for() {
    let site = Site::new().with_script("exit 0");
    let expected = [
        "<87>(login:auth) keeping the password of alice for the session",
        "<87>(login:session) session of alice: done",
    ];
    assert_eq!(logged(&site), expected);
    let site = Site::new().with_script("exit 0");
    let helper = site.file("helper").display().to_string();
    assert_eq!(logged(&site.with_arguments(&format!("helper={helper}"))), Vec::<String>::new());
}

#[test]
fn an_argument_that_is_not_understood_is_told_each_time() {
    let lines = logged(&Site::new().with_script("exit 0").with_arguments("nonsense helper=/bin/true"));
    // Once in each of the three entries of a login that do something.
    assert_eq!(lines.iter().filter(|line| line.ends_with("the argument 'nonsense' is not understood")).count(), 3);
}
