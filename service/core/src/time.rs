//! Points in time as they are stored and sent: microseconds since the epoch.

use minicbor::{Decode, Encode};

/// Microseconds since 1970-01-01 00:00 UTC, as systemd and the D-Bus interface write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Timestamp(#[n(0)] u64);

const USEC_PER_DAY: u64 = 86_400_000_000;

impl Timestamp {
    /// From microseconds since the epoch.
    pub const fn from_usec(usec: u64) -> Self {
        Self(usec)
    }

    /// Microseconds since the epoch.
    pub const fn as_usec(self) -> u64 {
        self.0
    }

    /// `usec` later, or `None` past the end of time.
    pub fn checked_add_usec(self, usec: u64) -> Option<Self> {
        self.0.checked_add(usec).map(Self)
    }

    /// The day this lies in, counted from the epoch.
    pub const fn day(self) -> u64 {
        self.0 / USEC_PER_DAY
    }

    /// The beginning of a day, counted from the epoch; `None` past the end of time.
    pub fn from_day(day: u64) -> Option<Self> {
        day.checked_mul(USEC_PER_DAY).map(Self)
    }

    /// The day this lies in, rounded up: on that day number, and not before, the point has certainly passed.
    pub fn day_rounded_up(self) -> i64 {
        i64::try_from(self.0.div_ceil(USEC_PER_DAY)).unwrap_or(i64::MAX)
    }
}
