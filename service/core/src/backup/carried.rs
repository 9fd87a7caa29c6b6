//! What a backup carries to open what it carries: the slots that somebody's secret opens, and the keyring behind them.

use super::error::BackupError;
use super::header::HeaderHash;
use crate::Secret;
use crate::crypto::{VaultId, kdf, mac};
use crate::keyring::Keyring;
use crate::port::{Cell, KeyringRow, SecretMemory, SlotRow, Tag};
use crate::slot::voucher::{Confirmed, Shown, Word};
use crate::slot::{Slot, SlotKind, SlotSecret};

/// More slots and keys than any vault has, and more bytes than any of them. What is kept of a backup before anything of it was
/// authenticated does not grow beyond that.
const MOST: usize = 1024;
const BODY_MAX: usize = 64 << 10;
const WRAPPED_MAX: usize = 1 << 10;

/// Kinds of slots that open the vault on another machine too.
pub(super) fn travels(kind: &str) -> bool {
    matches!(SlotKind::parse(kind), Some(SlotKind::Recovery | SlotKind::Passphrase))
}

/// The key by which the vault vouches for its backups.
///
/// # Errors
/// There is no memory for it.
pub fn vouching_key(keyring: &Keyring, id: &VaultId, memory: &dyn SecretMemory) -> Result<Secret, BackupError> {
    Ok(kdf::derive(keyring.integrity(), "backup", id, memory)?)
}

/// The MAC over all of a backup.
pub(super) fn vouch(key: &Secret, header: &HeaderHash, digest: &[u8; 32], counts: &[u8]) -> Tag {
    mac::compute(key, &[header, digest, counts])
}

/// The rows that open the others, as they go by.
#[derive(Default)]
pub struct Carried {
    vault_id: Option<VaultId>,
    confirmed: Option<Confirmed>,
    slots: Vec<SlotRow>,
    keyring: Vec<KeyringRow>,
}

/// A vault's keys, out of a backup.
pub struct Opened {
    /// The vault.
    pub id: VaultId,
    /// Wraps the keyring.
    pub vk: Secret,
    /// The keys everything else hangs on.
    pub keyring: Keyring,
    /// Number of the recovery slot that opened it.
    pub slot: u32,
    /// Whether who has the recovery key was shown these keys in the vault itself. Where not, whoever knows the public key could have
    /// made all of it.
    pub is_vouched: bool,
}

/// The cells of a row by the names of its columns.
struct Row<'a> {
    columns: &'a [String],
    cells: &'a [Cell<'a>],
}

impl Row<'_> {
    fn cell(&self, name: &str) -> Option<Cell<'_>> {
        let at = self.columns.iter().position(|column| column == name)?;
        self.cells.get(at).copied()
    }

    fn text(&self, name: &str) -> Option<String> {
        match self.cell(name)? {
            Cell::Text(text) => Some(text.to_owned()),
            _ => None,
        }
    }

    fn bytes(&self, name: &str, most: usize) -> Option<Vec<u8>> {
        match self.cell(name)? {
            Cell::Blob(bytes) if bytes.len() <= most => Some(bytes.to_vec()),
            _ => None,
        }
    }

    fn number<T: TryFrom<i64>>(&self, name: &str) -> Option<T> {
        match self.cell(name)? {
            Cell::Integer(number) => T::try_from(number).ok(),
            _ => None,
        }
    }
}

impl Carried {
    /// Looks at a row; whether it makes sense.
    pub(super) fn note(&mut self, table: &str, columns: &[String], cells: &[Cell<'_>]) -> bool {
        let row = Row { columns, cells };
        let noted = match table {
            "meta" => self.note_single(&row),
            "slot" => slot_of(&row).map(|slot| self.slots.push(slot)),
            "keyring" => key_of(&row).map(|key| self.keyring.push(key)),
            _ => Some(()),
        };
        noted.is_some() && self.slots.len() <= MOST && self.keyring.len() <= MOST
    }

    fn note_single(&mut self, row: &Row<'_>) -> Option<()> {
        match row.text("key").as_deref() {
            Some("vault-id") => self.vault_id = Some(row.bytes("value", WRAPPED_MAX)?.try_into().ok()?),
            Some("recovery-confirmed") => self.confirmed = Confirmed::decode(&row.bytes("value", WRAPPED_MAX)?),
            _ => {}
        }
        Some(())
    }

    /// Opens the keyring with the recovery key.
    ///
    /// # Errors
    /// [`BackupError::OtherKey`] where no slot is of this key, [`BackupError::NotOfTheVault`] where slots and keys do not belong together,
    /// [`BackupError::NotConfirmed`] where this key was shown other ones.
    pub fn open(&self, private: &Secret, memory: &dyn SecretMemory) -> Result<Opened, BackupError> {
        let id = self.vault_id.ok_or(BackupError::NotOfTheVault)?;
        let mut slots: Vec<_> = self.slots.iter().filter(|row| row.kind == SlotKind::Recovery.as_str()).collect();
        // A key may have several.
        slots.sort_by_key(|row| self.confirmed.as_ref().is_none_or(|confirmed| confirmed.slot != row.id));
        let opened = slots.into_iter().find_map(|row| {
            let vk = Slot::parse(row, &id).and_then(|slot| slot.open(SlotSecret::Key(private), memory));
            vk.ok().map(|vk| (row.id, vk))
        });
        let (slot, vk) = opened.ok_or(BackupError::OtherKey)?;
        let keyring = Keyring::open(&self.keyring, &vk, &id, memory).map_err(|_| BackupError::NotOfTheVault)?;
        let shown = Shown { private, slot, vault_id: &id, keyring: &keyring, memory };
        let is_vouched = match shown.word(self.confirmed.as_ref())? {
            Word::Vouched => true,
            Word::Nobody => false,
            Word::Others => return Err(BackupError::NotConfirmed),
        };
        Ok(Opened { id, vk, keyring, slot, is_vouched })
    }
}

fn slot_of(row: &Row<'_>) -> Option<SlotRow> {
    Some(SlotRow {
        id: row.number("id")?,
        kind: row.text("kind").filter(|kind| travels(kind))?,
        body: row.bytes("body", BODY_MAX)?,
        wrapped_vk: row.bytes("wrapped_vk", WRAPPED_MAX)?,
        wrapped_kek: row.bytes("wrapped_kek", WRAPPED_MAX)?,
        created: row.number("created")?,
    })
}

fn key_of(row: &Row<'_>) -> Option<KeyringRow> {
    Some(KeyringRow {
        purpose: row.text("purpose")?,
        term: row.number("term")?,
        wrapped: row.bytes("wrapped", WRAPPED_MAX)?,
    })
}
