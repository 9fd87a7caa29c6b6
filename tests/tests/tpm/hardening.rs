//! What the daemon does with a worker that misbehaves, and what the worker does with a caller that does.

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokenvault_core::port::{HeapMemory, SealError, Sealer};
use tokenvault_tests::{program, wait};
use tokenvault_tpm::{MAX_MESSAGE, Operation, Request};
use tokenvaultd::tpm::WorkerSealer;

use crate::kit::{LIMIT, Machine, spawn_worker};

/// A program in the place of the worker. Another program writes it: a descriptor of ours could be inherited by a worker
/// that a test beside this one starts, and a file that is open for writing cannot be run.
fn impostor(script: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("worker");
    let write = "printf '#!/bin/sh\\n%s\\n' \"$1\" >\"$0\" && chmod 755 \"$0\"";
    let status = Command::new("sh").arg("-c").arg(write).arg(&path).arg(script).status().unwrap();
    assert!(status.success());
    (directory, path)
}

/// What every impostor is asked for.
const REQUEST: Request<'_> = Request { tcti: "device:/dev/no-such-tpm", operation: Operation::Status };

fn asked(worker: PathBuf, deadline: Duration) -> SealError {
    WorkerSealer::new(worker, REQUEST.tcti, Arc::new(HeapMemory)).with_deadline(deadline).status().unwrap_err()
}

/// What the daemon makes of a worker that reads its request and then runs `script`.
fn told(script: &str) -> String {
    let len = REQUEST.encode(&mut [0; MAX_MESSAGE]).unwrap();
    let (_directory, worker) = impostor(&format!("head -c {len} >/dev/null\n{script}"));
    match asked(worker, LIMIT) {
        SealError::Failed(text) => text,
        other => panic!("{script}: {other}"),
    }
}

#[test]
fn a_hanging_worker_is_ended_at_the_deadline() {
    let (directory, worker) = impostor("echo $$ >\"${0%/*}/pid\"\nexec sleep 60");
    let started = Instant::now();
    assert_eq!(asked(worker, Duration::from_millis(500)), SealError::Timeout);
    assert!(started.elapsed() < Duration::from_secs(5), "took {:?}", started.elapsed());
    let pid = fs::read_to_string(directory.path().join("pid")).unwrap();
    let stat = format!("/proc/{}/stat", pid.trim());
    wait::until("the worker to be gone, not even a zombie", || (!fs::exists(&stat).unwrap()).then_some(()));
}

#[test]
fn a_worker_that_answers_forever_is_ended_at_the_deadline() {
    let (_directory, worker) = impostor("printf '\\000\\000\\020\\000' >&0\nexec sleep 60");
    assert_eq!(asked(worker, Duration::from_millis(500)), SealError::Timeout);
}

#[test]
fn a_worker_that_dies_is_told_with_its_status_and_its_words() {
    let text = told("echo 'libtss2-esys.so.0: cannot open shared object file' >&2; exit 127");
    assert!(text.contains("exit status: 127") && text.contains("libtss2-esys.so.0"), "{text}");
    let text = told("kill -SEGV $$");
    assert!(text.contains("signal: 11"), "{text}");
}

#[test]
fn what_a_dying_worker_says_becomes_one_short_line() {
    let text = told("head -c 60000 /dev/zero | tr '\\000' '\\n' >&2; printf '\\033[31mred' >&2; exit 1");
    assert!(!text.chars().any(char::is_control) && text.len() < 600, "{text:?}");
}

#[test]
fn a_worker_that_answers_nonsense_is_told() {
    for (answer, why) in [
        ("\\000\\000\\000\\000", "a message of 0 bytes"),
        ("\\377\\377\\377\\377", "a message of 4294967295 bytes"),
        ("\\000\\000\\000\\002\\011\\203", "message version 9"),
        ("\\000\\000\\000\\002\\001\\003", "unknown kind of message 3"),
        ("\\000\\000\\000\\002\\001\\203", "truncated"),
        ("\\000\\000\\000\\005\\001\\377\\002\\000\\000more", "bytes after the answer"),
        ("\\000\\000\\000\\006\\001\\377\\002\\000\\000x", "trailing"),
        ("\\000\\000\\000\\005\\001\\377\\143\\000\\000", "malformed field 'failure'"),
        ("\\000\\000\\000\\014\\001\\201\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000", "another question"),
    ] {
        let text = told(&format!("printf '{answer}' >&0"));
        assert!(text.contains(why), "{answer}: {text}");
    }
}

#[test]
fn a_worker_that_is_not_there_is_told_by_path() {
    let SealError::Failed(text) = asked("/nonexistent/tokenvault-tpm".into(), LIMIT) else { panic!("it started") };
    assert!(text.contains("/nonexistent/tokenvault-tpm") && text.contains("'worker' in [tpm]"), "{text}");
}

#[test]
fn the_worker_gets_no_environment() {
    let text = told("env | grep -v -e '^PWD=' -e '^_=' -e '^SHLVL=' >&2; exit 1");
    assert!(!text.contains('=') && text.contains("exit status: 1"), "{text}");
}

#[test]
fn the_worker_inherits_no_open_file() {
    let held = tempfile::NamedTempFile::with_prefix("open-in-the-daemon").unwrap();
    let text = told("ls -l /proc/$$/fd | grep -c open-in-the-daemon >&2; exit 1");
    assert!(text.ends_with(": 0"), "{text}");
    drop(held);
}

#[test]
fn the_worker_shows_itself_to_no_debugger_and_ignores_the_environment() {
    let machine = Machine::start();
    let log = machine.directory.path().join("tss.log");
    let (socket, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let child = Command::new(program::path("tokenvault-tpm"))
        .env("TSS2_LOG", "all+trace")
        .env("TSS2_LOGFILE", &log)
        .env("TCTI", "swtpm:host=127.0.0.1,port=1")
        .stdin(std::os::fd::OwnedFd::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Not dumpable: its files in /proc belong to root now, also for a worker of another user; and no core.
    let limits = format!("/proc/{}/limits", child.id());
    wait::until("the limit on cores", || {
        let limits = fs::read_to_string(&limits).unwrap();
        let cores = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        (cores.split_whitespace().nth(4) == Some("0")).then_some(())
    });
    let mut message = [0; MAX_MESSAGE];
    let len = Request { tcti: &machine.chip.tcti(), operation: Operation::Status }.encode(&mut message).unwrap();
    (&socket).write_all(&message[..len]).unwrap();
    let mut answer = Vec::new();
    (&socket).read_to_end(&mut answer).unwrap();
    assert!(answer.len() > 10);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty() && !log.exists());
}

#[test]
fn the_worker_refuses_malformed_requests_without_an_answer() {
    for bytes in [
        &[0, 0, 0, 0][..],
        &[0xff, 0xff, 0xff, 0xff],
        &[0, 0, 0, 2, 2, 3],
        &[0, 0, 0, 2, 1, 0x83],
        &[0, 0, 0, 5, 1, 3, 0, 0, 0],
        &[0, 0, 0, 9, 1, 3],
        &[0],
        &[],
    ] {
        let (mut child, mut socket) = spawn_worker();
        socket.write_all(bytes).unwrap();
        socket.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).ok();
        assert!(answer.is_empty(), "{bytes:?} was answered");
        assert!(!child.wait().unwrap().success(), "{bytes:?}");
    }
}

#[test]
fn the_worker_is_not_for_hands() {
    let output = Command::new(program::path("tokenvault-tpm")).stdin(Stdio::null()).output().unwrap();
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("tokenvaultd starts this program"));
}

#[test]
fn the_daemon_does_not_load_the_tpm_library_and_the_worker_does() {
    // The loader lists what it would load, and runs nothing.
    let libraries = |name: &str| {
        let output = Command::new(program::path(name)).env("LD_TRACE_LOADED_OBJECTS", "1").output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let daemon = libraries("tokenvaultd");
    assert!(daemon.contains("libc.so") && !daemon.contains("tss2"), "{daemon}");
    assert!(libraries("tokenvault-tpm").contains("libtss2-esys"));
}
