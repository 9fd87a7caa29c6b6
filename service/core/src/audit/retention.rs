//! Keeping the log as small as the settings say: by number, by bytes, by age.
//!
//! The number alone is held whenever records are written. All three are looked at now and then, by [`Vault::shorten_audit`],
//! and a few records at a time, since a log of a year may have grown old at once.

use std::sync::Arc;

use super::chain::LET_GO_MAX;
use crate::Timestamp;
use crate::error::Error;
use crate::port::{AuditRow, Progress};
use crate::vault::{Effect, Event, OpenVault, Vault, daemon};

/// Rows whose sizes are read at a time.
const WEIGHED: usize = 8_192;
/// Rows that go in one write.
const STEP: usize = LET_GO_MAX as usize;

/// Lets records go, and counts them.
struct Shortening<'a> {
    vault: &'a Arc<Vault>,
    open: Arc<OpenVault>,
    progress: &'a dyn Progress,
    gone: u64,
}

impl Vault {
    /// Lets go of the oldest records until the log is as small as the settings say; how many went. Blocks. `progress` is told
    /// how many went so far, of an unknown number (0).
    ///
    /// # Errors
    /// When the vault is not open or is sealed meanwhile, the store cannot be read or written, or nobody wants it any more.
    pub fn shorten_audit(self: &Arc<Self>, progress: &dyn Progress) -> Result<u64, Error> {
        let mut shortening = Shortening { vault: self, open: self.open()?, progress, gone: 0 };
        shortening.by_number()?;
        shortening.by_bytes()?;
        shortening.by_age()?;
        Ok(shortening.gone)
    }
}

impl Shortening<'_> {
    fn by_number(&mut self) -> Result<(), Error> {
        let cap = self.vault.settings().audit_records;
        if cap == 0 {
            return Ok(());
        }
        loop {
            let (first, head) = self.vault.read(|tx| Ok((tx.audit(0, 1)?, tx.audit_head()?)))?;
            let (Some(first), Some(head)) = (first.first(), head) else { return Ok(()) };
            let last = head.seq.saturating_sub(cap);
            // The record of it is one more: what that alone makes too many can wait.
            if last <= first.seq {
                return Ok(());
            }
            self.let_go(last)?;
        }
    }

    fn by_bytes(&mut self) -> Result<(), Error> {
        let cap = self.vault.settings().audit_bytes;
        let mut bytes = if cap == 0 { 0 } else { self.weigh()? };
        while bytes > cap {
            let Some((last, some)) = self.vault.read(|tx| Ok(tx.audit_bytes(0, STEP)?))? else { break };
            self.let_go(last)?;
            bytes = bytes.saturating_sub(some);
        }
        Ok(())
    }

    /// Bytes of the whole log.
    fn weigh(&self) -> Result<u64, Error> {
        let (mut bytes, mut at) = (0_u64, 0);
        while let Some((last, more)) = self.vault.read(|tx| Ok(tx.audit_bytes(at, WEIGHED)?))? {
            (at, bytes) = (last, bytes.saturating_add(more));
            self.progress.report(self.gone, 0)?;
        }
        Ok(bytes)
    }

    /// By a time that has certainly passed, and by nothing where there is none: a clock in the future must not empty the log. What
    /// stands before an old record in it is older than that one, whatever its date says: it was written while the clock was ahead.
    fn by_age(&mut self) -> Result<(), Error> {
        let age = self.vault.settings().audit_age_usec;
        let now = if age == 0 { None } else { self.vault.trusted_time() };
        let oldest =
            now.and_then(|now| now.min(self.vault.wall()).as_usec().checked_sub(age)).map(Timestamp::from_usec);
        let Some(oldest) = oldest else { return Ok(()) };
        loop {
            let rows = self.vault.read(|tx| Ok(tx.audit(0, STEP)?))?;
            let is_old = |row: &&AuditRow| self.open.audit.open(row).is_ok_and(|record| record.time < oldest);
            let Some(last) = rows.iter().rev().find(is_old).map(|row| row.seq) else { return Ok(()) };
            self.let_go(last)?;
        }
    }

    fn let_go(&mut self, last: u64) -> Result<(), Error> {
        // Who sealed the vault wants its keys gone.
        self.vault.check_open()?;
        let (vault, open) = (Arc::clone(self.vault), Arc::clone(&self.open));
        let gone = self.vault.write_and_wait(Event::new(&daemon(), "PruneAudit"), Effect::Erases, move |tx| {
            open.audit.let_go(tx, last, vault.now())
        })?;
        if gone == 0 {
            // Going on would be going on for ever.
            return Err(Error::Quarantined("the audit log does not begin where it should; verify it".into()));
        }
        self.gone += gone;
        self.progress.report(self.gone, 0)?;
        Ok(())
    }
}
