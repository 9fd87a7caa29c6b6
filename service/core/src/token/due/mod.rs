//! What expires, told ahead of time and when it does.
//!
//! A version is due at each of some distances before it expires, and when it expires; each is told once. What has been told is
//! one time, the last one looked at: whatever became due between it and now is told next. Rows are found by the day they expire,
//! so that nothing is decrypted but what expires on a day that some distance reaches just now; and a page at a time.

mod list;
mod pass;

use std::sync::Arc;

pub use pass::{Ahead, DuePass, DueRequest, DueToken};

use crate::Timestamp;
use crate::announcement::{Announcement, Happened, News};
use crate::error::Error;
use crate::name::TokenName;
use crate::port::{Ending, ReadTx};
use crate::token::found::{Found, Shelf};
use crate::vault::{Effect, Event, OpenVault, Vault, daemon};

/// Rows of a page.
const STEP: usize = 64;

impl Vault {
    /// Takes one step of a walk: what it finds due; `None` at the end. Blocks.
    ///
    /// # Errors
    /// When the vault is not open, or the store cannot be read.
    pub fn step_due(&self, pass: &mut DuePass) -> Result<Option<Vec<DueToken>>, Error> {
        let open = self.open()?;
        let Some((first, last)) = pass.days() else { return Ok(None) };
        let begin = Ending { day: first.saturating_sub(1), token: 0, principal: 0, row: i64::MAX };
        let after = pass.after.unwrap_or(begin);
        let page = self.read(|tx| Ok(tx.ended_versions(last, Some(after), STEP)?))?;
        let Some(newest) = page.last().copied() else {
            pass.end_distance(last);
            return Ok(Some(Vec::new()));
        };
        let mut before = pass.after;
        pass.after = Some(newest);
        let mut due = Vec::new();
        for ending in page {
            // Several versions of one token that end on one day stand side by side.
            if before.is_some_and(|before| (before.day, before.token) == (ending.day, ending.token)) {
                continue;
            }
            before = Some(ending);
            match self.look_at_ending(&open, ending) {
                Ok(Some(token)) => due.extend(pass.weigh(token)),
                // What does not open concerns whoever asks for it, and nobody else.
                Ok(None) | Err(Error::Quarantined(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Some(due))
    }

    /// The token whose current version ends there.
    fn look_at_ending(&self, open: &OpenVault, ending: Ending) -> Result<Option<DueToken>, Error> {
        let principal = self.principal_by_id(open, ending.principal)?;
        let shelf = Shelf { open, principal: &principal, now: self.now() };
        self.read(|tx| {
            let Some(found) = current(&shelf, tx, ending.token)? else { return Ok(None) };
            let expires = found.version.expires.filter(|_| found.head.expires_day == Some(ending.day));
            Ok(expires.map(|expires| DueToken {
                principal: ending.principal,
                token: ending.token,
                owner: principal.uid,
                name: found.meta.name.clone(),
                version: found.row.current,
                expires,
            }))
        })
    }

    /// Begins to walk through what has become due since the last time; what is due already when this is called for the first
    /// time is not told. Blocks.
    ///
    /// # Errors
    /// When the vault is not open, or the store cannot be read.
    pub fn begin_due(&self, ahead: Ahead) -> Result<DuePass, Error> {
        let (open, until) = (self.open()?, self.now());
        // After a clock that was set back it begins anew.
        let since = self.told_expiry(&open)?.filter(|since| *since <= until).unwrap_or(until);
        Ok(DuePass::new(DueRequest { ahead, since, until }))
    }

    /// Tells of what a step has found, where it is still so. Blocks.
    ///
    /// # Errors
    /// When the vault is not open, or the store does not answer.
    pub fn tell_due(self: &Arc<Self>, pass: &mut DuePass, due: Vec<DueToken>) -> Result<(), Error> {
        if due.is_empty() {
            return Ok(());
        }
        pass.told += due.len() as u64;
        let (vault, open, until) = (Arc::clone(self), self.open()?, pass.request.until);
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let reply = Box::new(move |result| drop(sender.send(result)));
        // Where the writer is, no change comes in between.
        self.write_announced(Event::new(&daemon(), "TellExpiry"), Effect::Reserved, reply, move |tx| {
            let mut said = Vec::new();
            for token in &due {
                said.extend(vault.still_due(&open, tx, token, until)?);
            }
            Ok(((), said))
        });
        receiver.recv().unwrap_or_else(|_| Err(Error::Unavailable("the vault is stopping; retry".into())))
    }

    fn still_due(
        &self,
        open: &OpenVault,
        tx: &dyn ReadTx,
        token: &DueToken,
        until: Timestamp,
    ) -> Result<Option<Announcement>, Error> {
        if tx.principal_by_id(token.principal)?.is_none() {
            return Ok(None);
        }
        let principal = self.find_principal_by_id(open, tx, token.principal)?;
        let shelf = Shelf { open, principal: &principal, now: until };
        let found = current(&shelf, tx, token.token)?;
        let is_same = |found: &Found| {
            (found.row.current, found.version.expires, found.meta.name.as_str())
                == (token.version, Some(token.expires), token.name.as_str())
        };
        let Some(found) = found.filter(is_same) else { return Ok(None) };
        let grantees = shelf.grantees(tx, &found)?;
        if found.version.is_expired(until) {
            return Ok(Some(Announcement::gone(principal.uid, &token.name, Happened::Expired, grantees)));
        }
        let news = News::Expiring { expires: token.expires };
        Ok(Some(Announcement { owner: principal.uid, name: token.name.clone(), news, grantees }))
    }

    /// Notes that everything was told that a walk has found. Blocks.
    ///
    /// # Errors
    /// When it cannot be written: after a restart it may be told again.
    pub fn end_due(self: &Arc<Self>, pass: &DuePass) -> Result<(), Error> {
        let open = self.open()?;
        self.note_told(&open, pass.request.until, pass.told > 0)
    }
}

/// A token with its current version.
fn current(shelf: &Shelf<'_>, tx: &dyn ReadTx, token: i64) -> Result<Option<Found>, Error> {
    let Some(row) = tx.token_by_id(token)? else { return Ok(None) };
    let Some(head) = tx.version_head(row.id, row.current)? else { return Ok(None) };
    let found = Found::open(shelf.records(), row, head)?;
    // A name that is none would be told as one.
    TokenName::parse(&found.meta.name).map(|_| Some(found))
}
