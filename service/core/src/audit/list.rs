//! A page of the log.

use super::{AuditFilter, AuditRecord};
use crate::Caller;
use crate::error::Error;
use crate::policy;
use crate::token::PAGE_BYTES_MAX;
use crate::vault::{Event, Vault};

/// Most records that are looked at for one page: each is decrypted, and a filter may take none of them.
pub const SCANNED_MAX: usize = 4_096;
/// Rows read at a time.
pub(super) const STEP: usize = 256;
/// A row's dictionary with every text empty: its keys, their types, its numbers; an upper estimate, as for lists of tokens.
pub(super) const ROW_BYTES: usize = 640;
/// What surrounds the rows of a page.
pub(super) const PAGE_BYTES: usize = 96;

/// What somebody wants to see of the log.
#[derive(Debug, Clone, Default)]
pub struct AuditRequest {
    /// Which records.
    pub filter: AuditFilter,
    /// Most rows.
    pub limit: usize,
    /// Number of the record behind which the page begins, `next` of the one before.
    pub after: Option<u64>,
    /// Whether the newest come first.
    pub newest_first: bool,
}

/// A record at its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its number.
    pub seq: u64,
    /// The record; `None` when it does not open where it stands. Nobody can say of such a one that a filter does not mean it.
    pub record: Option<AuditRecord>,
}

/// A page of the log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditPage {
    /// The records.
    pub entries: Vec<AuditEntry>,
    /// Number of the record behind which the next page begins; `None` at the end.
    pub next: Option<u64>,
}

impl AuditEntry {
    /// Bytes of a row that tells this.
    pub fn reply_bytes(&self) -> usize {
        let Some(record) = &self.record else { return ROW_BYTES };
        let texts = [&record.operation, &record.name, &record.app, &record.purpose];
        let more = [&record.renamed_to, &record.grantee, &record.unit];
        let bytes = texts.into_iter().chain(more.into_iter().flatten()).map(String::len);
        ROW_BYTES + bytes.sum::<usize>()
    }
}

impl AuditPage {
    /// Bytes of a reply that tells this.
    pub fn reply_bytes(&self) -> usize {
        PAGE_BYTES + self.entries.iter().map(AuditEntry::reply_bytes).sum::<usize>()
    }
}

impl Vault {
    /// Whether a caller reads the audit log by its role alone. Administrators read it as they do everything else.
    ///
    /// # Errors
    /// When the vault is not open, or the caller's principal is frozen.
    pub fn is_auditor(&self, caller: &Caller) -> Result<bool, Error> {
        Ok(policy::is_auditor(self.standing(caller)?))
    }

    /// A page of the log, for somebody who may read it; that it was read is recorded. It ends at [`AuditRequest::limit`] rows,
    /// before a reply becomes too long, and after [`SCANNED_MAX`] records: one without rows is not the end.
    ///
    /// # Errors
    /// When the vault is not open or the store cannot be read.
    pub fn audit_page(&self, caller: &Caller, request: &AuditRequest) -> Result<AuditPage, Error> {
        let open = self.open()?;
        self.note_done(&Event::new(caller, "Audit"));
        let mut page = AuditPage::default();
        let mut bytes = page.reply_bytes();
        let mut at = request.after;
        for _ in 0..SCANNED_MAX / STEP {
            let rows = self.read(|tx| {
                Ok(if request.newest_first {
                    tx.audit_before(at.unwrap_or(u64::MAX), STEP)?
                } else {
                    tx.audit(at.unwrap_or(0), STEP)?
                })
            })?;
            let is_last = rows.len() < STEP;
            for row in rows {
                let before = at.replace(row.seq);
                let entry = AuditEntry { seq: row.seq, record: open.audit.open(&row).ok() };
                if !entry.record.as_ref().is_none_or(|record| request.filter.takes(record)) {
                    continue;
                }
                bytes += entry.reply_bytes();
                if bytes > PAGE_BYTES_MAX && !page.entries.is_empty() {
                    return Ok(AuditPage { next: before, ..page });
                }
                page.entries.push(entry);
                if page.entries.len() >= request.limit {
                    return Ok(AuditPage { next: at, ..page });
                }
            }
            if is_last {
                return Ok(page);
            }
        }
        Ok(AuditPage { next: at, ..page })
    }
}
