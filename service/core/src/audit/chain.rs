//! The chain: `h_i = HMAC-SHA256(K, h_{i-1} || seq || record)`, the record being the ciphertext that is stored.
//!
//! When the oldest records are let go, where the chain begins is kept as `seq || h_seq || HMAC(K', vault || seq || h_seq)`:
//! without the MAC anybody could drop records from the front and name the next one the first.

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

/// What the chain depends on: keys to link, to encrypt and to vouch for its beginning, all from the keyring's `audit`.
pub struct AuditKey {
    vault: VaultId,
    link: Secret,
    record: Secret,
    base: Secret,
}

/// Where the chain begins: number and chain value of the last record that was let go.
#[derive(Default)]
struct Base {
    seq: u64,
    chain: Tag,
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
            base: kdf::derive(audit, "audit-base", b"", memory)?,
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
            None => (Tag::default(), 1),
        };
        let record = wrap::seal(&self.record, RECORD, self.aad(seq).as_bytes(), &encode(record)?)?;
        let chain = self.link(&previous, seq, &record);
        tx.append_audit(&AuditRow { seq, record, chain })?;
        if cap > 0 && seq.is_multiple_of(PRUNE_STEP) && seq > cap {
            self.prune(tx, seq - cap)?;
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

    /// Removes the links up to `seq`, keeping what they ended with, so that the rest still verifies.
    fn prune(&self, tx: &mut dyn WriteTx, seq: u64) -> Result<(), Error> {
        if let Some(last) = tx.audit(seq - 1, 1)?.first().filter(|row| row.seq == seq) {
            let number = seq.to_be_bytes();
            let vouched = mac::compute(&self.base, &[&self.vault, &number, &last.chain]);
            tx.set_meta(MetaKey::AuditBase, &[&number[..], &last.chain, &vouched].concat())?;
            tx.prune_audit(seq)?;
        }
        Ok(())
    }

    /// Where the chain begins; `None` when what the store says of it is not ours.
    fn base(&self, tx: &dyn ReadTx) -> Result<Option<Base>, StoreError> {
        let Some(stored) = tx.meta(MetaKey::AuditBase)? else { return Ok(Some(Base::default())) };
        let parts = stored.split_first_chunk().and_then(|(seq, rest)| Some((seq, rest.split_first_chunk()?)));
        Ok(parts.and_then(|(seq, (chain, vouched))| {
            let ours = mac::verify(&self.base, &[&self.vault, seq, chain], vouched);
            ours.then_some(Base { seq: u64::from_be_bytes(*seq), chain: *chain })
        }))
    }
}

/// Walks the whole chain; the number of records, or the first bad one.
///
/// # Errors
/// What the store answers; the outer result is about reading, the inner one about the chain.
pub fn verify(key: &AuditKey, tx: &dyn ReadTx) -> Result<Result<u64, ChainFault>, Error> {
    let Some(base) = key.base(tx)? else {
        let first = tx.audit(0, 1)?.first().map_or(1, |row| row.seq);
        return Ok(Err(ChainFault::Record(first)));
    };
    let (mut previous, mut expected) = (base.chain, base.seq.saturating_add(1));
    let (mut after, mut count) = (0, 0);
    loop {
        let page = tx.audit(after, VERIFY_PAGE)?;
        if page.is_empty() {
            return Ok(Ok(count));
        }
        for row in page {
            if row.seq != expected || !mac::equal(&key.link(&previous, row.seq, &row.record), &row.chain) {
                return Ok(Err(ChainFault::Record(expected.min(row.seq))));
            }
            (previous, after, expected) = (row.chain, row.seq, row.seq.saturating_add(1));
            count += 1;
        }
    }
}
