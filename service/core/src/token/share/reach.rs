//! The way to a token that is another's: by the shares its caller has of it.
//!
//! Missing, foreign and not shared are one path, of as many steps. It asks whose the token is by the tag of a uid, computes the
//! tag of its name, and looks for a share of that token with each number the caller has; where there is no such owner or token,
//! another one is found, and shares of a token are looked for that cannot be. Nothing of a token is read before a share of it was
//! found. What lies opened for its owner is not looked at: a share that was ended gives nothing from the moment that is durable.

use std::sync::Arc;

use super::{Permission, ShareMeta};
use crate::Caller;
use crate::crypto::{mac, tag};
use crate::error::Error;
use crate::grantee::{Key, keys_of};
use crate::issued::{GroupNow, Membership};
use crate::name::TokenName;
use crate::owner::Owner;
use crate::port::{ReadTx, ShareRow};
use crate::principal::Principal;
use crate::token::found::{Found, Grant, Shelf, TokenInfo};
use crate::vault::{OpenVault, Vault};

/// An answer, or what there has to be first.
#[derive(Debug)]
pub enum Asked<T> {
    /// The answer.
    Answer(T),
    /// It hangs on the numbers that groups of these names have now: to be looked up, and asked again with them.
    Groups(Vec<String>),
}

impl<T> Asked<T> {
    /// The same with another answer.
    ///
    /// # Errors
    /// What `then` fails with.
    pub fn and_then<U>(self, then: impl FnOnce(T) -> Result<U, Error>) -> Result<Asked<U>, Error> {
        match self {
            Self::Answer(answer) => then(answer).map(Asked::Answer),
            Self::Groups(names) => Ok(Asked::Groups(names)),
        }
    }
}

/// Somebody, and a token that is another's.
#[derive(Clone, Copy)]
pub(in crate::token) struct Foreign<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// What was looked up of groups.
    pub groups: &'a [GroupNow],
    /// Whose token.
    pub owner: Owner,
    /// Which.
    pub name: &'a TokenName,
}

/// A share that the caller has and that has not ended.
pub(in crate::token) struct Held {
    pub row: ShareRow,
    pub meta: ShareMeta,
}

/// A live token that is shared with the caller.
pub(in crate::token) struct Reach {
    pub principal: Arc<Principal>,
    pub found: Found,
    /// At least one.
    pub held: Vec<Held>,
}

impl Foreign<'_> {
    /// The token, where it is shared with the caller. Groups that were not looked up are asked for, unless a share that needs
    /// none is `enough`.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::ShareOver`] when nothing is left of what was shared.
    pub fn reach(
        &self,
        vault: &Vault,
        open: &OpenVault,
        tx: &dyn ReadTx,
        enough: fn(&ShareMeta) -> bool,
    ) -> Result<Asked<Reach>, Error> {
        self.reach_by(&keys_of(self.caller)?, (vault, open), tx, enough)
    }

    /// The same inside a write, which is no place for looking by a thousand groups: by those alone that were looked up. All were
    /// before, where the token was reached.
    ///
    /// # Errors
    /// As [`Foreign::reach`].
    pub fn reach_again(&self, vault: &Vault, open: &OpenVault, tx: &dyn ReadTx) -> Result<Asked<Reach>, Error> {
        let known = self.groups.iter().filter_map(|now| now.gid).filter(|gid| self.caller.gids.contains(gid));
        let keys: Vec<Key<'_>> = [Key::Uid(self.caller.uid)].into_iter().chain(known.map(Key::Gid)).collect();
        self.reach_by(&keys, (vault, open), tx, |_| true)
    }

    fn reach_by(
        &self,
        keys: &[Key<'_>],
        (vault, open): (&Vault, &OpenVault),
        tx: &dyn ReadTx,
        enough: fn(&ShareMeta) -> bool,
    ) -> Result<Asked<Reach>, Error> {
        let rows = self.rows(keys, (vault, open), tx)?;
        let owner = self.owner.uid(self.caller).filter(|_| !rows.is_empty()).ok_or(Error::NotFound)?;
        let is_meant = |owner: &Arc<Principal>| owner.serves(self.caller.uid) && self.owner.means(owner);
        let principal = vault.find_principal(open, tx, owner)?.filter(is_meant).ok_or(Error::NotFound)?;
        let shelf = Shelf { open, principal: &principal, now: vault.moment() };
        let found = shelf.find(tx, self.name).map_err(|error| match error {
            Error::NotFound => Error::ShareOver,
            error => error,
        })?;
        let mut looked = Looked::default();
        for row in rows {
            let meta = shelf.records().open_share(&row)?;
            looked.sort(Held { row, meta }, self, &shelf);
        }
        if !looked.unknown.is_empty() && !looked.held.iter().any(|held| enough(&held.meta)) {
            return Ok(Asked::Groups(looked.unknown));
        }
        match looked.held {
            held if !held.is_empty() => Ok(Asked::Answer(Reach { principal, found, held })),
            _ if looked.has_ended => Err(Error::ShareOver),
            _ => Err(Error::NotFound),
        }
    }

    /// The shares of the token that may be meant for the caller, whether or not there is such a token, or such an owner.
    fn rows(
        &self,
        keys: &[Key<'_>],
        (vault, open): (&Vault, &OpenVault),
        tx: &dyn ReadTx,
    ) -> Result<Vec<ShareRow>, Error> {
        // A uid that nobody has: setreuid(2).
        let uid_tag = open.keys(vault).uid_tag(self.owner.uid(self.caller).unwrap_or(u32::MAX));
        let generation = match tx.principal_or_other(&uid_tag)? {
            Some(row) if mac::equal(&row.uid_tag, &uid_tag) => row.generation,
            _ => [0; 16],
        };
        let name_tag = tag::name_tag(&open.names_key(&generation, vault.memory())?, self.name);
        let (found, found_tag) = tx.token_id_or_other(&name_tag)?.unwrap_or_default();
        // No row has a negative number, and of another token no share is to be found: that would take longer.
        let token = if mac::equal(&found_tag, &name_tag) { found } else { -found.max(1) };
        let mut rows = Vec::new();
        for key in keys {
            rows.extend(tx.share(token, &open.key_tag(*key))?);
        }
        Ok(rows)
    }
}

/// Shares that may be a caller's, told apart.
#[derive(Default)]
pub(super) struct Looked {
    /// Those that are, and have not ended.
    pub held: Vec<Held>,
    /// The groups that have to be looked up for others.
    pub unknown: Vec<String>,
    /// Whether there is one that has ended.
    pub has_ended: bool,
}

impl Looked {
    /// Puts a share where it belongs.
    pub fn sort(&mut self, share: Held, asked: &Foreign<'_>, shelf: &Shelf<'_>) {
        let is_theirs = match share.meta.grantee.membership(asked.caller) {
            Membership::Yes => true,
            Membership::No => false,
            Membership::IfGroup(group) => match asked.groups.iter().find(|now| now.name == group.name) {
                Some(now) => now.gid == Some(group.number),
                // That it was theirs costs no look-up: nothing comes of it but that it is no miss.
                None if share.meta.has_ended(&shelf.now) => true,
                None => return self.unknown.push(group.name.clone()),
            },
        };
        if is_theirs && share.meta.has_ended(&shelf.now) {
            self.has_ended = true;
        } else if is_theirs {
            self.held.push(share);
        }
    }
}

/// What a grantee is told: the best of what it may do, and the first note.
pub(super) fn grant_of(held: &[Held]) -> Grant {
    let writes = held.iter().any(|held| held.meta.permission == Permission::Write);
    let note = held.iter().map(|held| held.meta.note.as_str()).find(|note| !note.is_empty());
    Grant {
        permission: if writes { Permission::Write } else { Permission::Read },
        note: note.unwrap_or_default().to_owned(),
    }
}

impl Reach {
    /// What the caller is told.
    pub fn info(&self) -> Result<TokenInfo, Error> {
        Ok(TokenInfo { grant: Some(grant_of(&self.held)), ..self.found.info(self.principal.uid)? })
    }

    /// The token's shelf.
    pub fn shelf<'a>(&'a self, vault: &Vault, open: &'a OpenVault) -> Shelf<'a> {
        Shelf { open, principal: &self.principal, now: vault.moment() }
    }

    /// The share by which something that needs `permission` is done: one without a limit before one that is counted.
    pub fn share_for(&self, permission: Permission) -> Option<&Held> {
        let suits = |held: &&Held| permission == Permission::Read || held.meta.permission == permission;
        self.held.iter().filter(suits).min_by_key(|held| held.meta.uses_left.is_some())
    }
}

/// What a caller is told when something of another's is locked.
pub(in crate::token) fn of_another(error: Error) -> Error {
    match error {
        Error::Locked => Error::OwnerLocked,
        error => error,
    }
}
