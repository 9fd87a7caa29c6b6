//! The chain: `h_i = HMAC-SHA256(K, h_{i-1} || seq || record)`, the record being the ciphertext that is stored.

use crate::crypto::{aad::Aad, kdf, mac, wrap};
use crate::error::Error;
use crate::port::{AuditRow, MetaKey, ReadTx, SecretMemory, StoreError, Tag, WriteTx};
use crate::principal::encode;
use crate::vault::VaultId;
use crate::{Secret, audit::AuditRecord};

const RECORD: &str = "audit-record";
/// Links removed at a time when the cap is reached: pruning row by row would double every write.
const PRUNE_STEP: u64 = 1_000;
/// Rows read at a time while verifying.
const VERIFY_PAGE: usize = 512;

/// What the chain depends on: one key to link, one to encrypt, both from the keyring's `audit`.
pub struct AuditKey {
    vault: VaultId,
    link: Secret,
    record: Secret,
}

/// Where a chain is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChainFault {
    /// The record with this number was changed, dropped or moved.
    Record(u64),
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
        })
    }

    fn aad(&self, seq: u64) -> Aad {
        Aad::new("audit").bytes(&self.vault).u64(seq)
    }

    fn link(&self, previous: &Tag, seq: u64, record: &[u8]) -> Tag {
        mac::compute(&self.link, &[previous, &seq.to_be_bytes(), record])
    }

    /// Appends one record to the chain, and lets go of the oldest when there are more than `cap` (0: no cap).
    ///
    /// # Errors
    /// What the store answers.
    pub fn append(&self, tx: &mut dyn WriteTx, record: &AuditRecord, cap: u64) -> Result<(), Error> {
        let (previous, seq) = match tx.audit_head()? {
            Some(head) => (head.chain, head.seq + 1),
            None => (base(tx)?, 1),
        };
        let record = wrap::seal(&self.record, RECORD, self.aad(seq).as_bytes(), &encode(record)?)?;
        let chain = self.link(&previous, seq, &record);
        tx.append_audit(&AuditRow { seq, record, chain })?;
        if cap > 0 && seq.is_multiple_of(PRUNE_STEP) && seq > cap {
            prune(tx, seq - cap)?;
        }
        Ok(())
    }

    /// Decrypts one record.
    ///
    /// # Errors
    /// [`Error::Quarantined`] when it does not open where it stands.
    pub fn open(&self, row: &AuditRow) -> Result<AuditRecord, Error> {
        let record = wrap::open_record(&self.record, RECORD, self.aad(row.seq).as_bytes(), &row.record)?;
        minicbor::decode(&record).map_err(|error| Error::Quarantined(format!("audit record {}: {error}", row.seq)))
    }
}

/// Chain value before the oldest record kept.
fn base(tx: &dyn ReadTx) -> Result<Tag, StoreError> {
    let base = tx.meta(MetaKey::AuditBase)?.unwrap_or_default();
    Ok(Tag::try_from(base.as_slice()).unwrap_or_default())
}

/// Removes the links up to `seq`, keeping the chain value they ended with, so that the rest still verifies.
fn prune(tx: &mut dyn WriteTx, seq: u64) -> Result<(), Error> {
    if let Some(last) = tx.audit(seq - 1, 1)?.first().filter(|row| row.seq == seq) {
        tx.set_meta(MetaKey::AuditBase, &last.chain)?;
        tx.prune_audit(seq)?;
    }
    Ok(())
}

/// Walks the whole chain; the number of records, or the first bad one.
///
/// # Errors
/// What the store answers; the outer result is about reading, the inner one about the chain.
pub fn verify(key: &AuditKey, tx: &dyn ReadTx) -> Result<Result<u64, ChainFault>, Error> {
    let mut previous = base(tx)?;
    let mut last: Option<u64> = None;
    let mut count = 0;
    loop {
        let page = tx.audit(last.unwrap_or(0), VERIFY_PAGE)?;
        if page.is_empty() {
            return Ok(Ok(count));
        }
        for row in page {
            let in_order = last.is_none_or(|last| row.seq == last + 1);
            if !in_order || !mac::equal(&key.link(&previous, row.seq, &row.record), &row.chain) {
                return Ok(Err(ChainFault::Record(last.map_or(row.seq, |last| last + 1))));
            }
            previous = row.chain;
            last = Some(row.seq);
            count += 1;
        }
    }
}
