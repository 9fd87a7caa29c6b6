//! Helpers that are missing, broken or hang, and hosts that have nothing left: nobody is kept from logging in.

use std::time::Duration;

use crate::kit::{BUSY, Call, Site, Under, calls, check, succeed};

const LOGIN: [&str; 3] = ["authenticate", "open_session", "close_session"];

/// A whole login, after which nothing is left.
#[track_caller]
fn log_in(site: &Site, under: Under) -> Vec<Call> {
    let actions = ["answer:horse", "look", "authenticate", "open_session", "same", "close_session", "same", "end"];
    let calls = site.run(under, "alice", &actions);
    check(&calls, &LOGIN);
    calls
}

/// The same with a helper that may still be dying, and have the lease, when the host goes on: nobody waits for that, and such
/// a lease ends with the session.
#[track_caller]
fn log_in_at_last(site: &Site) -> Vec<Call> {
    let actions = ["answer:horse", "look", "authenticate", "open_session", "close_session", "same", "end"];
    let calls = site.run(Under::Plain, "alice", &actions);
    check(&calls, &LOGIN);
    calls
}

#[test]
fn a_helper_that_is_missing_or_no_program_keeps_nobody() {
    let site = Site::new().with_arguments("helper=/nonexistent/helper");
    log_in(&site, Under::Valgrind);
    let site = Site::new().with_arguments("helper=/etc/passwd debug");
    log_in(&site, Under::Plain);
}

#[test]
fn arguments_that_are_nonsense_keep_nobody() {
    let nonsense = "timeout=-1 timeout= helper= helper=relative nonsense debug=1 helper=/nonexistent";
    log_in(&Site::new().with_arguments(nonsense), Under::Valgrind);
}

#[test]
fn a_helper_that_crashes_or_fails_keeps_nobody() {
    for end in ["kill -SEGV $$", "kill -KILL $$", "exit 1", "exit 255"] {
        log_in(&Site::new().with_script(end), Under::Plain);
    }
}

#[test]
fn a_helper_that_stops_or_kills_what_looks_after_it_is_not_waited_for_longer() {
    for end in ["kill -STOP $PPID; exec sleep 1000", "kill -KILL $PPID; exec sleep 1000"] {
        log_in_at_last(&Site::new().with_script(end));
    }
}

#[test]
fn what_a_helper_prints_is_seen_by_nobody() {
    let site = Site::new().with_script("echo printed; echo printed >&2; yes | head -c 1000000");
    let output = succeed(&mut site.command(Under::Plain, "alice", &["answer:horse", "authenticate", "open_session"]));
    let seen = [output.stdout, output.stderr].concat();
    assert!(!String::from_utf8_lossy(&seen).contains("printed"));
}

#[test]
fn a_helper_that_hangs_is_waited_for_two_seconds() {
    let site = Site::new().with_script("exec sleep 1000");
    let calls = log_in_at_last(&site);
    assert!(calls[1].took > Duration::from_millis(1500), "{calls:?}");
}

#[test]
fn the_time_is_the_administrators_but_two_seconds_at_most() {
    for (timeout, most) in [(100, Duration::from_millis(100)), (60_000, Duration::from_secs(2))] {
        let site = Site::new().with_script("exec sleep 1000");
        let helper = site.file("helper").display().to_string();
        let site = site.with_arguments(&format!("timeout={timeout} helper={helper}"));
        let calls = log_in_at_last(&site);
        assert!(calls[1].took < most + BUSY, "{calls:?}");
    }
}

/// One is for libpam itself, which refuses a session that it cannot report to the kernel's audit.
#[test]
fn a_host_with_few_free_descriptors_logs_in() {
    let site = Site::new().with_script("exit 0");
    for spare in ["spare-files:1", "spare-files:2", "spare-files:3", "spare-files:4", "spare-files:5"] {
        let actions = ["answer:horse", "authenticate", spare, "open_session", "close_session"];
        check(&site.run(Under::Plain, "alice", &actions), &LOGIN);
    }
}

/// The user of su(1) sets how many descriptors that may have, and which it begins with.
#[test]
fn a_host_that_may_have_few_descriptors_has_none_of_them_written_to() {
    let site = Site::new().with_arguments("helper=/nonexistent/helper");
    let file = site.file("of-the-host").display().to_string();
    for most in 9..=16 {
        let limit = format!("--nofile={most}");
        let begin = ["/usr/bin/prlimit", &limit, "--", "/bin/sh", "-c", "exec 4>>\"$0\"; exec \"$@\"", &file];
        let actions = ["answer:horse", "authenticate", "open_session", "close_session"];
        check(&calls(&succeed(&mut site.command_by(&begin, "alice", &actions))), &LOGIN);
        assert_eq!(site.read("of-the-host"), "", "{most} descriptors");
    }
}

#[test]
fn a_host_that_cannot_fork_logs_in() {
    let site = Site::new().with_script("exit 0");
    let actions = ["answer:horse", "look", "authenticate", "open_session", "same", "close_session", "same", "end"];
    for error in ["EAGAIN", "ENOMEM"] {
        let trace = site.file("trace").display().to_string();
        let inject = format!("inject=clone:error={error}");
        let strace = ["/usr/bin/strace", "-qq", "-e", "trace=clone", "-e", &inject, "-o", &trace];
        check(&calls(&succeed(&mut site.command_by(&strace, "alice", &actions))), &LOGIN);
        assert!(site.read("trace").contains("INJECTED"), "{}", site.read("trace"));
    }
}
