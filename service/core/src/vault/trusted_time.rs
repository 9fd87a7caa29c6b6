//! The last time that is known to have been right, and the time that everything is judged by.
//!
//! What has expired is deleted by the first and not by the wall clock: a machine that boots once with a clock in the future must
//! not lose what has not expired. It goes on with the time since boot. A clock that something synchronises moves it forward; only
//! an administrator's word moves it back. Nothing is valid by a wall clock that shows less: a clock that was set back brings
//! nothing back.
//!
//! It is written down, encrypted, with the time since boot that belongs to it, and goes on from there after a restart; behind a
//! boot what passed since it was written is missing.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::{Effect, Event, OpenVault, Vault};
use crate::Timestamp;
use crate::crypto::Aad;
use crate::error::Error;
use crate::moment::{BootId, Moment};
use crate::port::{MetaKey, WriteTx};

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
    /// The time when the boot clock shows `boot`, where there is one.
    fn at(&self, boot: u64) -> Option<Timestamp> {
        let ahead = self.0.load(Ordering::Relaxed);
        (ahead != NEVER).then(|| Timestamp::from_usec(boot.saturating_add_signed(ahead)))
    }

    /// It was `time` when the boot clock showed `boot`.
    fn set(&self, time: Timestamp, boot: u64) {
        self.0.store(ahead(time, boot), Ordering::Relaxed);
    }

    /// It was `time` then at least.
    fn raise(&self, time: Timestamp, boot: u64) {
        self.0.fetch_max(ahead(time, boot), Ordering::Relaxed);
    }
}

fn ahead(time: Timestamp, boot: u64) -> i64 {
    let ahead = i128::from(time.as_usec()) - i128::from(boot);
    let clamped = ahead.clamp(i128::from(NEVER) + 1, i128::from(i64::MAX));
    i64::try_from(clamped).unwrap_or(NEVER)
}

/// Who says that the wall clock is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockWord {
    /// An administrator: it counts also where that takes time back.
    Administrator,
    /// Something that synchronises it, and may be deceived: it counts where time goes on by it.
    Synchronised,
}

/// What is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Written {
    time: Timestamp,
    /// What the boot clock showed then, and in which boot; `None`: an earlier release has written it.
    boot: Option<(u64, BootId)>,
}

impl Written {
    fn encode(moment: &Moment, time: Timestamp) -> Vec<u8> {
        let numbers = [time.as_usec(), moment.since_boot_usec].map(u64::to_be_bytes);
        [numbers.as_flattened(), moment.boot.as_bytes()].concat()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (time, rest) = bytes.split_first_chunk()?;
        let time = Timestamp::from_usec(u64::from_be_bytes(*time));
        if rest.is_empty() {
            return Some(Self { time, boot: None });
        }
        let (since_boot, id) = rest.split_first_chunk()?;
        let id = BootId::new(id.try_into().ok()?);
        Some(Self { time, boot: Some((u64::from_be_bytes(*since_boot), id)) })
    }
}

/// What is about to be written down.
pub(super) struct TimeToKeep(Vec<u8>);

impl TimeToKeep {
    pub(super) fn keep(&self, open: &OpenVault, tx: &mut dyn WriteTx) -> Result<(), Error> {
        let sealed = open.users_key().seal(PURPOSE, aad(open).as_bytes(), &self.0)?;
        Ok(tx.set_meta(MetaKey::TrustedTime, &sealed)?)
    }
}

fn aad(open: &OpenVault) -> Aad {
    Aad::new(PURPOSE).bytes(&open.id)
}

/// How what is written down is sealed.
pub(super) fn sealing(open: &OpenVault) -> (&'static str, Aad) {
    (PURPOSE, aad(open))
}

impl Vault {
    /// What decides what has expired: the wall clock's time, and never less than what has certainly passed; and the time since
    /// boot.
    pub(crate) fn moment(&self) -> Moment {
        let (wall, since_boot_usec) = (self.clock.now(), self.clock.boottime_usec());
        let time = self.high_water.at(since_boot_usec).map_or(wall, |passed| wall.max(passed));
        Moment { time, boot: self.clock.boot(), since_boot_usec }
    }

    /// The time of that.
    pub(crate) fn now(&self) -> Timestamp {
        self.moment().time
    }

    /// What the wall clock shows.
    pub(crate) fn wall(&self) -> Timestamp {
        self.clock.now()
    }

    /// A time that has certainly passed; `None` where nobody has ever said that the clock is right, and before the vault was open.
    pub(crate) fn trusted_time(&self) -> Option<Timestamp> {
        self.high_water.at(self.clock.boottime_usec())
    }

    /// The same, no later than the wall clock: by that something may be deleted.
    pub(crate) fn certain_time(&self) -> Option<Timestamp> {
        self.trusted_time().map(|trusted| trusted.min(self.wall()))
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
        let sealed = self.read(|tx| Ok(tx.meta(MetaKey::TrustedTime)?))?;
        let Some(sealed) = sealed.filter(|sealed| !sealed.is_empty()) else { return Ok(()) };
        let bytes = open.users_key().open_record(PURPOSE, aad(open).as_bytes(), &sealed)?;
        let written = Written::decode(&bytes)
            .ok_or_else(|| Error::Quarantined("the trusted time is not as long as one is".into()))?;
        let now = self.clock.boottime_usec();
        let then = written.boot.filter(|(_, id)| *id == self.clock.boot()).map(|(since_boot, _)| since_boot);
        // In a time namespace the boot clock may show less than it did.
        self.high_water.set(written.time, then.map_or(now, |then| then.min(now)));
        Ok(())
    }

    /// Takes the wall clock for right. Forgotten with the end of the daemon, unless [`Vault::keep_trusted_time`] follows.
    pub(crate) fn trust_clock(&self, word: ClockWord) {
        let (wall, boot) = (self.wall(), self.clock.boottime_usec());
        match word {
            ClockWord::Administrator => self.high_water.set(wall, boot),
            ClockWord::Synchronised => self.high_water.raise(wall, boot),
        }
    }

    /// Writes the trusted time down, to go on from after a restart. Blocks.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn keep_trusted_time(self: &Arc<Self>, open: &Arc<OpenVault>) -> Result<(), Error> {
        let Some(time) = self.time_to_keep() else { return Ok(()) };
        let (event, open) = (Event::new(&super::slots::daemon(), "TrustedTime"), Arc::clone(open));
        self.write_and_wait(event, Effect::Reserved, move |tx| time.keep(&open, tx))
    }

    /// The same where an administrator has said that the clock is right, which what has expired hangs on: with a record of that.
    /// Blocks.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn keep_time_said(self: &Arc<Self>, open: &Arc<OpenVault>, event: Event) -> Result<(), Error> {
        let Some(time) = self.time_to_keep() else { return Ok(()) };
        let (vault, open, audited) = (Arc::clone(self), Arc::clone(open), event.clone());
        self.write_and_wait(event, Effect::Reserved, move |tx| {
            time.keep(&open, tx)?;
            vault.record_mutation(&open, tx, &audited, 0)
        })
    }

    /// The trusted time as it is to be written down; `None` where there is none.
    pub(super) fn time_to_keep(&self) -> Option<TimeToKeep> {
        let moment = self.moment();
        let time = self.high_water.at(moment.since_boot_usec)?;
        Some(TimeToKeep(Written::encode(&moment, time)))
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
        assert_eq!(mark.at(7), None);
        for (time, boot, later, expected) in
            [(1_000, 10, 15, 1_005), (10, 1_000, 1_001, 11), (10, 1_000, 0, 0), (u64::MAX, 0, u64::MAX, u64::MAX)]
        {
            mark.set(Timestamp::from_usec(time), boot);
            assert_eq!(mark.at(later).map(Timestamp::as_usec), Some(expected), "{time} {boot} {later}");
        }
    }

    #[test]
    fn a_mark_is_raised_and_not_lowered_by_a_clock_that_is_synchronised() {
        let mark = HighWater::default();
        for (time, boot, expected) in [(1_000, 10, 1_000), (500, 20, 1_010), (2_000, 30, 2_000)] {
            mark.raise(Timestamp::from_usec(time), boot);
            assert_eq!(mark.at(boot).map(Timestamp::as_usec), Some(expected), "{time} {boot}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let moment = Moment { time: Timestamp::from_usec(9), boot: BootId::new([7; 16]), since_boot_usec: u64::MAX };
        let bytes = Written::encode(&moment, Timestamp::from_usec(8));
        let written = Written { time: Timestamp::from_usec(8), boot: Some((u64::MAX, moment.boot)) };
        assert_eq!(Written::decode(&bytes), Some(written));
        let early = Written { time: Timestamp::from_usec(8), boot: None };
        assert_eq!(Written::decode(&8_u64.to_be_bytes()), Some(early));
        for length in [0, 7, 9, 16, 31, 33] {
            assert_eq!(Written::decode(&vec![1; length]), None, "{length}");
        }
    }
}
