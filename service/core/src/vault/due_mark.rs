//! Up to which time it was told what expires.

use std::sync::{Arc, PoisonError};

use super::{Effect, Event, OpenVault, Vault};
use crate::Timestamp;
use crate::crypto::Aad;
use crate::error::Error;
use crate::port::MetaKey;

const PURPOSE: &str = "told-expiry";
/// How much of it may be forgotten where nothing was told: that time is looked at again.
const SLACK_USEC: u64 = 3_600_000_000;

/// What is known of it while the vault is open.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    /// Up to when.
    until: Timestamp,
    /// What of it is written down.
    kept: Option<Timestamp>,
}

/// Up to when it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It never was.
    None,
    /// Up to then.
    At(Timestamp),
    /// What is written down of it does not open: it was changed.
    Damaged,
}

fn aad(open: &OpenVault) -> Aad {
    Aad::new(PURPOSE).bytes(&open.id)
}

/// How what is written down is sealed.
pub(super) fn sealing(open: &OpenVault) -> (&'static str, Aad) {
    (PURPOSE, aad(open))
}

impl Vault {
    /// Up to when it was told. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn told_expiry(&self, open: &OpenVault) -> Result<Mark, Error> {
        let mut told = open.told_expiry.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(told) = &*told {
            return Ok(Mark::At(told.until));
        }
        let mark = self.read_told(open)?;
        if let Mark::At(until) = mark {
            *told = Some(Told { until, kept: Some(until) });
        }
        Ok(mark)
    }

    fn read_told(&self, open: &OpenVault) -> Result<Mark, Error> {
        let Some(sealed) = self.read(|tx| Ok(tx.meta(MetaKey::ToldExpiry)?))? else { return Ok(Mark::None) };
        let opened = open.users_key().open_record(PURPOSE, aad(open).as_bytes(), &sealed);
        let bytes = match opened.map_err(Error::from) {
            Ok(bytes) => bytes,
            Err(Error::Quarantined(_)) => return Ok(Mark::Damaged),
            Err(error) => return Err(error),
        };
        let until = <[u8; 8]>::try_from(bytes.as_slice()).map(u64::from_be_bytes);
        Ok(until.map_or(Mark::Damaged, |until| Mark::At(Timestamp::from_usec(until))))
    }

    /// Notes up to when it was told; writes it down at once where it `must`, else now and then. Blocks.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn note_told(
        self: &Arc<Self>,
        open: &Arc<OpenVault>,
        until: Timestamp,
        must: bool,
    ) -> Result<(), Error> {
        let kept = {
            let mut told = open.told_expiry.lock().unwrap_or_else(PoisonError::into_inner);
            let kept = told.and_then(|told| told.kept);
            *told = Some(Told { until, kept });
            kept
        };
        let is_recent =
            |kept: Timestamp| kept.checked_add_usec(SLACK_USEC).is_some_and(|later| kept <= until && until < later);
        if !must && kept.is_some_and(is_recent) {
            return Ok(());
        }
        let (event, keys) = (Event::new(&super::slots::daemon(), "ToldExpiry"), Arc::clone(open));
        self.write_and_wait(event, Effect::Reserved, move |tx| {
            let sealed = keys.users_key().seal(PURPOSE, aad(&keys).as_bytes(), &until.as_usec().to_be_bytes())?;
            Ok(tx.set_meta(MetaKey::ToldExpiry, &sealed)?)
        })?;
        *open.told_expiry.lock().unwrap_or_else(PoisonError::into_inner) = Some(Told { until, kept: Some(until) });
        Ok(())
    }
}
