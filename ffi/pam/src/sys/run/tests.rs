//! The helper here is a script, and the host this test program.

use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::*;
use crate::helper::Verb;
use crate::sys::Password;

/// A directory that goes with the test.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tokenvault-pam-run.{name}.{}", std::process::id()));
        std::fs::remove_dir_all(&path).ok();
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// A program of this text.
    fn script(&self, text: &str) -> std::ffi::CString {
        let path = self.0.join("helper");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        c_path(&path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn c_path(path: &Path) -> std::ffi::CString {
    std::ffi::CString::new(path.to_str().unwrap()).unwrap()
}

const PLAIN: Job<'_> = Job { verb: Verb::Lease, user: c"alice", secrets: &[], lease: None };
const LONG: Duration = Duration::from_secs(20);

#[test]
fn the_status_of_the_helper_comes_back() {
    let directory = Directory::new("status");
    assert_eq!(run(&directory.script("exit 0"), &PLAIN, LONG), Ended::Exited(0));
    assert_eq!(run(&directory.script("exit 42"), &PLAIN, LONG), Ended::Exited(42));
    assert_eq!(run(&directory.script("kill -SEGV $$"), &PLAIN, LONG), Ended::Killed(libc::SIGSEGV));
}

#[test]
fn it_gets_verb_user_secrets_and_lease_and_nothing_else() {
    let directory = Directory::new("given");
    let seen = directory.0.join("seen");
    let script = directory.script(&format!(
        "exec >'{0}'; echo \"$@\"; tr '\\0' '\\n'; echo \"environment:$(tr '\\0' ' ' </proc/$$/environ)\"\n\
         echo \"in:$(pwd) $(umask)\"; echo files: $(ls /proc/$$/fd); echo yes >&3",
        seen.display()
    ));
    let (horse, stable) = (Password::copy(b"horse").unwrap(), Password::copy(b"stable").unwrap());
    let (reader, writer) = pipe().unwrap();
    let secrets = [&horse, &stable];
    let hosts = 77;
    // SAFETY: a number that this process does not use; unlike Rust's own it stays open in what is executed.
    assert_eq!(unsafe { libc::dup2(writer.as_raw_fd(), hosts) }, hosts);
    let job = Job { verb: Verb::SetKey, user: c"-alice", secrets: &secrets, lease: Some(writer.as_fd()) };
    assert_eq!(run(&script, &job, LONG), Ended::Exited(0));
    drop(writer);
    // SAFETY: made above.
    unsafe { libc::close(hosts) };
    let seen = std::fs::read_to_string(seen).unwrap();
    let lines: Vec<&str> = seen.lines().collect();
    let [given, first, second, environment, place, files] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!([*given, *first, *second, *place], ["set-key -alice", "horse", "stable", "in:/ 0077"]);
    assert_eq!(*environment, "environment:");
    // Beside the four, the shell's own: the pipe from `ls`, and the script as 10 or 255.
    let files = files.strip_prefix("files: ").unwrap();
    assert!(files.split(' ').all(|file| ["0", "1", "2", "3", "4", "10", "255"].contains(&file)), "{files}");
    assert_eq!(io::read_to_string(File::from(reader)).unwrap(), "yes\n", "the lease is descriptor 3");
}

#[test]
fn what_it_prints_is_seen_by_nobody() {
    let directory = Directory::new("prints");
    let script = directory.script("readlink /proc/$$/fd/1 /proc/$$/fd/2 | grep -vx /dev/null && exit 1; exit 0");
    assert_eq!(run(&script, &PLAIN, LONG), Ended::Exited(0));
}

#[test]
fn a_helper_that_is_not_there_or_no_program_says_why() {
    let directory = Directory::new("missing");
    assert_eq!(run(c"/nonexistent/helper", &PLAIN, LONG), Ended::NotStarted(libc::ENOENT));
    assert_eq!(run(&c_path(&directory.0), &PLAIN, LONG), Ended::NotStarted(libc::EACCES));
}

#[test]
fn a_helper_that_hangs_is_killed_in_time_with_the_one_that_keeps_it() {
    let directory = Directory::new("hangs");
    let fifo = directory.0.join("fifo");
    let name = c_path(&fifo);
    // SAFETY: a string.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    let script = directory.script(&format!("exec 5>'{}'; echo begun >&5; exec sleep 100", fifo.display()));
    // Opened for both, so that the witness is not waited for by nobody where the helper is killed before it has begun.
    let ours = File::options().read(true).write(true).open(&fifo).unwrap();
    // The end of the pipe comes when all that the helper has become is gone.
    let witness = std::thread::spawn(move || io::read_to_string(File::open(fifo).unwrap()).unwrap());
    let begin = Instant::now();
    assert_eq!(run(&script, &PLAIN, Duration::from_secs(3)), Ended::Late);
    let took = begin.elapsed();
    assert!((Duration::from_millis(2700)..Duration::from_secs(6)).contains(&took), "{took:?}");
    drop(ours);
    assert_eq!(witness.join().unwrap(), "begun\n");
}

#[test]
fn a_keeper_that_is_stopped_is_killed_too() {
    let directory = Directory::new("stopped");
    let script = directory.script("kill -STOP $PPID; exec sleep 100");
    let begin = Instant::now();
    assert_eq!(run(&script, &PLAIN, Duration::from_millis(500)), Ended::Late);
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_keeper_that_is_killed_is_missed_and_its_helper_goes_with_it() {
    let directory = Directory::new("killed");
    let script = directory.script("kill -KILL $PPID; exec sleep 100");
    let begin = Instant::now();
    assert_eq!(run(&script, &PLAIN, LONG), Ended::Lost);
    assert!(begin.elapsed() < LONG);
}

/// Signals belong to the process, so the two cases are one test.
#[test]
fn a_host_that_ignores_or_catches_the_end_of_children_hears_of_none_and_finds_its_disposition() {
    static HEARD: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    extern "C" fn hear(_: c_int) {
        HEARD.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
    let hear = hear as extern "C" fn(c_int) as libc::sighandler_t;
    let directory = Directory::new("disposition");
    let script = directory.script("exit 5");
    for action in [libc::SIG_IGN, hear, libc::SIG_DFL] {
        // SAFETY: a handler that counts, or none.
        unsafe { libc::signal(libc::SIGCHLD, action) };
        assert_eq!(run(&script, &PLAIN, LONG), Ended::Exited(5));
        // SAFETY: as above.
        assert_eq!(unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) }, action);
    }
    assert_eq!(HEARD.load(std::sync::atomic::Ordering::Relaxed), 0);
}
