//! The keyring: a new term of its keys begins.
//!
//! It is known before anything runs in the writer behind the commit that begins it, so nothing is sealed with one of before from then
//! on, and what the [walk](super::keyring_walk) has passed stays as it is. The slots are bound to it in the same transaction.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use super::OPERATION;
use crate::audit::AuditTerm;
use crate::error::Error;
use crate::keyring::{KeyPurpose, NewTerm};
use crate::port::{Progress, SlotRow, WriteTx};
use crate::slot::{SlotError, hand_over};
use crate::vault::slots::{store_table_mac_with, verify_table};
use crate::vault::{Effect, Event, OpenVault, Reply, Vault};
use crate::{Caller, Secret};

/// A rotation of the keyring, begun and to be finished.
pub struct KeyringRotation {
    pub(super) vault: Arc<Vault>,
    pub(super) open: Arc<OpenVault>,
    /// Who asked for it.
    pub(super) event: Event,
    /// No other one is under way.
    _turn: Turn,
}

/// What is done with how a write ended before the next one runs.
type Then<T> = Box<dyn FnOnce(&Result<T, Error>) + Send>;

/// A rotation of the keyring, until it is dropped.
struct Turn(Arc<OpenVault>);

impl Turn {
    /// # Errors
    /// [`Error::Unavailable`] while another one is under way.
    fn take(open: &Arc<OpenVault>) -> Result<Self, Error> {
        if open.renewing_keyring.swap(true, Ordering::Relaxed) {
            let text = "a rotation of the keyring is under way; wait until it has ended, and begin again";
            return Err(Error::Unavailable(text.into()));
        }
        Ok(Self(Arc::clone(open)))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.renewing_keyring.store(false, Ordering::Relaxed);
    }
}

/// Set while a rotation of the keyring is under way.
pub(in crate::vault) type Renewing = AtomicBool;

impl Vault {
    /// Draws the keys of the keyring anew that seal the records of users, the wrappers of login keys, the audit log, the keys of slots and
    /// what is kept of issued tokens; from here on they seal whatever is written. A rotation that has ended before all was done is
    /// finished first, which `progress` is told of. Blocks.
    ///
    /// # Errors
    /// [`Error::Unavailable`] while another rotation of it is under way, while requests are that had begun before the vault was sealed the
    /// last time, and where too much still needs keys of before; [`Error::Quarantined`] where slots were changed.
    pub fn begin_keyring_rotation(
        self: &Arc<Self>,
        caller: &Caller,
        progress: &dyn Progress,
    ) -> Result<KeyringRotation, Error> {
        let rotation = self.resume_keyring_rotation(caller)?;
        // What nothing needs any more makes room.
        if is_unfinished(&rotation.open) || rotation.open.keyring.full().is_some() {
            rotation.renew(progress)?;
        }
        // The key that wraps the keyring is not changed meanwhile, nor the vault sealed.
        let _lifecycle = self.one_at_a_time();
        rotation.check_opening()?;
        self.begin_terms(&rotation.open, &rotation.event)?;
        Ok(rotation)
    }

    /// The same without new keys: to go on with one that has not ended, and to let go of what was needed when it had, and is no more.
    ///
    /// # Errors
    /// [`Error::Unavailable`] while another rotation of it is under way.
    pub fn resume_keyring_rotation(self: &Arc<Self>, caller: &Caller) -> Result<KeyringRotation, Error> {
        let open = self.open()?;
        let turn = Turn::take(&open)?;
        let event = Event { purpose: "keyring".to_owned(), ..Event::new(caller, OPERATION) };
        Ok(KeyringRotation { vault: Arc::clone(self), open, event, _turn: turn })
    }

    fn begin_terms(self: &Arc<Self>, open: &Arc<OpenVault>, event: &Event) -> Result<(), Error> {
        if let Some(purpose) = open.keyring.full() {
            return Err(too_many(purpose));
        }
        self.check_no_earlier_requests(open)?;
        let drawn = open.keyring.draw(self.memory())?;
        let vk = open.vk();
        let rows = drawn.iter().map(|term| term.to_row(&vk, &open.id)).collect::<Result<Vec<_>, _>>()?;
        let audit = drawn_for(&drawn, KeyPurpose::Audit)?;
        let audit = Arc::new(AuditTerm::derive(audit.term(), audit.secret(), self.memory())?);
        let (before, integrity) = (open.keyring.slots().newest()?, drawn_for(&drawn, KeyPurpose::Integrity)?);
        let integrity = Arc::new(integrity.copied(self.memory())?);
        let (vault, opened, audited) = (Arc::clone(self), Arc::clone(open), event.clone());
        let told = Arc::clone(open);
        // Before anybody else writes.
        let learn = Box::new(move |begun: &Result<(), Error>| {
            if begun.is_ok() {
                told.keyring.learn(drawn);
                told.audit.begin_expected();
            }
        });
        self.write_turning((event.clone(), Effect::Turns), learn, move |tx| {
            verify_table(&vault, &opened, tx)?;
            opened.check_keyring(&vault, tx)?;
            rows.iter().try_for_each(|row| tx.put_keyring(row))?;
            let held = (&opened.id, &*opened.vk());
            let anew = |row: &SlotRow| hand_over(row, (&before, &integrity), held, vault.memory());
            let slots = tx.slots()?.iter().map(anew).collect::<Result<Vec<_>, SlotError>>()?;
            slots.iter().try_for_each(|row| tx.update_slot(row))?;
            opened.keyring.slots().expect(Secret::copy_from(vault.memory(), integrity.expose())?);
            store_table_mac_with(&integrity, &vault, &opened, tx)?;
            opened.audit.hand_over(tx, &audit, &vault.record_of(&audited))
        })
    }

    /// Writes something by which whoever writes next has to go; `then` runs before that. Blocks.
    pub(super) fn write_turning<T: Send + 'static>(
        self: &Arc<Self>,
        (event, effect): (Event, Effect),
        then: Then<T>,
        work: impl FnMut(&mut dyn WriteTx) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let reply: Reply<T> = Box::new(move |result| {
            then(&result);
            drop(sender.send(result));
        });
        self.write(event, effect, reply, work);
        receiver.recv().unwrap_or_else(|_| Err(Error::Unavailable("the vault is stopping; retry".into())))
    }

    /// Whether the keyring has terms of before: of a rotation that has not ended, or that something needed when it did.
    ///
    /// # Errors
    /// When the vault is not open.
    pub fn has_earlier_terms(&self) -> Result<bool, Error> {
        Ok(!self.open()?.keyring.earlier_terms().is_empty())
    }

    /// Whether one of the keyring is under way.
    pub fn is_rotating_keyring(&self) -> bool {
        self.open().is_ok_and(|open| open.renewing_keyring.load(Ordering::Relaxed))
    }

    /// Whether a rotation of the keyring has not ended.
    ///
    /// # Errors
    /// When the vault is not open.
    pub fn has_unfinished_keyring_rotation(&self) -> Result<bool, Error> {
        Ok(is_unfinished(&*self.open()?))
    }
}

/// Whether a rotation has not ended: the key of users is the last whose earlier terms go.
pub(super) fn is_unfinished(open: &OpenVault) -> bool {
    open.keyring.users().all().len() > 1
}

fn drawn_for(drawn: &[NewTerm], purpose: KeyPurpose) -> Result<&NewTerm, Error> {
    let term = drawn.iter().find(|term| term.purpose() == purpose);
    term.ok_or_else(|| Error::Internal(format!("no key was drawn for '{}'", purpose.as_str())))
}

fn too_many(purpose: KeyPurpose) -> Error {
    let next = match purpose {
        KeyPurpose::Audit => {
            "let go of old audit records first, by 'records' or 'days' of the table 'audit' of the configuration"
        }
        KeyPurpose::Tokens => {
            "tokens that were issued long ago need them until they end or who issued them has revoked them"
        }
        _ => "users who enrolled long ago need them until they have logged in, and have used their recovery codes",
    };
    Error::Unavailable(format!(
        "too many keys '{}' of before are in use for what was sealed with them; {next}",
        purpose.as_str()
    ))
}
