//! What the module leaves in the program it is a guest of: nothing but the lease, and that until the session ends.

use std::process::Stdio;

use tokenvault_tests::ALICE;

use crate::kit::{AUTH_ERR, Site, Under, check};

/// A helper that does nothing but hold the lease for as long as the host lives, as the daemon would.
const HOLDS_LEASE: &str = "(exec tail --pid=\"$(cut -d' ' -f4 /proc/$PPID/stat)\" -f /dev/null) <&3 >/dev/null 2>&1 &";
/// Writes down what it gets.
const NOTES: &str = "exec >>\"$(dirname \"$0\")/seen\"; echo \"$* uid $(id -ru)\"; tr '\\0' ' '; echo";

const LOGIN: [&str; 4] = ["authenticate", "acct_mgmt", "open_session", "close_session"];
const LOGIN_SEEN: [&str; 11] = [
    "answer:horse",
    "look",
    "authenticate",
    "same",
    "acct_mgmt",
    "same",
    "open_session",
    "same",
    "close_session",
    "same",
    "end",
];

/// However the program treats the end of its children.
fn leaves_nothing(under: Under) {
    let site = Site::new().with_script("exit 0");
    for children in ["", "children:ignored", "children:heard", "children:buried"] {
        let actions: Vec<&str> = [children].into_iter().filter(|word| !word.is_empty()).chain(LOGIN_SEEN).collect();
        check(&site.run(under, "alice", &actions), &LOGIN);
    }
}

#[test]
fn nothing_is_left_in_the_host_and_the_module_is_unloaded() {
    leaves_nothing(Under::Plain);
}

#[test]
fn nothing_is_left_in_the_host_under_valgrind() {
    leaves_nothing(Under::Valgrind);
}

#[test]
fn the_lease_is_one_pipe_closed_on_exec_and_ends_with_the_session() {
    let site = Site::new().with_script(HOLDS_LEASE);
    for under in [Under::Plain, Under::Valgrind] {
        let actions = ["answer:horse", "look", "authenticate", "open_session", "lease", "close_session", "same", "end"];
        site.run(under, "alice", &actions);
    }
}

#[test]
fn a_transaction_that_ends_without_its_session_takes_the_lease_with_it() {
    let site = Site::new().with_script(HOLDS_LEASE);
    let actions = ["answer:horse", "look", "authenticate", "open_session", "lease", "end", "same"];
    site.run(Under::Valgrind, "alice", &actions);
}

#[test]
fn a_second_session_takes_the_place_of_the_first() {
    let site = Site::new().with_script(HOLDS_LEASE);
    let actions = ["answer:horse", "look", "authenticate", "open_session", "open_session", "lease", "end", "same"];
    site.run(Under::Valgrind, "alice", &actions);
}

#[test]
fn a_host_that_closed_everything_keeps_what_it_has_opened_in_its_place() {
    let site = Site::new().with_script(HOLDS_LEASE);
    let actions = [
        "answer:horse",
        "look",
        "authenticate",
        "open_session",
        "lease",
        "take-over-files",
        "close_session",
        "same",
        "end",
    ];
    site.run(Under::Plain, "alice", &actions);
}

#[test]
fn the_helper_gets_the_password_of_the_login_once() {
    let site = Site::new().with_script(NOTES);
    let actions = ["answer:horse", "authenticate", "open_session", "close_session", "open_session", "end"];
    site.run(Under::Plain, "alice", &actions);
    assert_eq!(site.read("seen"), "open alice uid 0\nhorse \nlease alice uid 0\n\n");
}

#[test]
fn the_password_of_one_user_is_not_used_for_the_session_of_another() {
    let site = Site::new().with_script(NOTES);
    let actions = ["answer:horse", "authenticate", "user:root", "open_session", "close_session", "end"];
    site.run(Under::Valgrind, "alice", &actions);
    assert_eq!(site.read("seen"), "lease root uid 0\n\n");
}

#[test]
fn a_login_that_asked_for_no_password_has_only_the_lease() {
    let site = Site::new().with_script(NOTES).without_password();
    site.run(Under::Plain, "alice", &["authenticate", "open_session", "close_session", "end"]);
    assert_eq!(site.read("seen"), "lease alice uid 0\n\n");
}

#[test]
fn who_is_asked_for_the_own_password_has_none_kept() {
    let site = Site::new().with_script(NOTES);
    let actions = ["asked-by:alice", "answer:horse", "authenticate", "open_session", "close_session", "end"];
    site.run(Under::Plain, "alice", &actions);
    assert_eq!(site.read("seen"), "lease alice uid 0\n\n");
}

#[test]
fn who_comes_from_elsewhere_under_the_same_name_logs_in() {
    let site = Site::new().with_script(NOTES);
    let actions = ["asked-by:alice", "from:elsewhere", "answer:horse", "authenticate", "open_session", "end"];
    site.run(Under::Plain, "alice", &actions);
    assert_eq!(site.read("seen"), "open alice uid 0\nhorse \n");
}

#[test]
fn a_copy_of_the_program_has_no_password() {
    let site = Site::new().with_script(NOTES);
    let actions = ["answer:horse", "authenticate", "go-on-in-a-copy", "open_session", "close_session", "end"];
    check(&site.run(Under::Plain, "alice", &actions), &["authenticate", "open_session", "close_session"]);
    assert_eq!(site.read("seen"), "lease alice uid 0\n\n");
}

#[test]
fn where_no_descriptor_can_be_put_aside_the_helper_has_none_of_the_hosts() {
    let file = "written";
    let site = Site::new().with_arguments("helper=/nowhere/helper");
    let path = site.file(file);
    std::fs::write(&path, "").unwrap();
    // One of these becomes descriptor 4.
    let open = format!("open:{}", path.display());
    let actions = [&open, &open, "files-max:10", "open_session", "end"];
    check(&site.run(Under::Plain, "alice", &actions), &["open_session"]);
    assert_eq!(site.read(file), "");
}

#[test]
fn a_login_that_was_refused_stays_refused() {
    let site = Site::new().with_script(NOTES);
    let calls = site.run(Under::Plain, "alice", &["answer:stable", "authenticate", "end"]);
    assert_eq!(calls[0].status, AUTH_ERR);
    assert_eq!(site.read("seen"), "");
}

#[test]
fn a_user_who_changes_the_password_hands_over_both() {
    let site = Site::new().with_script(NOTES);
    let who = format!("setuid-for:{}", ALICE.uid);
    let actions = [&who, "answer:horse", "answer:stable", "look", "chauthtok", "same", "end"];
    check(&site.run(Under::Valgrind, "alice", &actions), &["chauthtok"]);
    assert_eq!(site.read("seen"), "set-key alice uid 0\nhorse stable \n", "the helper is root entirely");
    assert_eq!(site.read("passwords"), "alice:stable\n");
}

#[test]
fn root_who_sets_a_password_hands_over_nothing() {
    let site = Site::new().with_script(NOTES);
    check(&site.run(Under::Valgrind, "alice", &["answer:stable", "look", "chauthtok", "same", "end"]), &["chauthtok"]);
    assert_eq!(site.read("seen"), "");
    assert_eq!(site.read("passwords"), "alice:stable\n");
}

#[test]
fn pamtester_logs_in_and_out() {
    let site = Site::new().with_script(NOTES);
    let mut command = tokenvault_tests::ROOT.command("/usr/bin/pamtester");
    site.wrap(&mut command);
    command.args([site.service(), "alice", "authenticate", "setcred(PAM_ESTABLISH_CRED)", "acct_mgmt", "open_session"]);
    let mut child = command.arg("close_session").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"horse\n").unwrap();
    assert!(child.wait_with_output().unwrap().status.success());
    assert_eq!(site.read("seen"), "open alice uid 0\nhorse \n");
}
