//! What a unit is given when it starts: the value of a machine token that is shared with it.
//!
//! Who asks here is the service manager, which alone says which unit it asks for. A refusal has a cause of its own for whoever
//! reads the journal; the unit itself only fails.

use std::sync::Arc;

use super::count::use_once;
use super::{CredentialRefusal, ShareMeta};
use crate::error::Error;
use crate::grantee::Grantee;
use crate::name::TokenName;
use crate::owner::Owner;
use crate::policy::Action;
use crate::port::{ReadTx, ShareRow, Tag};
use crate::principal::Principal;
use crate::token::attachment::Stored;
use crate::token::found::{Found, Shelf};
use crate::token::metadata::Class;
use crate::unit::UnitName;
use crate::vault::{Effect, Event, OpenVault, Reply, Vault};
use crate::{Caller, Secret, Timestamp};

/// What the audit log has for the purpose, also where a token requires that one is named: the unit and its file name it.
const PURPOSE: &str = "LoadCredential";

/// What systemd takes of all credentials of a unit, bytes, with their names; a longer one by itself fails the unit.
const CREDENTIALS_BYTES_MAX: u64 = 1 << 20;

/// A value on its way to a unit.
pub struct Credential {
    /// Number of the version.
    pub version: u64,
    /// The value.
    pub value: Secret,
}

/// What a unit would be given, without the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialGrant {
    /// Number of the version.
    pub version: u64,
    /// Bytes of the value.
    pub size: u64,
    /// When the share ends.
    pub expires: Option<Timestamp>,
    /// How often the share may still be used; `None`: without a limit.
    pub uses_left: Option<u32>,
}

/// Called once with what a unit is given, possibly on the writer's thread: it must only hand the result on.
pub type CredentialReply = Box<dyn FnOnce(Result<Credential, CredentialRefusal>) + Send>;

impl Vault {
    /// Fetches what a unit asks for. `caller` is the service manager. Answers when the use is counted and written down.
    pub fn load_credential(self: &Arc<Self>, caller: &Caller, unit: &UnitName, id: &str, reply: CredentialReply) {
        let event = event(caller, unit, id);
        let vault = Arc::clone(self);
        let noted = event.clone();
        let reply: CredentialReply = Box::new(move |result| {
            if let Err(refusal) = &result {
                vault.note_refusal(&noted, &refusal.as_error());
            }
            reply(result);
        });
        let found = self.open().map_err(Into::into).and_then(|open| {
            let asked = Asked::new(self, &open, caller, unit, id)?;
            let look = self.look_at(&open, &asked)?;
            Ok((open, asked, look))
        });
        let (open, asked, look) = match found {
            Ok(found) => found,
            Err(refusal) => return reply(Err(refusal)),
        };
        match look.share.uses_left {
            Some(_) => self.use_up(open, asked, event, reply),
            None => self.hand_out(&open, &asked, &look, event, reply),
        }
    }

    /// What a unit would be given now.
    ///
    /// # Errors
    /// [`CredentialRefusal`].
    pub fn test_credential(
        &self,
        caller: &Caller,
        unit: &UnitName,
        id: &str,
    ) -> Result<CredentialGrant, CredentialRefusal> {
        let open = self.open()?;
        let asked = Asked::new(self, &open, caller, unit, id)?;
        let look = self.look_at(&open, &asked)?;
        let shelf = asked.shelf(self, &open);
        // Whether it opens is part of the answer; the value goes no further.
        self.read(|tx| Ok(self.open_for_unit((caller, &shelf), tx, &look)))??;
        Ok(CredentialGrant {
            version: look.found.head.version,
            size: look.found.version.size,
            expires: look.share.expires,
            uses_left: look.share.uses_left,
        })
    }

    fn look_at(&self, open: &OpenVault, asked: &Asked) -> Result<Look, CredentialRefusal> {
        let shelf = asked.shelf(self, open);
        self.read(|tx| Ok(asked.find(&shelf, tx)))?
    }

    /// Of a share that may be used without a limit.
    fn hand_out(self: &Arc<Self>, open: &OpenVault, asked: &Asked, look: &Look, event: Event, reply: CredentialReply) {
        let shelf = asked.shelf(self, open);
        let version = look.found.head.version;
        let opened = self
            .read(|tx| Ok(self.open_for_unit((&event.caller, &shelf), tx, look)))
            .unwrap_or_else(|error| Err(error.into()))
            .and_then(|value| Ok((value, self.note_read(event, version)?)));
        match opened {
            Err(refusal) => reply(Err(refusal)),
            Ok((value, None)) => reply(Ok(Credential { version, value })),
            Ok((value, Some(receipt))) => self.settle(
                receipt,
                Box::new(move |durable| {
                    reply(durable.map(|()| Credential { version, value }).map_err(Into::into));
                }),
            ),
        }
    }

    /// Of a share whose uses are counted: the count, the record and the value belong to one transaction, and of many who want
    /// the last use one gets it.
    fn use_up(self: &Arc<Self>, open: Arc<OpenVault>, asked: Asked, event: Event, reply: CredentialReply) {
        let (vault, audited) = (Arc::clone(self), event.clone());
        let reply: Reply<Result<Credential, CredentialRefusal>> =
            Box::new(move |result| reply(result.unwrap_or_else(|error| Err(error.into()))));
        self.write(event, Effect::Reserved, reply, move |tx| {
            let shelf = asked.shelf(&vault, &open);
            let look = match asked.find(&shelf, tx) {
                Ok(look) => look,
                Err(CredentialRefusal::Vault(error)) => return Err(error),
                // Nothing is written for it.
                Err(refusal) => return Ok(Err(refusal)),
            };
            let version = look.found.head.version;
            let value = match vault.open_for_unit((&audited.caller, &shelf), tx, &look) {
                Ok(value) => value,
                Err(refusal) => return Ok(Err(refusal)),
            };
            use_once(tx, &shelf, &look.row, &look.share)?;
            vault.record_mutation(&open, tx, &audited, version)?;
            Ok(Ok(Credential { version, value }))
        });
    }
}

impl Vault {
    /// The value, all of it: a unit gets no part of one. What is not in the row is read on `tx`.
    fn open_for_unit(
        &self,
        (caller, shelf): (&Caller, &Shelf<'_>),
        tx: &dyn ReadTx,
        look: &Look,
    ) -> Result<Secret, CredentialRefusal> {
        let size = look.found.version.size;
        let limit = CREDENTIALS_BYTES_MAX.saturating_sub(look.found.meta.name.len() as u64);
        if size > limit {
            return Err(CredentialRefusal::TooLarge { size, limit });
        }
        self.check_values_leave()?;
        let value = self.open_stored((shelf, caller), &look.found, &look.value)?;
        Ok(self.read_whole(shelf.open, tx, value)?)
    }
}

/// A request, and whose shelf it is about.
struct Asked {
    principal: Arc<Principal>,
    name: TokenName,
    grantee_tag: Tag,
}

impl Asked {
    fn new(
        vault: &Vault,
        open: &OpenVault,
        caller: &Caller,
        unit: &UnitName,
        id: &str,
    ) -> Result<Self, CredentialRefusal> {
        let name = TokenName::parse(id).map_err(|error| CredentialRefusal::NoName(error.to_string()))?;
        let principal = vault.judged(open, caller, Owner::Machine, Action::Read)?.ok_or(CredentialRefusal::NoToken)?;
        Ok(Self { principal, name, grantee_tag: open.grantee_tag(&Grantee::Unit(unit.clone())) })
    }

    fn shelf<'a>(&'a self, vault: &Vault, open: &'a OpenVault) -> Shelf<'a> {
        Shelf { open, principal: &self.principal, now: vault.moment() }
    }

    /// The token with its value, and the share that lets the unit have it now.
    fn find(&self, shelf: &Shelf<'_>, tx: &dyn ReadTx) -> Result<Look, CredentialRefusal> {
        let found = shelf.find_any(tx, &self.name)?.ok_or(CredentialRefusal::NoToken)?;
        if found.version.is_expired(&shelf.now) {
            return Err(CredentialRefusal::TokenExpired);
        }
        if found.class()? != Class::Machine {
            return Err(CredentialRefusal::LoginClass);
        }
        let row = tx.share(found.row.id, &self.grantee_tag).map_err(Error::from)?;
        let row = row.ok_or(CredentialRefusal::NotShared)?;
        let share = shelf.records().open_share(&row)?;
        if share.uses_left == Some(0) {
            return Err(CredentialRefusal::NoUsesLeft);
        }
        if share.is_expired(&shelf.now) {
            return Err(CredentialRefusal::ShareExpired);
        }
        let version = tx.version(found.row.id, found.row.current).map_err(Error::from)?;
        let version = version
            .ok_or_else(|| Error::Quarantined(format!("token {} has lost its current version", found.row.id)))?;
        let (_, value) = Stored::find(tx, version)?;
        Ok(Look { found, value, row, share })
    }
}

/// What was found of a token and its share.
struct Look {
    found: Found,
    value: Stored,
    row: ShareRow,
    share: ShareMeta,
}

/// What the audit log is told of a request.
fn event(caller: &Caller, unit: &UnitName, id: &str) -> Event {
    let mut event = Event::new(caller, "LoadCredential").about(Some(0), id);
    PURPOSE.clone_into(&mut event.purpose);
    event.unit = Some(unit.as_str().to_owned());
    event
}
