//! The methods of `Tokens` about shares.

use std::sync::Arc;

use tokenvault_core::Error;
use tokenvault_core::grantee::GranteeText;
use tokenvault_core::policy::Action;
use tokenvault_core::token::ShareInfo;
use tokenvault_proto::{self as proto, DescribeOptions, ShareOptions};

use super::call::Call;
use super::desk::in_turn;
use super::{Desk, Options, decode, decode_share, encode, shared};

/// `Share`.
pub async fn share(desk: &Desk, mut call: Call, name: &str, grantee: &str, options: Options) -> Result<(), Error> {
    let options = decode::options::<ShareOptions>(options)?;
    // A vault that is not open says so, whoever is meant.
    desk.service.vault.check_open()?;
    let request = decode_share::share(&desk.service, call.caller.uid, (name, grantee), options).await?;
    shared::refuse_grantee(desk, &mut call, &request.token, ("Share", Action::Share)).await?;
    desk.committed(|reply| desk.service.vault.share(&call.caller, request, reply)).await
}

/// `Unshare`.
pub async fn unshare(desk: &Desk, mut call: Call, name: &str, grantee: &str, options: Options) -> Result<(), Error> {
    let options = decode::options::<DescribeOptions>(options)?;
    let request = decode::named(&desk.service, call.caller.uid, name, options.owner.as_deref()).await?;
    let grantee = GranteeText::parse(grantee)?;
    shared::refuse_grantee(desk, &mut call, &request, ("Unshare", Action::Share)).await?;
    desk.committed(|reply| desk.service.vault.unshare(&call.caller, request, grantee, reply)).await
}

/// `Shares`.
pub async fn shares(desk: &Desk, mut call: Call, name: &str, options: Options) -> Result<Vec<proto::ShareInfo>, Error> {
    let options = decode::options::<DescribeOptions>(options)?;
    let request = decode::named(&desk.service, call.caller.uid, name, options.owner.as_deref()).await?;
    shared::refuse_grantee(desk, &mut call, &request, ("Shares", Action::Share)).await?;
    let (vault, uid) = (Arc::clone(&desk.service.vault), call.caller.uid);
    // Each is decrypted, hundreds of them: it blocks, and takes turns.
    let listed = in_turn(&desk.service, uid, move || vault.shares(&call.caller, &request));
    let shares = desk.within_time("the shares were not listed", "retry with fewer calls at a time", listed).await?;
    desk.count_reply(uid, shares.iter().map(ShareInfo::reply_bytes).sum())?;
    Ok(shares.iter().map(encode::share).collect())
}
