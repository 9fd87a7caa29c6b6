//! The method of `Tokens` about who fetched a token.

use std::sync::Arc;

use tokenvault_core::Error;
use tokenvault_core::audit::{FetchesPage, FetchesRequest};
use tokenvault_core::policy::Action;
use tokenvault_proto::{FetchInfo, FetchesOptions};

use super::audit::write_what_waits;
use super::call::Call;
use super::desk::in_turn;
use super::{Desk, Options, decode, encode, shared};

/// `Fetches`.
pub async fn fetches(
    desk: &Desk,
    mut call: Call,
    name: &str,
    options: Options,
) -> Result<(Vec<FetchInfo>, String), Error> {
    let (service, uid) = (&desk.service, call.caller.uid);
    let options = decode::options::<FetchesOptions>(options)?;
    let token = decode::named(service, uid, name, options.owner.as_deref()).await?;
    let limit = decode::limit(options.limit)?;
    shared::refuse_grantee(desk, &mut call, &token, ("Fetches", Action::History)).await?;
    let request = FetchesRequest { token, limit, after: options.after.unwrap_or_default() };
    write_what_waits(desk, false).await;
    let vault = Arc::clone(&service.vault);
    // Each record is decrypted: it blocks, and takes turns.
    let read = in_turn(service, uid, move || vault.fetches(&call.caller, &request));
    let page = desk.within_time("the log was not read", "retry", read).await?;
    desk.count_reply(uid, page.reply_bytes())?;
    let FetchesPage { fetches, next } = page;
    let told = |uid| service.users.known_name(uid).map(|name| name.to_string()).unwrap_or_default();
    let rows =
        fetches.into_iter().map(|record| FetchInfo { user: told(record.uid), ..encode::fetch(record) }).collect();
    Ok((rows, next))
}
