//! `Issue`: a token or a code that others can have checked.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::apart_from_tokens;
use super::record::{IssuedKey, IssuedMeta, Kind};
use super::request::{IssueRequest, NewKind};
use super::text::{self, IssuedId};
use crate::crypto::CryptoError;
use crate::error::Error;
use crate::moment::Moment;
use crate::owner::Owner;
use crate::policy::Action;
use crate::port::{IssuedRow, WriteTx};
use crate::principal::Principal;
use crate::token::Expiry;
use crate::token::generate::{Charset, Recipe};
use crate::token::usage::{self, Change};
use crate::vault::{Effect, Event, OpenVault, Reply, Vault};
use crate::{Caller, Timestamp};

/// Ended ones that are taken away at a time when there is no room for a new one.
const ENDED_STEP: usize = 128;
/// And so many times that, where none of them has.
const ENDED_STEPS: usize = 4;

/// What was issued.
pub struct Issued {
    /// The text that is handed out; it is kept nowhere.
    pub token: Zeroizing<String>,
    /// Names it from now on.
    pub id: IssuedId,
    /// When it expires.
    pub expires: Timestamp,
}

/// What was drawn for it.
struct Minted {
    id: IssuedId,
    kind: Kind,
    secret: Zeroizing<Vec<u8>>,
}

impl Vault {
    /// Issues a token or a code. Answers once it is durable.
    pub fn issue(self: &Arc<Self>, caller: &Caller, request: IssueRequest, reply: Reply<Issued>) {
        let minted = self.open().and_then(|open| {
            let (minted, text) = self.mint(request.kind)?;
            Ok((open, minted, text))
        });
        let (open, minted, text) = match minted {
            Ok(minted) => minted,
            Err(error) => return reply(Err(error)),
        };
        let event = Event::new(caller, "Issue").about(Some(caller.uid), &minted.id.to_string());
        let (vault, caller) = (Arc::clone(self), caller.clone());
        let id = minted.id;
        let reply: Reply<Timestamp> =
            Box::new(move |stored| reply(stored.map(|expires| Issued { token: text, id, expires })));
        self.write(apart_from_tokens(&event), Effect::Grows, reply, move |tx| {
            let principal = match vault.judged_in(&open, tx, &caller, Owner::Own, Action::Write)? {
                Some(principal) => principal,
                None => vault.enrol(&open, tx, &caller, Owner::Own)?,
            };
            let meta = meta(&minted, &request, &vault.moment())?;
            vault.make_room(&open, tx, &principal)?;
            let mut row = minted.row(&open.newest_issued_key()?, &principal);
            open.seal_issued(&principal, &mut row, &meta)?;
            tx.insert_issued(&row)?;
            let counted = Change { issued: 1, added: usage::of_issued(&row), ..Change::default() };
            counted.count_within_quota(tx, &vault, &principal)?;
            vault.record_mutation(&open, tx, &event, 0)?;
            Ok(meta.expires)
        });
    }

    /// Draws id and secret; both, and the text of them.
    fn mint(&self, kind: NewKind) -> Result<(Minted, Zeroizing<String>), Error> {
        let id = IssuedId::random()?;
        let (kind, secret, text) = match kind {
            NewKind::Token => {
                let secret = text::random_secret()?;
                (Kind::Token, secret.to_vec(), text::write(id, &secret))
            }
            NewKind::Code { length, .. } => {
                let digits = Recipe::new(Charset::Digits, length, "")?.generate(self.memory())?;
                let text = String::from_utf8(digits.expose().to_vec()).map_err(|_| CryptoError::Truncated)?;
                (Kind::Code, digits.expose().to_vec(), Zeroizing::new(text))
            }
        };
        Ok((Minted { id, kind, secret: secret.into() }, text))
    }

    /// Takes away some that have expired, where a principal has as many as it may have. While it has not, they stay until they
    /// are cleaned up: the clock may be wrong.
    pub(crate) fn make_room(&self, open: &OpenVault, tx: &mut dyn WriteTx, principal: &Principal) -> Result<(), Error> {
        let most = self.settings().issued;
        let has = tx.principal_by_id(principal.id)?.map_or(0, |row| row.issued);
        if most == 0 || has < most {
            return Ok(());
        }
        let (mut freed, mut after) = (Change::default(), (0, 0));
        for _ in 0..ENDED_STEPS {
            let rows = tx.issued_by(principal.id, after, ENDED_STEP)?;
            let Some(last) = rows.last() else { break };
            after = (last.expires_day, last.id);
            for row in rows {
                if open.open_issued(principal, &row)?.is_live(&self.moment()) {
                    continue;
                }
                if let Some(row) = tx.delete_issued(&row.tag)? {
                    freed.issued -= 1;
                    freed.freed += usage::of_issued(&row);
                }
            }
            // What is used up ends on that day: behind it all are good still.
            if freed.issued < 0 || after.0 > self.now().day_rounded_up() {
                break;
            }
        }
        freed.count(tx, principal)
    }
}

impl Minted {
    fn row(&self, key: &IssuedKey, principal: &Principal) -> IssuedRow {
        let tag = key.tag(self.id);
        IssuedRow {
            id: 0,
            principal: principal.id,
            kind: self.kind.as_u8(),
            tag,
            hash: key.hash(&tag, &self.secret),
            token: None,
            expires_day: 0,
            meta: Vec::new(),
        }
    }
}

fn meta(minted: &Minted, request: &IssueRequest, now: &Moment) -> Result<IssuedMeta, Error> {
    let end = Expiry::After(request.ttl).resolve(now)?;
    let end = end.ok_or_else(|| Error::Internal("something is issued that never expires".into()))?;
    Ok(IssuedMeta {
        id: minted.id.to_string(),
        subject: request.subject.as_str().to_owned(),
        audience: request.audience.clone(),
        scopes: request.scopes.as_slice().to_vec(),
        claims: request.claims.as_map().clone(),
        issued: now.time,
        expires: end.at,
        uses_left: request.uses,
        attempts_left: match request.kind {
            NewKind::Token => None,
            NewKind::Code { attempts, .. } => Some(attempts),
        },
        deadline: end.deadline,
    })
}
