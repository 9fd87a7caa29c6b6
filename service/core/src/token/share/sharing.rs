//! Whether a token is shared at this moment.

use crate::error::Error;
use crate::port::ReadTx;
use crate::token::found::{Found, Shelf};
use crate::vault::Vault;

/// What the shares of a token say of it now. Its metadata says that it has shares; those may have ended since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::token) struct Sharing {
    /// Whether it is shared with anyone.
    pub shared: bool,
    /// Whether that stays so until something is written of it: no share decides it that ends, or has ended, by itself.
    pub lasts: bool,
    /// Shares that were looked at for it.
    pub looked_at: usize,
}

impl Vault {
    /// [`Sharing::of`] where nothing is being read: the store is asked only for a token that has shares.
    pub(in crate::token) fn sharing(&self, shelf: &Shelf<'_>, found: &Found) -> Result<Sharing, Error> {
        match found.meta.shared {
            false => Ok(Sharing::WITH_NOBODY),
            true => self.read(|tx| Sharing::of(tx, shelf, found)),
        }
    }
}

impl Sharing {
    const WITH_NOBODY: Self = Self { shared: false, lasts: true, looked_at: 0 };

    /// Looks at the shares of a token until one is found that has not ended.
    pub fn of(tx: &dyn ReadTx, shelf: &Shelf<'_>, found: &Found) -> Result<Self, Error> {
        if !found.meta.shared {
            return Ok(Self::WITH_NOBODY);
        }
        let mut sharing = Self { shared: false, lasts: false, looked_at: 0 };
        let mut shares = tx.shares(found.row.id)?;
        // One without a date decides: it has not expired, and has uses left.
        shares.sort_by_key(|share| share.expires_day.is_some());
        for row in &shares {
            sharing.looked_at += 1;
            let share = match shelf.records().open_share(row) {
                Ok(share) => share,
                // It gives nobody anything, and takes the token from nobody.
                Err(Error::Quarantined(_)) => continue,
                Err(error) => return Err(error),
            };
            if !share.has_ended(&shelf.now) {
                sharing.shared = true;
                sharing.lasts = share.expires.is_none() && share.uses_left.is_none();
                break;
            }
        }
        Ok(sharing)
    }
}
