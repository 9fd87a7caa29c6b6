//! The chain: `h_i = HMAC-SHA256(K, h_{i-1} || seq || record)`, the record being the ciphertext that is stored.
//!
//! When the oldest records are let go, where the chain begins is kept as `seq || h_seq || HMAC(K', vault || seq || h_seq)`:
//! without the MAC anybody could drop records from the front and name the next one the first. A record of it is appended, so
//! that the log itself says what is not there any more.

use crate::crypto::{aad::Aad, kdf, mac, wrap};
use crate::error::Error;
use crate::port::{AuditRow, MetaKey, ReadTx, SecretMemory, StoreError, Tag, WriteTx};
use crate::principal::encode;
use crate::vault::{VaultId, daemon};
use crate::{Secret, Timestamp, audit::AuditRecord};

const RECORD: &str = "audit-record";
/// How many records are appended between looks at the cap: pruning row by row would double every write.
const PRUNE_STEP: u64 = 1_000;
/// Most records that are let go in one write: others wait for it.
pub const LET_GO_MAX: u64 = 2 * PRUNE_STEP;

/// What the chain depends on: keys to link, to encrypt and to vouch for its beginning, all from the keyring's `audit`.
pub struct AuditKey {
    vault: VaultId,
    link: Secret,
    record: Secret,
    base: Secret,
}

/// Where the chain begins: number and chain value of the last record that was let go.
#[derive(Default)]
pub(super) struct Base {
    pub(super) seq: u64,
    pub(super) chain: Tag,
}

impl AuditKey {
    /// Derives the keys.
    ///
    /// # Errors
    /// When secret memory is used up.
    pub fn derive(audit: &Secret, vault: &VaultId, memory: &dyn SecretMemory) -> Result<Self, Error> {
        Ok(Self {
            vault: *vault,
            link: kdf::derive(audit, "audit-link", b"", memory)?,
            record: kdf::derive(audit, "audit-record", b"", memory)?,
            base: kdf::derive(audit, "audit-base", b"", memory)?,
        })
    }

    fn aad(&self, seq: u64) -> Aad {
        Aad::new("audit").bytes(&self.vault).u64(seq)
    }

    fn link(&self, previous: &Tag, seq: u64, record: &[u8]) -> Tag {
        mac::compute(&self.link, &[previous, &seq.to_be_bytes(), record])
    }

    /// Whether a record follows the one that ended with `previous`.
    pub(super) fn follows(&self, previous: &Tag, row: &AuditRow) -> bool {
        mac::equal(&self.link(previous, row.seq, &row.record), &row.chain)
    }

    /// Appends one record to the chain, and lets go of the oldest when there are more than `cap` (0: no cap).
    ///
    /// # Errors
    /// What the store answers.
    pub fn append(&self, tx: &mut dyn WriteTx, record: &AuditRecord, cap: u64) -> Result<(), Error> {
        let seq = self.add(tx, record)?;
        if cap > 0 && seq.is_multiple_of(PRUNE_STEP) && seq > cap {
            self.let_go(tx, seq - cap, record.time)?;
        }
        Ok(())
    }

    fn add(&self, tx: &mut dyn WriteTx, record: &AuditRecord) -> Result<u64, Error> {
        let (previous, seq) = match tx.audit_head()? {
            Some(head) => (head.chain, head.seq + 1),
            None => (Tag::default(), 1),
        };
        let record = wrap::seal(&self.record, RECORD, self.aad(seq).as_bytes(), &encode(record)?)?;
        let chain = self.link(&previous, seq, &record);
        tx.append_audit(&AuditRow { seq, record, chain })?;
        Ok(seq)
    }

    /// Decrypts one record.
    ///
    /// # Errors
    /// [`Error::Quarantined`] when it does not open where it stands.
    pub fn open(&self, row: &AuditRow) -> Result<AuditRecord, Error> {
        let record = wrap::open_record(&self.record, RECORD, self.aad(row.seq).as_bytes(), &row.record)?;
        minicbor::decode(&record).map_err(|error| Error::Quarantined(format!("audit record {}: {error}", row.seq)))
    }

    /// Lets go of the records up to `seq`, or the first [`LET_GO_MAX`] of them, keeping what they ended with, so that the rest
    /// still verifies; how many went. That they did is a record too, so the newest one always stays.
    ///
    /// # Errors
    /// What the store answers.
    pub fn let_go(&self, tx: &mut dyn WriteTx, seq: u64, now: Timestamp) -> Result<u64, Error> {
        let Some(first) = tx.audit(0, 1)?.first().map(|row| row.seq) else { return Ok(0) };
        let seq = seq.min(first.saturating_add(LET_GO_MAX - 1));
        let Some(last) = tx.audit(seq.saturating_sub(1), 1)?.into_iter().find(|row| row.seq == seq) else {
            return Ok(0);
        };
        let count = seq.saturating_sub(first).saturating_add(1);
        self.add(tx, &AuditRecord { version: seq, count, ..AuditRecord::new(&daemon(), "PruneAudit", now) })?;
        let number = seq.to_be_bytes();
        let vouched = mac::compute(&self.base, &[&self.vault, &number, &last.chain]);
        tx.set_meta(MetaKey::AuditBase, &[&number[..], &last.chain, &vouched].concat())?;
        Ok(tx.prune_audit(seq)?)
    }

    /// Where the chain begins; `None` when what the store says of it is not ours.
    pub(super) fn base(&self, tx: &dyn ReadTx) -> Result<Option<Base>, StoreError> {
        let Some(stored) = tx.meta(MetaKey::AuditBase)? else { return Ok(Some(Base::default())) };
        let parts = stored.split_first_chunk().and_then(|(seq, rest)| Some((seq, rest.split_first_chunk()?)));
        Ok(parts.and_then(|(seq, (chain, vouched))| {
            let ours = mac::verify(&self.base, &[&self.vault, seq, chain], vouched);
            ours.then_some(Base { seq: u64::from_be_bytes(*seq), chain: *chain })
        }))
    }
}
