//! Time as a parameter.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::moment::BootId;
use crate::time::Timestamp;

/// Tells the time. Tests drive [`ManualClock`] instead of waiting.
pub trait Clock: Send + Sync {
    /// Wall-clock time.
    fn now(&self) -> Timestamp;

    /// Microseconds since boot, counting sleep (`CLOCK_BOOTTIME`): never set back.
    fn boottime_usec(&self) -> u64;

    /// Since which boot.
    fn boot(&self) -> BootId;
}

/// A clock that stands still until it is told otherwise.
#[derive(Debug)]
pub struct ManualClock {
    wall: AtomicU64,
    boot: AtomicU64,
    boots: AtomicU64,
}

impl ManualClock {
    /// A clock showing `wall`, booted one second ago.
    pub fn new(wall: Timestamp) -> Self {
        Self { wall: AtomicU64::new(wall.as_usec()), boot: AtomicU64::new(1_000_000), boots: AtomicU64::new(1) }
    }

    /// Sets the wall clock, as an administrator or a bad battery does.
    pub fn set_wall(&self, wall: Timestamp) {
        self.wall.store(wall.as_usec(), Ordering::SeqCst);
    }

    /// Has the machine booted a second ago; the wall clock goes on.
    pub fn reboot(&self) {
        self.boot.store(1_000_000, Ordering::SeqCst);
        self.boots.fetch_add(1, Ordering::SeqCst);
    }

    /// Lets `usec` microseconds pass.
    pub fn advance_usec(&self, usec: u64) {
        self.wall.fetch_add(usec, Ordering::SeqCst);
        self.boot.fetch_add(usec, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_usec(self.wall.load(Ordering::SeqCst))
    }

    fn boottime_usec(&self) -> u64 {
        self.boot.load(Ordering::SeqCst)
    }

    fn boot(&self) -> BootId {
        BootId::new(u128::from(self.boots.load(Ordering::SeqCst)).to_be_bytes())
    }
}
