//! Adding, removing and showing slots, and confirming the recovery key.

use std::sync::Arc;

use super::anchor::forget_unused;
use super::voucher::RecoveryKey;
use super::{Effect, Event, OpenVault, Vault};
use crate::caller::Door;
use crate::crypto::mac;
use crate::error::Error;
use crate::port::{MetaKey, ReadTx, Sealer, SlotRow, WriteTx};
use crate::slot::table::{self, Covered};
use crate::slot::voucher::Confirmed;
use crate::slot::{Slot, SlotError, SlotKind, SlotMaker, SlotSecret};
use crate::{Caller, Secret, Timestamp};

/// A slot that is to be made.
pub enum NewSlot<'a> {
    /// Sealed by this machine's TPM.
    Tpm2(&'a dyn Sealer),
    /// Opened by the private key of this X25519 public key.
    Recovery(&'a Secret),
    /// Opened by a key the caller derived from a passphrase.
    Passphrase {
        /// The derived key.
        derived: &'a Secret,
        /// Salt it was derived with.
        salt: &'a [u8],
        /// Parameters it was derived with, in PHC form.
        params: &'a str,
    },
    /// Opened by the contents of the host key file.
    HostKey(&'a Secret),
}

impl NewSlot<'_> {
    /// Its kind.
    pub const fn kind(&self) -> SlotKind {
        match self {
            Self::Tpm2(_) => SlotKind::Tpm2,
            Self::Recovery(_) => SlotKind::Recovery,
            Self::Passphrase { .. } => SlotKind::Passphrase,
            Self::HostKey(_) => SlotKind::HostKey,
        }
    }

    pub(super) fn make(&self, maker: &SlotMaker<'_>) -> Result<SlotRow, SlotError> {
        match self {
            Self::Tpm2(sealer) => maker.tpm2(*sealer),
            Self::Recovery(public) => maker.recovery(public.expose()),
            Self::Passphrase { derived, salt, params } => maker.passphrase(derived, salt, params),
            Self::HostKey(key) => maker.host_key(key),
        }
    }
}

/// A slot as an administrator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotView {
    /// Its number.
    pub id: u32,
    /// Its kind, as the store writes it.
    pub kind: String,
    /// When it was added.
    pub created: Timestamp,
    /// Salt and parameters of a passphrase.
    pub passphrase: Option<(Vec<u8>, String)>,
}

impl Vault {
    /// All slots. Answers while the vault is sealed, because that is when a passphrase's salt is needed.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn slots(&self) -> Result<Vec<SlotView>, Error> {
        self.read(|tx| {
            let id = vault_id(tx)?;
            let view = |row: SlotRow| {
                let parsed = id.as_ref().and_then(|id| Slot::parse(&row, id).ok());
                let passphrase = parsed
                    .as_ref()
                    .and_then(Slot::passphrase)
                    .map(|passphrase| (passphrase.salt().to_vec(), passphrase.params().to_owned()));
                SlotView { id: row.id, created: Timestamp::from_usec(row.created), passphrase, kind: row.kind }
            };
            Ok(tx.slots()?.into_iter().map(view).collect())
        })
    }

    /// Checks that the slots are those the vault wrote.
    ///
    /// # Errors
    /// [`Error::Quarantined`] when they were changed behind the vault's back.
    pub fn verify_slots(&self) -> Result<(), Error> {
        let open = self.open()?;
        let since = slots_term(&open);
        self.read(|tx| verify_table_since(since, self, &open, tx)).inspect_err(|error| self.quarantine_after(error))
    }

    /// Adds a slot to the open vault; its number. Blocks.
    ///
    /// # Errors
    /// [`Error::Quarantined`] when the slot table was changed behind the vault's back: VK is not wrapped to it.
    /// [`Error::InvalidArgs`] for a second host key.
    pub fn add_slot(self: &Arc<Self>, caller: &Caller, new: &NewSlot<'_>) -> Result<u32, Error> {
        let _turn = self.one_at_a_time();
        let open = self.open()?;
        self.read(|tx| {
            verify_table(self, &open, tx)?;
            if new.kind() == SlotKind::HostKey { check_no_host_key(&tx.slots()?) } else { Ok(()) }
        })?;
        let vk = open.vk();
        let maker = SlotMaker {
            vault_id: &open.id,
            vk: &vk,
            keyring: &open.keyring,
            memory: self.memory(),
            created: self.now(),
        };
        let slot = new.make(&maker)?;
        let event = Event::new(caller, "AddSlot");
        let (vault, audited) = (Arc::clone(self), event.clone());
        self.write_and_wait(event, Effect::Grows, move |tx| {
            verify_table(&vault, &open, tx)?;
            let number = tx.insert_slot(&slot)?;
            store_table_mac(&vault, &open, tx)?;
            vault.record_mutation(&open, tx, &audited, 0)?;
            Ok(number)
        })
    }

    /// Refuses early what [`Vault::create`] and [`Vault::add_slot`] would refuse.
    ///
    /// # Errors
    /// Why no slot can be added now.
    pub fn check_slots_can_change(&self) -> Result<(), Error> {
        if self.state() == super::State::Uninitialised {
            return Ok(());
        }
        self.check_open()
    }

    /// Removes a slot. The last one that is not a TPM slot goes only with `force`; the last of all never. Blocks.
    ///
    /// # Errors
    /// [`Error::AccessDenied`] for a last slot, [`Error::InvalidArgs`] for one that is not there.
    pub fn remove_slot(self: &Arc<Self>, caller: &Caller, id: u32, force: bool) -> Result<(), Error> {
        let _turn = self.one_at_a_time();
        let open = self.open()?;
        let event = Event::new(caller, "RemoveSlot");
        let (vault, opened, audited) = (Arc::clone(self), Arc::clone(&open), event.clone());
        let _anchoring = self.anchor_turn();
        let unused = self.write_and_wait(event, Effect::Erases, move |tx| {
            verify_table(&vault, &opened, tx)?;
            check_removal(&tx.slots()?, id, force)?;
            tx.delete_slot(id)?;
            let unused = forget_unused(&opened, tx)?;
            store_table_mac(&vault, &opened, tx)?;
            vault.record_mutation(&opened, tx, &audited, 0)?;
            Ok(unused)
        })?;
        if let Some(kept) = unused {
            self.leave_counter(&open, &kept);
        }
        Ok(())
    }

    /// Checks that `private` opens a recovery slot, and remembers that somebody has it, and by a voucher with which keys of the vault it
    /// was shown. Blocks.
    ///
    /// # Errors
    /// [`Error::AccessDenied`] when it opens none.
    pub fn confirm_recovery(self: &Arc<Self>, caller: &Caller, private: &Secret) -> Result<(), Error> {
        let _turn = self.one_at_a_time();
        let open = self.open()?;
        let rows = self.read(|tx| Ok(tx.slots()?))?;
        let mut refused = Error::InvalidArgs("there is no recovery slot; run 'tokenvaultctl init' to add one".into());
        let mut confirmed = None;
        for row in rows.iter().filter(|row| row.kind == SlotKind::Recovery.as_str()) {
            let opened = Slot::parse(row, &open.id).and_then(|slot| slot.open(SlotSecret::Key(private), self.memory()));
            match opened {
                Ok(vk) if mac::equal(vk.expose(), open.vk().expose()) => confirmed = Some(row.id),
                Ok(_) => refused = Error::DamagedSlot("the recovery slot holds another vault's key; remove it".into()),
                Err(error) => refused = error.into(),
            }
        }
        let event = Event::new(caller, "ConfirmRecovery");
        let Some(slot) = confirmed else {
            self.note_refusal(&event, &refused);
            return Err(refused);
        };
        let word = self.vouch(&open, RecoveryKey { private, slot })?;
        let (vault, audited) = (Arc::clone(self), event.clone());
        self.write_and_wait(event, Effect::Grows, move |tx| {
            verify_table(&vault, &open, tx)?;
            tx.set_meta(MetaKey::RecoveryConfirmed, &word.encode())?;
            store_table_mac(&vault, &open, tx)?;
            vault.record_mutation(&open, tx, &audited, 0)
        })
    }
}

/// All of that kind open with one file: a second would open with the key of the first.
fn check_no_host_key(slots: &[SlotRow]) -> Result<(), Error> {
    let Some(slot) = slots.iter().find(|slot| slot.kind == SlotKind::HostKey.as_str()) else { return Ok(()) };
    Err(Error::InvalidArgs(format!(
        "slot {id} opens with the host key already; for another key remove that first, 'tokenvaultctl slot remove {id}'",
        id = slot.id
    )))
}

fn check_removal(slots: &[SlotRow], id: u32, force: bool) -> Result<(), Error> {
    let Some(slot) = slots.iter().find(|slot| slot.id == id) else {
        return Err(no_slot(id));
    };
    if slots.len() == 1 {
        return Err(Error::AccessDenied(
            "it is the last slot: without it nothing opens the vault; add another first".into(),
        ));
    }
    let is_tpm = |slot: &SlotRow| slot.kind == SlotKind::Tpm2.as_str();
    let others = slots.iter().filter(|other| other.id != id && !is_tpm(other)).count();
    if !is_tpm(slot) && others == 0 && !force {
        return Err(Error::AccessDenied(
            "it is the last slot that does not need the TPM: when that breaks, nothing opens the vault; \
             add another first, or remove it with option 'force'"
                .into(),
        ));
    }
    Ok(())
}

/// What is answered to who names a slot that is not there.
pub(super) fn no_slot(id: u32) -> Error {
    Error::InvalidArgs(format!("there is no slot {id}; 'tokenvaultctl slot list' shows them"))
}

/// The vault's identity, when there is a vault.
pub(super) fn vault_id(tx: &dyn ReadTx) -> Result<Option<super::VaultId>, Error> {
    Ok(tx.meta(MetaKey::VaultId)?.and_then(|id| id.try_into().ok()))
}

/// Whether the recovery key was typed back, and its slot is still there.
pub(super) fn recovery_is_confirmed(tx: &dyn ReadTx) -> Result<bool, Error> {
    let Some(Confirmed { slot: confirmed, .. }) = confirmed(tx)? else { return Ok(false) };
    Ok(tx.slots()?.iter().any(|slot| slot.id == confirmed))
}

/// The recovery slot whose key was typed back; it may be gone.
pub(super) fn confirmed(tx: &dyn ReadTx) -> Result<Option<Confirmed>, Error> {
    Ok(tx.meta(MetaKey::RecoveryConfirmed)?.and_then(|bytes| Confirmed::decode(&bytes)))
}

/// Refuses a slot table that is not the one this vault wrote. For who writes, and for who lets nobody rotate the keyring meanwhile.
pub(super) fn verify_table(vault: &Vault, open: &OpenVault, tx: &dyn ReadTx) -> Result<(), Error> {
    verify_table_since(slots_term(open), vault, open, tx)
}

/// The same for who reads: what it sees may be of before a rotation that has ended meanwhile. The [term](slots_term) is asked for
/// before the transaction.
pub(super) fn verify_table_since(since: u32, vault: &Vault, open: &OpenVault, tx: &dyn ReadTx) -> Result<(), Error> {
    let stored = tx.meta(MetaKey::SlotMac)?.unwrap_or_default();
    Ok(table::verify((&open.keyring, since), &open.id, &covered(tx)?, &stored, vault.memory())?)
}

/// The term of the keyring to which the slots are bound now.
pub(super) fn slots_term(open: &OpenVault) -> u32 {
    open.keyring.slots().newest_term()
}

fn covered(tx: &dyn ReadTx) -> Result<Covered, Error> {
    let confirmed = confirmed(tx)?;
    let slot = confirmed.as_ref().map(|confirmed| confirmed.slot);
    Ok(Covered {
        slots: tx.slots()?,
        has_row_sum: tx.meta(MetaKey::RowSum)?.is_some(),
        anchored: if super::anchor::exists(tx)? { Some(slot) } else { None },
        vouched: confirmed.and_then(|confirmed| confirmed.voucher.map(|voucher| (confirmed.slot, voucher))),
    })
}

pub(super) fn store_table_mac(vault: &Vault, open: &OpenVault, tx: &mut dyn WriteTx) -> Result<(), Error> {
    store_table_mac_with(&*open.keyring.slots().newest()?, vault, open, tx)
}

/// The same with a certain term of the key.
pub(super) fn store_table_mac_with(
    integrity: &Secret,
    vault: &Vault,
    open: &OpenVault,
    tx: &mut dyn WriteTx,
) -> Result<(), Error> {
    let mac = table::compute(integrity, &open.id, &covered(tx)?, vault.memory())?;
    Ok(tx.set_meta(MetaKey::SlotMac, &mac)?)
}

/// The daemon itself, as the caller of what it does unasked.
pub fn daemon() -> Caller {
    Caller { uid: 0, gids: Arc::new([]), user: "root".into(), door: Door::Daemon, pid: None }
}
