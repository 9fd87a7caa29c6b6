//! The system's clocks.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};
use tokenvault_core::Timestamp;
use tokenvault_core::crypto::random;
use tokenvault_core::hex;
use tokenvault_core::moment::BootId;
use tokenvault_core::port::Clock;

/// Where the unit says which boot it is: its sandbox hides the file.
const BOOT_ID_VARIABLE: &str = "TOKENVAULT_BOOT_ID";
const BOOT_ID_FILE: &str = "/proc/sys/kernel/random/boot_id";

/// Wall clock and boot clock of the machine.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    boot: BootId,
}

impl SystemClock {
    /// The clocks of this boot. Where nobody says which one it is, another start of the daemon counts as another boot.
    ///
    /// # Errors
    /// When random numbers cannot be had.
    pub fn new() -> Result<Self, String> {
        let told = std::env::var(BOOT_ID_VARIABLE).ok().or_else(|| fs::read_to_string(BOOT_ID_FILE).ok());
        let boot = match told.as_deref().and_then(boot_id) {
            Some(boot) => boot,
            None => BootId::new(random::array().map_err(|error| error.to_string())?),
        };
        Ok(Self { boot })
    }
}

/// The id that the kernel writes with dashes and systemd without.
fn boot_id(text: &str) -> Option<BootId> {
    let digits: String = text.trim_end().chars().filter(|digit| *digit != '-').collect();
    hex::decode(&digits)?.try_into().ok().map(BootId::new)
}

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

    fn boot(&self) -> BootId {
        self.boot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_an_id_are_one() {
        let [with, without] = ["b3b4f0c8-8b0e-4a57-9f3c-1d2e3f405162\n", "b3b4f0c88b0e4a579f3c1d2e3f405162"];
        assert!(boot_id(with).is_some());
        assert_eq!(boot_id(with), boot_id(without));
        for text in ["", "b3", "no boot at all", "b3b4f0c88b0e4a579f3c1d2e3f40516g"] {
            assert_eq!(boot_id(text), None, "{text}");
        }
    }
}
