//! What another user feels meanwhile.

use std::collections::HashMap;
use std::fmt::{self, Display, Formatter};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokenvault_client::Client;
use tokenvault_proto::TOKENS_INTERFACE;
use tokenvault_tests::{ALICE, BOB, Door, Vault, wait};
use zbus::Variant;

/// Most memory the daemon may ever have used.
pub const RSS_KIB: u64 = 256 * 1024;
/// Length of a measurement: longer than what comes once a second.
const ROUND: Duration = Duration::from_millis(1_200);
/// Measurements, idle and attacked in turns.
const ROUNDS: usize = 5;
/// Times a measurement is made before its result counts against the vault: what else the machine does at times can only
/// add to it, and what the vault does is there every time.
const SITTINGS: usize = 3;
/// What a second user's p99 may grow to.
const MOST: u32 = 2;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Keeps the tests of this suite from measuring each other.
pub fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An attack while it lasts.
pub struct Siege {
    over: AtomicBool,
    begun: Barrier,
}

impl Siege {
    /// One with so many attackers.
    pub fn of(attackers: usize) -> Self {
        Self { over: AtomicBool::new(false), begun: Barrier::new(attackers + 1) }
    }

    /// Says that an attacker is in full swing: connecting is not what is measured.
    pub fn begin(&self) {
        self.begun.wait();
    }

    /// Whether to go on.
    pub fn goes_on(&self) -> bool {
        !self.over.load(Ordering::Relaxed)
    }

    /// Ends it.
    pub fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// A user with one token who asks for it again and again.
pub struct Bystander<'v> {
    vault: &'v Vault,
    door: Door,
    client: Client,
    asks: fn(&Client),
}

/// The p99 of one measurement: idle, attacked, and of the control.
type Sitting = (Option<Duration>, Option<Duration>, Option<Duration>);

/// What came of an attack that was endured.
pub struct Endured {
    idle: Duration,
    attacked: Duration,
    granted: Option<Duration>,
}

impl Display for Endured {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let times = |p99: Duration| p99.as_secs_f64() / self.idle.as_secs_f64();
        write!(out, "p99 {:.1} times idle", times(self.attacked))?;
        self.granted.map_or(Ok(()), |granted| write!(out, " (control {:.1})", times(granted)))
    }
}

/// Something to do while a siege goes on, in several threads.
pub type Attack<'a> = &'a (dyn Fn(&Siege) + Sync);

/// What an attack is held against: one like it that leaves the vault out, and what the second user asks meanwhile.
#[derive(Clone, Copy)]
pub struct Control<'a> {
    pub attack: Attack<'a>,
    pub ask: &'a dyn Fn(),
}

impl<'v> Bystander<'v> {
    /// Bob, at a door, known to the vault already.
    pub fn at(vault: &'v Vault, door: Door) -> Self {
        let client = vault.client(BOB, door);
        client.put("t", b"bob's", &Default::default()).unwrap();
        let get = |client: &Client| drop(client.get("t", &Default::default()).expect("the second user is refused"));
        let bystander = Self { vault, door, client, asks: get };
        bystander.p99();
        bystander
    }

    /// The same who asks for something else.
    pub fn asking(self, asks: fn(&Client)) -> Self {
        Self { asks, ..self }
    }

    /// Measures during `attack`, which runs in `attackers` threads, and holds the result against the idle one: medians of
    /// rounds in turns, so that what else the machine does falls on both.
    ///
    /// A flooded bus makes its callers wait before the vault hears of them, and one after the other when it does. So what is
    /// flooded through the bus comes with a `control`: the vault must not be worse to flood than that.
    pub fn endures(&self, what: &str, attackers: usize, attack: Attack<'_>, control: Option<Control<'_>>) -> Endured {
        let mut sittings = Vec::new();
        while sittings.len() < SITTINGS {
            let (idle, attacked, granted) = self.sit(attackers, attack, control);
            println!("{what}: second user's p99 {idle:?} idle, {attacked:?} meanwhile, {granted:?} of the control");
            if let (Some(idle), Some(attacked)) = (idle, attacked)
                && attacked <= MOST * idle.max(granted.unwrap_or_default())
            {
                return Endured { idle, attacked, granted };
            }
            sittings.push((idle, attacked, granted));
        }
        panic!("{what}: the second user's p99, idle, meanwhile and of the control: {sittings:?}");
    }

    /// One measurement.
    fn sit(&self, attackers: usize, attack: Attack<'_>, control: Option<Control<'_>>) -> Sitting {
        let (mut idle, mut attacked, mut granted) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            self.wait_for_calm();
            idle.push(self.p99());
            attacked.push(p99_during(attackers, attack, &|| self.ask()));
            self.wait_for_calm();
            granted.extend(control.map(|control| p99_during(attackers, control.attack, control.ask)));
        }
        (median(idle), median(attacked), median(granted))
    }

    /// Waits until what the attackers left behind is through.
    fn wait_for_calm(&self) {
        let wire = self.vault.wire(ALICE, self.door);
        let list = || wire.call(TOKENS_INTERFACE, "List", &HashMap::<&str, Variant<'_>>::new()).ok();
        wait::until("the calls of an attacker to be through", list);
    }

    fn p99(&self) -> Duration {
        p99(&|| self.ask())
    }

    /// Asks for the token, or for what else it is.
    pub fn ask(&self) {
        (self.asks)(&self.client);
    }

    /// Still served, and in time; how soon.
    pub fn is_served(&self) -> Duration {
        let begun = Instant::now();
        assert_eq!(self.client.get("t", &Default::default()).unwrap().data(), b"bob's");
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(2), "{took:?}");
        took
    }
}

fn p99_during(attackers: usize, attack: Attack<'_>, ask: &dyn Fn()) -> Duration {
    let siege = Siege::of(attackers);
    std::thread::scope(|scope| {
        for _ in 0..attackers {
            scope.spawn(|| attack(&siege));
        }
        siege.begin();
        // Also when an answer does not come: the attackers go on until they are told.
        let _end = EndOf(&siege);
        p99(ask)
    })
}

struct EndOf<'a>(&'a Siege);

impl Drop for EndOf<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// The p99 of what is asked again and again.
fn p99(ask: &dyn Fn()) -> Duration {
    let (begun, mut times) = (Instant::now(), Vec::new());
    while begun.elapsed() < ROUND {
        let asked = Instant::now();
        ask();
        times.push(asked.elapsed());
    }
    times.sort_unstable();
    times[times.len() * 99 / 100]
}

/// The middle one; none of none.
fn median(mut rounds: Vec<Duration>) -> Option<Duration> {
    rounds.sort_unstable();
    rounds.get(rounds.len() / 2).copied()
}

/// The daemon has never used more memory than it may; how much it was, MiB.
pub fn assert_memory(vault: &mut Vault) -> u64 {
    let most = vault.daemon().process().memory_kib("VmHWM");
    println!("daemon: at most {} MiB", most / 1024);
    assert!(most < RSS_KIB, "the daemon used {most} KiB");
    most / 1024
}
