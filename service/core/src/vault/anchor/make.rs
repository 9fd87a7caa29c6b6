//! Making a counter for the store, and letting it go with the last slot of its TPM.

use std::sync::Arc;

use super::super::slots::store_table_mac;
use super::super::{Effect, Event, OpenVault, Vault, daemon};
use super::AnchorState;
use super::kept::{Kept, Use, exists, forget, indices, place};
use super::raise::OPERATION;
use crate::error::Error;
use crate::port::{Counted, CounterStep, SealError, SlotRow, WriteTx};
use crate::slot::Slot;

impl Vault {
    pub(super) fn new_anchor(&self, index: u32, root_key_name: &[u8]) -> Kept {
        let root_key_name = root_key_name.to_vec();
        Kept { index, root_key_name, value: None, first: 0, raised: self.now(), is_marked: false }
    }

    /// Of the TPMs that open the vault, the newest first.
    pub(super) fn root_key_names(&self, open: &OpenVault) -> Result<Vec<Vec<u8>>, Error> {
        let mut names = Vec::new();
        for name in self.read(|tx| Ok(tx.slots()?))?.iter().rev().filter_map(|row| root_key_name(open, row)) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Makes a counter, and says in the store which.
    pub(super) fn make_anchor(self: &Arc<Self>, open: &Arc<OpenVault>) -> Result<AnchorState, Error> {
        let Some(counter) = self.counter.get() else { return Ok(AnchorState::None) };
        for root_key_name in self.root_key_names(open)? {
            for index in indices(open, Use::Anchor) {
                let place = place(open, index, &root_key_name, self.memory())?;
                match counter.count(&place, CounterStep::Read) {
                    Ok(Counted::Foreign) => continue,
                    Err(SealError::WrongTpm) => break,
                    Err(error) => return Err(error.into()),
                    Ok(Counted::Missing | Counted::At(_)) => {}
                }
                // First of all that there will be one: who ends here finds it again.
                let kept = self.new_anchor(index, &root_key_name);
                self.put_anchor(open, kept.clone(), None)?;
                return match counter.count(&place, CounterStep::Make) {
                    Ok(Counted::At(value)) => {
                        self.put_anchor(open, Kept { first: value, ..kept.at(value) }, Some("MakeAnchor"))?;
                        Ok(AnchorState::Held)
                    }
                    Ok(_) => Err(Error::Unavailable("the TPM did not make a counter".into())),
                    Err(error) => Err(error.into()),
                };
            }
        }
        Ok(AnchorState::None)
    }

    /// Takes one out of the store whose counter is gone: another TPM may get one.
    pub(super) fn forget_anchor(self: &Arc<Self>, open: &Arc<OpenVault>) -> Result<(), Error> {
        if !self.read(|tx| Ok(exists(tx)?))? {
            return Ok(());
        }
        let event = Event::new(&daemon(), "ForgetAnchor");
        let (vault, opened, audited) = (Arc::clone(self), Arc::clone(open), event.clone());
        self.write_and_wait(event, Effect::Reserved, move |tx| {
            forget(tx)?;
            store_table_mac(&vault, &opened, tx)?;
            vault.record_mutation(&opened, tx, &audited, 0)
        })
    }

    /// Writes the anchor, as a record of the audit log where it is worth one.
    pub(super) fn put_anchor(
        self: &Arc<Self>,
        open: &Arc<OpenVault>,
        kept: Kept,
        operation: Option<&'static str>,
    ) -> Result<(), Error> {
        let event = Event::new(&daemon(), operation.unwrap_or(OPERATION));
        let (vault, opened, audited) = (Arc::clone(self), Arc::clone(open), event.clone());
        self.write_and_wait(event, Effect::Reserved, move |tx| {
            kept.write(&opened, tx)?;
            store_table_mac(&vault, &opened, tx)?;
            operation.map_or(Ok(()), |_| vault.record_mutation(&opened, tx, &audited, 0))
        })
    }

    /// Gives the TPM its room back; best effort, since it may be gone with its slot.
    pub(in super::super) fn remove_counters(&self, open: &OpenVault, kept: &Kept) {
        let Some(counter) = self.counter.get() else { return };
        let marks = indices(open, Use::Confirmed);
        for index in std::iter::once(kept.index).chain(marks.filter(|_| kept.is_marked)) {
            if let Ok(place) = place(open, index, &kept.root_key_name, self.memory()) {
                let _gone_or_not = counter.count(&place, CounterStep::Remove);
            }
        }
        *self.anchored() = super::Anchor::default();
    }
}

/// Takes the anchor out of the store where no slot needs its TPM any more; what it was.
pub fn forget_unused(open: &OpenVault, tx: &mut dyn WriteTx) -> Result<Option<Kept>, Error> {
    let Some(kept) = Kept::read(open, tx)? else { return Ok(None) };
    if tx.slots()?.iter().any(|row| root_key_name(open, row).as_ref() == Some(&kept.root_key_name)) {
        return Ok(None);
    }
    forget(tx)?;
    Ok(Some(kept))
}

/// Of the TPM that opens a slot.
fn root_key_name(open: &OpenVault, row: &SlotRow) -> Option<Vec<u8>> {
    Some(Slot::parse(row, &open.id).ok()?.sealed_blob()?.root_key_name.clone())
}

impl Kept {
    /// The same at another value.
    pub fn at(&self, value: u64) -> Self {
        Self { value: Some(value), ..self.clone() }
    }

    /// How often it was raised.
    pub fn raises(&self) -> u64 {
        self.value.unwrap_or_default().saturating_sub(self.first)
    }
}
