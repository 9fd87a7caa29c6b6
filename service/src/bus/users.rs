//! The methods of `Admin` about users.

use std::sync::Arc;
use std::time::Duration;

use tokenvault_core::Error;
use tokenvault_core::policy::Role;
use tokenvault_core::user::{NameNow, Named, UserChanges, UserView};
use tokenvault_core::vault::daemon;
use tokenvault_proto::{AdoptUserOptions, NoOptions, QUOTA_AS_CONFIGURED, SetUserOptions, UserInfo};
use tokio::time::{Instant, timeout_at};

use super::call::Call;
use super::desk::blocking;
use super::{Desk, Options, decode, encode};
use crate::caller::UserError;
use crate::service::Service;

/// How long the user database is asked for the names of a list.
const NAMES: Duration = Duration::from_secs(2);
/// What a row of the list takes, about.
const ROW_BYTES: usize = 320;

/// `Users`.
pub async fn list(desk: &Desk, call: &Call, options: Options) -> Result<Vec<UserInfo>, Error> {
    decode::options::<NoOptions>(options)?;
    let vault = Arc::clone(&desk.service.vault);
    let users = blocking(move || vault.users()).await?;
    desk.count_reply(call.caller.uid, users.len() * ROW_BYTES)?;
    let deadline = Instant::now() + NAMES;
    let mut told = Vec::with_capacity(users.len());
    for user in users {
        let is_frozen = user.frozen.is_some() || is_another_now(&desk.service, &user, deadline).await;
        told.push(encode::user(user, is_frozen));
    }
    Ok(told)
}

/// Whether the uid belongs to somebody else than its tokens, or to nobody; not where the user database does not say.
async fn is_another_now(service: &Service, user: &UserView, deadline: Instant) -> bool {
    match timeout_at(deadline, service.users.name(user.uid)).await {
        Ok(Ok(name)) => user.uid != 0 && *name != *user.user,
        Ok(Err(UserError::Unknown)) => true,
        Ok(Err(UserError::Unavailable(_))) | Err(_) => false,
    }
}

/// `SetUser`.
pub async fn set(desk: &Desk, call: Call, uid: u32, options: Options) -> Result<(), Error> {
    let options = decode::options::<SetUserOptions>(options)?;
    let role = options.role.as_deref().map(|word| {
        Role::parse(word).ok_or_else(|| {
            Error::InvalidArgs("option 'role' must be 'admin', 'developer', 'consumer' or 'auditor'".into())
        })
    });
    let changes = UserChanges {
        role: role.transpose()?,
        active: options.active,
        quota_tokens: options.quota_tokens.map(quota),
        quota_bytes: options.quota_bytes.map(quota),
    };
    let subject = named(&desk.service, uid).await;
    let closes_login = changes.active == Some(false);
    work(desk, (uid, closes_login), move |service| service.vault.set_user(&call.caller, &subject, &changes)).await
}

fn quota(number: u64) -> Option<u64> {
    (number != QUOTA_AS_CONFIGURED).then_some(number)
}

/// `FreezeUser`.
pub async fn freeze(desk: &Desk, call: Call, uid: u32, options: Options) -> Result<(), Error> {
    decode::options::<NoOptions>(options)?;
    work(desk, (uid, true), move |service| service.vault.freeze_user(&call.caller, uid)).await
}

/// `PurgeUser`.
pub async fn purge(desk: &Desk, call: Call, uid: u32, options: Options) -> Result<(), Error> {
    decode::options::<NoOptions>(options)?;
    work(desk, (uid, true), move |service| service.vault.purge_user(&call.caller, uid)).await
}

/// `AdoptUser`.
pub async fn adopt(desk: &Desk, call: Call, uid: u32, options: Options) -> Result<(), Error> {
    let options = decode::options::<AdoptUserOptions>(options)?;
    let to = named(&desk.service, options.to_uid.unwrap_or(uid)).await;
    let adopt = move |service: &Arc<Service>| {
        service.vault.adopt_user(&call.caller, uid, &to)?;
        service.subscriptions.judge_again(to.uid);
        Ok(())
    };
    work(desk, (uid, true), adopt).await
}

/// What the user database says of a uid.
async fn named(service: &Service, uid: u32) -> Named {
    let user = match service.users.name(uid).await {
        Ok(name) => NameNow::Is(name),
        Err(UserError::Unknown) => NameNow::None,
        Err(UserError::Unavailable(why)) => NameNow::Unavailable(why),
    };
    Named { uid, user }
}

/// Changes a user while nobody opens or closes its login.
async fn work(
    desk: &Desk,
    (uid, closes_login): (u32, bool),
    work: impl FnOnce(&Arc<Service>) -> Result<(), Error> + Send + 'static,
) -> Result<(), Error> {
    let change = move |service: &Arc<Service>| {
        work(service)?;
        service.subscriptions.judge_again(uid);
        // Also one that was parked over a restart and is not open again yet. A sealed vault has none open.
        if closes_login {
            let _was_open = service.lock_login(&daemon(), uid);
        }
        Ok(())
    };
    desk.service.change_login(uid, change).await
}
