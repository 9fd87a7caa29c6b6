//! Raising the counter once something was written.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::slots::{recovery_is_confirmed, slots_term, verify_table_since};
use super::super::{OpenVault, Vault};
use super::AnchorState;
use super::check::Plan;
use super::kept::{Kept, Use, indices, place};
use crate::error::Error;
use crate::port::{Counted, Counter, CounterStep, SealError};

/// As what it stands in the store's queue; it is no record of the audit log.
pub const OPERATION: &str = "RaiseAnchor";

impl Vault {
    /// When the counter was raised last; `None` where there is none, or the TPM has not counted since.
    ///
    /// # Errors
    /// When the vault is not open, or the store cannot be read.
    pub fn anchor_raised(&self) -> Result<Option<crate::Timestamp>, Error> {
        let open = self.open()?;
        if self.anchored().state != AnchorState::Held {
            return Ok(None);
        }
        Ok(self.read(|tx| Kept::read(&open, tx))?.map(|kept| kept.raised))
    }

    /// Raises the counter if anything was written since it was raised last; makes one where there is none yet, and finishes what an
    /// earlier raise could not. Until the rows are verified it does nothing: a store that somebody has changed is not anchored.
    /// Blocks as long as the TPM does.
    ///
    /// # Errors
    /// Why that could not be done: it is to be tried again. [`Error::Quarantined`] when the store is not the one the TPM has counted
    /// for.
    pub fn raise_anchor(self: &Arc<Self>) -> Result<(), Error> {
        let _turn = self.anchor_turn();
        let open = self.open()?;
        self.tend_anchor(&open)
    }

    /// The same for who has the turn.
    pub(in super::super) fn tend_anchor(self: &Arc<Self>, open: &Arc<OpenVault>) -> Result<(), Error> {
        let Some(counter) = self.counter.get() else { return Ok(()) };
        if !open.anchor.rows_are_verified() {
            return Ok(());
        }
        let tended = self.follow_plan(open, &**counter);
        if let Err(error) = &tended {
            self.quarantine_after(error);
            self.anchored().state = AnchorState::Pending(error.to_string());
        }
        tended
    }

    fn follow_plan(self: &Arc<Self>, open: &Arc<OpenVault>, counter: &dyn Counter) -> Result<(), Error> {
        let asked = open.anchor.plan().clone();
        if let Plan::Ask(trust) = asked {
            let finding = self.check_anchor(open, trust)?;
            if let (Plan::Ask(_), AnchorState::Pending(why)) = (&finding.plan, &finding.anchor.state) {
                return Err(Error::Unavailable(why.clone()));
            }
            self.note_finding(open, finding);
        }
        let plan = open.anchor.plan().clone();
        match plan {
            Plan::NoSlot | Plan::Make if self.root_key_names(open)?.is_empty() => return Ok(()),
            // There was nothing to hold the store against when it was opened.
            Plan::NoSlot => self.make_anchor(open, counter, true)?,
            Plan::Make => self.make_anchor(open, counter, false)?,
            Plan::Adopt(kept) => self.put_anchor(open, kept, Some("AdoptAnchor"))?,
            Plan::Count | Plan::Ask(_) => return self.raise(open, counter),
        }
        *open.anchor.plan() = Plan::Count;
        self.anchored().state = AnchorState::Held;
        self.raise(open, counter)
    }

    fn raise(self: &Arc<Self>, open: &Arc<OpenVault>, counter: &dyn Counter) -> Result<(), Error> {
        let lost = || Error::Quarantined("the store has lost its anchor; restore a backup".into());
        let kept = self.read(|tx| Kept::read(open, tx))?.ok_or_else(lost)?;
        let value = kept.value.ok_or_else(lost)?;
        // None is begun while another one is not finished.
        if self.anchored().state != AnchorState::Held {
            self.finish(open, counter, &kept, value)?;
        }
        let mut kept = kept;
        // What is written from here on is not certain to be below it.
        if self.unanchored.swap(false, Ordering::AcqRel) {
            let value = value.saturating_add(1);
            let next = Kept { value: Some(value), raised: self.now(), ..kept };
            self.put_anchor(open, next.clone(), None)
                .inspect_err(|_| self.unanchored.store(true, Ordering::Release))?;
            self.finish(open, counter, &next, value)?;
            kept = next;
        }
        self.mark_confirmed(open, counter, kept)
    }

    /// Has the TPM know whether a recovery key is confirmed.
    fn mark_confirmed(self: &Arc<Self>, open: &Arc<OpenVault>, counter: &dyn Counter, kept: Kept) -> Result<(), Error> {
        // On nobody's word but the vault's own.
        let since = slots_term(open);
        let is_confirmed =
            self.read(|tx| verify_table_since(since, self, open, tx).and_then(|()| recovery_is_confirmed(tx)))?;
        if is_confirmed == kept.is_marked {
            return Ok(());
        }
        let step = if is_confirmed { CounterStep::Make } else { CounterStep::Remove };
        let mut is_done = !is_confirmed;
        for index in indices(open, Use::Confirmed) {
            let place = place(open, index, &kept.root_key_name, self.memory())?;
            if let Counted::At(_) = counter.count(&place, step)? {
                is_done = true;
                break;
            }
        }
        if !is_done {
            let why = "others have all the places where the TPM may note that a recovery key is confirmed";
            return Err(Error::Unavailable(why.into()));
        }
        self.put_anchor(open, Kept { is_marked: is_confirmed, ..kept }, None)
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
