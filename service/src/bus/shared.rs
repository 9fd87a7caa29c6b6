//! The methods of `Tokens` where the token is another's: what is shared with the caller.
//!
//! Whether a share with a group is the caller's hangs on the number its name has now. The domain says which names it needs, and
//! is asked again with what the user database answers; a database that hangs makes these calls fail, and no others.

use std::sync::Arc;

use tokenvault_core::issued::GroupNow;
use tokenvault_core::name::TokenName;
use tokenvault_core::owner::Owner;
use tokenvault_core::policy::Action;
use tokenvault_core::token::{Asked, Fetched, GetRequest, ListRequest, NamedRequest, Page, TokenInfo, Used};
use tokenvault_core::{Caller, Error};
use tokenvault_proto as proto;
use zbus::OwnedFd;

use super::call::Call;
use super::desk::in_turn;
use super::{Desk, attachments, decode_issued, encode};
use crate::caller::{Kind, UserError};

/// By so many groups something is looked for in no time; by more of them it blocks, and takes turns.
pub(super) const FEW_GROUPS: usize = 32;

/// Whether a token of `owner` is not the caller's own.
pub fn is_foreign(caller: &Caller, owner: Owner) -> bool {
    owner.uid(caller) != Some(caller.uid)
}

/// `Get`. Where uses are counted, a write is paid for when there is to be one, and given back when there was none.
pub async fn get(desk: &Desk, mut call: Call, request: GetRequest) -> Result<(OwnedFd, proto::TokenInfo), Error> {
    know_groups(desk, &mut call).await?;
    let (service, caller, uid) = (&desk.service, &call.caller, call.caller.uid);
    let mut place = desk.bus_place(&call).await?;
    let mut reserve = |size: u64| {
        let len = usize::try_from(size).unwrap_or(usize::MAX);
        service.pipes.reserve(uid, len, place.take()).map_err(Error::from)
    };
    let look = |groups: &[GroupNow]| service.vault.get_shared(caller, &request, groups, &mut reserve);
    let (fetched, groups) = ask(desk, caller, look).await?;
    let (info, at_once) = match fetched {
        Fetched::Opened(opened) => {
            if let Some(receipt) = opened.receipt {
                desk.committed(|reply| service.vault.settle(receipt, reply)).await?;
            }
            desk.count_reply(uid, opened.info.reply_bytes())?;
            let fd = attachments::send(service, opened.place, opened.value)?;
            return Ok((fd.into(), encode::token(&opened.info)));
        }
        Fetched::Counted(info, at_once) => (info, at_once),
    };
    // What the answer needs comes first: a use that is spent on nothing would be lost.
    let room = reserve(at_once)?;
    desk.count_reply(uid, info.reply_bytes())?;
    service.limiter.pay(uid, Kind::Write)?;
    let used = desk.committed(|reply| service.vault.get_counted(caller, request, groups, info.size, reply)).await;
    if matches!(used, Err(Error::ShareOver) | Ok(Used::Resized)) {
        service.limiter.refund_write(uid);
    }
    match used? {
        Used::Value(info, value) => {
            let fd = attachments::send(service, room, value)?;
            Ok((fd.into(), encode::token(&info)))
        }
        Used::Resized => {
            Err(Error::Unavailable("the token was changed at this moment; the share still stands, retry".into()))
        }
    }
}

/// `Describe`.
pub async fn describe(desk: &Desk, mut call: Call, request: &NamedRequest) -> Result<TokenInfo, Error> {
    know_groups(desk, &mut call).await?;
    let describe = |groups: &[GroupNow]| desk.service.vault.describe_shared(&call.caller, request, groups);
    Ok(ask(desk, &call.caller, describe).await?.0)
}

/// `List`, of all owners or of the one in the request.
pub async fn list(desk: &Desk, mut call: Call, request: ListRequest, of_owner: bool) -> Result<Page, Error> {
    know_groups(desk, &mut call).await?;
    let (service, uid) = (&desk.service, call.caller.uid);
    let (caller, request) = (Arc::new(call.caller), Arc::new(request));
    let mut groups = Vec::new();
    loop {
        let (vault, caller, request) = (Arc::clone(&service.vault), Arc::clone(&caller), Arc::clone(&request));
        let known = groups.clone();
        let asked = in_turn(service, uid, move || vault.list_shared(&caller, &request, of_owner, &known));
        match asked.await? {
            Asked::Answer(page) => return Ok(page),
            Asked::Groups(names) => look_up(desk, uid, names, &mut groups).await?,
        }
    }
}

/// What has to be known of groups before a caller puts a version of a token.
pub async fn groups_to_put(
    desk: &Desk,
    call: &mut Call,
    owner: Owner,
    name: &TokenName,
) -> Result<Vec<GroupNow>, Error> {
    if !is_foreign(&call.caller, owner) {
        return Ok(Vec::new());
    }
    know_groups(desk, call).await?;
    let request = NamedRequest { name: name.clone(), owner };
    let look = |groups: &[GroupNow]| desk.service.vault.is_grantee(&call.caller, &request, Action::Write, groups);
    Ok(ask(desk, &call.caller, look).await?.1)
}

/// Refuses a grantee what is for the owner of a token to do. Whoever is none is let through, and refused by the method.
pub async fn refuse_grantee(
    desk: &Desk,
    call: &mut Call,
    request: &NamedRequest,
    what: (&'static str, Action),
) -> Result<(), Error> {
    if !is_foreign(&call.caller, request.owner) {
        return Ok(());
    }
    know_groups(desk, call).await?;
    let look = |groups: &[GroupNow]| desk.service.vault.refuse_grantee(&call.caller, request, what, groups);
    ask(desk, &call.caller, look).await.map(|_is_none| ())
}

/// Asks again as long as groups have to be looked up for it; what was known of them in the end.
async fn ask<T>(
    desk: &Desk,
    caller: &Caller,
    mut work: impl FnMut(&[GroupNow]) -> Result<Asked<T>, Error>,
) -> Result<(T, Vec<GroupNow>), Error> {
    let mut groups = Vec::new();
    loop {
        let asked = if caller.gids.len() > FEW_GROUPS {
            let turn = desk.service.turns.take(caller.uid);
            let turn = desk.within_time("it was not looked for", "retry with fewer calls at a time", turn).await?;
            let asked = tokio::task::block_in_place(|| work(&groups));
            drop(turn);
            asked
        } else {
            work(&groups)
        };
        match asked? {
            Asked::Answer(answer) => return Ok((answer, groups)),
            Asked::Groups(names) => look_up(desk, caller.uid, names, &mut groups).await?,
        }
    }
}

async fn look_up(desk: &Desk, uid: u32, names: Vec<String>, groups: &mut Vec<GroupNow>) -> Result<(), Error> {
    for name in names {
        if groups.iter().all(|known| known.name != name) {
            groups.push(decode_issued::group_now(&desk.service, uid, name).await?);
        }
    }
    Ok(())
}

/// The groups of a caller whose connection does not tell them: those the user database puts its user in.
pub(super) async fn know_groups(desk: &Desk, call: &mut Call) -> Result<(), Error> {
    if !call.caller.gids.is_empty() {
        return Ok(());
    }
    call.caller.gids = match desk.service.users.groups(call.caller.uid).await {
        Ok(gids) => gids,
        Err(UserError::Unknown) => Arc::new([]),
        Err(UserError::Unavailable(why)) => return Err(Error::Unavailable(format!("{why}; retry"))),
    };
    Ok(())
}
