//! A vault under measurement, with its tokens and its bus.

use tokenvault_tests::{ALICE, BOB, CAROL, Door, User, Vault};

use crate::floor::VALUE_BYTES;
use crate::load::Load;
use crate::programs::Programs;

/// The caller's own tokens; the rest of the store is other users'.
pub const OWN_TOKENS: u64 = 1_000;
/// What the names of all tokens begin with.
pub const PREFIX: &str = "t/";
/// Writers that fill a store.
const WRITERS: u32 = 50;

/// A limit that is not the default's.
pub type Raised = (&'static str, u64);
/// One caller without pause asks more than an installed vault lets it.
pub const READS: Raised = ("reads-per-second", 10_000_000);
/// As many writes as there can be.
pub const WRITES: Raised = ("writes-per-second", 0);

/// A vault and its bus.
pub struct Site {
    /// The vault.
    pub vault: Vault,
    program: std::path::PathBuf,
}

impl Site {
    /// A vault with so many tokens of 256 bytes, and the default limits.
    pub fn start(programs: &Programs, tokens: u64) -> Self {
        let mut vault = Vault::builder().prepare();
        vault.settings().limits.extend([WRITES, ("tokens", 0), ("bytes", 0)]);
        vault.start_daemon();
        let mut site = Self { vault, program: programs.path("vault") };
        let others = (tokens - OWN_TOKENS) / 2;
        for (user, count) in [(ALICE, OWN_TOKENS), (BOB, others), (CAROL, others)] {
            if count > 0 {
                site.put(user, PREFIX, count).callers(WRITERS).calls(count / u64::from(WRITERS)).run();
            }
        }
        site.restart(&[]);
        site
    }

    /// Starts the daemon anew, with the default limits but for these.
    pub fn restart(&mut self, raised: &[Raised]) {
        self.vault.stop_daemon();
        let limits = &mut self.vault.settings().limits;
        limits.clear();
        limits.extend(raised.iter().copied());
        self.vault.start_daemon();
    }

    /// Gets the caller's own tokens through libtokenvault.
    pub fn get(&self, user: User, door: Door) -> Load {
        self.call("get", user, door, PREFIX, OWN_TOKENS)
    }

    /// Validates tokens that the caller issues, through libtokenvault.
    pub fn validate(&self, user: User, door: Door) -> Load {
        self.call("validate", user, door, PREFIX, OWN_TOKENS)
    }

    /// Puts tokens through libtokenvault at the private door.
    pub fn put(&self, user: User, prefix: &str, count: u64) -> Load {
        self.call("put", user, Door::Socket, prefix, count)
    }

    /// The same of tokens that end a minute later.
    pub fn expire(&self, user: User, prefix: &str, count: u64) -> Load {
        self.call("expire", user, Door::Socket, prefix, count)
    }

    fn call(&self, call: &str, user: User, door: Door, prefix: &str, count: u64) -> Load {
        let words = [call, prefix, &count.to_string(), &VALUE_BYTES.to_string()];
        Load::new(self.program.clone(), user, &words).with("TOKENVAULT_ADDRESS", self.vault.address_text(door))
    }

    /// Where its doors are for a client that speaks D-Bus itself: address, destination.
    pub fn wire(&self, door: Door) -> (String, &'static str) {
        match door {
            Door::Socket => (format!("unix:path={}", self.vault.socket().display()), "-"),
            Door::Bus => (self.vault.bus_address(), tokenvault_proto::BUS_NAME),
        }
    }

    /// The processes that answer: daemon and bus.
    pub fn processes(&mut self) -> [u32; 2] {
        [self.vault.daemon().process().id(), self.vault.bus_process().id()]
    }

    /// A line of the daemon's `/proc/PID/status` in MiB.
    pub fn memory_mib(&mut self, line: &str) -> f64 {
        self.vault.daemon().process().memory_kib(line) as f64 / 1024.0
    }
}
