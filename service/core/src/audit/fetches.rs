//! Who fetched a token: what the audit log has of its reads, for whoever keeps it.
//!
//! The log is walked backwards from its end, or from where the page before ended: to where the token was first put, since what was
//! fetched under its name before that was another one. A token that was renamed is followed to the name it had. What was put again
//! after it had expired counts as the same.

use super::list::{PAGE_BYTES, ROW_BYTES, STEP};
use super::{AuditRecord, Outcome, SCANNED_MAX};
use crate::Caller;
use crate::error::Error;
use crate::policy::Action;
use crate::token::{NamedRequest, PAGE_BYTES_MAX};
use crate::vault::{Event, Vault};

/// What hands a value out.
const FETCHING: [&str; 3] = ["Get", "Redeem", "LoadCredential"];
/// What may put a token for the first time, as version 1 then.
const PUTTING: [&str; 2] = ["Put", "Generate"];

/// `Fetches`.
#[derive(Debug, Clone)]
pub struct FetchesRequest {
    /// Which token.
    pub token: NamedRequest,
    /// Most rows.
    pub limit: usize,
    /// Where the page begins: `next` of the one before.
    pub after: Option<FetchesCursor>,
}

/// Where a page ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchesCursor {
    /// The record behind which the next page begins.
    seq: u64,
    /// The name the token had there, where that is not the present one.
    name: Option<String>,
}

impl FetchesCursor {
    /// From what a caller was given as `next`.
    pub fn parse(text: &str) -> Option<Self> {
        let (seq, name) = text.split_once(':').map_or((text, None), |(seq, name)| (seq, Some(name.to_owned())));
        Some(Self { seq: seq.parse().ok()?, name })
    }
}

impl std::fmt::Display for FetchesCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{}:{name}", self.seq),
            None => self.seq.fmt(f),
        }
    }
}

/// A page of fetches, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FetchesPage {
    /// The records.
    pub fetches: Vec<AuditRecord>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<FetchesCursor>,
}

impl FetchesPage {
    /// Bytes of a reply that tells this.
    pub fn reply_bytes(&self) -> usize {
        PAGE_BYTES + self.fetches.iter().map(row_bytes).sum::<usize>()
    }
}

fn row_bytes(record: &AuditRecord) -> usize {
    ROW_BYTES + record.app.len() + record.purpose.len() + record.unit.as_ref().map_or(0, String::len)
}

/// What a record means for the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// It was fetched.
    Fetched,
    /// Nothing.
    On,
    /// It was put for the first time.
    Begun,
}

/// The token on the way back through the log.
struct Walk {
    owner: u32,
    name: String,
    /// The name it has now.
    present: String,
}

impl Walk {
    fn step(&mut self, record: &AuditRecord) -> Step {
        if record.owner != Some(self.owner) || record.outcome != Outcome::Ok {
            return Step::On;
        }
        let operation = record.operation.as_str();
        if operation == "Rename" && record.renamed_to.as_ref() == Some(&self.name) {
            self.name.clone_from(&record.name);
            return Step::On;
        }
        match record.name == self.name {
            true if FETCHING.contains(&operation) => Step::Fetched,
            true if PUTTING.contains(&operation) && record.version == 1 => Step::Begun,
            _ => Step::On,
        }
    }

    fn at(&self, seq: u64) -> FetchesCursor {
        FetchesCursor { seq, name: (self.name != self.present).then(|| self.name.clone()) }
    }
}

impl Vault {
    /// A page of who fetched a token. It ends at [`FetchesRequest::limit`] rows, before a reply becomes too long, and after
    /// [`SCANNED_MAX`] records: one without rows is not the end.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn fetches(&self, caller: &Caller, request: &FetchesRequest) -> Result<FetchesPage, Error> {
        let FetchesRequest { token, limit, after } = request;
        let event = Event::new(caller, "Fetches").about(token.owner.uid(caller), token.name.as_str());
        let owner =
            self.owner_of(caller, token, Action::History).inspect_err(|error| self.note_refusal(&event, error))?;
        let open = self.open()?;
        let present = token.name.as_str().to_owned();
        let name = after.as_ref().and_then(|after| after.name.clone()).unwrap_or_else(|| present.clone());
        let mut walk = Walk { owner, name, present };
        let (mut page, mut bytes) = (FetchesPage::default(), PAGE_BYTES);
        let mut at = after.as_ref().map_or(u64::MAX, |after| after.seq);
        for _ in 0..SCANNED_MAX / STEP {
            let rows = self.read(|tx| Ok(tx.audit_before(at, STEP)?))?;
            let is_last = rows.len() < STEP;
            for row in rows {
                // What does not open is nobody's.
                let Ok(record) = open.audit.open(&row) else {
                    at = row.seq;
                    continue;
                };
                let before = walk.at(at);
                at = row.seq;
                match walk.step(&record) {
                    Step::On => continue,
                    Step::Begun => return Ok(page),
                    Step::Fetched => {}
                }
                bytes += row_bytes(&record);
                if bytes > PAGE_BYTES_MAX && !page.fetches.is_empty() {
                    return Ok(FetchesPage { next: Some(before), ..page });
                }
                page.fetches.push(record);
                if page.fetches.len() >= *limit {
                    return Ok(FetchesPage { next: Some(walk.at(at)), ..page });
                }
            }
            if is_last {
                return Ok(page);
            }
        }
        Ok(FetchesPage { next: Some(walk.at(at)), ..page })
    }
}
