//! Who fetched a token: what the audit log has of its reads, for whoever keeps it.
//!
//! The log is walked backwards from its end, or from where the page before ended: to where the token was first put, since what was
//! fetched under its name before that was another one. A token that was renamed is followed to the name it had, one that was
//! adopted to the uid it had, and before its owner's uid was purged nothing was its own. What was put again after it had expired
//! counts as the same.
//!
//! A uid goes to others, and records know their owner by uid: that the walk never begins on the far side of where the token was
//! put rests on the places it goes on from, which are sealed for this token of this principal.
//!
//! What was fetched before a rename or a deletion is recorded before it. What is fetched while one of them is being committed may
//! be recorded behind it, and is then in the log and in no token's list, or in that of a token which at once gets the same name.
//!
//! It is not a complete one: past the allowance of who reads (see `allowance`) records lose their name and owner, so whoever floods
//! the log first fetches unseen here. That there was a flood is in the log.

use super::list::{PAGE_BYTES, ROW_BYTES, STEP};
use super::{AuditRecord, Outcome, SCANNED_MAX};
use crate::Caller;
use crate::cursor::{Cursor, no_place};
use crate::error::Error;
use crate::policy::Action;
use crate::token::{NamedRequest, PAGE_BYTES_MAX};
use crate::vault::{Event, OpenVault, Vault};

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
    /// Where the page begins: `next` of the one before; empty: with the newest.
    pub after: String,
}

/// A page of fetches, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FetchesPage {
    /// The records.
    pub fetches: Vec<AuditRecord>,
    /// Where the next page begins; empty at the end.
    pub next: String,
}

impl FetchesPage {
    /// Bytes of a reply that tells this.
    pub fn reply_bytes(&self) -> usize {
        PAGE_BYTES + self.next.len() + self.fetches.iter().map(row_bytes).sum::<usize>()
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
#[derive(Debug, PartialEq, Eq)]
struct Walk {
    /// The record behind which it goes on.
    seq: u64,
    /// Uid of the owner it had there.
    owner: u32,
    /// Its name there.
    name: String,
}

impl Walk {
    fn step(&mut self, record: &AuditRecord) -> Step {
        if record.outcome != Outcome::Ok {
            return Step::On;
        }
        let operation = record.operation.as_str();
        let adopter = record.grantee.as_deref().and_then(|grantee| grantee.strip_prefix("uid:"));
        if operation == "AdoptUser"
            && let (Some(owner), Some(adopter)) = (record.owner, adopter)
            && adopter == self.owner.to_string()
        {
            self.owner = owner;
            return Step::On;
        }
        if record.owner != Some(self.owner) {
            return Step::On;
        }
        // What the uid had before that is another's.
        if operation == "PurgeUser" || (operation == "AdoptUser" && adopter.is_some()) {
            return Step::Begun;
        }
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

    /// The place, to be sealed.
    fn to_bytes(&self) -> Vec<u8> {
        [&self.seq.to_be_bytes(), self.owner.to_be_bytes().as_slice(), self.name.as_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (seq, rest) = bytes.split_first_chunk::<8>()?;
        let (owner, name) = rest.split_first_chunk::<4>()?;
        let name = str::from_utf8(name).ok()?.to_owned();
        Some(Self { seq: u64::from_be_bytes(*seq), owner: u32::from_be_bytes(*owner), name })
    }
}

impl Vault {
    /// A page of who fetched a token. It ends at [`FetchesRequest::limit`] rows, before a reply becomes too long, and after
    /// [`SCANNED_MAX`] records: one without rows is not the end.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::InvalidArgs`] for a place that is none of this token's.
    pub fn fetches(&self, caller: &Caller, request: &FetchesRequest) -> Result<FetchesPage, Error> {
        let FetchesRequest { token, limit, after } = request;
        let event = Event::new(caller, "Fetches").about(token.owner.uid(caller), token.name.as_str());
        let (principal, row) =
            self.owner_of(caller, token, Action::History).inspect_err(|error| self.note_refusal(&event, error))?;
        let open = self.open()?;
        let cursor = Cursor { list: "fetches", vault: &open.id, principal: &principal };
        let mut walk = match after.as_str() {
            "" => Walk { seq: u64::MAX, owner: principal.uid, name: token.name.as_str().to_owned() },
            after => Walk::from_bytes(&cursor.decode_about(row, after)?).ok_or_else(no_place)?,
        };
        let (fetches, has_more) = self.walk_back(&open, &mut walk, *limit)?;
        let next = if has_more { cursor.encode_about(row, &walk.to_bytes())? } else { String::new() };
        Ok(FetchesPage { fetches, next })
    }

    /// Walks on for a page; whether there may be more.
    fn walk_back(&self, open: &OpenVault, walk: &mut Walk, limit: usize) -> Result<(Vec<AuditRecord>, bool), Error> {
        let (mut fetches, mut bytes) = (Vec::new(), PAGE_BYTES);
        for _ in 0..SCANNED_MAX / STEP {
            let rows = self.read(|tx| Ok(tx.audit_before(walk.seq, STEP)?))?;
            let is_last = rows.len() < STEP;
            for row in rows {
                let before = std::mem::replace(&mut walk.seq, row.seq);
                // What does not open is nobody's.
                let Ok(record) = open.audit.open(&row) else { continue };
                match walk.step(&record) {
                    Step::On => continue,
                    Step::Begun => return Ok((fetches, false)),
                    Step::Fetched => {}
                }
                bytes += row_bytes(&record);
                if bytes > PAGE_BYTES_MAX && !fetches.is_empty() {
                    walk.seq = before;
                    return Ok((fetches, true));
                }
                fetches.push(record);
                if fetches.len() >= limit {
                    return Ok((fetches, true));
                }
            }
            if is_last {
                return Ok((fetches, false));
            }
        }
        Ok((fetches, true))
    }
}
