//! Lockdown: no value leaves the vault, whoever asks, until an administrator ends it. Everything else goes on: what was stored is
//! listed, shared, taken back, replaced and deleted, and tokens that were issued are validated and revoked.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Effect, Event, Vault};
use crate::Caller;
use crate::error::Error;
use crate::port::MetaKey;

/// What is written down while it lasts.
pub(super) const ON: &[u8] = &[1];

impl Vault {
    /// Whether no value leaves the vault.
    pub fn is_locked_down(&self) -> bool {
        self.locked_down.load(Ordering::Relaxed)
    }

    /// Refuses to give a value out while none may leave.
    pub(crate) fn check_values_leave(&self) -> Result<(), Error> {
        if !self.is_locked_down() {
            return Ok(());
        }
        Err(Error::Unavailable(
            "the vault is in lockdown and gives no value out; an administrator ends it with 'tokenvaultctl lockdown off'".into(),
        ))
    }

    /// Begins a lockdown or ends it; it stays over restarts. Blocks.
    ///
    /// # Errors
    /// [`Error::Sealed`] when the vault is not open, [`Error::Unavailable`] when it cannot be written down: nothing has changed then.
    pub fn set_lockdown(self: &Arc<Self>, caller: &Caller, on: bool) -> Result<(), Error> {
        let _turn = self.one_at_a_time();
        let open = self.open()?;
        let before = self.is_locked_down();
        // What is under way ends with it; and nothing leaves before it is certain that it may.
        self.locked_down.store(before || on, Ordering::Relaxed);
        let event = Event::new(caller, if on { "Lockdown" } else { "EndLockdown" });
        let (vault, audited) = (Arc::clone(self), event.clone());
        // Also on a full disk.
        let written = self.write_and_wait(event, Effect::Reserved, move |tx| {
            tx.set_meta(MetaKey::Lockdown, if on { ON } else { &[] })?;
            vault.record_mutation(&open, tx, &audited, 0)
        });
        self.locked_down.store(if written.is_ok() { on } else { before }, Ordering::Relaxed);
        written
    }

    /// What the store says of it, open or not.
    pub(super) fn lockdown_in_store(&self) -> Result<bool, Error> {
        Ok(self.read(|tx| Ok(tx.meta(MetaKey::Lockdown)?))?.is_some_and(|value| !value.is_empty()))
    }

    /// Takes up a lockdown that was begun before the vault was opened.
    pub(super) fn resume_lockdown(&self) -> Result<(), Error> {
        self.locked_down.store(self.lockdown_in_store()?, Ordering::Relaxed);
        Ok(())
    }
}
