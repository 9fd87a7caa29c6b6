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
    idle: Duration,
}

impl Bystander {
    /// Bob, at a door, measured while nothing else goes on.
    pub fn at(vault: &Vault, door: Door) -> Self {
        let client = vault.client(BOB, door);
        client.put("t", b"bob's", &Default::default()).unwrap();
        let mut bystander = Self { client, idle: Duration::ZERO };
        bystander.p99(CALLS / 4);
        bystander.idle = bystander.p99(CALLS);
        bystander
    }

    /// Measures during `attack`, which runs in threads of its own until it is told to stop, and holds the result against
    /// the idle one.
    pub fn endures(&self, what: &str, attack: impl Fn(&AtomicBool) + Sync, attackers: usize) {
        let stop = AtomicBool::new(false);
        let loaded = std::thread::scope(|scope| {
            for _ in 0..attackers {
                scope.spawn(|| attack(&stop));
            }
            let loaded = self.p99(CALLS);
            stop.store(true, Ordering::Relaxed);
            loaded
        });
        let most = 2 * self.idle + SCHEDULING;
        println!("{what}: second user's p99 {:?} idle, {loaded:?} meanwhile", self.idle);
        assert!(loaded <= most, "{what}: p99 went from {:?} to {loaded:?}", self.idle);
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

/// The daemon has never used more memory than it may.
pub fn assert_memory(vault: &mut Vault) {
    let most = vault.daemon().process().memory_kib("VmHWM");
    println!("daemon: at most {} MiB", most / 1024);
    assert!(most < RSS_KIB, "the daemon used {most} KiB");
}
