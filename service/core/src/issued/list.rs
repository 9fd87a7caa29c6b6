//! `Issued`: a page of what the caller has issued and is still good.

use std::collections::BTreeMap;

use super::record::{IssuedMeta, Kind, kind_of};
use super::request::IssuedListRequest;
use crate::cursor::Cursor;
use crate::error::Error;
use crate::moment::Moment;
use crate::owner::Owner;
use crate::policy::Action;
use crate::port::{IssuedRow, ReadTx};
use crate::principal::Principal;
use crate::token::{LOOKED_AT_MAX, PAGE_BYTES_MAX};
use crate::vault::{Event, OpenVault, Vault};
use crate::{Caller, Timestamp};

/// Rows taken from the store at a time.
pub(super) const STEP: usize = 256;
const CURSOR: &str = "issued-cursor";

/// A dictionary with every text empty: its keys, their types, its numbers.
const INFO_BYTES: usize = 320;
/// What a text takes beside its characters, in a list or a dictionary.
const TEXT_BYTES: usize = 24;
/// What surrounds the rows of a page, where the next one begins included.
const SURROUNDING_BYTES: usize = 320;

/// Something issued, as those are told of it who may know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedInfo {
    /// Its id; of an offer, how its code begins.
    pub id: String,
    /// What it is.
    pub kind: Kind,
    /// About whom or what it says something; of an offer, the name of its token.
    pub subject: String,
    /// For whom it is, as the interface writes it.
    pub audience: String,
    /// What it is good for.
    pub scopes: Vec<String>,
    /// What else it says.
    pub claims: BTreeMap<String, String>,
    /// When it was issued.
    pub issued: Timestamp,
    /// When it expires.
    pub expires: Timestamp,
    /// How often it may still be used; `None`: without a limit.
    pub uses_left: Option<u32>,
    /// How many wrong codes may still be tried; `None` for a token.
    pub attempts_left: Option<u32>,
    /// Uid of who issued it.
    pub issuer: u32,
}

impl IssuedInfo {
    pub(super) fn new(kind: Kind, meta: IssuedMeta, issuer: u32) -> Self {
        let audience = meta.audience.to_string();
        let IssuedMeta { id, subject, scopes, claims, issued, expires, uses_left, attempts_left, .. } = meta;
        Self { id, kind, subject, audience, scopes, claims, issued, expires, uses_left, attempts_left, issuer }
    }

    /// Bytes of a reply that tells this.
    pub fn reply_bytes(&self) -> usize {
        let scopes = self.scopes.iter().map(|scope| TEXT_BYTES + scope.len()).sum::<usize>();
        let claims = self.claims.iter().map(|(key, value)| TEXT_BYTES + key.len() + value.len()).sum::<usize>();
        INFO_BYTES + self.id.len() + self.subject.len() + self.audience.len() + scopes + claims
    }
}

/// A page, in the order of the days that what is on it expires on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IssuedPage {
    /// What was issued.
    pub issued: Vec<IssuedInfo>,
    /// Where the next page begins; empty after the last.
    pub next: String,
}

impl IssuedPage {
    /// Bytes of a reply that tells this.
    pub fn reply_bytes(&self) -> usize {
        SURROUNDING_BYTES + self.issued.iter().map(IssuedInfo::reply_bytes).sum::<usize>()
    }
}

impl Vault {
    /// Lists what the caller has issued, as long as it is good for anything.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn list_issued(&self, caller: &Caller, request: &IssuedListRequest) -> Result<IssuedPage, Error> {
        let open = self.open()?;
        let event = Event::new(caller, "Issued");
        let judged = self.judged(&open, caller, Owner::Own, Action::Read);
        match judged.inspect_err(|error| self.note_refusal(&event, error))? {
            Some(principal) => self.issued_page(&open, &principal, request),
            None => Ok(IssuedPage::default()),
        }
    }

    fn issued_page(
        &self,
        open: &OpenVault,
        principal: &Principal,
        request: &IssuedListRequest,
    ) -> Result<IssuedPage, Error> {
        let cursor = Cursor { list: CURSOR, vault: &open.id, principal };
        let [day, id] = cursor.decode(&request.after)?;
        let mut after = (day, id);
        let mut page = IssuedPage::default();
        let mut bytes = page.reply_bytes();
        let mut looked_at = 0;
        loop {
            let rows = self.issued_behind(open, principal, after)?;
            let exhausted = rows.len() < STEP;
            looked_at += rows.len();
            for (row, info) in rows {
                let before = std::mem::replace(&mut after, (row.expires_day, row.id));
                let Some(info) = info.filter(|info| request.filter.matches(info)) else { continue };
                bytes += info.reply_bytes();
                if bytes > PAGE_BYTES_MAX && !page.issued.is_empty() {
                    return Ok(IssuedPage { next: cursor.encode(before.into())?, ..page });
                }
                page.issued.push(info);
                if page.issued.len() == request.limit {
                    return Ok(IssuedPage { next: cursor.encode(after.into())?, ..page });
                }
            }
            if exhausted {
                return Ok(page);
            }
            if looked_at >= LOOKED_AT_MAX {
                return Ok(IssuedPage { next: cursor.encode(after.into())?, ..page });
            }
        }
    }

    /// Rows of a principal behind a place, with what they tell of what is still good.
    pub(super) fn issued_behind(
        &self,
        open: &OpenVault,
        principal: &Principal,
        after: (i64, i64),
    ) -> Result<Vec<(IssuedRow, Option<IssuedInfo>)>, Error> {
        let now = self.moment();
        self.read(|tx| {
            let rows = tx.issued_by(principal.id, after, STEP)?;
            rows.into_iter().map(|row| told(open, tx, principal, row, &now)).collect()
        })
    }
}

fn told(
    open: &OpenVault,
    tx: &dyn ReadTx,
    principal: &Principal,
    row: IssuedRow,
    now: &Moment,
) -> Result<(IssuedRow, Option<IssuedInfo>), Error> {
    let meta = open.open_issued(principal, &row)?;
    if !meta.is_live(now) {
        return Ok((row, None));
    }
    let mut info = IssuedInfo::new(kind_of(&row)?, meta, principal.uid);
    // An offer follows its token when that gets another name.
    if let Some(token) = row.token {
        info.subject = open.offered_name(tx, principal, token)?;
    }
    Ok((row, Some(info)))
}
