//! Offers: a code that gives somebody a token's value once.
//!
//! An offer belongs to the row of its token: it follows a rename, goes with a delete, and does not come back with the name of an
//! expired token. It lies with what was issued, and counts wrong codes as codes do.

mod make;
mod redeem;

pub use make::{OfferRequest, Offered};
pub use redeem::{OfferedSize, RedeemRequest, Redeemed};

use crate::error::Error;
use crate::port::{ReadTx, WriteTx};
use crate::principal::Principal;
use crate::token::metadata::Records;
use crate::token::usage::{self, Change};
use crate::vault::OpenVault;

/// Withdraws all offers of a token; what is to be counted for it.
pub(in crate::token) fn drop_offers(tx: &mut dyn WriteTx, token: i64) -> Result<Change, Error> {
    let mut change = Change::default();
    for offer in tx.offers(token)? {
        tx.delete_issued(&offer.tag)?;
        change.issued -= 1;
        change.freed += usage::of_issued(&offer);
    }
    Ok(change)
}

impl OpenVault {
    /// The name that the token of an offer has now.
    pub(crate) fn offered_name(&self, tx: &dyn ReadTx, principal: &Principal, token: i64) -> Result<String, Error> {
        let row = tx.token_by_id(token)?;
        let row = row.ok_or_else(|| Error::Quarantined(format!("the offered token {token} is missing")))?;
        Ok(Records { open: self, principal }.open_token(&row)?.name)
    }
}
