//! D3: whichever call of a kind fails, and however often, with the disk full or broken: what was not done is said and is not there, what
//! was acknowledged stays, reads go on, and so does all the rest as soon as it can.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokenvault_core::Error;
use tokenvault_core::vault::{Settings, State};

use super::run;
use super::story::{begin, change, outline, sight, tell};
use crate::fixture::*;

/// Changes that are asked for.
const CHANGES: u64 = 60;
/// Which calls fail, and how, in the words of `strace`.
const FAULT: &str = "TOKENVAULT_TEST_FAULT";

/// Calls of the store, and the errors they may end with.
const CALLS: [(&str, &str); 8] = [
    ("pwrite64", "ENOSPC"),
    ("pwrite64", "EIO"),
    ("fsync,fdatasync", "EIO"),
    ("fsync,fdatasync", "ENOSPC"),
    ("ftruncate", "EIO"),
    ("fallocate", "ENOSPC"),
    ("unlink", "EIO"),
    ("rename", "EIO"),
];
/// Of a thread's calls of a kind: the first that fails, and how many later the next one does.
const WHEN: [&str; 5] = ["1+", "2+3", "3+7", "5+13", "11+29"];

/// Makes calls of this process fail until it is dropped.
struct Failing(Child);

impl Failing {
    fn begin() -> Self {
        let fault = std::env::var(FAULT).unwrap();
        let (call, _) = fault.split_once(':').unwrap();
        let log = tempfile::env::temp_dir().join("injected");
        let log = fs::File::options().create(true).append(true).open(log).unwrap();
        let mut strace = Command::new("strace")
            .args(["-f", "-o", "/proc/self/fd/1", "-e", &format!("trace={call}"), "-e", &format!("inject={fault}")])
            .args(["-e", "signal=none", "-p", &std::process::id().to_string()])
            .stdout(log)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("this test needs strace: {error}; install it"));
        let mut said = String::new();
        BufReader::new(strace.stderr.as_mut().unwrap()).read_line(&mut said).unwrap();
        assert!(said.contains("attached"), "this test traces itself; run it as root ({})", said.trim());
        Self(strace)
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        // Asked to end, strace lets go of every thread first.
        kill(Pid::from_raw(self.0.id().try_into().unwrap()), Signal::SIGINT).unwrap();
        self.0.wait().unwrap();
    }
}

/// What is refused for want of a disk says so.
fn is_said(error: &Error) -> bool {
    matches!(error, Error::Unavailable(_) | Error::LimitsExceeded { .. })
}

fn reopen(home: &mut Home) {
    home.stop();
    home.start(Settings::default());
    home.unseal().unwrap();
    home.vault().verify_rows(&Unwatched).unwrap();
}

/// Makes changes of which some fail.
pub fn live() {
    let mut home = begin();
    for user in [home.alice(), home.bob()] {
        user.put("first", b"1").unwrap();
    }
    let (mut seen, mut refused) = (outline(&home), 0);
    let mut failing = Some(Failing::begin());
    for number in 1..=CHANGES {
        match change(&home, number) {
            Ok(()) => seen = outline(&home),
            Err(error) => {
                refused += 1;
                assert!(is_said(&error), "change {number}: {error:?}");
            }
        }
        assert_eq!(outline(&home), seen, "what is there after change {number}");
        match home.vault().state() {
            State::Serving => {}
            // Nobody knows what the disk has lost: nothing is written until the daemon is started again.
            State::ReadOnly => {
                drop(failing.take());
                reopen(&mut home);
                assert_eq!(outline(&home), seen, "what is there after a start, at change {number}");
                failing = Some(Failing::begin());
            }
            state => panic!("{state:?} after change {number}: {:?}", home.vault().status()),
        }
    }
    drop(failing);
    if home.vault().state() == State::Serving {
        home.alice().put("after", b"it goes on without a start").unwrap();
        home.alice().delete("after").unwrap();
    }
    reopen(&mut home);
    assert_eq!(outline(&home), seen, "what is there at the end");
    // And every value opens.
    sight(&home);
    verified(&home).unwrap();
    home.check_counters();
    tell(&format!("refused {refused}"));
}

#[test]
fn whichever_call_fails_nothing_is_lost_and_all_goes_on_needs_root_and_strace() {
    let (mut injected, mut refused, mut kinds) = (0, 0, 0);
    for (call, error) in CALLS {
        let before = injected;
        for when in WHEN {
            let place = tempfile::tempdir().unwrap();
            let fault = format!("{call}:error={error}:when={when}");
            let mut process = Command::new(std::env::current_exe().unwrap());
            let said = run(process.env(FAULT, &fault), "failing", place.path());
            let log = fs::read_to_string(place.path().join("injected")).unwrap();
            injected += log.lines().filter(|line| line.contains("(INJECTED)")).count();
            let told =
                said.lines().find_map(|line| line.strip_prefix("refused ")).expect("it tells how many were refused");
            refused += told.parse::<usize>().unwrap();
        }
        kinds += usize::from(injected > before);
    }
    assert!(kinds >= 5 && injected > 300 && refused > 100, "{injected} of {kinds} kinds, {refused} refused");
    proof(
        "D3",
        &format!("{injected} failed calls of {kinds} kinds, {refused} changes refused: none lost, all goes on"),
    );
}
