//! A user was deleted: what was shared with it ends.
//!
//! It was shared with a person, by somebody whom nobody asks when the uid goes to the next one; and an administrator who gives
//! the tokens of the one to the other gives away what was theirs, and not what others had lent them. A user who never stored
//! anything is none the vault knows, and may be a grantee all the same: so shares end, and are not marked as ended.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{drop_share, note_shared};
use crate::Caller;
use crate::error::Error;
use crate::grantee::Key;
use crate::port::{ReadTx, ShareRow, Tag, WriteTx};
use crate::principal::Principal;
use crate::token::found::{Found, Shelf};
use crate::token::usage::Change;
use crate::vault::{Effect, Event, OpenVault, Vault};

/// Shares that are ended in one step; others write between two steps.
const STEP: usize = 64;

impl Vault {
    /// Ends what is shared with a uid, whatever name it has; how many shares that were. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read or written; what was ended before stays so.
    pub(crate) fn end_shares_with(
        self: &Arc<Self>,
        caller: &Caller,
        open: &Arc<OpenVault>,
        uid: u32,
    ) -> Result<u64, Error> {
        let tag = open.key_tag(Key::Uid(uid));
        let (mut after, mut ended) = (0, 0);
        loop {
            let (last, owners) = self.read(|tx| shared_by(self, open, tx, (&tag, after)))?;
            let Some(last) = last else { return Ok(ended) };
            after = last;
            for (principal, tokens) in owners {
                ended += match self.end_shares_of(caller, open, &principal, (tag, tokens.clone())) {
                    // A share that does not open gives nothing, and keeps no other from being ended.
                    Err(Error::Quarantined(_)) => self.end_those_that_open(caller, open, &principal, (tag, tokens))?,
                    ended => ended?,
                };
            }
        }
    }

    fn end_those_that_open(
        self: &Arc<Self>,
        caller: &Caller,
        open: &Arc<OpenVault>,
        principal: &Arc<Principal>,
        (tag, tokens): (Tag, Vec<i64>),
    ) -> Result<u64, Error> {
        let mut ended = 0;
        for token in tokens {
            match self.end_shares_of(caller, open, principal, (tag, vec![token])) {
                Err(Error::Quarantined(_)) => {}
                one => ended += one?,
            }
        }
        Ok(ended)
    }

    fn end_shares_of(
        self: &Arc<Self>,
        caller: &Caller,
        open: &Arc<OpenVault>,
        principal: &Arc<Principal>,
        (tag, tokens): (Tag, Vec<i64>),
    ) -> Result<u64, Error> {
        let event = Event::new(caller, "Unshare").about(Some(principal.uid), "");
        let (vault, open, principal) = (Arc::clone(self), Arc::clone(open), Arc::clone(principal));
        let event_of = event.clone();
        self.write_and_wait(event, Effect::Reserved, move |tx| {
            let shelf = Shelf { open: &open, principal: &principal, now: vault.moment() };
            let mut ended = 0;
            for token in &tokens {
                let Some(row) = tx.share(*token, &tag)? else { continue };
                let (name, grantee) = end(tx, &shelf, &row)?;
                let mut event = event_of.clone().about(Some(principal.uid), &name);
                event.grantee = Some(grantee);
                vault.record_mutation(&open, tx, &event, 0)?;
                ended += 1;
            }
            Ok(ended)
        })
    }
}

/// Tokens by their owners.
type ByOwner = Vec<(Arc<Principal>, Vec<i64>)>;

/// The next tokens that are shared with somebody, and the number of the last of these shares. Whoever is gone a moment later has
/// taken them along.
fn shared_by(
    vault: &Vault,
    open: &OpenVault,
    tx: &dyn ReadTx,
    (tag, after): (&Tag, i64),
) -> Result<(Option<i64>, ByOwner), Error> {
    let rows = tx.shares_with(tag, after, STEP)?;
    let mut tokens: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for row in &rows {
        if let Some(token) = tx.token_by_id(row.token)? {
            tokens.entry(token.principal).or_default().push(token.id);
        }
    }
    let owners = tokens.into_iter().filter_map(|(owner, tokens)| match vault.find_principal_by_id(open, tx, owner) {
        // Of an owner that does not open nothing is given, and it keeps no other's share from being ended.
        Err(Error::Quarantined(_)) => None,
        owner => Some(owner.map(|owner| (owner, tokens))),
    });
    Ok((rows.last().map(|row| row.id), owners.collect::<Result<_, Error>>()?))
}

/// Ends a share; the name of its token, and with whom it was.
fn end(tx: &mut dyn WriteTx, shelf: &Shelf<'_>, row: &ShareRow) -> Result<(String, String), Error> {
    let lost = || Error::Quarantined(format!("the token of share {} is missing", row.id));
    let token = tx.token_by_id(row.token)?.ok_or_else(lost)?;
    let head = tx.version_head(token.id, token.current)?.ok_or_else(lost)?;
    let found = Found::open(shelf.records(), token, head)?;
    let grantee = shelf.records().open_share(row)?.grantee.to_string();
    let freed = drop_share(tx, row)?;
    let left = !ReadTx::shares(tx, found.row.id)?.is_empty();
    let counted = note_shared(tx, shelf, &found, left)?;
    Change { freed: counted.freed + freed, ..counted }.count(tx, shelf.principal)?;
    Ok((found.meta.name, grantee))
}
