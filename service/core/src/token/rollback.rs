//! `Rollback`: an old value becomes the newest version.

use std::sync::Arc;

use crate::Caller;
use crate::announcement::Happened;
use crate::error::Error;
use crate::name::{ContentType, TokenName};
use crate::policy::Action;
use crate::port::WriteTx;
use crate::token::attachment::{Body, Content, OpenedValue, Stored};
use crate::token::found::{Found, Shelf, TokenInfo};
use crate::token::metadata::Class;
use crate::token::put::Put;
use crate::token::request::{Expiry, NamedRequest, PutOptions};
use crate::vault::{Effect, Event, Reply, Vault};

impl Vault {
    /// Stores the value of an earlier version as a new one. Answers once it is durable, with the token as it is then.
    pub fn rollback(self: &Arc<Self>, caller: &Caller, request: NamedRequest, version: u64, reply: Reply<TokenInfo>) {
        let open = match self.open() {
            Ok(open) => open,
            Err(error) => return reply(Err(error)),
        };
        let event = Event::new(caller, "Rollback").about(request.owner.uid(caller), request.name.as_str());
        let (vault, caller, audited) = (Arc::clone(self), caller.clone(), event.clone());
        self.write_announced(event, Effect::Grows, reply, move |tx| {
            let principal =
                vault.judged_in(&open, tx, &caller, request.owner, Action::Write)?.ok_or(Error::NotFound)?;
            let shelf = Shelf { open: &open, principal: &principal, now: vault.moment() };
            let info = rollback(&vault, tx, (&caller, shelf), &request.name, version)?;
            vault.record_mutation(&open, tx, &audited, info.version)?;
            let said = shelf.announce_stored(&vault, tx, &request.name, (&info, Happened::RolledBack))?;
            Ok((info, said))
        });
    }
}

fn rollback(
    vault: &Vault,
    tx: &mut dyn WriteTx,
    (caller, shelf): (&Caller, Shelf<'_>),
    name: &TokenName,
    version: u64,
) -> Result<TokenInfo, Error> {
    let current = shelf.find(tx, name)?;
    let (head, stored) = Stored::find(tx, tx.version(current.row.id, version)?.ok_or(Error::NotFound)?)?;
    let old = Found::open(shelf.records(), current.row, head)?;
    if old.version.is_expired(&shelf.now) {
        return Err(Error::NotFound);
    }
    let value = vault.open_stored((&shelf, caller), &old, &stored)?;
    let options = PutOptions {
        class: Class::from_u8(old.head.class),
        content_type: Some(ContentType::parse(&old.version.content_type)?),
        expiry: old.version.end().map_or(Expiry::Never, Expiry::With),
        ..PutOptions::default()
    };
    let put = Put { vault, shelf, name, options: &options };
    match (value, old.head.content) {
        (OpenedValue::Whole(value), _) => put.store(tx, &Body::Value(&value)),
        (OpenedValue::Chunked(..), None) => Err(Error::Internal("a value in chunks has no content".into())),
        // The chunks stay where they are: both versions have them.
        (OpenedValue::Chunked(..), Some(id)) => {
            let dek = vault.open_dek(&shelf, &old)?;
            let content = Content { id, size: old.version.size, dek, had_by: Some(old.version.dek_term) };
            put.store(tx, &Body::Content(&content))
        }
    }
}
