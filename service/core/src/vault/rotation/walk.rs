//! The machine key of one user: what the term before has sealed is sealed anew, and then that term goes.

use super::ENDED;
use super::user::Turn;
use crate::error::Error;
use crate::issued::apart_from_tokens;
use crate::port::{PrincipalRow, Progress, ReadTx, WriteTx};
use crate::token::{OldContent, Renewal, Renewed};
use crate::vault::{Change, Effect, Event};

/// Rows that are read at one time.
const PAGE: usize = 64;
/// Versions and shares that are sealed anew in one write, after which others have their turn, and bytes of values. A token is done at
/// once, however much it has.
const PARTS: usize = 256;
const BYTES: u64 = 1 << 20;
/// How often it is begun anew because something had changed between being looked at and being written.
const TRIES: u32 = 4;

/// Where something issued stands: the day it expires, and its number.
type Issued = (i64, i64);

/// A rotation of a user's machine key, begun and to be finished.
pub struct UserRotation {
    pub(super) renewal: Renewal,
    /// Who asked for it, and of whom.
    pub(super) event: Event,
    /// The term that it has begun, or goes on with.
    pub(super) term: u32,
    /// How many rows there were at the beginning.
    pub(super) rows: u64,
    /// Nobody else rotates the key of this user.
    pub(super) _turn: Turn,
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
        let issued = done;
        for _ in 0..TRIES {
            done = Renewed { values: done.values, ..issued };
            let mut after = Some(0);
            while let Some(begin) = after {
                let (next, renewed) = self.renew_tokens(begin, &|| goes_on(done))?;
                after = next;
                done.add(renewed);
                goes_on(done)?;
            }
            if done.missed == 0 {
                break;
            }
        }
        if done.missed > 0 {
            return Err(Error::Unavailable(
                "tokens change faster than their values are encrypted anew; run it again".into(),
            ));
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
            let (mut step, mut bytes, mut parts) = (Step::default(), 0, 0);
            for (row, _) in page {
                let contents = renewal.old_contents(tx, &row)?;
                // What lies in chunks is copied first, of one token at a time.
                let has_enough = bytes >= BYTES || parts >= PARTS || !step.contents.is_empty();
                if has_enough || !(contents.is_empty() || step.tokens.is_empty()) {
                    step.last = step.tokens.last().copied();
                    return Ok(step);
                }
                step.tokens.push(row.id);
                step.contents = contents;
                let versions = tx.versions(row.id)?;
                parts += versions.len() + tx.shares(row.id)?.len();
                if renewal.reencrypts {
                    let in_rows = versions.iter().filter(|head| head.content.is_none());
                    bytes += in_rows.map(|head| head.stored_bytes).sum::<u64>();
                }
            }
            step.last = step.tokens.last().copied().filter(|_| is_full);
            Ok(step)
        })
    }

    /// Lets go of the term before, now that nothing needs it.
    fn settle(&self) -> Result<(), Error> {
        let (renewal, term) = (self.renewal.clone(), self.term);
        let _change = Change::begin(&renewal.open, self.uid());
        let event = Event { operation: ENDED, ..self.event.clone() };
        let audited = event.clone();
        renewal.vault.clone().write_and_wait(event, Effect::Erases, move |tx| {
            let Renewal { vault, open, .. } = &renewal;
            let Some(row) = row_of(&renewal, term, tx)? else { return Ok(()) };
            let keys = open.keys(vault);
            let (mut record, stored) = (keys.open_record(&row)?, keys.open_key(&row)?);
            record.reencrypts = None;
            tx.update_principal(&keys.with_key(&row, &record, &stored.settle(vault.memory())?)?)?;
            vault.record_mutation(open, tx, &audited, 0)
        })
    }

    /// Writes, while this rotation is the one that the user's row tells of; nothing where the user was purged. Tokens stay what they
    /// are, so whatever of them lies opened stays as well.
    fn write<T: Default + Send + 'static>(
        &self,
        mut work: impl FnMut(&mut dyn WriteTx) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (renewal, term) = (self.renewal.clone(), self.term);
        self.renewal.vault.write_and_wait(apart_from_tokens(&self.event), Effect::Grows, move |tx| {
            match row_of(&renewal, term, tx)? {
                Some(_) => work(tx),
                None => Ok(T::default()),
            }
        })
    }
}

/// The row of the user, whose key is still being renewed with this term; `None` when the user was purged.
fn row_of(renewal: &Renewal, term: u32, tx: &dyn ReadTx) -> Result<Option<PrincipalRow>, Error> {
    let Some(row) = tx.principal_by_id(renewal.principal.id)? else { return Ok(None) };
    let keys = renewal.open.keys(&renewal.vault);
    if keys.open_record(&row)?.key_term() == term && keys.open_key(&row)?.is_renewing() {
        return Ok(Some(row));
    }
    Err(Error::Unavailable("another rotation of this key has taken the place of this one".into()))
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
