//! Making a counter for the store, and leaving it behind with the last slot of its TPM.

use std::sync::Arc;

use super::super::slots::{store_table_mac, verify_table};
use super::super::{Effect, Event, OpenVault, Vault, daemon};
use super::check::{Plan, refused};
use super::kept::{Kept, Use, forget, indices, place};
use super::raise::OPERATION;
use super::{Anchor, AnchorState};
use crate::error::Error;
use crate::port::{Counted, Counter, CounterStep, SealError, SlotRow, WriteTx};
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

    /// Makes a counter, and says in the store which. One that is there is taken where `may_adopt` says so, and else tells that this
    /// store is not the last one.
    pub(super) fn make_anchor(
        self: &Arc<Self>,
        open: &Arc<OpenVault>,
        counter: &dyn Counter,
        may_adopt: bool,
    ) -> Result<(), Error> {
        let mut answer = Error::Tpm(SealError::WrongTpm);
        for root_key_name in self.root_key_names(open)? {
            for index in indices(open, Use::Anchor) {
                let place = place(open, index, &root_key_name, self.memory())?;
                let kept = self.new_anchor(index, &root_key_name);
                match counter.count(&place, CounterStep::Read) {
                    Ok(Counted::At(found)) if may_adopt || open.anchor.is_making() => {
                        return self.put_anchor(open, kept.at(found), Some("AdoptAnchor"));
                    }
                    Ok(Counted::At(_)) => {
                        return Err(refused("the TPM has an anchor of this store that it does not know of"));
                    }
                    Ok(Counted::Foreign) => {
                        answer = Error::Unavailable(
                            "others have all the places where the TPM may count for this store".into(),
                        );
                        continue;
                    }
                    Ok(Counted::Missing) => {}
                    Err(SealError::WrongTpm) => break,
                    Err(error) => return Err(error.into()),
                }
                // First of all that there will be one: where this ends here, it was not put back from before there was one.
                self.put_anchor(open, kept.clone(), None)?;
                open.anchor.begin_making();
                return match counter.count(&place, CounterStep::Make)? {
                    Counted::At(value) => self.put_anchor(open, kept.at(value), Some("MakeAnchor")),
                    Counted::Missing | Counted::Foreign => {
                        Err(Error::Unavailable("the TPM did not make a counter".into()))
                    }
                };
            }
        }
        Err(answer)
    }

    /// Writes the anchor, as a record of the audit log where it is worth one.
    pub(super) fn put_anchor(
        self: &Arc<Self>,
        open: &Arc<OpenVault>,
        kept: Kept,
        operation: Option<&'static str>,
    ) -> Result<(), Error> {
        let raises = kept.raises();
        let event = Event::new(&daemon(), operation.unwrap_or(OPERATION));
        let (vault, opened, audited) = (Arc::clone(self), Arc::clone(open), event.clone());
        self.write_and_wait(event, Effect::Reserved, move |tx| {
            verify_table(&vault, &opened, tx)?;
            kept.write(&opened, tx)?;
            store_table_mac(&vault, &opened, tx)?;
            operation.map_or(Ok(()), |_| vault.record_mutation(&opened, tx, &audited, 0))
        })?;
        self.anchored().raises = raises;
        Ok(())
    }

    /// Raises a counter once more that the store forgets, and leaves it: copies of the store from before still have the slot, and are
    /// older than it. Best effort, since the TPM may be gone with its slot.
    pub(in super::super) fn leave_counter(&self, open: &OpenVault, kept: &Kept) {
        if let (Some(counter), Some(from)) = (self.counter.get(), kept.value)
            && let Ok(place) = kept.place(open, self.memory())
        {
            let _raised_or_gone = counter.count(&place, CounterStep::Raise { from });
        }
        *open.anchor.plan() = Plan::NoSlot;
        *self.anchored() = Anchor { state: AnchorState::None, ..Anchor::default() };
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
pub(super) fn root_key_name(open: &OpenVault, row: &SlotRow) -> Option<Vec<u8>> {
    Some(Slot::parse(row, &open.id).ok()?.sealed_blob()?.root_key_name.clone())
}

impl Kept {
    /// The same at another value; the first it has where it had none.
    pub fn at(&self, value: u64) -> Self {
        let first = if self.first == 0 { value } else { self.first };
        Self { value: Some(value), first, ..self.clone() }
    }

    /// How often it was raised.
    pub fn raises(&self) -> u64 {
        self.value.unwrap_or_default().saturating_sub(self.first)
    }
}
