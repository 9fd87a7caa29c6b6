//! The rest of `Validate`, where it is counted: a use that is taken, a code that was tried. Compared, counted and written down in
//! one transaction, whose end the answer waits for.

use std::sync::Arc;

use super::list::IssuedInfo;
use super::record::{IssuedKey, IssuedMeta, Kind, kind_of};
use super::request::ValidateRequest;
use super::validate::{GroupNow, event, is_good_for, may_validate};
use crate::Caller;
use crate::audit::Outcome;
use crate::error::Error;
use crate::owner::Owner;
use crate::policy::Action;
use crate::port::{IssuedRow, WriteTx};
use crate::principal::Principal;
use crate::token::usage::{self, Change};
use crate::vault::{Event, OpenVault, Reply, Vault};

/// What came of it.
pub struct Counted {
    /// What is told of it, if it is valid: what it says after the use.
    pub valid: Option<IssuedInfo>,
    /// Whether anything had to be written: of many who want the last use, only one writes.
    pub written: bool,
}

impl Counted {
    const NOT_VALID: Self = Self { valid: None, written: false };
}

impl Vault {
    /// Decides about what [`Vault::validate`] left to be counted. Answers once it is durable.
    pub fn validate_counted(
        self: &Arc<Self>,
        caller: &Caller,
        request: ValidateRequest,
        group: Option<GroupNow>,
        reply: Reply<Counted>,
    ) {
        let (open, id) = match (self.open(), request.presented.id()) {
            (Ok(open), Some(id)) => (open, id),
            (Ok(_), None) => return reply(Ok(Counted::NOT_VALID)),
            (Err(error), _) => return reply(Err(error)),
        };
        let asked = event(caller, id, None);
        let (vault, noted, caller) = (Arc::clone(self), asked.clone(), caller.clone());
        let told = Arc::clone(self);
        let reply: Reply<Counted> = Box::new(move |counted| {
            // What was tried is in the log already where it was counted.
            if let Ok(Counted { valid: None, written: false }) = &counted {
                told.note_refusal(&noted, &Error::NotFound);
            }
            reply(counted);
        });
        self.write_issued(&asked, vec![id], reply, move |tx| {
            vault.judged_in(&open, tx, &caller, Owner::Own, Action::Read)?;
            let Some((row, key)) = open.find_issued(tx, |key| key.tag(id))? else { return Ok(Counted::NOT_VALID) };
            let issuer = vault.find_principal_by_id(&open, tx, row.principal)?;
            let meta = open.open_issued(&issuer, &row)?;
            let may = may_validate(&caller, &issuer, &meta.audience, group.as_ref()) == Some(true);
            if !may
                || !issuer.serves(caller.uid)
                || !meta.is_live(&vault.moment())
                || request.presented.kind() != Some(kind_of(&row)?)
            {
                return Ok(Counted::NOT_VALID);
            }
            let place = Place { vault: &vault, open: &open, issuer: &issuer, row: &row, key: &key, meta: &meta };
            place.count(tx, event(&caller, id, Some(issuer.uid)), &request)
        });
    }
}

/// Something issued that is live, and whom it may be told.
struct Place<'a> {
    vault: &'a Vault,
    open: &'a OpenVault,
    issuer: &'a Principal,
    row: &'a IssuedRow,
    key: &'a IssuedKey,
    meta: &'a IssuedMeta,
}

impl Place<'_> {
    fn count(&self, tx: &mut dyn WriteTx, event: Event, request: &ValidateRequest) -> Result<Counted, Error> {
        let kind = kind_of(self.row)?;
        if !self.key.is_secret_of((&self.row.tag, &self.row.hash), request.presented.secret()) {
            if kind != Kind::Code {
                return Ok(Counted::NOT_VALID);
            }
            replace(tx, self.open, self.issuer, self.row, &self.meta.tried(self.vault.now()))?;
            self.vault.record_outcome(self.open, tx, &event, Outcome::NotFound)?;
            return Ok(Counted { valid: None, written: true });
        }
        if !is_good_for(self.meta, request) {
            return Ok(Counted::NOT_VALID);
        }
        let told = |meta: IssuedMeta| Some(IssuedInfo::new(kind, meta, self.issuer.uid));
        if !request.consume {
            self.vault.record_mutation(self.open, tx, &event, 0)?;
            return Ok(Counted { valid: told(self.meta.clone()), written: true });
        }
        let used = self.meta.used(self.vault.now());
        replace(tx, self.open, self.issuer, self.row, &used)?;
        self.vault.record_mutation(self.open, tx, &event, 0)?;
        // Who used it up is told what it was good for until then.
        Ok(Counted { valid: told(IssuedMeta { expires: self.meta.expires, ..used }), written: true })
    }
}

/// Puts another record in the place of one.
pub(crate) fn replace(
    tx: &mut dyn WriteTx,
    open: &OpenVault,
    issuer: &Principal,
    row: &IssuedRow,
    meta: &IssuedMeta,
) -> Result<(), Error> {
    let mut changed = row.clone();
    open.seal_issued(issuer, &mut changed, meta)?;
    tx.update_issued(&changed)?;
    let (added, freed) = (usage::of_issued(&changed), usage::of_issued(row));
    Change { added, freed, ..Change::default() }.count(tx, issuer)
}
