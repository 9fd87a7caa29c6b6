//! The system's clocks.

use std::time::{SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};
use tokenvault_core::Timestamp;
use tokenvault_core::port::Clock;

/// Wall clock and boot clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // A clock before 1970 counts as 1970.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_usec(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }

    fn boottime_usec(&self) -> u64 {
        clock_gettime(ClockId::CLOCK_BOOTTIME)
            .ok()
            .and_then(|time| {
                let usec = u64::try_from(time.tv_nsec() / 1_000).ok()?;
                u64::try_from(time.tv_sec()).ok()?.checked_mul(1_000_000)?.checked_add(usec)
            })
            .unwrap_or(0)
    }
}
