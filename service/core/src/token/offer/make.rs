//! `Offer`: a code for somebody who is to have a token's value once.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::error::Error;
use crate::issued::code::OfferCode;
use crate::issued::{Audience, IssuedMeta, Kind, apart_from_tokens};
use crate::moment::End;
use crate::policy::{self, Action};
use crate::port::{IssuedRow, ReadTx};
use crate::token::found::Shelf;
use crate::token::request::{Expiry, NamedRequest};
use crate::token::usage::{self, Change};
use crate::vault::{Effect, Event, OpenVault, Reply, Vault};
use crate::{Caller, Timestamp};

/// Codes drawn until one begins like no other. Of a hundred thousand offers one in ten thousand codes does not.
const DRAWS: usize = 16;

/// `Offer`.
#[derive(Debug, Clone)]
pub struct OfferRequest {
    /// Which token.
    pub token: NamedRequest,
    /// Microseconds until the offer ends.
    pub ttl: u64,
    /// How many wrong codes may be tried.
    pub attempts: u32,
}

/// An offer that was made.
pub struct Offered {
    /// The code; it is kept nowhere.
    pub code: Zeroizing<String>,
    /// Names the offer: how its code begins.
    pub id: String,
    /// When it ends.
    pub expires: Timestamp,
    /// How many wrong codes may be tried.
    pub attempts: u32,
}

impl Vault {
    /// Offers a token. Answers once it is durable.
    pub fn offer(self: &Arc<Self>, caller: &Caller, request: OfferRequest, reply: Reply<Offered>) {
        let open = match self.open() {
            Ok(open) => open,
            Err(error) => return reply(Err(error)),
        };
        let token = &request.token;
        let event = Event::new(caller, "Offer").about(token.owner.uid(caller), token.name.as_str());
        let (vault, caller) = (Arc::clone(self), caller.clone());
        self.write(apart_from_tokens(&event), Effect::Grows, reply, move |tx| {
            let owner = request.token.owner;
            let principal = vault.judged_in(&open, tx, &caller, owner, Action::Share)?.ok_or(Error::NotFound)?;
            policy::judge_giving(caller.uid, principal.uid).into_result()?;
            let shelf = Shelf { open: &open, principal: &principal, now: vault.moment() };
            let found = shelf.find(tx, &request.token.name)?;
            let end = Expiry::After(request.ttl).resolve(&shelf.now)?;
            let end = end.ok_or_else(|| Error::Internal("an offer never ends".into()))?;
            vault.make_room(&open, tx, &principal)?;
            let code = free_code(&open, tx)?;
            let key = open.newest_issued_key()?;
            let tag = key.offer_tag(code.selector());
            let mut row = IssuedRow {
                id: 0,
                principal: principal.id,
                kind: Kind::Offer.as_u8(),
                tag,
                hash: key.hash(&tag, code.secret()),
                token: Some(found.row.id),
                expires_day: 0,
                meta: Vec::new(),
            };
            open.seal_issued(&principal, &mut row, &meta(&code, &request, shelf.now.time, end))?;
            tx.insert_issued(&row)?;
            let counted = Change { issued: 1, added: usage::of_issued(&row), ..Change::default() };
            counted.count_within_quota(tx, &vault, &principal)?;
            vault.record_mutation(&open, tx, &event, found.row.current)?;
            let (id, attempts) = (code.selector().to_owned(), request.attempts);
            Ok(Offered { code: code.write(), id, expires: end.at, attempts })
        });
    }
}

/// A code that begins like none there is.
fn free_code(open: &OpenVault, tx: &dyn ReadTx) -> Result<OfferCode, Error> {
    for _ in 0..DRAWS {
        let code = OfferCode::random()?;
        if open.find_issued(tx, |key| key.offer_tag(code.selector()))?.is_none() {
            return Ok(code);
        }
    }
    Err(Error::LimitsExceeded {
        limit: "issued",
        retry: "there are too many offers, wait until some have ended".into(),
    })
}

fn meta(code: &OfferCode, request: &OfferRequest, now: Timestamp, end: End) -> IssuedMeta {
    IssuedMeta {
        id: code.selector().to_owned(),
        // Its name would not follow a rename.
        subject: String::new(),
        audience: Audience::Text(String::new()),
        scopes: Vec::new(),
        claims: Default::default(),
        issued: now,
        expires: end.at,
        uses_left: Some(1),
        attempts_left: Some(request.attempts),
        deadline: end.deadline,
    }
}
