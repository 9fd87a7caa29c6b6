//! Opening and sealing the vault.

use std::sync::Arc;

use super::anchor::{Finding, Trust};
use super::slots::{confirmed, no_slot, recovery_is_confirmed, vault_id, verify_table};
use super::state::Inner;
use super::voucher::{RecoveryKey, keep_first_word};
use super::{Effect, Event, OpenVault, SealReason, Vault, VaultId};
use crate::crypto::mac;
use crate::error::Error;
use crate::keyring::Keyring;
use crate::port::{KeyringRow, Sealer, SlotRow};
use crate::slot::voucher::Confirmed;
use crate::slot::{Slot, SlotError, SlotKind, SlotSecret};
use crate::{Caller, Secret};

/// The host key file, as the daemon found it.
pub enum HostKey {
    /// The configuration does not allow one.
    NotAllowed,
    /// It could not be read; why.
    Unreadable(String),
    /// Its contents.
    Key(Secret),
}

/// What is read of the store to open it.
pub(super) struct Stored {
    pub(super) id: VaultId,
    /// The one whose private key was shown comes first: a key may have several.
    pub(super) slots: Vec<SlotRow>,
    pub(super) confirmed: Option<Confirmed>,
    pub(super) keyring: Vec<KeyringRow>,
}

/// What a slot gave.
struct Key<'a> {
    vk: Secret,
    by: SlotKind,
    /// Where it was a recovery key.
    recovery: Option<RecoveryKey<'a>>,
}

impl Vault {
    /// Tries the slots that need nobody: TPM, host key. `caller` is the administrator who asked, or the daemon. Blocks as long
    /// as the TPM does.
    ///
    /// # Errors
    /// Why none opened; [`Vault::status`] then says it as well.
    pub fn unseal_unattended(
        self: &Arc<Self>,
        caller: &Caller,
        sealer: &dyn Sealer,
        host_key: &HostKey,
    ) -> Result<(), Error> {
        self.unseal_by_itself(caller, sealer, host_key, None)
    }

    /// The same with one slot only.
    ///
    /// # Errors
    /// [`Error::InvalidArgs`] when that slot is not there or needs somebody, and as above.
    pub fn unseal_unattended_slot(
        self: &Arc<Self>,
        caller: &Caller,
        sealer: &dyn Sealer,
        host_key: &HostKey,
        id: u32,
    ) -> Result<(), Error> {
        self.unseal_by_itself(caller, sealer, host_key, Some(id))
    }

    fn unseal_by_itself(
        self: &Arc<Self>,
        caller: &Caller,
        sealer: &dyn Sealer,
        host_key: &HostKey,
        only: Option<u32>,
    ) -> Result<(), Error> {
        let _turn = self.one_at_a_time();
        let closed = self.is_closed()?;
        if !closed && only.is_none() {
            return Ok(());
        }
        let mut stored = self.stored()?;
        if let Some(id) = only {
            stored.slots.retain(|row| row.id == id);
            check_unattended(id, stored.slots.first())?;
        }
        if !closed {
            return Ok(());
        }
        let mut reason = SealReason::NoUnattendedSlot;
        let mut refused = None;
        for row in &stored.slots {
            let attempt = match SlotKind::parse(&row.kind) {
                Some(SlotKind::Tpm2) => self.try_slot(&stored, row, SlotSecret::Sealer(sealer)),
                Some(SlotKind::HostKey) => match host_key {
                    HostKey::Key(key) => self.try_slot(&stored, row, SlotSecret::Key(key)),
                    HostKey::Unreadable(text) => {
                        (reason, refused) = (SealReason::HostKey(text.clone()), None);
                        continue;
                    }
                    HostKey::NotAllowed => {
                        let text = "'allow-host-key' is not set in the configuration";
                        (reason, refused) = (SealReason::HostKey(text.into()), None);
                        continue;
                    }
                },
                _ => continue,
            };
            match attempt {
                Ok(vk) => return self.opened_with(caller, &stored, Key { vk, by: kind_of(row), recovery: None }),
                Err(error) => {
                    (reason, refused) = (reason_of(&error), Some(error.into()));
                }
            }
        }
        let refused = refused.unwrap_or_else(|| Error::Sealed(format!("{}; {}", reason.text(), reason.next_step())));
        self.enter(Inner::Sealed(reason))?;
        Err(refused)
    }

    /// Opens the vault with a secret somebody handed over: a recovery key or a derived passphrase. Without `slot` every slot
    /// that takes such a secret is tried. On an open vault it only says whether the secret would have opened it. Blocks.
    ///
    /// # Errors
    /// [`Error::AccessDenied`] when it opens none.
    pub fn unseal_with(self: &Arc<Self>, caller: &Caller, secret: &Secret, slot: Option<u32>) -> Result<(), Error> {
        let _turn = self.one_at_a_time();
        let closed = self.is_closed()?;
        let stored = self.stored()?;
        let opened = self.try_secret(&stored, secret, slot);
        let refused = |error: &Error| self.note_refusal(&Event::new(caller, "Unseal"), error);
        let key = opened.inspect_err(refused)?;
        if closed {
            return self.opened_with(caller, &stored, key);
        }
        let open = self.open()?;
        if !mac::equal(key.vk.expose(), open.vk().expose()) {
            return Err(Error::DamagedSlot("the slot holds another vault's key; remove it and add it again".into()));
        }
        let check = |recovery| self.check_vouched(&stored, &open.keyring, recovery);
        key.recovery.map_or(Ok(()), check).inspect_err(|error| self.quarantine_after(error))?;
        let word = key.recovery.map(|recovery| self.vouch(&open, recovery)).transpose()?;
        self.note_unsealed(caller, &open, word, false);
        Ok(())
    }

    fn try_secret<'a>(&self, stored: &Stored, secret: &'a Secret, slot: Option<u32>) -> Result<Key<'a>, Error> {
        if let Some(id) = slot
            && !stored.slots.iter().any(|row| row.id == id)
        {
            return Err(no_slot(id));
        }
        let mut refused = Error::InvalidArgs("there is no such slot that takes a key or passphrase".into());
        for row in stored.slots.iter().filter(|row| slot.is_none_or(|id| id == row.id)) {
            let Some(kind @ (SlotKind::Recovery | SlotKind::Passphrase)) = SlotKind::parse(&row.kind) else { continue };
            match self.try_slot(stored, row, SlotSecret::Key(secret)) {
                Ok(vk) => {
                    let recovery = RecoveryKey { private: secret, slot: row.id };
                    return Ok(Key { vk, by: kind, recovery: (kind == SlotKind::Recovery).then_some(recovery) });
                }
                Err(error) => refused = error.into(),
            }
        }
        Err(refused)
    }

    /// Seals the vault: its keys are wiped once the last request in progress is done. Blocks.
    ///
    /// # Errors
    /// [`Error::Sealed`] when it is not open; [`Error::Unavailable`] when it is sealed now, but the audit log could not be
    /// written.
    pub fn seal(self: &Arc<Self>, caller: &Caller) -> Result<(), Error> {
        let _turn = self.one_at_a_time();
        let open = self.open()?;
        let event = Event::new(caller, "Seal");
        // It goes on all the same while the daemon runs.
        let time = self.time_to_keep();
        let (vault, audited) = (Arc::clone(self), event.clone());
        // First of all, and no read is noted from here on, so that none comes in behind the records that are written with the
        // last of the keys. Whoever asks for the keys to go is not refused because the disk is full either.
        self.enter(Inner::Sealed(SealReason::Administrator))?;
        let records = Arc::new(self.audit.close(self.now()));
        let written = Arc::clone(&records);
        let cap = self.settings().audit_records;
        let recorded = self.write_and_wait(event, Effect::Reserved, move |tx| {
            written.iter().try_for_each(|record| open.audit.append(tx, record, cap))?;
            time.as_ref().map_or(Ok(()), |time| time.keep(&open, tx))?;
            vault.record_mutation(&open, tx, &audited, 0)
        });
        recorded.map_err(|error| {
            self.audit.put_back(records.to_vec());
            Error::Unavailable(format!("the vault is sealed now, but the audit log was not written: {error}"))
        })
    }

    /// Whether there is a vault that is not open.
    fn is_closed(&self) -> Result<bool, Error> {
        self.with_state(|state| match state {
            Inner::Open(_) => Ok(false),
            Inner::Quarantined(reason) => Err(Error::Quarantined(reason.clone())),
            Inner::Unavailable(reason) => Err(Error::Unavailable(reason.clone())),
            Inner::Uninitialised(reason) => {
                Err(Error::Sealed(format!("there is no vault yet ({reason}); run 'tokenvaultctl init'")))
            }
            Inner::Starting | Inner::Sealed(_) => Ok(true),
        })
    }

    pub(super) fn stored(&self) -> Result<Stored, Error> {
        self.read(|tx| {
            let id = vault_id(tx)?.ok_or_else(|| Error::Quarantined("the store has lost its vault id".into()))?;
            let (mut slots, confirmed) = (tx.slots()?, confirmed(tx)?);
            slots.sort_by_key(|row| confirmed.as_ref().is_none_or(|confirmed| confirmed.slot != row.id));
            Ok(Stored { id, slots, confirmed, keyring: tx.keyring()? })
        })
        .inspect_err(|error| self.quarantine_after(error))
    }

    pub(super) fn try_slot(&self, stored: &Stored, row: &SlotRow, secret: SlotSecret<'_>) -> Result<Secret, SlotError> {
        Slot::parse(row, &stored.id)?.open(secret, self.memory())
    }

    /// Opens the keyring with VK, checks the slot table, and serves.
    fn opened_with(self: &Arc<Self>, caller: &Caller, stored: &Stored, key: Key<'_>) -> Result<(), Error> {
        let Key { vk, by, recovery } = key;
        let check = |keyring: &Keyring| recovery.map_or(Ok(()), |key| self.check_vouched(stored, keyring, key));
        let opened = Keyring::open(&stored.keyring, &vk, &stored.id, self.memory())
            .map_err(Error::from)
            .and_then(|keyring| check(&keyring).map(|()| keyring))
            .and_then(|keyring| OpenVault::new(self, stored.id, vk, keyring, by))
            .and_then(|open| self.read(|tx| verify_table(self, &open, tx)).map(|()| open))
            .and_then(|open| self.resume_trusted_time(&open).map(|()| Arc::new(open)))
            .and_then(|open| self.resume_lockdown().map(|()| open));
        let _anchoring = self.anchor_turn();
        let opened = opened.and_then(|open| Ok((self.check_anchor(&open, self.trust(by)?)?, open)));
        let opened = opened.and_then(|(finding, open)| self.account_for_rows(&open).map(|()| (finding, open)));
        let (finding, open) = opened.inspect_err(|error| self.not_opened(error))?;
        let word = recovery.map(|key| self.vouch(&open, key)).transpose()?;
        self.serve(&open, finding)?;
        self.note_unsealed(caller, &open, word, true);
        Ok(())
    }

    /// Writes down that somebody has unsealed the vault, and what he vouches for. Nobody waits for it: a store that cannot be written
    /// still serves reads. One that was open is worth a record only where it has got a word.
    fn note_unsealed(
        self: &Arc<Self>,
        caller: &Caller,
        open: &Arc<OpenVault>,
        word: Option<Confirmed>,
        was_closed: bool,
    ) {
        if word.is_none() && !was_closed {
            return;
        }
        let event = Event::new(caller, "Unseal");
        let (vault, open, audited) = (Arc::clone(self), Arc::clone(open), event.clone());
        let told = Arc::clone(self);
        self.write(event, Effect::Reserved, Box::new(move |_| told.wake_state()), move |tx| {
            let is_kept = word.as_ref().map_or(Ok(false), |word| keep_first_word(&vault, &open, tx, word))?;
            if is_kept || was_closed { vault.record_mutation(&open, tx, &audited, 0) } else { Ok(()) }
        });
    }

    /// Opens what was checked.
    pub(super) fn serve(self: &Arc<Self>, open: &Arc<OpenVault>, finding: Finding) -> Result<(), Error> {
        self.note_finding(open, finding);
        self.heed_deletions(open);
        self.audit.reopen();
        self.enter(Inner::Open(Arc::clone(open)))?;
        // And what was left meanwhile by whom a closed vault refused.
        self.heed_deletions(open);
        self.wake_audit();
        self.wake_anchor();
        Ok(())
    }

    /// What speaks for the store that this slot opens.
    fn trust(&self, by: SlotKind) -> Result<Trust, Error> {
        Ok(if !self.read(|tx| recovery_is_confirmed(tx))? {
            Trust::Unconfirmed
        } else if by == SlotKind::Recovery {
            Trust::RecoveryKey
        } else {
            Trust::None
        })
    }

    /// Notes why the keys that a slot gave are of no use.
    fn not_opened(&self, error: &Error) {
        self.quarantine_after(error);
        if let Error::Tpm(cause) = error {
            // A quarantine that came in between is the better answer.
            let _quarantined = self.enter(Inner::Sealed(SealReason::Anchor(cause.clone())));
        }
    }
}

/// Refuses a slot that is not there, or that does not open without somebody's secret.
fn check_unattended(id: u32, row: Option<&SlotRow>) -> Result<(), Error> {
    let row = row.ok_or_else(|| no_slot(id))?;
    if matches!(SlotKind::parse(&row.kind), Some(SlotKind::Tpm2 | SlotKind::HostKey)) {
        return Ok(());
    }
    Err(Error::InvalidArgs(format!(
        "slot {id} does not open unattended; run 'tokenvaultctl unseal' with --passphrase or --recovery"
    )))
}

fn kind_of(row: &SlotRow) -> SlotKind {
    SlotKind::parse(&row.kind).unwrap_or(SlotKind::Recovery)
}

fn reason_of(error: &SlotError) -> SealReason {
    match error {
        SlotError::Tpm(cause) => SealReason::Tpm(cause.clone()),
        SlotError::WrongSecret => SealReason::HostKey("the host key file is not the one of this vault".into()),
        other => SealReason::DamagedSlot(other.to_string()),
    }
}
