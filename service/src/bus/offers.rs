//! The methods of `Tokens` about offers.

use tokenvault_core::Error;
use tokenvault_core::policy::Action;
use tokenvault_core::token::Redeemed;
use tokenvault_proto::{self as proto, OfferOptions, RedeemOptions};
use zbus::OwnedFd;

use super::call::Call;
use super::{Desk, Options, attachments, decode, decode_issued, encode, shared};
use crate::caller::Kind;

/// `Offer`.
pub async fn offer(
    desk: &Desk,
    mut call: Call,
    name: &str,
    options: Options,
) -> Result<(String, proto::OfferInfo), Error> {
    let options = decode::options::<OfferOptions>(options)?;
    let request = decode_issued::offer(&desk.service, call.caller.uid, name, options).await?;
    shared::refuse_grantee(desk, &mut call, &request.token, ("Offer", Action::Share)).await?;
    let offered = desk.committed(|reply| desk.service.vault.offer(&call.caller, request, reply)).await?;
    Ok((offered.code.to_string(), encode::offer(&offered)))
}

/// `Redeem`. A write is paid for when there is to be one, and given back when there was none.
pub async fn redeem(
    desk: &Desk,
    call: Call,
    code: &str,
    options: Options,
) -> Result<(OwnedFd, proto::TokenInfo), Error> {
    let (service, uid) = (&desk.service, call.caller.uid);
    let options = decode::options::<RedeemOptions>(options)?;
    let size = service.vault.look_at_offer(&call.caller, &decode_issued::redeem(code, &options)?)?;
    // What the answer needs comes first: an offer that is gone and was not handed out would be lost.
    let place = desk.bus_place(&call).await?;
    let len = usize::try_from(size.at_once).unwrap_or(usize::MAX);
    let room = service.pipes.reserve(uid, len, place).map_err(Error::from)?;
    desk.count_reply(uid, size.reply)?;
    service.limiter.pay(uid, Kind::Write)?;
    let request = decode_issued::redeem(code, &options)?;
    let redeemed = desk.committed(|reply| service.vault.redeem(&call.caller, request, size.value, reply)).await;
    if matches!(redeemed, Err(Error::OfferOver) | Ok(Redeemed::Resized)) {
        service.limiter.refund_write(uid);
    }
    match redeemed? {
        Redeemed::Value(info, value) => {
            let fd = attachments::send(service, room, value)?;
            // What he was offered he may read, and no more.
            Ok((fd.into(), proto::TokenInfo { permission: "read".to_owned(), ..encode::token(&info) }))
        }
        Redeemed::Resized => {
            Err(Error::Unavailable("the token was changed at this moment; the offer still stands, retry".into()))
        }
    }
}
