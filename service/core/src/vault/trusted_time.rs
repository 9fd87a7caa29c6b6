//! The last time that is known to have been right, and the time that everything is judged by.
//!
//! What has expired is deleted by the first and not by the wall clock: a machine that boots once with a clock in the future must
//! not lose what has not expired. It goes on with the time since boot, and is set where somebody says that the wall clock is
//! right. Nothing is valid by a wall clock that shows less: a clock that was set back brings nothing back.
//!
//! It is written down, encrypted, and goes on from there after a restart; what passed between the last time it was written and
//! the restart is then missing.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::{Effect, Event, OpenVault, Vault};
use crate::Timestamp;
use crate::crypto::{Aad, wrap};
use crate::error::Error;
use crate::port::MetaKey;

const PURPOSE: &str = "trusted-time";
/// No time is known to have been right.
const NEVER: i64 = i64::MIN;

/// A time that has certainly passed, as what is to be added to the boot clock, in microseconds.
#[derive(Debug)]
pub(super) struct HighWater(AtomicI64);

impl Default for HighWater {
    fn default() -> Self {
        Self(AtomicI64::new(NEVER))
    }
}

impl HighWater {
    /// The time when the boot clock shows `boot`; that clock is not asked where there is none.
    fn at(&self, boot: impl FnOnce() -> u64) -> Option<Timestamp> {
        let ahead = self.0.load(Ordering::Relaxed);
        (ahead != NEVER).then(|| Timestamp::from_usec(boot().saturating_add_signed(ahead)))
    }

    fn set(&self, time: Timestamp, boot: u64) {
        let ahead = i128::from(time.as_usec()) - i128::from(boot);
        let clamped = ahead.clamp(i128::from(NEVER) + 1, i128::from(i64::MAX));
        self.0.store(i64::try_from(clamped).unwrap_or(NEVER), Ordering::Relaxed);
    }
}

fn aad(open: &OpenVault) -> Aad {
    Aad::new(PURPOSE).bytes(&open.id)
}

impl Vault {
    /// The time that decides what has expired: the wall clock's, and never less than what has certainly passed.
    pub(crate) fn now(&self) -> Timestamp {
        let wall = self.clock.now();
        self.trusted_time().map_or(wall, |passed| wall.max(passed))
    }

    /// What the wall clock shows.
    pub(crate) fn wall(&self) -> Timestamp {
        self.clock.now()
    }

    /// A time that has certainly passed; `None` where nobody has ever said that the clock is right, and before the vault was open.
    pub(crate) fn trusted_time(&self) -> Option<Timestamp> {
        self.high_water.at(|| self.clock.boottime_usec())
    }

    /// Whether anybody has ever said that the clock is right.
    pub fn has_trusted_time(&self) -> bool {
        self.trusted_time().is_some()
    }

    /// How far the wall clock is behind a time that has certainly passed, microseconds; 0: it is not.
    pub fn clock_is_behind_usec(&self) -> u64 {
        self.trusted_time().map_or(0, |passed| passed.as_usec().saturating_sub(self.wall().as_usec()))
    }

    /// Goes on from the time that was written down, where it is not known already. Blocks.
    ///
    /// # Errors
    /// [`Error::Quarantined`] when it does not open, and when the store cannot be read.
    pub(super) fn resume_trusted_time(&self, open: &OpenVault) -> Result<(), Error> {
        if self.has_trusted_time() {
            return Ok(());
        }
        let Some(sealed) = self.read(|tx| Ok(tx.meta(MetaKey::TrustedTime)?))? else { return Ok(()) };
        let bytes = wrap::open_record(open.users_key(), PURPOSE, aad(open).as_bytes(), &sealed)?;
        let bytes = <[u8; 8]>::try_from(bytes.as_slice())
            .map_err(|_| Error::Quarantined("the trusted time is not 8 bytes long".into()))?;
        self.high_water.set(Timestamp::from_usec(u64::from_be_bytes(bytes)), self.clock.boottime_usec());
        Ok(())
    }

    /// Takes the wall clock for right, also where that takes time back. Forgotten with the end of the daemon, unless
    /// [`Vault::keep_trusted_time`] follows.
    pub(crate) fn trust_clock(&self) {
        self.high_water.set(self.wall(), self.clock.boottime_usec());
    }

    /// Writes the trusted time down, to go on from after a restart. Blocks.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn keep_trusted_time(self: &Arc<Self>, open: &OpenVault) -> Result<(), Error> {
        let Some(time) = self.trusted_time() else { return Ok(()) };
        let sealed = wrap::seal(open.users_key(), PURPOSE, aad(open).as_bytes(), &time.as_usec().to_be_bytes())?;
        let event = Event::new(&super::slots::daemon(), "TrustedTime");
        self.write_and_wait(event, Effect::Reserved, move |tx| Ok(tx.set_meta(MetaKey::TrustedTime, &sealed)?))
    }

    /// The same for whoever has no keys; nothing while the vault is not open. Blocks.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn note_time(self: &Arc<Self>) -> Result<(), Error> {
        match self.open() {
            Ok(open) => self.keep_trusted_time(&open),
            Err(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_goes_on_with_the_boot_clock_and_ends_at_its_end() {
        let mark = HighWater::default();
        assert_eq!(mark.at(|| unreachable!()), None);
        for (time, boot, later, expected) in
            [(1_000, 10, 15, 1_005), (10, 1_000, 1_001, 11), (10, 1_000, 0, 0), (u64::MAX, 0, u64::MAX, u64::MAX)]
        {
            mark.set(Timestamp::from_usec(time), boot);
            assert_eq!(mark.at(|| later).map(Timestamp::as_usec), Some(expected), "{time} {boot} {later}");
        }
    }
}
