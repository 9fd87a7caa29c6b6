//! A share whose uses are counted loses one.

use super::ShareMeta;
use crate::error::Error;
use crate::port::{ShareRow, WriteTx};
use crate::token::found::Shelf;
use crate::token::usage::{self, Change};

/// Takes one use, where they are counted. With the last one the share ends: from then on it is found by its date, and deleted
/// with others that have ended.
pub(in crate::token) fn use_once(
    tx: &mut dyn WriteTx,
    shelf: &Shelf<'_>,
    row: &ShareRow,
    share: &ShareMeta,
) -> Result<(), Error> {
    let Some(uses_left) = share.uses_left.map(|uses| uses.saturating_sub(1)) else { return Ok(()) };
    let expires =
        if uses_left == 0 { Some(share.expires.map_or(shelf.now, |end| end.min(shelf.now))) } else { share.expires };
    let used = ShareMeta { uses_left: Some(uses_left), expires, ..share.clone() };
    let mut changed = row.clone();
    shelf.records().seal_share(&mut changed, &used)?;
    tx.update_share(&changed)?;
    let (added, freed) = (usage::of_share(&changed), usage::of_share(row));
    Change { added, freed, ..Change::default() }.count(tx, shelf.principal)
}
