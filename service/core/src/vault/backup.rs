//! Making a backup.

use std::io::Write;
use std::sync::{Arc, TryLockError};

use super::slots::{slots_term, verify_table_since};
use super::{Effect, Event, OpenVault, Vault};
use crate::Caller;
use crate::backup::{BackupError, BackupKeys, BackupWriter, Header, Summary, vouching_key};
use crate::crypto::hpke;
use crate::error::Error;
use crate::port::{Cancelled, MetaKey, Progress, ReadTx};
use crate::slot::{Slot, SlotKind};

/// Rows that most tokens have: the token, its version, an audit record.
const ROWS_PER_TOKEN: u64 = 3;

/// A backup that was asked for and may be made.
pub struct BackupRequest {
    vault: Arc<Vault>,
    open: Arc<OpenVault>,
    need: BackupNeed,
}

/// Whether there is still need for a backup that is under way.
#[derive(Clone)]
pub struct BackupNeed {
    vault: Arc<Vault>,
    /// How often the disk was too full before it.
    cramped: u64,
}

impl BackupNeed {
    /// Says why it has to end: who seals the vault wants its keys gone, and on a full disk what is deleted wants to go.
    ///
    /// # Errors
    /// When the vault is not open; [`Error::Unavailable`] when the disk has become full.
    pub fn check(&self) -> Result<(), Error> {
        self.vault.check_open()?;
        if self.vault.store.status().cramped == self.cramped {
            return Ok(());
        }
        Err(Error::Unavailable(
            "the disk is full, and what is deleted stays on it while a backup is made: it was ended; free space and begin again".into(),
        ))
    }
}

impl Vault {
    /// Refuses a backup that could not be made, or that nobody could open; writes down that it was asked for. Blocks.
    ///
    /// # Errors
    /// [`Error::Unavailable`] without a recovery slot, or when it cannot be written down; when the vault is not open.
    pub fn begin_backup(self: &Arc<Self>, caller: &Caller) -> Result<BackupRequest, Error> {
        let open = self.open()?;
        let since = slots_term(&open);
        self.read(|tx| {
            verify_table_since(since, self, &open, tx)?;
            recipients(&open, tx).map(|_| ())
        })
        .inspect_err(|error| self.quarantine_after(error))?;
        let event = Event::new(caller, "Backup");
        let (vault, opened, audited) = (Arc::clone(self), Arc::clone(&open), event.clone());
        // Like a read: before anything leaves, and also on a full disk.
        self.write_and_wait(event, Effect::Reserved, move |tx| vault.record_mutation(&opened, tx, &audited, 0))?;
        let need = BackupNeed { vault: Arc::clone(self), cramped: self.store.status().cramped };
        Ok(BackupRequest { vault: Arc::clone(self), open, need })
    }
}

impl BackupRequest {
    /// Whether there is still need for it, to be asked also while `out` takes nothing.
    pub fn need(&self) -> BackupNeed {
        self.need.clone()
    }

    /// Writes everything that is in the store now, once its rows were verified in this opening; reads and writes go on. Deleted rows stay
    /// in the store's log meanwhile. Blocks for as long as `out` does; `progress` counts rows, of an estimate.
    ///
    /// # Errors
    /// When `out` cannot be written, the vault is sealed or the disk full meanwhile, or another backup is being made. What was written so
    /// far is then no backup.
    pub fn write(self, out: &mut dyn Write, progress: &dyn Progress) -> Result<Summary, Error> {
        let Self { vault, open, need } = self;
        let _turn = match vault.backing_up.try_lock() {
            Ok(turn) => turn,
            Err(TryLockError::Poisoned(turn)) => turn.into_inner(),
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Unavailable(
                    "another backup is being made; wait until it has ended, and begin again".into(),
                ));
            }
        };
        let progress = WhileNeeded { need: &need, progress };
        // It vouches for them, and they are taken at its word where it is restored.
        vault.verify_rows_once(&open, &progress)?;
        let mut out = Some(out);
        let since = slots_term(&open);
        vault
            .read_aside(|tx| {
                let out = out.take().ok_or_else(|| Error::Internal("a backup was begun twice".into()))?;
                verify_table_since(since, &vault, &open, tx)?;
                let keys = BackupKeys {
                    recipients: &recipients(&open, tx)?,
                    vouching: vouching_key(&open.keyring, &open.id, vault.memory())?,
                    memory: vault.memory(),
                };
                let instance = tx.meta(MetaKey::InstanceId)?.and_then(|id| id.try_into().ok());
                let instance =
                    instance.ok_or_else(|| Error::Quarantined("the store has lost its instance id".into()))?;
                let header = Header::new(open.id, instance, vault.store.schema(), vault.now());
                let expected = expected_rows(tx)?;
                let written = BackupWriter::begin(out, header, keys, (&progress, expected)).and_then(|mut writer| {
                    let dumped = tx.dump(&mut writer);
                    writer.finish().map(|summary| (summary, dumped))
                });
                // Why it ended early.
                need.check()?;
                let (summary, dumped) = written?;
                if dumped? { Ok(summary) } else { Err(BackupError::Cancelled.into()) }
            })
            .inspect_err(|error| vault.quarantine_after(error))
    }
}

fn expected_rows(tx: &dyn ReadTx) -> Result<u64, Error> {
    // Counters are covered by nothing.
    let totals = tx.totals().unwrap_or_default();
    let first = tx.audit(0, 1)?.first().map_or(0, |first| first.seq);
    let records = tx.audit_head()?.map_or(0, |head| head.seq.saturating_sub(first));
    Ok(totals.tokens.saturating_mul(ROWS_PER_TOKEN).saturating_add(totals.issued).saturating_add(records))
}

/// For whom a backup is.
fn recipients(open: &OpenVault, tx: &dyn ReadTx) -> Result<Vec<[u8; hpke::PUBLIC_KEY_BYTES]>, Error> {
    let mut recipients = Vec::new();
    for row in tx.slots()?.iter().filter(|row| row.kind == SlotKind::Recovery.as_str()) {
        recipients.extend(Slot::parse(row, &open.id)?.recovery().map(|recovery| *recovery.public_key()));
    }
    if recipients.is_empty() {
        return Err(Error::Unavailable(
            "nobody could open a backup: the vault has no recovery key; run 'tokenvaultctl init' to make one".into(),
        ));
    }
    Ok(recipients)
}

/// Goes on for as long as there is need for it.
struct WhileNeeded<'a> {
    need: &'a BackupNeed,
    progress: &'a dyn Progress,
}

impl Progress for WhileNeeded<'_> {
    fn report(&self, done: u64, total: u64) -> Result<(), Cancelled> {
        self.need.check().map_err(|_| Cancelled)?;
        self.progress.report(done, total)
    }
}
