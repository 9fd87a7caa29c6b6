//! Raising the counter once something was written.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::slots::recovery_is_confirmed;
use super::super::{Effect, Event, OpenVault, Vault, daemon};
use super::AnchorState;
use super::kept::{Kept, Use, indices, place};
use crate::error::Error;
use crate::port::{Counted, Counter, CounterStep, SealError};

/// As what it stands in the store's queue; it is no record of the audit log.
pub const OPERATION: &str = "RaiseAnchor";

impl Vault {
    /// When the counter was raised last; `None` where there is none.
    ///
    /// # Errors
    /// When the vault is not open, or the store cannot be read.
    pub fn anchor_raised(&self) -> Result<Option<crate::Timestamp>, Error> {
        let open = self.open()?;
        Ok(self.read(|tx| Kept::read(&open, tx))?.map(|kept| kept.raised))
    }

    /// Raises the counter if anything was written since it was raised last; makes one where there is none yet, and finishes what an
    /// earlier raise could not. Blocks as long as the TPM does.
    ///
    /// # Errors
    /// Why that could not be done: it is to be tried again. [`Error::Quarantined`] when somebody else has counted: the store is in use
    /// twice.
    pub fn raise_anchor(self: &Arc<Self>) -> Result<(), Error> {
        let _turn = self.anchor_turn();
        let open = self.open()?;
        let Some(counter) = self.counter.get() else { return Ok(()) };
        let raised = self.raise(&open, &**counter);
        if let Err(error) = &raised {
            self.quarantine_after(error);
            self.anchored().state = AnchorState::Pending(error.to_string());
        }
        raised
    }

    fn raise(self: &Arc<Self>, open: &Arc<OpenVault>, counter: &dyn Counter) -> Result<(), Error> {
        let kept = self.read(|tx| Kept::read(open, tx))?;
        let Some((kept, value)) = kept.and_then(|kept| kept.value.map(|value| (kept, value))) else {
            let state = self.make_anchor(open)?;
            self.anchored().state = state;
            return Ok(());
        };
        // None is begun while another one is not finished.
        if self.anchored().state != AnchorState::Held {
            self.finish(open, counter, &kept, value)?;
        }
        let is_marked = self.mark_confirmed(open, counter, &kept)?;
        // What is written from here on is not certain to be below it.
        if !self.unanchored.swap(false, Ordering::AcqRel) && is_marked == kept.is_marked {
            return Ok(());
        }
        let next = Kept { value: value.checked_add(1), raised: self.now(), is_marked, ..kept };
        let (opened, written) = (Arc::clone(open), next.clone());
        let event = Event::new(&daemon(), OPERATION);
        let committed = self.write_and_wait(event, Effect::Reserved, move |tx| written.write(&opened, tx));
        if let Err(error) = committed {
            self.unanchored.store(true, Ordering::Release);
            return Err(error);
        }
        self.finish(open, counter, &next, value.saturating_add(1))
    }

    /// Has the TPM know whether a recovery key is confirmed; whether it does.
    fn mark_confirmed(&self, open: &OpenVault, counter: &dyn Counter, kept: &Kept) -> Result<bool, Error> {
        let is_confirmed = self.read(|tx| recovery_is_confirmed(tx))?;
        if is_confirmed == kept.is_marked {
            return Ok(is_confirmed);
        }
        let step = if is_confirmed { CounterStep::Make } else { CounterStep::Remove };
        for index in indices(open, Use::Confirmed) {
            match counter.count(&place(open, index, &kept.root_key_name, self.memory())?, step)? {
                Counted::Foreign => {}
                Counted::At(_) | Counted::Missing => break,
            }
        }
        Ok(is_confirmed)
    }

    /// Has the TPM count up to what the store says.
    fn finish(&self, open: &OpenVault, counter: &dyn Counter, kept: &Kept, value: u64) -> Result<(), Error> {
        let place = kept.place(open, self.memory())?;
        match counter.count(&place, CounterStep::Raise { from: value.saturating_sub(1) }) {
            Ok(Counted::At(found)) if found == value => {
                let mut anchor = self.anchored();
                (anchor.state, anchor.raises) = (AnchorState::Held, kept.raises());
                Ok(())
            }
            Ok(Counted::At(_)) => Err(Error::Quarantined(
                "the TPM has counted for another copy of this store: only one of them may run; stop the other, or restore a backup"
                    .into(),
            )),
            Ok(Counted::Missing | Counted::Foreign) => Err(Error::Tpm(SealError::WrongTpm)),
            Err(error) => Err(Error::Tpm(error)),
        }
    }
}
