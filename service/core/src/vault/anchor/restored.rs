//! The anchor of a store that is restored where a TPM has counted for its vault already.

use super::super::{OpenVault, Vault};
use super::kept::{Kept, Use, indices, place};
use super::make::root_key_name;
use crate::error::Error;
use crate::port::{Counted, CounterStep, SealError, SlotRow};

impl Vault {
    /// The anchor that a restored store has from its first moment, one ahead of the TPM's counter like one that is about to be raised:
    /// wherever this ends after the store has taken its place, the next start finishes it. `slot` is the one that the TPM opens. `None`
    /// where there is no counter yet. Nobody may raise it meanwhile.
    ///
    /// # Errors
    /// Why the TPM does not say.
    pub(in super::super) fn anchor_to_come(
        &self,
        open: &OpenVault,
        slot: Option<&SlotRow>,
    ) -> Result<Result<Option<Kept>, SealError>, Error> {
        let Some(counter) = self.counter.get() else { return Ok(Ok(None)) };
        let Some(root_key_name) = slot.and_then(|slot| root_key_name(open, slot)) else { return Ok(Ok(None)) };
        for index in indices(open, Use::Anchor) {
            match counter.count(&place(open, index, &root_key_name, self.memory())?, CounterStep::Read) {
                Ok(Counted::At(found)) => {
                    let kept = self.new_anchor(index, &root_key_name);
                    return Ok(Ok(Some(kept.at(found).at(found.saturating_add(1)))));
                }
                Ok(Counted::Foreign | Counted::Missing) => {}
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(None))
    }
}
