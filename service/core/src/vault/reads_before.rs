//! Reads of a token whose name is about to change hands.
//!
//! Reads are recorded a moment after they were answered, and equal ones are counted for a second first. Whoever asks later who
//! fetched a token goes by the order of the records and by its name, so what was read before a rename or a deletion is recorded with
//! it, and before it.

use std::sync::{Arc, Mutex, PoisonError};

use super::write::Reply;
use super::{OpenVault, Vault};
use crate::audit::AuditRecord;
use crate::error::Error;
use crate::port::WriteTx;

/// The records that a write has taken along, until it is known how it ended.
#[derive(Default)]
pub(crate) struct ReadsBefore(Mutex<Vec<AuditRecord>>);

impl ReadsBefore {
    /// Records in a write what has been read of an owner's token by now. To be called when it is known that the caller may do what
    /// he wants to. A write that is tried again records the same again.
    pub(crate) fn record(
        &self,
        vault: &Vault,
        open: &OpenVault,
        tx: &mut dyn WriteTx,
        (owner, name): (u32, &str),
    ) -> Result<(), Error> {
        let cap = vault.settings().audit_records;
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.extend(vault.audit.end_runs_of(owner, name));
        taken.iter().try_for_each(|record| open.audit.append(tx, record, cap))
    }

    /// Hands on how a write ended. Where it did not happen, what it took along waits again.
    pub(crate) fn settle_before<T: 'static>(self: &Arc<Self>, vault: &Arc<Vault>, reply: Reply<T>) -> Reply<T> {
        let (reads, vault) = (Arc::clone(self), Arc::clone(vault));
        Box::new(move |result| {
            let taken = std::mem::take(&mut *reads.0.lock().unwrap_or_else(PoisonError::into_inner));
            if result.is_err() && !taken.is_empty() {
                vault.audit.put_back(taken);
                vault.wake_audit();
            }
            reply(result);
        })
    }
}
