//! A directory service that goes down and comes up again: it locks nobody out, neither of the machine nor of the vault.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::common::*;
use crate::login::{PROMPT, assert_everyone_gets_in, console, enable_module};
use crate::machine::{Said, Terminal};

/// Users whom the directory alone knows; the first has the first uid.
const NAMES: [&str; 6] = ["carol", "dave", "erin", "frank", "grace", "heidi"];
const FIRST_UID: usize = 5001;
const PASSWORD: &str = "known to the directory";
const CAROL: (&str, &str) = (NAMES[0], PASSWORD);

/// `Unavailable`, by the table of exit statuses.
const UNAVAILABLE: i32 = 8;
/// How long the daemon waits for a directory. A call that waits for none takes less.
const WAIT: Duration = Duration::from_secs(2);
/// What it may take to be told that the directory does not answer.
const TOLD: Duration = Duration::from_secs(2 + 4);

/// How a directory is down.
#[derive(Clone, Copy)]
struct Outage {
    begin: &'static str,
    end: &'static str,
}

/// Whoever asks is told so at once.
const STOPPED: Outage = Outage { begin: "systemctl stop nslcd", end: "systemctl start nslcd" };
/// Whoever asks waits for the server.
const HANGING: Outage =
    Outage { begin: "systemctl kill --signal=STOP slapd", end: "systemctl kill --signal=CONT slapd" };

/// Layers of a machine with the packages and a directory.
fn tree_with_directory() -> Vec<PathBuf> {
    static INSTALLED: OnceLock<PathBuf> = OnceLock::new();
    let installed = INSTALLED.get_or_init(|| {
        let mut machine = Machine::boot(site::tree_with_packages(), None);
        let script = include_str!("directory.sh");
        let variables = format!("export PASSWORD='{PASSWORD}' NAMES='{}'", NAMES.join(" "));
        machine.root_reading(script, &format!("{variables}; exec sh -eu")).succeeds();
        machine.stop();
        machine.keep_changes()
    });
    [vec![installed.clone()], site::tree_with_packages()].concat()
}

/// The words of a shell command of a user of the directory. The plus signs keep it from asking the directory who that is.
fn words(number: usize, command: &str) -> [String; 7] {
    let user = format!("--userspec=+{}:+100", FIRST_UID + number);
    ["chroot", &user, "--groups=+100", "/", "sh", "-c", command].map(str::to_owned)
}

fn by(machine: &Machine, number: usize, command: &str) -> Said {
    machine.enter(&words(number, command).each_ref().map(String::as_str))
}

fn carol(machine: &Machine, command: &str) -> Said {
    by(machine, 0, command)
}

/// A machine on which everybody has a token of class `machine`, and carol, who stays logged in, one of class `login`.
fn with_directory() -> (Machine, Terminal) {
    let machine = Machine::boot(tree_with_directory(), Some("tpm"));
    machine.wait_for_state("serving");
    enable_module(&machine);
    for number in 0..NAMES.len() {
        by(&machine, number, &format!("printf {number} | tokenvault put own")).succeeds();
    }
    for user in [ALICE, BOB] {
        machine.put(user, "own", user.0);
    }
    let mut terminal = console(&machine, CAROL);
    terminal.expect(PROMPT);
    let make = format!("printf '{PASSWORD}' | tokenvault unlock --password-fd 0 --recovery-out code");
    terminal.type_line(&format!("{make} && printf hers | tokenvault put secret --class login && echo made $((1 + 1))"));
    terminal.expect("made 2");
    (machine, terminal)
}

/// Fetches a token of a local user; it takes no longer than without any directory.
#[track_caller]
fn assert_served_at_once(machine: &Machine, user: (&str, &str)) {
    let begin = Instant::now();
    assert_eq!(machine.get(user, "own"), user.0);
    assert!(begin.elapsed() < WAIT, "{} waited {:?}", user.0, begin.elapsed());
}

/// Carol is told that the directory is away, and that is all.
#[track_caller]
fn assert_put_off(machine: &Machine) {
    let begin = Instant::now();
    let said = carol(machine, "tokenvault get own").fails_with(UNAVAILABLE);
    assert!(said.contains("user database") && said.contains("retry"), "{said}");
    assert!(begin.elapsed() < TOLD, "she waited {:?}", begin.elapsed());
}

fn assert_locks_nobody_out(outage: Outage) {
    let (machine, terminal) = with_directory();
    machine.root(outage.begin).succeeds();
    // Whom the vault knows it knows for some time more.
    assert_eq!(carol(&machine, "tokenvault get own").succeeds(), "0");
    machine.root(&format!("systemctl restart {SERVICE}")).succeeds();
    machine.wait_for_state("serving");
    for door in Door::ALL {
        let said = carol(&machine, &door.shell("tokenvault get own; exit $?")).fails_with(UNAVAILABLE);
        assert!(said.contains("retry"), "{said}");
    }
    assert_put_off(&machine);
    // More of them than there are threads to ask for them.
    let everybody = (0..NAMES.len()).map(|number| words(number, "'tokenvault get own'").join(" ") + " 2>/dev/null & ");
    machine.enter(&["sh", "-c", &format!("{} wait", everybody.collect::<String>())]).succeeds();
    assert_served_at_once(&machine, ALICE);
    assert_put_off(&machine);
    assert_served_at_once(&machine, BOB);
    assert_everyone_gets_in(&machine);
    machine.root(outage.end).succeeds();
    // Nobody tells the vault.
    wait::until("carol to be served again", || carol(&machine, "tokenvault get own").ok());
    assert_eq!(carol(&machine, "tokenvault get secret").succeeds(), "hers", "she was logged in all the time");
    for number in 0..NAMES.len() {
        assert_eq!(by(&machine, number, "tokenvault get own").succeeds(), number.to_string());
    }
    drop(terminal);
    wait::until("her logout", || carol(&machine, "tokenvault get secret").ok().is_none().then_some(()));
    let mut terminal = console(&machine, CAROL);
    terminal.expect(PROMPT);
    assert_eq!(carol(&machine, "tokenvault get secret").succeeds(), "hers");
}

#[test]
fn a_directory_that_is_down_and_comes_up_again_locks_nobody_out() {
    assert_locks_nobody_out(STOPPED);
}

#[test]
fn a_directory_that_hangs_and_comes_up_again_locks_nobody_out() {
    assert_locks_nobody_out(HANGING);
}
