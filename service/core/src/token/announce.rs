//! What is said of a token after a change.

use std::collections::BTreeSet;

use crate::announcement::{Announcement, Happened, News};
use crate::error::Error;
use crate::grantee::Grantee;
use crate::name::TokenName;
use crate::port::{ReadTx, ShareRow};
use crate::token::found::{Found, Shelf, TokenInfo};
use crate::vault::{OpenVault, Vault};

/// Tokens of an owner that are looked at in one step.
const STEP: usize = 64;

impl Shelf<'_> {
    /// With whom of those who listen a token is shared now; of an owner who is frozen or disabled nothing is.
    pub fn grantees(&self, vault: &Vault, tx: &dyn ReadTx, found: &Found) -> Result<Vec<Grantee>, Error> {
        if !found.meta.shared || !self.principal.active || self.principal.estranged || !vault.is_heard() {
            return Ok(Vec::new());
        }
        let mut shares = tx.shares(found.row.id)?;
        vault.keep_heard(self.open, &mut shares)?;
        let mut grantees = Vec::new();
        for share in &shares {
            grantees.extend(self.grantee(share)?);
        }
        Ok(grantees)
    }

    /// With whom a share is, where it has not ended.
    fn grantee(&self, share: &ShareRow) -> Result<Option<Grantee>, Error> {
        match self.records().open_share(share) {
            Ok(share) => Ok((!share.has_ended(&self.now)).then_some(share.grantee)),
            // What does not open keeps nobody from changing or deleting the token.
            Err(Error::Quarantined(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What is said of the token of this name, if there is one.
    pub fn announce(
        &self,
        vault: &Vault,
        tx: &dyn ReadTx,
        (name, happened): (&TokenName, Happened),
    ) -> Result<Vec<Announcement>, Error> {
        let Some(found) = self.find_any(tx, name)? else { return Ok(Vec::new()) };
        // What is left may have expired before.
        let version = if found.version.is_expired(&self.now) { 0 } else { found.row.current };
        let news = News::Changed { happened, version, expires: found.version.expires };
        let grantees = self.grantees(vault, tx, &found)?;
        Ok(vec![Announcement { owner: self.principal.uid, name: name.as_str().to_owned(), news, grantees }])
    }

    /// The same of a token that was just stored.
    pub fn announce_stored(
        &self,
        vault: &Vault,
        tx: &dyn ReadTx,
        name: &TokenName,
        (info, happened): (&TokenInfo, Happened),
    ) -> Result<Vec<Announcement>, Error> {
        // With whom it is shared has to be looked up, and mostly it is with nobody.
        if info.shared {
            return self.announce(vault, tx, (name, happened));
        }
        let news = News::Changed { happened, version: info.version, expires: info.expires };
        Ok(vec![Announcement { owner: info.owner, name: info.name.clone(), news, grantees: Vec::new() }])
    }
}

impl Vault {
    /// With whom of those who listen any token of a principal is shared, also while that is frozen or disabled. Blocks.
    pub(crate) fn grantees_of_all(&self, open: &OpenVault, principal: i64) -> Result<Vec<Grantee>, Error> {
        let (mut grantees, mut known, mut after) = (Vec::new(), BTreeSet::new(), 0);
        if !self.is_heard() {
            return Ok(grantees);
        }
        let owner = self.principal_by_id(open, principal)?;
        let shelf = Shelf { open, principal: &owner, now: self.moment() };
        loop {
            let (last, mut shares) = self.read(|tx| {
                let (mut last, mut shares) = (None, Vec::new());
                for (token, _) in tx.tokens(principal, &[], after, STEP)? {
                    last = Some(token.id);
                    shares.extend(tx.shares(token.id)?);
                }
                Ok((last, shares))
            })?;
            let Some(last) = last else { return Ok(grantees) };
            after = last;
            self.keep_heard(open, &mut shares)?;
            for share in &shares {
                if known.contains(&share.grantee_tag) {
                    continue;
                }
                if let Some(grantee) = shelf.grantee(share)? {
                    known.insert(share.grantee_tag);
                    grantees.push(grantee);
                }
            }
        }
    }
}
