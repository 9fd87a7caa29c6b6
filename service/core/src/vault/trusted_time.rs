//! The last time that is known to have been right.
//!
//! What has expired is deleted by it and not by the wall clock: a machine that boots once with a clock in the future must not
//! lose what has not expired. It goes on with the time since boot, and is set where somebody says that the wall clock is right.

use std::sync::{Arc, PoisonError};

use super::{Effect, Event, OpenVault, Vault};
use crate::Timestamp;
use crate::crypto::{Aad, wrap};
use crate::error::Error;
use crate::port::MetaKey;

const PURPOSE: &str = "trusted-time";

/// A time, and what the boot clock showed then, in microseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    time: Timestamp,
    boot: u64,
}

fn aad(open: &OpenVault) -> Aad {
    Aad::new(PURPOSE).bytes(&open.id)
}

impl Vault {
    /// A time that has certainly passed; `None` while nobody has ever said that the clock is right. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn trusted_time(&self, open: &OpenVault) -> Result<Option<Timestamp>, Error> {
        let boot = self.clock.boottime_usec();
        let mut mark = open.trusted.lock().unwrap_or_else(PoisonError::into_inner);
        if mark.is_none() {
            *mark = self.read_mark(open)?.map(|time| Mark { time, boot });
        }
        Ok(mark.and_then(|mark| mark.time.checked_add_usec(boot.saturating_sub(mark.boot))))
    }

    fn read_mark(&self, open: &OpenVault) -> Result<Option<Timestamp>, Error> {
        let Some(sealed) = self.read(|tx| Ok(tx.meta(MetaKey::TrustedTime)?))? else { return Ok(None) };
        let bytes = wrap::open_record(open.users_key(), PURPOSE, aad(open).as_bytes(), &sealed)?;
        let bytes = <[u8; 8]>::try_from(bytes.as_slice())
            .map_err(|_| Error::Quarantined("the trusted time is not 8 bytes long".into()))?;
        Ok(Some(Timestamp::from_usec(u64::from_be_bytes(bytes))))
    }

    /// Takes the wall clock for right. Forgotten with the keys, unless [`Vault::keep_trusted_time`] follows.
    pub(crate) fn trust_clock(&self, open: &OpenVault) {
        let mark = Mark { time: self.now(), boot: self.clock.boottime_usec() };
        *open.trusted.lock().unwrap_or_else(PoisonError::into_inner) = Some(mark);
    }

    /// Writes the trusted time down, to go on from after a restart. Blocks.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn keep_trusted_time(self: &Arc<Self>, open: &Arc<OpenVault>) -> Result<(), Error> {
        let Some(time) = self.trusted_time(open)? else { return Ok(()) };
        let sealed = wrap::seal(open.users_key(), PURPOSE, aad(open).as_bytes(), &time.as_usec().to_be_bytes())?;
        let event = Event::new(&super::slots::daemon(), "TrustedTime");
        self.write_and_wait(event, Effect::Reserved, move |tx| Ok(tx.set_meta(MetaKey::TrustedTime, &sealed)?))
    }
}
