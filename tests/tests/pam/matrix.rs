//! S14: every entry of PAM, in a real program, answers what it answers on a machine without the module, and in time: whatever
//! state the vault is in, whatever becomes of the helper, and whatever was typed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{fs, thread};

use nix::sys::signal::Signal;
use tokenvault_tests::process::Process;
use tokenvault_tests::{ALICE, Door, ROOT, Vault, wait};

use crate::attempt::{ATTEMPTS, Attempt};
use crate::class;
use crate::impostor::{Impostor, Says};
use crate::kit::{CAP, Call, LOADED, Site};

/// Whoever was waited for took longer than this.
const WAITED: Duration = Duration::from_millis(1500);

/// What the module finds behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behind {
    Serving,
    Sealed,
    /// Nobody listens.
    Absent,
    /// The vault is killed in the middle of the call, as soon as it was asked.
    Killed,
    /// It stands still.
    Hanging,
    /// Something else listens.
    Impostor(Says),
    /// There is no such helper.
    NoHelper,
    HangingHelper,
    KilledHelper,
}

const BEHIND: [Behind; 10] = [
    Behind::Serving,
    Behind::Sealed,
    Behind::Absent,
    Behind::Killed,
    Behind::Hanging,
    Behind::Impostor(Says::Noise),
    Behind::Impostor(Says::HalfAReply),
    Behind::NoHelper,
    Behind::HangingHelper,
    Behind::KilledHelper,
];

/// The attempts of one machine at one door.
struct Trial {
    door: Door,
    vault: Vault,
    site: Site,
    /// What comes of each attempt without the module.
    expected: Vec<Vec<Call>>,
    figure: Figure,
}

/// What was seen.
#[derive(Debug, Default)]
struct Figure {
    count: usize,
    kept_out: Vec<String>,
    slowest: Duration,
}

impl Trial {
    fn new(door: Door) -> Self {
        let (vault, mut site) = class::vault_and_site(&[(ALICE, "horse")], door);
        let mut expected = Vec::new();
        for attempt in ATTEMPTS {
            site = service(site, Behind::Serving, (&vault, door), attempt).without_module();
            expected.push(attempt.run(&site));
        }
        Self { door, vault, site, expected, figure: Figure::default() }
    }

    /// Every attempt with this behind the module.
    fn go_through(mut self, behind: Behind) -> Self {
        self.begin(behind);
        let impostor = match behind {
            Behind::Impostor(says) => Some(Impostor::listen(&self.site.file("impostor"), says)),
            _ => None,
        };
        for (attempt, expected) in ATTEMPTS.into_iter().zip(&self.expected) {
            self.site = service(self.site, behind, (&self.vault, self.door), attempt);
            let calls = match behind {
                Behind::Killed => run_and_kill(attempt, &self.site, &mut self.vault),
                _ => attempt.run_as_host(&self.site),
            };
            // The service manager reads what it is told of every login; its socket has room for a few.
            self.vault.notifications();
            self.figure.note(&format!("{behind:?}, {attempt:?}, through the {}", self.door.as_str()), &calls, expected);
            let waits = matches!(behind, Behind::Hanging | Behind::HangingHelper) && attempt.concerns_the_vault();
            assert!(!waits || slowest(&calls) > WAITED, "nothing was hanging: {calls:?}");
        }
        drop(impostor);
        self.end(behind);
        self
    }

    fn begin(&mut self, behind: Behind) {
        match behind {
            Behind::Sealed => self.vault.client(ROOT, Door::Socket).seal().unwrap(),
            Behind::Absent => assert!(self.vault.stop_daemon().success()),
            Behind::Hanging => self.vault.daemon().process().stop(),
            _ => {}
        }
    }

    fn end(&mut self, behind: Behind) {
        match behind {
            // That it is the module which is looked at: in time enough it opens the login class, and closes it again.
            Behind::Serving => wait::until("a login that opens the login class", || {
                Attempt::LogInWith("horse").run(&self.site);
                class::has_logged_out(&self.vault, ALICE).then_some(())
            }),
            Behind::Sealed => self.vault.client(ROOT, Door::Socket).unseal(&[], &Default::default()).unwrap(),
            Behind::Absent => self.vault.start_daemon(),
            Behind::Hanging => self.vault.daemon().process().go_on(),
            _ => {}
        }
    }
}

impl Figure {
    fn note(&mut self, what: &str, calls: &[Call], expected: &[Call]) {
        self.count += 1;
        self.slowest = self.slowest.max(slowest(calls));
        if names_and_statuses(calls) != names_and_statuses(expected) || slowest(calls) >= CAP + LOADED {
            self.kept_out.push(format!("{what}: {calls:?}, and without the module {expected:?}"));
        }
    }

    fn and(self, other: Self) -> Self {
        let kept_out = [self.kept_out, other.kept_out].concat();
        Self { count: self.count + other.count, kept_out, slowest: self.slowest.max(other.slowest) }
    }
}

fn slowest(calls: &[Call]) -> Duration {
    calls.iter().map(|call| call.took).max().unwrap_or_default()
}

fn names_and_statuses(calls: &[Call]) -> Vec<(&str, i32)> {
    calls.iter().map(|call| (call.name.as_str(), call.status)).collect()
}

/// The service for an attempt, with the module as it finds the vault of this door. What it answers counts: where it is optional,
/// nobody would see a wrong answer.
fn service(site: Site, behind: Behind, (vault, door): (&Vault, Door), attempt: Attempt) -> Site {
    let impostor = site.file("impostor").display().to_string();
    let site = match (behind, door) {
        (Behind::NoHelper, _) => site.with_arguments("helper=/nonexistent/helper"),
        (Behind::HangingHelper, _) => site.with_script("exec sleep 1000"),
        (Behind::KilledHelper, _) => site.with_script("kill -KILL $$"),
        (Behind::Impostor(_), Door::Socket) => site.with_address(&format!("unix:path={impostor}")),
        (Behind::Impostor(_), Door::Bus) => site.with_address(&format!("bus:unix:path={impostor}")),
        _ => site.with_vault(vault, door),
    };
    let site = site.with_module_required();
    if attempt == Attempt::LogInWithoutPassword { site.without_password() } else { site }
}

/// The vault is killed when it is asked; there is another one afterwards.
fn run_and_kill(attempt: Attempt, site: &Site, vault: &mut Vault) -> Vec<Call> {
    let directory = vault.path().display().to_string();
    let (process, is_over) = (&*vault.daemon().process(), AtomicBool::new(false));
    // It answers nothing until it is killed.
    process.stop();
    let (calls, was_asked) = thread::scope(|scope| {
        let killer = scope.spawn(|| kill_when_asked(process, &directory, &is_over));
        let calls = attempt.run_as_host(site);
        is_over.store(true, Ordering::Relaxed);
        (calls, killer.join().unwrap())
    });
    assert_eq!(was_asked, attempt.concerns_the_vault(), "{attempt:?}: {calls:?}");
    vault.kill_daemon();
    vault.start_daemon();
    vault.wait_for_state("serving");
    calls
}

/// Waits until somebody has connected to one of the vault's doors, or will not any more; which of the two it was.
fn kill_when_asked(daemon: &Process, directory: &str, is_over: &AtomicBool) -> bool {
    // Connections of before may still be going.
    let mut fewest = sockets_in(directory);
    let was_asked = wait::until("somebody to ask the vault, or nobody to want to", || {
        let now = sockets_in(directory);
        fewest = fewest.min(now);
        (now > fewest || is_over.load(Ordering::Relaxed)).then_some(now > fewest)
    });
    daemon.signal(Signal::SIGKILL);
    was_asked
}

/// How many sockets have an address in a directory: those that listen, what they have accepted, and what waits to be
/// (`/proc/net/unix`). Each has the path that its listener was bound to.
fn sockets_in(directory: &str) -> usize {
    let sockets = fs::read_to_string("/proc/net/unix").unwrap();
    sockets.lines().filter(|line| line.contains(directory)).count()
}

#[test]
fn s14_nobody_is_kept_from_logging_in_because_of_the_vault() {
    let go_through_all = |door| BEHIND.into_iter().fold(Trial::new(door), Trial::go_through).figure;
    let Figure { count, kept_out, slowest } = thread::scope(|scope| {
        let figures = Door::ALL.map(|door| scope.spawn(move || go_through_all(door)));
        figures.map(|figure| figure.join().unwrap()).into_iter().fold(Figure::default(), Figure::and)
    });
    println!("S14: {count} logins, {} kept out, slowest {} ms", kept_out.len(), slowest.as_millis());
    assert_eq!(count, Door::ALL.len() * BEHIND.len() * ATTEMPTS.len());
    assert!(kept_out.is_empty(), "{}", kept_out.join("\n"));
}
