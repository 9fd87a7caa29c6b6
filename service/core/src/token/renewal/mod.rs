//! Sealing what a principal has anew, after its machine key was renewed: what the term before has sealed, and where that is wanted the
//! values too, under DEKs of their own. What the newest term has sealed already stays as it is, so that this can be begun again.

mod content;

use std::sync::Arc;

pub(crate) use self::content::{NewContent, OldContent};

use crate::Secret;
use crate::crypto::{KEY_BYTES, random, wrap};
use crate::error::Error;
use crate::issued::replace;
use crate::port::{IssuedRow, TokenRow, VersionHead, VersionRow, WriteTx};
use crate::principal::Principal;
use crate::token::metadata::{Class, Records, TokenMeta, VALUE, VersionMeta};
use crate::token::usage::{self, Change};
use crate::vault::{OpenVault, Vault};

/// A principal whose machine key was renewed.
#[derive(Clone)]
pub(crate) struct Renewal {
    /// The vault.
    pub vault: Arc<Vault>,
    /// Its keys.
    pub open: Arc<OpenVault>,
    /// Whose rows.
    pub principal: Arc<Principal>,
    /// Whether values are encrypted anew, too.
    pub reencrypts: bool,
}

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Renewed {
    /// Tokens, with their versions and shares, and what was issued: those that were looked at.
    pub rows: u64,
    /// Values that were encrypted anew.
    pub values: u64,
    /// Values of class `login` that were not, because their owner is not logged in.
    pub locked: u64,
    /// Values in chunks of which there was no copy yet: they came, or could be opened, in between.
    pub(crate) missed: u64,
}

impl Renewed {
    /// Adds what another step did.
    pub fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.values += other.values;
        self.locked += other.locked;
        self.missed += other.missed;
    }
}

impl Renewal {
    fn records(&self) -> Records<'_> {
        Records { open: &self.open, principal: &self.principal }
    }

    /// Whether the DEK of a version is to be replaced.
    fn wants_dek(&self, version: &VersionMeta) -> bool {
        self.reencrypts && version.dek_term.unwrap_or(1) < self.principal.machine_key.newest_term()
    }

    /// Seals a token anew, with its versions and shares. `contents` are the copies that take the place of what lies in chunks.
    ///
    /// # Errors
    /// [`Error::Quarantined`] when something of it does not open where it stands.
    pub fn token(&self, tx: &mut dyn WriteTx, row: TokenRow, contents: &[NewContent]) -> Result<Renewed, Error> {
        let records = self.records();
        let meta = records.open_token(&row)?;
        let mut done = Renewed { rows: 1, ..Renewed::default() };
        let mut change = Change::default();
        for head in tx.versions(row.id)? {
            let before = usage::of_version(&head);
            if let Some(after) = self.version(tx, (&row, &meta), head, contents, &mut done)? {
                change.added += usage::of_version(&after);
                change.freed += before;
            }
        }
        for share in tx.shares(row.id)? {
            if !records.share_is_newest(&share)? {
                let record = records.open_share(&share)?;
                let mut anew = share;
                records.seal_share(&mut anew, &record)?;
                tx.update_share(&anew)?;
            }
        }
        if !records.token_is_newest(&row)? {
            let mut anew = row;
            records.seal_token(&mut anew, &meta)?;
            tx.update_token(&anew)?;
        }
        change.count(tx, &self.principal)?;
        Ok(done)
    }

    /// The head as it is then, where it is another one.
    fn version(
        &self,
        tx: &mut dyn WriteTx,
        (row, meta): (&TokenRow, &TokenMeta),
        mut head: VersionHead,
        contents: &[NewContent],
        done: &mut Renewed,
    ) -> Result<Option<VersionHead>, Error> {
        let records = self.records();
        let version = records.open_version(&head)?;
        if self.wants_dek(&version) {
            let has_copy = |content| contents.iter().any(|copy| copy.of == content);
            match records.open_dek((row, meta), (&head, &version), self.vault.memory()) {
                Ok(_) if head.content.is_some_and(|content| !has_copy(content)) => done.missed += 1,
                Ok(dek) => match self.reencrypt(tx, (row, meta), (&head, &version), (&dek, contents)) {
                    Ok(anew) => {
                        done.values += 1;
                        return Ok(Some(anew));
                    }
                    // Logged out just now: nothing was written.
                    Err(Error::Locked) => done.locked += 1,
                    Err(error) => return Err(error),
                },
                Err(Error::Locked) => done.locked += 1,
                Err(error) => return Err(error),
            }
        }
        let by_machine = Class::from_u8(head.class) == Some(Class::Machine);
        let seals_dek = by_machine && !records.dek_is_newest((row, meta), (&head, &version))?;
        let seals_meta = !records.version_is_newest(&head)?;
        if seals_dek {
            let dek = records.open_dek((row, meta), (&head, &version), self.vault.memory())?;
            records.seal_dek((row, meta), (&mut head, &version), &dek)?;
        }
        if seals_meta {
            records.seal_version(&mut head, &version)?;
        }
        if !(seals_dek || seals_meta) {
            return Ok(None);
        }
        tx.update_version(&head)?;
        Ok(Some(head))
    }

    /// Puts a version in its place whose value is encrypted under a new DEK. What lies in chunks has a copy.
    fn reencrypt(
        &self,
        tx: &mut dyn WriteTx,
        (row, meta): (&TokenRow, &TokenMeta),
        (before, version): (&VersionHead, &VersionMeta),
        (dek, contents): (&Secret, &[NewContent]),
    ) -> Result<VersionHead, Error> {
        let (records, memory) = (self.records(), self.vault.memory());
        let gone = || Error::Quarantined(format!("a version of token {} has lost its value", row.id));
        let copy = contents.iter().find(|copy| Some(copy.of) == before.content);
        let (drawn, mut head) = (random::secret(memory, KEY_BYTES)?, before.clone());
        head.content = copy.map(|copy| copy.id);
        let new_dek = copy.map_or(&drawn, |copy| &copy.dek);
        let version = VersionMeta { dek_term: Some(self.principal.machine_key.newest_term()), ..version.clone() };
        records.seal_version(&mut head, &version)?;
        records.seal_dek((row, meta), (&mut head, &version), new_dek)?;
        let value = match copy {
            None => {
                let stored = tx.version(head.token, head.version)?.ok_or_else(gone)?;
                let aad = records.value_aad(head.token, head.version);
                let padded = wrap::open(dek, VALUE, aad.as_bytes(), &stored.value, memory)?;
                wrap::seal(new_dek, VALUE, aad.as_bytes(), padded.expose())?
            }
            Some(copy) => {
                tx.use_content(copy.id)?.ok_or_else(gone)?;
                Vec::new()
            }
        };
        tx.delete_version(head.token, head.version)?.ok_or_else(gone)?;
        let anew = VersionRow { head, value };
        tx.insert_version(&anew)?;
        Ok(anew.head)
    }

    /// Seals a record of something issued anew.
    ///
    /// # Errors
    /// As [`Renewal::token`].
    pub fn issued(&self, tx: &mut dyn WriteTx, row: &IssuedRow) -> Result<Renewed, Error> {
        let done = Renewed { rows: 1, ..Renewed::default() };
        if self.open.issued_is_newest(&self.principal, row)? {
            return Ok(done);
        }
        let meta = self.open.open_issued(&self.principal, row)?;
        replace(tx, &self.open, &self.principal, row, &meta)?;
        Ok(done)
    }
}
