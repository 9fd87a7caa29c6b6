//! Restoring a backup: everything is taken in beside the store in use, checked, and made this machine's; then it takes its place.

mod exchange;
mod stage;

use std::io::Read;
use std::sync::{Arc, TryLockError};

use super::anchor::Kept;
use super::lockdown;
use super::row_sum::begin_first_account;
use super::slots::store_table_mac;
use super::state::Inner;
use super::voucher::RecoveryKey;
use super::{Event, NewSlot, OpenVault, Vault};
use crate::backup::{Opened, Summary};
use crate::crypto::random;
use crate::error::Error;
use crate::port::{MetaKey, Progress, SealError, Sealer, SlotRow, StoreError, Totals, WriteTx};
use crate::slot::voucher::Confirmed;
use crate::slot::{SlotError, SlotKind, SlotMaker};
use crate::{Caller, Secret};

use exchange::told_replaced;
use stage::{Staged, not_whole};

/// How a backup is to be restored.
pub struct RestoreRequest<'a> {
    /// The private recovery key.
    pub private: &'a Secret,
    /// This machine's TPM.
    pub sealer: &'a dyn Sealer,
    /// The host key, where the configuration allows one; it is used where no TPM answers.
    pub host_key: Option<&'a dyn Fn() -> Result<Secret, Error>>,
    /// Whether it may take the place of a vault that holds something.
    pub replace: bool,
    /// Whether it may be one that nobody vouches for.
    pub unvouched: bool,
}

/// A vault that was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What the backup had.
    pub summary: Summary,
    /// Tokens there are now.
    pub tokens: u64,
    /// When the backup was begun, microseconds since the epoch.
    pub made: u64,
    /// The file the store before is kept in.
    pub kept: Option<String>,
    /// The slot that opens it unattended.
    pub slot: Option<SlotKind>,
    /// Why the TPM does not.
    pub no_tpm: Option<SealError>,
    /// Why the store could not be held against the TPM's counter: a start before that is done may end in quarantine.
    pub no_anchor: Option<SealError>,
}

/// What makes a restored vault this machine's.
struct Own<'a> {
    open: &'a Arc<OpenVault>,
    event: &'a Event,
    /// Opens it unattended.
    slot: Option<&'a SlotRow>,
    /// The word of who has shown the recovery key.
    confirmed: Confirmed,
    /// What the TPM's counter is about to have.
    anchor: Option<Kept>,
    /// Whether the vault before gives no value out.
    is_locked_down: bool,
    instance: [u8; 16],
}

impl Vault {
    /// Refuses early what [`Vault::restore`] would refuse.
    ///
    /// # Errors
    /// [`Error::AccessDenied`] for a vault that holds something, unless it may be replaced; [`Error::Quarantined`],
    /// [`Error::Unavailable`].
    pub fn check_restore(&self, replace: bool) -> Result<(), Error> {
        self.with_state(|state| match state {
            Inner::Uninitialised(_) | Inner::Sealed(_) | Inner::Open(_) => Ok(()),
            Inner::Starting => Err(Error::Unavailable("the vault is starting; retry in a moment".into())),
            Inner::Quarantined(reason) => Err(Error::Quarantined(format!(
                "{reason}; stop tokenvaultd, move vault.db and what belongs to it away, start it, and restore again"
            ))),
            Inner::Unavailable(reason) => Err(Error::Unavailable(reason.clone())),
        })?;
        // Who has nothing any more is in the log, which goes too.
        let holds_something =
            self.read(|tx| Ok(tx.totals()? != Totals::default() || !tx.principals(0, 1)?.is_empty()))?;
        if holds_something && !replace {
            return Err(Error::AccessDenied(
                "the vault holds tokens, or had users, and a backup would take the place of all that; restore with option 'replace', \
                 which keeps a copy of the store beside it"
                    .into(),
            ));
        }
        Ok(())
    }

    /// Restores a backup: all of it, or nothing has changed. What is served meanwhile goes on until the backup takes its place. Blocks
    /// for as long as `from` does; `progress` counts rows.
    ///
    /// # Errors
    /// [`Error::InvalidArgs`] names the place where the backup is damaged, or says that somebody else has made it; [`Error::AccessDenied`]
    /// is for another recovery key, for a vault that holds something and for a backup that nobody vouches for; when the disk is full; when
    /// requests under way do not end.
    pub fn restore(
        self: &Arc<Self>,
        caller: &Caller,
        from: &mut dyn Read,
        request: &RestoreRequest<'_>,
        progress: &dyn Progress,
    ) -> Result<Restored, Error> {
        let _only = match self.restoring.try_lock() {
            Ok(turn) => turn,
            Err(TryLockError::Poisoned(turn)) => turn.into_inner(),
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Unavailable("another backup is being restored; wait until that has ended".into()));
            }
        };
        let event = Event::new(caller, "Restore");
        let restored = self
            .check_restore(request.replace)
            .and_then(|()| self.stage(from, request, progress))
            .and_then(|staged| self.take_over(&event, staged, request));
        restored.inspect_err(|error| self.note_refusal(&event, error))
    }

    /// Makes it this machine's, and puts it in the place of the store in use.
    fn take_over(
        self: &Arc<Self>,
        event: &Event,
        staged: Staged,
        request: &RestoreRequest<'_>,
    ) -> Result<Restored, Error> {
        let _turn = self.one_at_a_time();
        // The counter stays where it is until the store has taken its place.
        let _anchoring = self.anchor_turn();
        let Staged { mut replacement, summary, opened, header } = staged;
        let Opened { id, vk, keyring, slot: recovery, .. } = opened;
        let maker = SlotMaker { vault_id: &id, vk: &vk, keyring: &keyring, memory: self.memory(), created: self.now() };
        let (slot, no_tpm) = self.slot_of_machine(&maker, request)?;
        let by = slot.as_ref().and_then(|slot| SlotKind::parse(&slot.kind));
        let open = Arc::new(OpenVault::new(self, id, vk, keyring, by.unwrap_or(SlotKind::Recovery))?);
        let confirmed = self.vouch(&open, RecoveryKey { private: request.private, slot: recovery })?;
        let (anchor, no_anchor) = match self.anchor_to_come(&open, slot.as_ref())? {
            Ok(anchor) => (anchor, None),
            Err(error) => (None, Some(error)),
        };
        let (is_locked_down, instance) = (self.lockdown_in_store()?, random::array()?);
        let own = Own { open: &open, event, slot: slot.as_ref(), confirmed, anchor, is_locked_down, instance };
        let mut tokens = None;
        let written = replacement.write(&mut |tx| {
            let made = self.make_own(tx, &own);
            let failed = made.is_err();
            tokens = Some(made);
            if failed { Err(StoreError::Internal("it was not made this machine's".into())) } else { Ok(()) }
        });
        let tokens = tokens.transpose()?;
        written.map_err(not_whole)?;
        let kept = self.exchange(event, replacement, request.replace)?;
        let next = "'tokenvaultctl status' says what to do";
        self.serve_restored(&open).map_err(|error| told_replaced(kept.as_deref(), next, error))?;
        Ok(Restored {
            summary,
            tokens: tokens.unwrap_or_default(),
            made: header.made,
            kept,
            slot: by,
            no_tpm,
            no_anchor,
        })
    }

    /// Writes what is this machine's; how many tokens there are.
    fn make_own(self: &Arc<Self>, tx: &mut dyn WriteTx, own: &Own<'_>) -> Result<u64, Error> {
        tx.set_meta(MetaKey::InstanceId, &own.instance)?;
        // Who restores has the key.
        tx.set_meta(MetaKey::RecoveryConfirmed, &own.confirmed.encode())?;
        if let Some(slot) = own.slot {
            tx.insert_slot(slot)?;
        }
        // Only an administrator ends it, and on purpose.
        if own.is_locked_down {
            tx.set_meta(MetaKey::Lockdown, lockdown::ON)?;
        }
        // What was coming in when the backup was made comes in no more.
        tx.abandon_all_contents()?;
        own.anchor.as_ref().map_or(Ok(()), |kept| kept.write(own.open, tx))?;
        store_table_mac(self, own.open, tx)?;
        begin_first_account(self, own.open, tx)?;
        self.record_mutation(own.open, tx, own.event, 0)?;
        Ok(tx.totals()?.tokens)
    }

    /// The slot that opens the vault unattended from now on; and why the TPM does not.
    fn slot_of_machine(
        &self,
        maker: &SlotMaker<'_>,
        request: &RestoreRequest<'_>,
    ) -> Result<(Option<SlotRow>, Option<SealError>), Error> {
        let no_tpm = match NewSlot::Tpm2(request.sealer).make(maker) {
            Ok(slot) => return Ok((Some(slot), None)),
            Err(SlotError::Tpm(error)) => error,
            Err(error) => return Err(error.into()),
        };
        let slot = match request.host_key {
            Some(host_key) => Some(NewSlot::HostKey(&host_key()?).make(maker)?),
            None => None,
        };
        Ok((slot, Some(no_tpm)))
    }
}
