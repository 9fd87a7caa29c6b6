//! Up to which time it was told what expires.

use std::sync::{Arc, PoisonError};

use super::{Effect, Event, OpenVault, Vault};
use crate::Timestamp;
use crate::crypto::{Aad, wrap};
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

fn aad(open: &OpenVault) -> Aad {
    Aad::new(PURPOSE).bytes(&open.id)
}

impl Vault {
    /// Up to when it was told; `None`: it never was. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn told_expiry(&self, open: &OpenVault) -> Result<Option<Timestamp>, Error> {
        let mut told = open.told_expiry.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none() {
            *told = self.read_told(open)?.map(|until| Told { until, kept: Some(until) });
        }
        Ok(told.map(|told| told.until))
    }

    fn read_told(&self, open: &OpenVault) -> Result<Option<Timestamp>, Error> {
        let Some(sealed) = self.read(|tx| Ok(tx.meta(MetaKey::ToldExpiry)?))? else { return Ok(None) };
        let bytes = wrap::open_record(open.users_key(), PURPOSE, aad(open).as_bytes(), &sealed)?;
        let bytes = <[u8; 8]>::try_from(bytes.as_slice())
            .map_err(|_| Error::Quarantined("the time up to which expiry was told is not 8 bytes long".into()))?;
        Ok(Some(Timestamp::from_usec(u64::from_be_bytes(bytes))))
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
        let sealed = wrap::seal(open.users_key(), PURPOSE, aad(open).as_bytes(), &until.as_usec().to_be_bytes())?;
        let event = Event::new(&super::slots::daemon(), "ToldExpiry");
        self.write_and_wait(event, Effect::Reserved, move |tx| Ok(tx.set_meta(MetaKey::ToldExpiry, &sealed)?))?;
        *open.told_expiry.lock().unwrap_or_else(PoisonError::into_inner) = Some(Told { until, kept: Some(until) });
        Ok(())
    }
}
