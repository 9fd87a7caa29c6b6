//! `Redeem`: the value of an offered token, for whoever has the code, once.
//!
//! The code is compared, a wrong one counted, and a right one used up in one transaction. Before it, only how the code begins is
//! looked at, for the size of the value: a place for it must be there before the offer is gone.

use std::sync::Arc;

use crate::Caller;
use crate::audit::Outcome;
use crate::error::Error;
use crate::issued::code::OfferCode;
use crate::issued::record::kind_of;
use crate::issued::{IssuedKey, IssuedMeta, Kind, apart_from_tokens, replace};
use crate::name::Hint;
use crate::owner::Owner;
use crate::policy::Action;
use crate::port::{IssuedRow, ReadTx, TokenRow, WriteTx};
use crate::principal::Principal;
use crate::token::attachment::{OpenedValue, Stored};
use crate::token::found::{Found, Shelf, TokenInfo};
use crate::token::metadata::Records;
use crate::token::share::of_another;
use crate::vault::{Effect, Event, OpenVault, Reply, Vault};

/// `Redeem`.
pub struct RedeemRequest {
    /// The code; `None`: what was given cannot be one.
    code: Option<OfferCode>,
    /// What the value is wanted for.
    purpose: Hint,
    /// The program that asks.
    app: Hint,
}

impl RedeemRequest {
    /// With a code as somebody typed it.
    pub fn new(code: &str, purpose: Hint, app: Hint) -> Self {
        Self { code: OfferCode::parse(code), purpose, app }
    }
}

/// What has to be ready before a code is redeemed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfferedSize {
    /// Bytes of the value.
    pub value: u64,
    /// Bytes of it that lie in memory at one time.
    pub at_once: u64,
    /// Bytes of a reply that tells what is known of the token.
    pub reply: usize,
}

/// What came of it.
pub enum Redeemed {
    /// The value. The offer is gone.
    Value(Box<TokenInfo>, OpenedValue),
    /// The value does not have as many bytes as there is a place for. The offer is still there.
    Resized,
}

/// An offer that was found.
struct Offer {
    row: IssuedRow,
    key: IssuedKey,
    meta: IssuedMeta,
    owner: Arc<Principal>,
}

impl Offer {
    fn is_right(&self, code: &OfferCode) -> bool {
        self.key.is_secret_of((&self.row.tag, &self.row.hash), code.secret())
    }

    /// What is answered when it gives nothing any more.
    fn is_over(&self, code: &OfferCode) -> Error {
        if self.is_right(code) { Error::OfferOver } else { Error::NoOffer }
    }
}

impl Vault {
    /// What a code may give, by how it begins.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::NoOffer`] where no code that begins so gives anything, [`Error::OfferOver`] where this one does
    /// no more.
    pub fn look_at_offer(&self, caller: &Caller, request: &RedeemRequest) -> Result<OfferedSize, Error> {
        let open = self.open()?;
        let look = || {
            self.judged(&open, caller, Owner::Own, Action::Read)?;
            let code = request.code.as_ref().ok_or(Error::NoOffer)?;
            self.read(|tx| {
                let offer = self.find_offer(&open, tx, (code, caller.uid))?;
                if !offer.meta.is_live(&self.moment()) {
                    return Err(offer.is_over(code));
                }
                let (found, stored) = self.find_offered(&open, tx, &offer)?;
                let info = found.info(offer.owner.uid)?;
                Ok(OfferedSize { value: info.size, at_once: stored.at_once(info.size), reply: info.reply_bytes() })
            })
        };
        look().inspect_err(|error| self.note_refusal(&event(caller, request), error))
    }

    /// Redeems a code whose value has `size` bytes. Answers once it is durable that the offer is gone.
    pub fn redeem(self: &Arc<Self>, caller: &Caller, request: RedeemRequest, size: u64, reply: Reply<Redeemed>) {
        let open = match self.open() {
            Ok(open) => open,
            Err(error) => return reply(Err(error)),
        };
        let event = event(caller, &request);
        let (vault, caller, asked) = (Arc::clone(self), caller.clone(), event.clone());
        // A wrong code is in the log already, by the transaction that counted it.
        let reply: Reply<Option<Redeemed>> =
            Box::new(move |redeemed| reply(redeemed.and_then(|redeemed| redeemed.ok_or(Error::NoOffer))));
        self.write(apart_from_tokens(&event), Effect::Reserved, reply, move |tx| {
            vault.judged_in(&open, tx, &caller, Owner::Own, Action::Read)?;
            let code = request.code.as_ref().ok_or(Error::NoOffer)?;
            let offer = vault.find_offer(&open, tx, (code, caller.uid))?;
            if !offer.meta.is_live(&vault.moment()) {
                return Err(offer.is_over(code));
            }
            if offer.is_right(code) {
                return vault.give(&open, tx, &offer, (&request, asked.clone()), size).map(Some);
            }
            replace(tx, &open, &offer.owner, &offer.row, &offer.meta.tried(vault.now()))?;
            let event = Event { owner: Some(offer.owner.uid), ..asked.clone() };
            vault.record_outcome(&open, tx, &event, Outcome::NotFound)?;
            Ok(None)
        });
    }

    fn give(
        &self,
        open: &OpenVault,
        tx: &mut dyn WriteTx,
        offer: &Offer,
        (request, event): (&RedeemRequest, Event),
        size: u64,
    ) -> Result<Redeemed, Error> {
        self.check_values_leave()?;
        let (found, value) = self.find_offered(open, tx, offer)?;
        if found.meta.require_purpose && request.purpose.as_str().is_empty() {
            return Err(Error::AccessDenied(
                "this token is given out for a stated purpose only; name it in option 'purpose'".into(),
            ));
        }
        if found.version.size != size {
            return Ok(Redeemed::Resized);
        }
        let shelf = Shelf { open, principal: &offer.owner, now: self.moment() };
        let own = event.caller.uid == offer.owner.uid;
        let of_owner = |error| if own { error } else { of_another(error) };
        let value = self.open_stored((&shelf, &event.caller), &found, &value).map_err(of_owner)?;
        replace(tx, open, &offer.owner, &offer.row, &offer.meta.used(shelf.now.time))?;
        let event = event.about(Some(offer.owner.uid), &found.meta.name);
        self.record_mutation(open, tx, &event, found.head.version)?;
        Ok(Redeemed::Value(Box::new(found.told(tx, &shelf)?), value))
    }

    fn find_offer(&self, open: &OpenVault, tx: &dyn ReadTx, (code, caller): (&OfferCode, u32)) -> Result<Offer, Error> {
        let (row, key) = open.find_issued(tx, |key| key.offer_tag(code.selector()))?.ok_or(Error::NoOffer)?;
        let owner = self.find_principal_by_id(open, tx, row.principal)?;
        let meta = open.open_issued(&owner, &row)?;
        if kind_of(&row)? != Kind::Offer || !owner.serves(caller) {
            return Err(Error::NoOffer);
        }
        Ok(Offer { row, key, meta, owner })
    }

    /// The token of an offer and its value, still encrypted.
    fn find_offered(&self, open: &OpenVault, tx: &dyn ReadTx, offer: &Offer) -> Result<(Found, Stored), Error> {
        let missing = || Error::Quarantined(format!("the token of offer {} is missing", offer.row.id));
        let token: TokenRow = tx.token_by_id(offer.row.token.ok_or_else(missing)?)?.ok_or_else(missing)?;
        let (head, value) = Stored::find(tx, tx.version(token.id, token.current)?.ok_or_else(missing)?)?;
        let found = Found::open(Records { open, principal: &offer.owner }, token, head)?;
        if found.version.is_expired(&self.moment()) { Err(Error::NoOffer) } else { Ok((found, value)) }
    }
}

/// What the audit log is told of a request. Whose token it is, is known only when the code is right.
fn event(caller: &Caller, request: &RedeemRequest) -> Event {
    let mut event = Event::new(caller, "Redeem");
    request.app.as_str().clone_into(&mut event.app);
    request.purpose.as_str().clone_into(&mut event.purpose);
    event
}
