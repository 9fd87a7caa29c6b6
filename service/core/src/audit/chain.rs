//! The chain: `h_i = HMAC-SHA256(K, h_{i-1} || seq || record)`, the record being the ciphertext that is stored.
//!
//! When the oldest records are let go, where the chain begins is kept as `seq || h_seq || HMAC(K', vault || seq || h_seq)`:
//! without the MAC anybody could drop records from the front and name the next one the first. A record of it is appended, so
//! that the log itself says what is not there any more.

use std::sync::{Arc, PoisonError, RwLock};

use crate::crypto::{CryptoError, KeyTerms, aad::Aad, kdf, mac, wrap};
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
///
/// Each of its terms has its own. The newest appends; a record of a term is followed by none of a term before it, and the newest record
/// is of the newest term, so that whoever knows the keys of one that has ended cannot go on with it.
pub struct AuditKey {
    vault: VaultId,
    terms: RwLock<Terms>,
}

struct Terms {
    /// The newest first.
    known: Vec<Arc<AuditTerm>>,
    /// One that begins unless what is being written is undone.
    expected: Option<Arc<AuditTerm>>,
}

/// The keys of one term.
pub(crate) struct AuditTerm {
    number: u32,
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
    /// Derives the keys of every term.
    ///
    /// # Errors
    /// When secret memory is used up.
    pub fn derive(audit: &KeyTerms, vault: &VaultId, memory: &dyn SecretMemory) -> Result<Self, Error> {
        let all = audit.all();
        let known = all.iter().map(|(number, key)| AuditTerm::derive(*number, key, memory).map(Arc::new));
        let terms = Terms { known: known.collect::<Result<_, _>>()?, expected: None };
        Ok(Self { vault: *vault, terms: RwLock::new(terms) })
    }

    /// The expected term appends from here on.
    pub(crate) fn begin_expected(&self) {
        let mut terms = self.terms.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(begun) = terms.expected.take() {
            terms.known.insert(0, begun);
        }
    }

    /// All terms that something in the store may be of, the newest first.
    fn known(&self) -> Vec<Arc<AuditTerm>> {
        let terms = self.terms.read().unwrap_or_else(PoisonError::into_inner);
        terms.expected.iter().chain(&terms.known).cloned().collect()
    }

    fn newest(&self) -> Result<Arc<AuditTerm>, Error> {
        let terms = self.terms.read().unwrap_or_else(PoisonError::into_inner);
        terms.known.first().cloned().ok_or_else(|| Error::Internal("the audit log has no key".into()))
    }

    /// The term of a record that follows the one that ended with `previous`, whose term was `since` or a later one; `None` where it
    /// does not follow.
    pub(super) fn follows(&self, previous: &Tag, row: &AuditRow, since: u32) -> Option<u32> {
        let terms = self.known();
        let mut later = terms.iter().rev().filter(|term| term.number >= since);
        let of = later.find(|term| mac::equal(&term.link(previous, row.seq, &row.record), &row.chain));
        of.map(|term| term.number)
    }

    /// The term that has sealed a record; `None` where none has that is known.
    pub(crate) fn term_of(&self, row: &AuditRow) -> Option<u32> {
        let aad = aad(&self.vault, row.seq);
        let is_of = |term: &&Arc<AuditTerm>| {
            wrap::is_sealed_with(&term.record, RECORD, aad.as_bytes(), &row.record).unwrap_or(false)
        };
        self.known().iter().find(is_of).map(|term| term.number)
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
        self.newest()?.add(tx, &self.vault, record)
    }

    /// Decrypts one record.
    ///
    /// # Errors
    /// [`Error::Quarantined`] when it does not open where it stands.
    pub fn open(&self, row: &AuditRow) -> Result<AuditRecord, Error> {
        let aad = aad(&self.vault, row.seq);
        let mut opened = Err(CryptoError::WrongKey);
        for term in self.known() {
            opened = wrap::open_record(&term.record, RECORD, aad.as_bytes(), &row.record);
            if !matches!(opened, Err(CryptoError::WrongKey)) {
                break;
            }
        }
        minicbor::decode(&opened?).map_err(|error| Error::Quarantined(format!("audit record {}: {error}", row.seq)))
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
        self.newest()?.keep_base(tx, &self.vault, &Base { seq, chain: last.chain })?;
        Ok(tx.prune_audit(seq)?)
    }

    /// Has a term that begins, unless what is being written is undone, go on with the chain by this record, and vouch for where that
    /// begins. So the newest record is never of an earlier term than the newest.
    ///
    /// What the store says of the beginning is vouched for anew where it is ours; else it stays for [`verify`](super::verify) to tell.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) fn hand_over(
        &self,
        tx: &mut dyn WriteTx,
        term: &Arc<AuditTerm>,
        record: &AuditRecord,
    ) -> Result<(), Error> {
        let base = self.base(tx, self.newest()?.number)?;
        term.add(tx, &self.vault, record)?;
        if let Some(base) = base.filter(|base| base.seq > 0) {
            term.keep_base(tx, &self.vault, &base)?;
        }
        self.terms.write().unwrap_or_else(PoisonError::into_inner).expected = Some(Arc::clone(term));
        Ok(())
    }

    /// Number of the term that appends now.
    pub(super) fn newest_term(&self) -> Result<u32, Error> {
        Ok(self.newest()?.number)
    }

    /// Where the chain begins, as this term or a later one vouches for it; `None` when what the store says of it is not ours.
    pub(super) fn base(&self, tx: &dyn ReadTx, since: u32) -> Result<Option<Base>, StoreError> {
        let Some(stored) = tx.meta(MetaKey::AuditBase)? else { return Ok(Some(Base::default())) };
        let parts = stored.split_first_chunk().and_then(|(seq, rest)| Some((seq, rest.split_first_chunk()?)));
        let terms = self.terms.read().unwrap_or_else(PoisonError::into_inner);
        let vouching = || terms.known.iter().filter(|term| term.number >= since).chain(&terms.expected);
        Ok(parts.and_then(|(seq, (chain, vouched))| {
            let ours = vouching().any(|term| mac::verify(&term.base, &[&self.vault, seq, chain], vouched));
            ours.then_some(Base { seq: u64::from_be_bytes(*seq), chain: *chain })
        }))
    }
}

fn aad(vault: &VaultId, seq: u64) -> Aad {
    Aad::new("audit").bytes(vault).u64(seq)
}

impl AuditTerm {
    /// Derives its keys.
    ///
    /// # Errors
    /// When secret memory is used up.
    pub(crate) fn derive(number: u32, audit: &Secret, memory: &dyn SecretMemory) -> Result<Self, Error> {
        Ok(Self {
            number,
            link: kdf::derive(audit, "audit-link", b"", memory)?,
            record: kdf::derive(audit, "audit-record", b"", memory)?,
            base: kdf::derive(audit, "audit-base", b"", memory)?,
        })
    }

    fn add(&self, tx: &mut dyn WriteTx, vault: &VaultId, record: &AuditRecord) -> Result<u64, Error> {
        let (previous, seq) = match tx.audit_head()? {
            Some(head) => (head.chain, head.seq + 1),
            None => (Tag::default(), 1),
        };
        let record = wrap::seal(&self.record, RECORD, aad(vault, seq).as_bytes(), &encode(record)?)?;
        let chain = self.link(&previous, seq, &record);
        tx.append_audit(&AuditRow { seq, record, chain })?;
        Ok(seq)
    }

    fn link(&self, previous: &Tag, seq: u64, record: &[u8]) -> Tag {
        mac::compute(&self.link, &[previous, &seq.to_be_bytes(), record])
    }

    fn keep_base(&self, tx: &mut dyn WriteTx, vault: &VaultId, base: &Base) -> Result<(), Error> {
        let number = base.seq.to_be_bytes();
        let vouched = mac::compute(&self.base, &[vault, &number, &base.chain]);
        Ok(tx.set_meta(MetaKey::AuditBase, &[&number[..], &base.chain, &vouched].concat())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::HeapMemory;

    const VAULT: VaultId = [3; 16];

    fn keys(terms: &[u8]) -> AuditKey {
        let all = KeyTerms::default();
        for term in terms {
            all.learn((*term).into(), Secret::copy_from(&HeapMemory, &[*term; 32]).unwrap());
        }
        AuditKey::derive(&all, &VAULT, &HeapMemory).unwrap()
    }

    /// The record that the newest of these terms appends to a chain.
    fn next(keys: &AuditKey, previous: &Tag, seq: u64) -> AuditRow {
        let term = keys.newest().unwrap();
        let text = encode(&AuditRecord::new(&daemon(), "Get", Timestamp::from_usec(1))).unwrap();
        let record = wrap::seal(&term.record, RECORD, aad(&VAULT, seq).as_bytes(), &text).unwrap();
        let chain = term.link(previous, seq, &record);
        AuditRow { seq, record, chain }
    }

    #[test]
    fn a_chain_goes_on_with_a_later_term_and_never_with_an_earlier_one() {
        let (before, both) = (keys(&[1]), keys(&[1, 2]));
        let first = next(&before, &Tag::default(), 1);
        let second = next(&both, &first.chain, 2);
        assert_eq!(both.follows(&Tag::default(), &first, 0), Some(1));
        assert_eq!(both.follows(&first.chain, &second, 1), Some(2));
        assert_eq!(before.follows(&first.chain, &second, 1), None);
        let forged = next(&before, &second.chain, 3);
        assert_eq!(both.follows(&second.chain, &forged, 1), Some(1), "where the term before has not ended");
        assert_eq!(both.follows(&second.chain, &forged, 2), None);
        assert_eq!((both.term_of(&first), both.term_of(&second)), (Some(1), Some(2)));
        assert!(both.open(&first).is_ok() && both.open(&second).is_ok() && before.open(&second).is_err());
    }
}
