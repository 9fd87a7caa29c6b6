//! The machine key of one user.

use std::sync::Arc;

use super::{ENDED, OPERATION};
use crate::Caller;
use crate::error::Error;
use crate::issued::apart_from_tokens;
use crate::machine_key::StoredKey;
use crate::port::{Progress, WriteTx};
use crate::token::{OldContent, Renewal, Renewed};
use crate::user;
use crate::vault::{Change, Effect, Event, Vault};

/// Rows that are read at one time.
const PAGE: usize = 64;
/// Bytes of values that are encrypted anew in one write, after which others have their turn.
const BYTES: u64 = 1 << 20;

/// Where something issued stands: the day it expires, and its number.
type Issued = (i64, i64);

/// A rotation of a user's machine key, begun and to be finished.
pub struct UserRotation {
    renewal: Renewal,
    /// Who asked for it, and of whom.
    event: Event,
    /// How many rows it had at the beginning.
    rows: u64,
}

impl Vault {
    /// Draws the machine key of a user anew; from here on it seals whatever is written, and what was sealed before still opens. With
    /// `reencrypts`, values get new keys too. Where a rotation of it has ended before all was done, that one goes on. Blocks.
    ///
    /// # Errors
    /// [`Error::InvalidArgs`] for a uid the vault does not know.
    pub fn begin_user_rotation(
        self: &Arc<Self>,
        caller: &Caller,
        uid: u32,
        reencrypts: bool,
    ) -> Result<UserRotation, Error> {
        let open = self.open()?;
        let event = Event { purpose: "user".to_owned(), ..Event::new(caller, OPERATION).about(Some(uid), "") };
        let (vault, opened, audited) = (Arc::clone(self), Arc::clone(&open), event.clone());
        let change = Change::begin(&open, uid);
        let (row, record) = self.write_and_wait(event.clone(), Effect::Grows, move |tx| {
            let (row, mut record) = user::find(&vault, &opened, tx, uid)?;
            let keys = opened.keys(&vault);
            let stored = keys.open_key(&row)?;
            let goes_on = stored.is_renewing();
            let stored = if goes_on { stored } else { stored.renew(vault.memory())? };
            if !goes_on {
                record.key_term = Some(record.key_term().saturating_add(1));
            }
            record.reencrypts = Some(reencrypts || record.reencrypts.unwrap_or(false));
            let row = keys.with_key(&row, &record, &stored)?;
            opened.machine_keys.expect(row.id, &stored, vault.memory())?;
            tx.update_principal(&row)?;
            vault.record_mutation(&opened, tx, &audited, 0)?;
            Ok((row, record))
        })?;
        // From here on nobody seals with the term before.
        let principal = Arc::new(open.keys(self).open(&row)?);
        drop(change);
        let reencrypts = record.reencrypts.unwrap_or(false);
        let renewal = Renewal { vault: Arc::clone(self), open, principal, reencrypts };
        Ok(UserRotation { renewal, event, rows: row.tokens.saturating_add(row.issued) })
    }

    /// Uids whose rotation ended before all was done: both terms of the key are kept. Reads all principals.
    ///
    /// # Errors
    /// When the vault is not open, or the store cannot be read.
    pub fn unfinished_rotations(&self) -> Result<Vec<u32>, Error> {
        let open = self.open()?;
        let (mut found, mut after) = (Vec::new(), 0);
        loop {
            let rows = self.read(|tx| Ok(tx.principals(after, PAGE)?))?;
            let Some(last) = rows.last() else { return Ok(found) };
            after = last.id;
            for row in rows.iter().filter(|row| StoredKey::is_renewing_sealed(&row.key)) {
                found.push(open.keys(self).open_record(row)?.uid);
            }
        }
    }
}

impl UserRotation {
    /// Whose machine key it is.
    pub fn uid(&self) -> u32 {
        self.renewal.principal.uid
    }

    /// Seals everything of the user anew, a few rows at a time, and then lets go of the term before. Blocks; `progress` counts tokens
    /// and what was issued, of those there were at the beginning.
    ///
    /// # Errors
    /// [`Error::Quarantined`] when something does not open where it stands, and [`Error::Cancelled`]: both terms are kept then, and
    /// what was done stays done.
    pub fn finish(self, progress: &dyn Progress) -> Result<Renewed, Error> {
        let mut done = Renewed::default();
        let goes_on = |done: Renewed| {
            self.check()?;
            Ok::<_, Error>(progress.report(done.rows, self.rows.max(done.rows))?)
        };
        goes_on(done)?;
        // What comes behind the last ones meanwhile is of the new term.
        let mut after = Some((i64::MIN, i64::MIN));
        while let Some(begin) = after {
            let (next, renewed) = self.renew_issued(begin)?;
            after = next;
            done.add(renewed);
            goes_on(done)?;
        }
        let mut after = Some(0);
        while let Some(begin) = after {
            let (next, renewed) = self.renew_tokens(begin, &|| goes_on(done))?;
            after = next;
            done.add(renewed);
            goes_on(done)?;
        }
        self.settle()?;
        Ok(done)
    }

    /// Refuses to go on in another opening of the vault than it was begun in.
    fn check(&self) -> Result<(), Error> {
        if self.renewal.vault.open()?.opening == self.renewal.open.opening {
            return Ok(());
        }
        Err(Error::Unavailable("the vault was sealed meanwhile; it goes on by itself".into()))
    }

    /// Some of what was issued, behind a day and a number; where there is more, the last of them.
    fn renew_issued(&self, after: Issued) -> Result<(Option<Issued>, Renewed), Error> {
        let renewal = self.renewal.clone();
        self.write(move |tx| {
            let rows = tx.issued_by(renewal.principal.id, after, PAGE)?;
            let mut done = Renewed::default();
            for row in &rows {
                done.add(renewal.issued(tx, row)?);
            }
            let last = rows.last().filter(|_| rows.len() == PAGE);
            Ok((last.map(|last| (last.expires_day, last.id)), done))
        })
    }

    /// Some tokens behind one; where there are more, the last of them.
    fn renew_tokens(
        &self,
        after: i64,
        goes_on: &dyn Fn() -> Result<(), Error>,
    ) -> Result<(Option<i64>, Renewed), Error> {
        let Step { tokens, contents, last } = self.next_step(after)?;
        let mut copies = Vec::new();
        for content in &contents {
            copies.extend(self.renewal.copy(content, goes_on)?);
        }
        let renewal = self.renewal.clone();
        let renewed = self.write(move |tx| {
            let mut done = Renewed::default();
            for id in &tokens {
                if let Some(row) = tx.token_by_id(*id)? {
                    done.add(renewal.token(tx, row, &copies)?);
                }
            }
            Ok(done)
        })?;
        Ok((last, renewed))
    }

    /// So many tokens that one write can seal them without others waiting long.
    fn next_step(&self, after: i64) -> Result<Step, Error> {
        let renewal = &self.renewal;
        renewal.vault.read(|tx| {
            let page = tx.tokens(renewal.principal.id, &[], after, PAGE)?;
            let is_full = page.len() == PAGE;
            let (mut step, mut bytes) = (Step::default(), 0);
            for (row, _) in page {
                let contents = renewal.old_contents(tx, &row)?;
                // What lies in chunks is copied first, of one token at a time.
                let has_enough = bytes >= BYTES || !step.contents.is_empty();
                if has_enough || !(contents.is_empty() || step.tokens.is_empty()) {
                    step.last = step.tokens.last().copied();
                    return Ok(step);
                }
                step.tokens.push(row.id);
                step.contents = contents;
                if renewal.reencrypts {
                    bytes += tx.versions(row.id)?.iter().map(|head| head.stored_bytes).sum::<u64>();
                }
            }
            step.last = step.tokens.last().copied().filter(|_| is_full);
            Ok(step)
        })
    }

    /// Lets go of the term before, now that nothing needs it.
    fn settle(&self) -> Result<(), Error> {
        let renewal = self.renewal.clone();
        let _change = Change::begin(&renewal.open, self.uid());
        let event = Event { operation: ENDED, ..self.event.clone() };
        let (id, audited) = (renewal.principal.id, event.clone());
        renewal.vault.clone().write_and_wait(event, Effect::Erases, move |tx| {
            let Renewal { vault, open, .. } = &renewal;
            // It was purged meanwhile.
            let Some(row) = tx.principal_by_id(id)? else { return Ok(()) };
            let keys = open.keys(vault);
            let (mut record, stored) = (keys.open_record(&row)?, keys.open_key(&row)?);
            record.reencrypts = None;
            tx.update_principal(&keys.with_key(&row, &record, &stored.settle(vault.memory())?)?)?;
            vault.record_mutation(open, tx, &audited, 0)
        })
    }

    /// Tokens stay what they are, so whatever of them lies opened stays as well.
    fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut dyn WriteTx) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.renewal.vault.write_and_wait(apart_from_tokens(&self.event), Effect::Grows, work)
    }
}

/// What one write seals anew.
#[derive(Default)]
struct Step {
    tokens: Vec<i64>,
    /// What is copied before, of the only token.
    contents: Vec<OldContent>,
    /// Where there are more tokens, the last of these.
    last: Option<i64>,
}
