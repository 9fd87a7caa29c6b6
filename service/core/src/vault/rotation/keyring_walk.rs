//! The keyring: what is stored is sealed with the new terms, and those of before go as soon as nothing needs them.
//!
//! Two kinds of rows outlive the walk, because what they are made of is known to nobody here: hashes of issued tokens, which keep the
//! term they were made with until they end, and records of the audit log. A login key is wrapped once more under the new pepper at once,
//! and under it alone when its user logs in the next time.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::keyring::is_unfinished;
use super::{ENDED, KeyringRotation};
use crate::crypto::Aad;
use crate::error::Error;
use crate::keyring::KeyPurpose;
use crate::port::{MetaKey, Progress, WriteTx};
use crate::vault::{Effect, Event, OpenVault, Vault, due_mark, trusted_time};
use crate::{issued, user};

/// Principals whose rows are sealed anew in one write, and issued tokens that are read at one time.
const PAGE: usize = 64;

/// Principals that are counted at one time.
const COUNTED: usize = 1024;

/// What a rotation of the keyring has done.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct KeyringRenewed {
    /// Rows that were sealed anew.
    pub rows: u64,
    /// Terms of before that something still needs.
    pub kept: u64,
}

impl KeyringRotation {
    /// Seals what is stored anew, a few rows at a time, and then lets go of the terms of before that nothing needs. Blocks; `progress`
    /// counts principals, and what was issued.
    ///
    /// # Errors
    /// [`Error::Quarantined`] when something does not open where it stands, [`Error::LimitsExceeded`] on a full disk,
    /// [`Error::Unavailable`] when the vault was sealed meanwhile, and [`Error::Cancelled`]: all terms are kept then, and what was done
    /// stays done.
    pub fn finish(self, progress: &dyn Progress) -> Result<KeyringRenewed, Error> {
        self.renew(progress)
    }

    pub(super) fn renew(&self, progress: &dyn Progress) -> Result<KeyringRenewed, Error> {
        let mut walk = Walk { total: self.to_look_at()?, ..Walk::default() };
        let mut after = Some(0);
        while let Some(begin) = after {
            self.goes_on(&walk, progress)?;
            let step = self.renew_principals(begin)?;
            walk.add(&step);
            after = step.next;
        }
        self.goes_on(&walk, progress)?;
        walk.renewed += self.write(|vault, open, tx| vault.renew_single(open, tx))?;
        let needed = self.tokens_needed(&mut walk, progress)?;
        self.goes_on(&walk, progress)?;
        let kept = self.settle(walk.peppers, needed)?;
        Ok(KeyringRenewed { rows: walk.renewed, kept })
    }

    /// Says how far it is, and refuses to go on in another opening of the vault than it was begun in.
    fn goes_on(&self, walk: &Walk, progress: &dyn Progress) -> Result<(), Error> {
        self.check_opening()?;
        Ok(progress.report(walk.looked, walk.total.max(walk.looked))?)
    }

    /// How many principals there are, and of what was issued how much, where something of it may need a key of before.
    fn to_look_at(&self) -> Result<u64, Error> {
        let (mut principals, mut after) = (0, 0);
        loop {
            let rows = self.vault.read(|tx| Ok(tx.principals(after, COUNTED)?))?;
            principals += rows.len() as u64;
            match rows.last().filter(|_| rows.len() == COUNTED) {
                Some(last) => after = last.id,
                None => break,
            }
        }
        let issued = if self.open.keyring.tokens().all().len() > 1 { self.vault.totals()?.issued } else { 0 };
        Ok(principals.saturating_add(issued))
    }

    pub(super) fn check_opening(&self) -> Result<(), Error> {
        if self.vault.open()?.opening == self.open.opening {
            return Ok(());
        }
        Err(Error::Unavailable("the vault was sealed meanwhile; what was begun goes on by itself".into()))
    }

    fn write<T: Send + 'static>(
        &self,
        mut work: impl FnMut(&Vault, &OpenVault, &mut dyn WriteTx) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (vault, open) = (Arc::clone(&self.vault), Arc::clone(&self.open));
        self.vault.write_and_wait(self.event.clone(), Effect::Grows, move |tx| work(&vault, &open, tx))
    }

    /// Some principals behind one, with their logins.
    fn renew_principals(&self, after: i64) -> Result<Step, Error> {
        self.write(move |vault, open, tx| {
            let rows = tx.principals(after, PAGE)?;
            let mut step = Step { looked: rows.len() as u64, ..Step::default() };
            for row in &rows {
                let keys = open.keys_in(vault, tx);
                if let Some(renewed) = keys.renewed(row)? {
                    tx.update_principal(&renewed)?;
                    step.renewed += 1;
                }
                if tx.login(row.id)?.is_none() {
                    continue;
                }
                if let Some(login) = vault.renew_login(open, tx, &keys.open(row)?)? {
                    step.renewed += u64::from(login.is_renewed);
                    step.peppers.extend(login.peppers);
                }
            }
            step.next = rows.last().filter(|_| rows.len() == PAGE).map(|last| last.id);
            Ok(step)
        })
    }

    /// The earlier terms under which something that was issued still stands.
    fn tokens_needed(&self, walk: &mut Walk, progress: &dyn Progress) -> Result<BTreeSet<u32>, Error> {
        let mut needed = BTreeSet::new();
        let earlier = self.open.keyring.tokens().all();
        let Some((_, earlier)) = earlier.split_first() else { return Ok(needed) };
        let mut principal = 0;
        // As soon as all are needed nothing more is to be found out.
        while needed.len() < earlier.len() {
            let Some(row) = self.vault.read(|tx| Ok(tx.principals(principal, 1)?.pop()))? else { break };
            principal = row.id;
            let issuer = self.open.keys(&self.vault).open(&row)?;
            let mut after = (i64::MIN, i64::MIN);
            loop {
                let rows = self.vault.read(|tx| Ok(tx.issued_by(principal, after, PAGE)?))?;
                for row in &rows {
                    match issued::term_of(&self.open, &issuer, row, earlier) {
                        Ok(term) => needed.extend(term),
                        // Of one that does not open nobody knows: all stay.
                        Err(Error::Quarantined(_)) => needed.extend(earlier.iter().map(|(term, _)| *term)),
                        Err(error) => return Err(error),
                    }
                }
                walk.looked += rows.len() as u64;
                self.goes_on(walk, progress)?;
                match rows.last().filter(|_| rows.len() == PAGE) {
                    Some(last) => after = (last.expires_day, last.id),
                    None => break,
                }
            }
        }
        Ok(needed)
    }

    /// Lets go of what nothing needs; how many terms of before are kept.
    fn settle(&self, peppers: BTreeSet<u32>, tokens: BTreeSet<u32>) -> Result<u64, Error> {
        if self.open.keyring.earlier_terms().is_empty() {
            return Ok(0);
        }
        let event = Event { operation: ENDED, ..self.event.clone() };
        let (vault, open, audited) = (Arc::clone(&self.vault), Arc::clone(&self.open), event.clone());
        let (told, has_ended) = (Arc::clone(&self.open), is_unfinished(&self.open));
        let retire = Box::new(move |settled: &Result<Vec<(KeyPurpose, u32)>, Error>| {
            for (purpose, term) in settled.iter().flatten() {
                told.keyring.terms(*purpose).into_iter().for_each(|terms| terms.retire(*term));
            }
        });
        self.vault.write_turning((event, Effect::Retires), retire, move |tx| {
            let earlier = open.keyring.earlier_terms();
            let oldest_record = tx.audit(0, 1)?.first().map_or(Some(u32::MAX), |row| open.audit.term_of(row));
            let is_needed = |(purpose, term): &(KeyPurpose, u32)| match purpose {
                KeyPurpose::Tokens => tokens.contains(term),
                KeyPurpose::Pepper => peppers.contains(term),
                KeyPurpose::Audit => oldest_record.is_none_or(|oldest| *term >= oldest),
                KeyPurpose::Users | KeyPurpose::Integrity | KeyPurpose::Index => false,
            };
            let gone: Vec<_> = earlier.into_iter().filter(|term| !is_needed(term)).collect();
            gone.iter().try_for_each(|(purpose, term)| tx.delete_keyring(purpose.as_str(), *term))?;
            if has_ended {
                vault.record_mutation(&open, tx, &audited, 0)?;
            }
            Ok(gone)
        })?;
        Ok(self.open.keyring.earlier_terms().len() as u64)
    }
}

impl Vault {
    /// Seals the values anew of which there is one each; how many were not sealed with the newest term.
    fn renew_single(&self, open: &OpenVault, tx: &mut dyn WriteTx) -> Result<u64, Error> {
        let sealed = [
            (MetaKey::TrustedTime, trusted_time::sealing(open)),
            (MetaKey::ToldExpiry, due_mark::sealing(open)),
            (MetaKey::HeededNotes, user::heeded_sealing(open)),
        ];
        let mut renewed = 0;
        for (key, (purpose, aad)) in sealed {
            renewed += u64::from(open.renew_meta(tx, key, purpose, &aad)?);
        }
        Ok(renewed)
    }
}

impl OpenVault {
    /// Seals a single value with the newest key of users; whether it was not. One that does not open stays as it is: whoever reads it
    /// says so.
    fn renew_meta(&self, tx: &mut dyn WriteTx, key: MetaKey, purpose: &str, aad: &Aad) -> Result<bool, Error> {
        let users = self.users_key();
        let Some(sealed) = tx.meta(key)?.filter(|sealed| !sealed.is_empty()) else { return Ok(false) };
        let Ok(bytes) = users.open_record(purpose, aad.as_bytes(), &sealed) else { return Ok(false) };
        if users.is_newest(purpose, aad.as_bytes(), &sealed)? {
            return Ok(false);
        }
        tx.set_meta(key, &users.seal(purpose, aad.as_bytes(), &bytes)?)?;
        Ok(true)
    }
}

/// How far a rotation has come.
#[derive(Default)]
struct Walk {
    looked: u64,
    /// As many as there were when it began.
    total: u64,
    renewed: u64,
    peppers: BTreeSet<u32>,
}

/// What one write has done.
#[derive(Default)]
struct Step {
    looked: u64,
    renewed: u64,
    /// Terms of the pepper without which a login key does not open.
    peppers: BTreeSet<u32>,
    /// Where there are more principals, the last of these.
    next: Option<i64>,
}

impl Walk {
    fn add(&mut self, step: &Step) {
        self.looked += step.looked;
        self.renewed += step.renewed;
        self.peppers.extend(&step.peppers);
    }
}
