//! What is said of a token after a change.

use crate::announcement::{Announcement, Happened, News};
use crate::error::Error;
use crate::grantee::Grantee;
use crate::name::TokenName;
use crate::port::ReadTx;
use crate::token::found::{Found, Shelf, TokenInfo};

impl Shelf<'_> {
    /// With whom a token is shared now; of an owner who is frozen or disabled nothing is.
    pub fn grantees(&self, tx: &dyn ReadTx, found: &Found) -> Result<Vec<Grantee>, Error> {
        if !found.meta.shared || !self.principal.active {
            return Ok(Vec::new());
        }
        let mut grantees = Vec::new();
        for row in tx.shares(found.row.id)? {
            let share = match self.records().open_share(&row) {
                Ok(share) => share,
                // What does not open keeps nobody from changing or deleting the token.
                Err(Error::Quarantined(_)) => continue,
                Err(error) => return Err(error),
            };
            if !share.is_expired(self.now) && share.uses_left != Some(0) {
                grantees.push(share.grantee);
            }
        }
        Ok(grantees)
    }

    /// What is said of the token of this name, if there is one.
    pub fn announce(&self, tx: &dyn ReadTx, name: &TokenName, happened: Happened) -> Result<Vec<Announcement>, Error> {
        let Some(found) = self.find_any(tx, name)? else { return Ok(Vec::new()) };
        // What is left may have expired before.
        let version = if found.version.is_expired(self.now) { 0 } else { found.row.current };
        let news = News::Changed { happened, version, expires: found.version.expires };
        let grantees = self.grantees(tx, &found)?;
        Ok(vec![Announcement { owner: self.principal.uid, name: name.as_str().to_owned(), news, grantees }])
    }

    /// The same of a token that was just stored.
    pub fn announce_stored(
        &self,
        tx: &dyn ReadTx,
        name: &TokenName,
        (info, happened): (&TokenInfo, Happened),
    ) -> Result<Vec<Announcement>, Error> {
        // With whom it is shared has to be looked up, and mostly it is with nobody.
        if info.shared {
            return self.announce(tx, name, happened);
        }
        let news = News::Changed { happened, version: info.version, expires: info.expires };
        Ok(vec![Announcement { owner: info.owner, name: info.name.clone(), news, grantees: Vec::new() }])
    }
}
