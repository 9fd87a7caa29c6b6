//! `Cleanup`: what has expired is deleted, some time later.
//!
//! Expired means gone for everyone at once; deleted is for good. Between the two lies a week in which somebody may notice that a
//! date was wrong, and the clock it goes by is one that is known to have been right. A version that ends as the current one takes
//! its token with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::error::Error;
use crate::issued::record::kind_of;
use crate::issued::{Kind, apart_from_tokens};
use crate::port::{Ending, IssuedRow, ReadTx, StoreError, Tag, TokenRow, VersionHead, WriteTx};
use crate::token::delete::delete_token;
use crate::token::found::{Found, Shelf};
use crate::token::share::drop_ended_shares;
use crate::token::usage::{self, Change};
use crate::vault::{ClockWord, Effect, Event, OpenVault, Vault};
use crate::{Caller, Timestamp};

/// Days between the end of something and its deletion.
const GRACE_DAYS: u64 = 7;
/// What is looked at in one step; others write between two steps.
const STEP: usize = 64;
/// What the audit log says of an administrator's word that the clock is right.
const CLOCK_SAID: &str = "clock-is-right";

/// `Cleanup`.
#[derive(Debug, Clone, Copy, Default)]
pub struct CleanupRequest {
    /// Only what belongs to this uid.
    pub owner: Option<u32>,
    /// Only count.
    pub dry_run: bool,
    /// Who says that the wall clock is right, if anybody does.
    pub clock_is_right: Option<ClockWord>,
    /// After so many deletions, and what is left of a step, it ends; `None`: when all is deleted.
    pub most: Option<u64>,
}

/// What was deleted, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CleanupReport {
    /// Tokens.
    pub tokens: u64,
    /// Versions, those of the tokens included.
    pub versions: u64,
    /// Shares, those of the tokens not included.
    pub shares: u64,
    /// Offers, those of the tokens not included.
    pub offers: u64,
    /// Issued tokens and codes.
    pub issued: u64,
    /// Versions and shares that stay because nobody has said that the clock is right.
    pub held_back: u64,
    /// Tokens, and things issued, that stay because their rows do not open where they stand.
    pub damaged: u64,
    /// Whether there is more than is deleted at once: to be called again.
    pub more: bool,
}

impl CleanupReport {
    const fn add(&mut self, other: Self) {
        self.tokens += other.tokens;
        self.versions += other.versions;
        self.shares += other.shares;
        self.offers += other.offers;
        self.issued += other.issued;
        self.damaged += other.damaged;
    }

    const fn deletions(&self) -> u64 {
        self.versions + self.shares + self.offers + self.issued
    }
}

/// Which of two things that end.
type Find = fn(&dyn ReadTx, i64, Option<Ending>, usize) -> Result<Vec<Ending>, StoreError>;
const VERSIONS: Find = |tx, day, after, limit| tx.ended_versions(day, after, limit);
const SHARES: Find = |tx, day, after, limit| tx.ended_shares(day, after, limit);

/// One run.
struct Run<'a> {
    vault: &'a Arc<Vault>,
    open: Arc<OpenVault>,
    caller: Caller,
    principal: Option<i64>,
    most: Option<u64>,
    /// What has ended by this day is deleted.
    day: i64,
    report: CleanupReport,
}

impl Vault {
    /// Deletes what ended a week ago or more, as much as is asked for. Blocks, in steps
    /// between which others write.
    ///
    /// # Errors
    /// When the vault is not open, or the store cannot be read or written; what was deleted before stays so.
    pub fn cleanup(self: &Arc<Self>, caller: &Caller, request: CleanupRequest) -> Result<CleanupReport, Error> {
        let open = self.open()?;
        if !request.dry_run {
            if let Some(word) = request.clock_is_right {
                self.trust_clock(word);
                let event = Event { purpose: CLOCK_SAID.to_owned(), ..Event::new(caller, "Cleanup") };
                match word {
                    ClockWord::Administrator => self.keep_time_said(&open, event)?,
                    ClockWord::Synchronised => self.keep_trusted_time(&open)?,
                }
            }
            self.heed_deletions(&open);
        }
        let principal = match request.owner {
            None => None,
            Some(uid) => {
                let tag = open.keys(self).uid_tag(uid);
                let Some(row) = self.read(|tx| Ok(tx.principal(&tag)?))? else { return Ok(CleanupReport::default()) };
                Some(row.id)
            }
        };
        let wall = self.wall();
        let trusted = match request.clock_is_right {
            Some(_) => wall,
            None => self.certain_time().unwrap_or_default(),
        };
        let mut run = Run {
            vault: self,
            open: Arc::clone(&open),
            caller: caller.clone(),
            principal,
            most: request.most,
            day: last_day(trusted),
            report: CleanupReport::default(),
        };
        run.end_issued(request.dry_run)?;
        if request.dry_run {
            run.count()?;
        } else {
            run.delete()?;
            run.report.more = run.is_full(&run.report);
        }
        if !run.report.more {
            run.count_held_back(last_day(wall))?;
        }
        Ok(run.report)
    }
}

impl Vault {
    /// Whether something would be deleted if anybody said that the clock is right. Looks at one row of each kind. Blocks.
    ///
    /// # Errors
    /// When the vault is not open, or the store cannot be read.
    pub fn holds_expired_back(&self) -> Result<bool, Error> {
        self.check_open()?;
        let wall = self.wall();
        let trusted = self.certain_time().unwrap_or_default();
        let begin = Ending { day: last_day(trusted), token: 0, principal: 0, row: i64::MAX };
        self.read(|tx| {
            for find in [VERSIONS, SHARES] {
                if !find(tx, last_day(wall), Some(begin), 1)?.is_empty() {
                    return Ok(true);
                }
            }
            Ok(false)
        })
    }
}

/// What has ended by this day is deleted at `now`.
fn last_day(now: Timestamp) -> i64 {
    now.day().checked_sub(GRACE_DAYS).and_then(|day| i64::try_from(day).ok()).unwrap_or(i64::MIN)
}

impl Run<'_> {
    fn is_full(&self, report: &CleanupReport) -> bool {
        self.most.is_some_and(|most| report.deletions() >= most)
    }

    /// Counts what would be deleted if the wall clock were known to be right.
    fn count_held_back(&mut self, wall: i64) -> Result<(), Error> {
        for find in [VERSIONS, SHARES] {
            let mut held_back = 0;
            let begin = Ending { day: self.day, token: 0, principal: 0, row: i64::MAX };
            self.walk(find, wall, Some(begin), |_, page| {
                held_back += page.len() as u64;
                Ok(true)
            })?;
            self.report.held_back += held_back;
        }
        Ok(())
    }

    /// Goes through what has ended by `day`, a page at a time, for as long as `see` says.
    fn walk(
        &self,
        find: Find,
        day: i64,
        mut after: Option<Ending>,
        mut see: impl FnMut(&Self, Vec<Ending>) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        loop {
            let mut page = self.vault.read(|tx| Ok(find(tx, day, after, STEP)?))?;
            let Some(last) = page.last().copied() else { return Ok(()) };
            after = Some(last);
            page.retain(|ending| self.principal.is_none_or(|principal| ending.principal == principal));
            if !see(self, page)? {
                return Ok(());
            }
        }
    }

    fn count(&mut self) -> Result<(), Error> {
        let (mut tokens, mut report) = (BTreeSet::new(), CleanupReport::default());
        self.walk(VERSIONS, self.day, None, |run, page| {
            for token in page.iter().map(|ending| ending.token) {
                if !tokens.insert(token) {
                    continue;
                }
                run.vault.read(|tx| {
                    let Some(row) = tx.token_by_id(token)? else { return Ok(()) };
                    let goes = Goes::of(&row, &tx.versions(token)?, run.day);
                    report.tokens += u64::from(goes.token);
                    report.versions += goes.versions.len() as u64;
                    Ok(())
                })?;
            }
            Ok(true)
        })?;
        self.walk(SHARES, self.day, None, |run, page| {
            for share in page {
                let current = run.vault.read(|tx| {
                    let Some(row) = tx.token_by_id(share.token)? else { return Ok(None) };
                    Ok(tx.version_head(row.id, row.current)?)
                })?;
                report.shares += u64::from(current.is_some_and(|head| !ended(head.expires_day, run.day)));
            }
            Ok(true)
        })?;
        self.report.add(report);
        Ok(())
    }

    /// Deletes, or counts, what was issued and has ended.
    fn end_issued(&mut self, dry_run: bool) -> Result<(), Error> {
        let mut after = (i64::MIN, i64::MIN);
        loop {
            let mut rows = self.vault.read(|tx| Ok(tx.ended_issued(self.day, after, STEP)?))?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = (last.expires_day, last.id);
            rows.retain(|row| self.principal.is_none_or(|principal| row.principal == principal));
            let mut principals: BTreeMap<i64, Vec<IssuedRow>> = BTreeMap::new();
            for row in rows {
                principals.entry(row.principal).or_default().push(row);
            }
            for (principal, rows) in principals {
                let report = if dry_run { count_issued(&rows) } else { self.delete_issued(principal, &rows)? };
                self.report.add(report);
            }
            if !dry_run && self.is_full(&self.report) {
                return Ok(());
            }
        }
    }

    /// Deletes rows of a principal that have ended: those that say so themselves, and not only by the date beside them.
    fn delete_issued(&self, id: i64, rows: &[IssuedRow]) -> Result<CleanupReport, Error> {
        let damaged = CleanupReport { damaged: rows.len() as u64, ..CleanupReport::default() };
        let Some(row) = self.vault.read(|tx| Ok(tx.principal_by_id(id)?))? else {
            return Ok(CleanupReport::default());
        };
        let uid = match self.open.keys(self.vault).open_record(&row) {
            Err(Error::Quarantined(_)) => return Ok(damaged),
            record => record?.uid,
        };
        let event = Event::new(&self.caller, "Cleanup").about(Some(uid), "");
        let (vault, open, audited) = (Arc::clone(self.vault), Arc::clone(&self.open), event.clone());
        let tags: Vec<Tag> = rows.iter().map(|row| row.tag).collect();
        self.vault.write_and_wait(apart_from_tokens(&event), Effect::Reserved, move |tx| {
            let Some(row) = tx.principal_by_id(id)? else { return Ok(CleanupReport::default()) };
            // Opened here, for what is sealed with it.
            let principal = open.keys_in(&vault, tx).open(&row)?;
            let (mut change, mut report) = (Change::default(), CleanupReport::default());
            for tag in &tags {
                let Some(row) = tx.issued(tag)? else { continue };
                match open.open_issued(&principal, &row) {
                    Err(Error::Quarantined(_)) => report.damaged += 1,
                    meta => {
                        meta?;
                        report.add(count_issued(std::slice::from_ref(&row)));
                        tx.delete_issued(tag)?;
                        change.issued -= 1;
                        change.freed += usage::of_issued(&row);
                    }
                }
            }
            change.count(tx, &principal)?;
            vault.record_many(&open, tx, &audited, change.issued.unsigned_abs())?;
            Ok(report)
        })
    }

    fn delete(&mut self) -> Result<(), Error> {
        let mut report = self.report;
        for find in [VERSIONS, SHARES] {
            if self.is_full(&report) {
                break;
            }
            self.walk(find, self.day, None, |run, page| {
                let mut tokens: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
                for ending in page {
                    tokens.entry(ending.principal).or_default().insert(ending.token);
                }
                for (principal, tokens) in tokens {
                    report.add(run.delete_or_skip(principal, tokens)?);
                }
                Ok(!run.is_full(&report))
            })?;
        }
        self.report = report;
        Ok(())
    }

    /// The same as [`Run::delete_of`], where a damaged token keeps nobody else's from being deleted.
    fn delete_or_skip(&self, principal: i64, tokens: BTreeSet<i64>) -> Result<CleanupReport, Error> {
        match self.delete_of(principal, tokens.clone()) {
            Err(Error::Quarantined(_)) => {}
            outcome => return outcome,
        }
        let mut report = CleanupReport::default();
        for token in tokens {
            match self.delete_of(principal, BTreeSet::from([token])) {
                Err(Error::Quarantined(_)) => report.damaged += 1,
                outcome => report.add(outcome?),
            }
        }
        Ok(report)
    }

    /// Deletes what has ended of some tokens of a principal.
    fn delete_of(&self, id: i64, tokens: BTreeSet<i64>) -> Result<CleanupReport, Error> {
        let Some(row) = self.vault.read(|tx| Ok(tx.principal_by_id(id)?))? else {
            return Ok(CleanupReport::default());
        };
        let uid = self.open.keys(self.vault).open_record(&row)?.uid;
        let event = Event::new(&self.caller, "Cleanup").about(Some(uid), "");
        let (vault, open, day, audited) = (Arc::clone(self.vault), Arc::clone(&self.open), self.day, event.clone());
        self.vault.write_and_wait(event, Effect::Erases, move |tx| {
            let Some(row) = tx.principal_by_id(id)? else { return Ok(CleanupReport::default()) };
            // Opened here, for what is sealed with it.
            let principal = open.keys_in(&vault, tx).open(&row)?;
            let shelf = Shelf { open: &open, principal: &principal, now: vault.moment() };
            let mut report = CleanupReport::default();
            for token in &tokens {
                if let Some(row) = tx.token_by_id(*token)? {
                    delete_ended(tx, &shelf, row, day, &mut report)?;
                }
            }
            vault.record_many(&open, tx, &audited, report.versions + report.shares)?;
            Ok(report)
        })
    }
}

fn ended(expires_day: Option<i64>, day: i64) -> bool {
    expires_day.is_some_and(|expires| expires <= day)
}

/// What goes of a token.
struct Goes {
    /// All of it, with its current version.
    token: bool,
    /// The versions that go.
    versions: Vec<VersionHead>,
}

impl Goes {
    fn of(row: &TokenRow, versions: &[VersionHead], day: i64) -> Self {
        let has_ended = |head: &&VersionHead| ended(head.expires_day, day);
        let token = versions.iter().any(|head| head.version == row.current && has_ended(&head));
        Self { token, versions: versions.iter().filter(|head| token || has_ended(head)).cloned().collect() }
    }
}

/// Deletes of a token what has ended by `day`. A date counts only where it is the one that was encrypted with the row.
fn delete_ended(
    tx: &mut dyn WriteTx,
    shelf: &Shelf<'_>,
    row: TokenRow,
    day: i64,
    report: &mut CleanupReport,
) -> Result<(), Error> {
    let versions = tx.versions(row.id)?;
    let head = versions.iter().find(|head| head.version == row.current).cloned();
    let head = head.ok_or_else(|| Error::Quarantined(format!("token {} has lost its current version", row.id)))?;
    let goes = Goes::of(&row, &versions, day);
    let found = Found::open(shelf.records(), row, head)?;
    report.versions += goes.versions.len() as u64;
    if goes.token {
        report.tokens += 1;
        return delete_token(tx, &found)?.count(tx, shelf.principal);
    }
    let mut counted = Change::default();
    for head in &goes.versions {
        shelf.records().open_version(head)?;
        tx.delete_version(head.token, head.version)?;
        counted.freed += usage::of_version(head);
    }
    counted.count(tx, shelf.principal)?;
    report.shares += drop_ended_shares(tx, shelf, &found, |expires| ended(expires, day))?;
    Ok(())
}

/// What rows of something issued are.
fn count_issued(rows: &[IssuedRow]) -> CleanupReport {
    let mut report = CleanupReport::default();
    for row in rows {
        match kind_of(row) {
            Ok(Kind::Offer) => report.offers += 1,
            Ok(Kind::Token | Kind::Code) => report.issued += 1,
            Err(_) => report.damaged += 1,
        }
    }
    report
}
