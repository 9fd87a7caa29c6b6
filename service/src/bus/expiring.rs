//! The method of `Admin` about what expires.

use std::sync::Arc;

use tokenvault_core::token::{Ahead, DueRequest, DueToken};
use tokenvault_core::{Error, Timestamp};
use tokenvault_proto::{ExpiringInfo, ExpiringOptions};

use super::call::Call;
use super::desk::blocking;
use super::{Desk, Options, decode};

/// What a row takes, beside its name.
const ROW_BYTES: usize = 160;

/// `Expiring`.
pub async fn list(desk: &Desk, call: Call, filter: Options) -> Result<(Vec<ExpiringInfo>, String), Error> {
    let options = decode::options::<ExpiringOptions>(filter)?;
    let vault = Arc::clone(&desk.service.vault);
    let request = DueRequest {
        ahead: Ahead::new(&desk.service.config().expiring_before)?,
        since: Timestamp::from_usec(options.since.unwrap_or_default()),
        until: options.until.map_or_else(|| vault.time(), Timestamp::from_usec),
    };
    let after = options.after.unwrap_or_default();
    let (tokens, next) = blocking(move || vault.list_due(request, &after)).await?;
    desk.count_reply(call.caller.uid, tokens.iter().map(|token| ROW_BYTES + token.name.len()).sum())?;
    Ok((tokens.into_iter().map(encode).collect(), next))
}

fn encode(token: DueToken) -> ExpiringInfo {
    let DueToken { owner, name, version, expires, .. } = token;
    ExpiringInfo { name, owner: format!("uid:{owner}"), version, expires: expires.as_usec() }
}
