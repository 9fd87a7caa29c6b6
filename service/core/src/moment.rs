//! Moments and ends by two clocks: the wall clock, which somebody may set, and the time since boot, which nobody can.
//!
//! What ends does so when the wall clock says so, or when as much time has passed since it was said as there was left then. The
//! second clock is known while the machine is on: behind a boot the first one is left.

use minicbor::{Decode, Encode};

use crate::Timestamp;

/// Names the time between two boots of the machine, as the kernel does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct BootId(#[cbor(n(0), with = "minicbor::bytes")] [u8; 16]);

impl BootId {
    /// From its bytes.
    pub const fn new(id: [u8; 16]) -> Self {
        Self(id)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// Now, by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The wall clock's time, and never less than what has certainly passed.
    pub time: Timestamp,
    /// Which boot it is.
    pub boot: BootId,
    /// Microseconds since then.
    pub since_boot_usec: u64,
}

/// A point in time by the clock that nobody sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Deadline {
    /// In which boot it counts.
    #[n(0)]
    pub boot: BootId,
    /// Microseconds since then.
    #[n(1)]
    pub since_boot_usec: u64,
}

/// When something ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// By the wall clock.
    pub at: Timestamp,
    /// By the other one; `None` where that was not known.
    pub deadline: Option<Deadline>,
}

impl End {
    /// An end at a time that lies in the future, said now.
    pub fn said(at: Timestamp, now: &Moment) -> Self {
        let left = at.as_usec().saturating_sub(now.time.as_usec());
        let since_boot_usec = now.since_boot_usec.saturating_add(left);
        Self { at, deadline: Some(Deadline { boot: now.boot, since_boot_usec }) }
    }

    /// Whether it has come.
    pub fn has_come(&self, now: &Moment) -> bool {
        let by_boot = |deadline: Deadline| deadline.boot == now.boot && now.since_boot_usec >= deadline.since_boot_usec;
        now.time >= self.at || self.deadline.is_some_and(by_boot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn moment(time: u64, boot: u8, since_boot_usec: u64) -> Moment {
        Moment { time: Timestamp::from_usec(time), boot: BootId::new([boot; 16]), since_boot_usec }
    }

    #[test]
    fn an_end_comes_by_whichever_clock_shows_it_first() {
        let end = End::said(Timestamp::from_usec(1_000), &moment(900, 1, 50));
        for (now, come) in [
            (moment(900, 1, 50), false),
            (moment(999, 1, 149), false),
            (moment(1_000, 1, 50), true),
            (moment(0, 1, 150), true),
            (moment(0, 1, 149), false),
            (moment(0, 2, u64::MAX), false),
            (moment(1_000, 2, 0), true),
        ] {
            assert_eq!(end.has_come(&now), come, "{now:?}");
        }
        assert!(!End { deadline: None, ..end }.has_come(&moment(0, 1, u64::MAX)));
    }

    #[test]
    fn the_end_of_time_is_an_end() {
        let end = End::said(Timestamp::from_usec(u64::MAX), &moment(0, 1, 50));
        assert!(!end.has_come(&moment(1, 1, u64::MAX - 1)));
        assert!(end.has_come(&moment(1, 1, u64::MAX)));
    }
}
