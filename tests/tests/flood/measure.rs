//! What another user feels meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokenvault_client::Client;
use tokenvault_tests::{BOB, Door, Vault};

/// Most memory the daemon may ever have used.
pub const RSS_KIB: u64 = 256 * 1024;
/// Calls of a measurement.
const CALLS: usize = 400;
/// Measurements, idle and attacked in turns.
const ROUNDS: usize = 5;
/// A second user's p99 may double, and on a machine this slow and shared a scheduler's turn or two is no fault of ours.
const SCHEDULING: Duration = Duration::from_millis(25);

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Keeps the tests of this suite from measuring each other.
pub fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A user with one token who asks for it again and again.
pub struct Bystander {
    client: Client,
}

impl Bystander {
    /// Bob, at a door, known to the vault already.
    pub fn at(vault: &Vault, door: Door) -> Self {
        let client = vault.client(BOB, door);
        client.put("t", b"bob's", &Default::default()).unwrap();
        let bystander = Self { client };
        bystander.p99(CALLS / 4);
        bystander
    }

    /// Measures during `attack`, which runs in threads of its own until it is told to stop, and holds the result against
    /// the idle one: medians over rounds in turns, so that what else the machine does falls on both.
    pub fn endures(&self, what: &str, attack: impl Fn(&AtomicBool) + Sync, attackers: usize) {
        let (mut idle, mut loaded) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            idle.push(self.p99(CALLS));
            let stop = AtomicBool::new(false);
            loaded.push(std::thread::scope(|scope| {
                for _ in 0..attackers {
                    scope.spawn(|| attack(&stop));
                }
                let loaded = self.p99(CALLS);
                stop.store(true, Ordering::Relaxed);
                loaded
            }));
        }
        let (idle, loaded) = (median(idle), median(loaded));
        println!("{what}: second user's p99 {idle:?} idle, {loaded:?} meanwhile");
        assert!(loaded <= 2 * idle + SCHEDULING, "{what}: p99 went from {idle:?} to {loaded:?}");
    }

    /// Still served, and in time.
    pub fn is_served(&self) {
        let begun = Instant::now();
        assert_eq!(self.client.get("t", &Default::default()).unwrap().data(), b"bob's");
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    }

    fn p99(&self, calls: usize) -> Duration {
        let mut times: Vec<Duration> = (0..calls)
            .map(|_| {
                let begun = Instant::now();
                self.client.get("t", &Default::default()).expect("the second user is refused");
                begun.elapsed()
            })
            .collect();
        times.sort_unstable();
        times[calls * 99 / 100 - 1]
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// The daemon has never used more memory than it may.
pub fn assert_memory(vault: &mut Vault) {
    let most = vault.daemon().process().memory_kib("VmHWM");
    println!("daemon: at most {} MiB", most / 1024);
    assert!(most < RSS_KIB, "the daemon used {most} KiB");
}
