//! Users whose uid has another name now than when the vault took them in, or none: what is theirs is given to nobody but who shows
//! the right name, until that is so again or an administrator says what becomes of it.
//!
//! A caller is held against its name at each call. This is for what others have of a user who calls no more: shares, offers, and
//! what was issued.

use std::sync::Arc;
use std::time::Duration;

use crate::bus::blocking;
use crate::caller::UserError;
use crate::service::Service;

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(30);
/// And while the vault is not open, so that it is soon looked when it is.
const LOOK_WHILE_CLOSED: Duration = Duration::from_secs(1);
/// So many names are looked up in one look, the users in turns.
const STEP: usize = 512;

/// Looks as long as the daemon runs.
pub async fn watch(service: Arc<Service>) {
    let mut last = 0;
    loop {
        look(&service, &mut last).await;
        let is_open = service.vault.check_open().is_ok();
        tokio::time::sleep(if is_open { LOOK } else { LOOK_WHILE_CLOSED }).await;
    }
}

/// Looks at the next users behind the one of the uid `last`; at none while the vault is not open, which gives nothing to anybody.
async fn look(service: &Arc<Service>, last: &mut u32) {
    let vault = Arc::clone(&service.vault);
    let Ok(users) = blocking(move || vault.users()).await else { return };
    let behind = users.partition_point(|user| user.uid <= *last);
    let (before, after) = users.split_at_checked(behind).unwrap_or_default();
    for user in after.iter().chain(before).take(STEP).filter(|user| user.uid != 0) {
        match service.users.name(user.uid).await {
            Ok(name) => service.vault.estrange(user.uid, *name != *user.user),
            Err(UserError::Unknown) => service.vault.estrange(user.uid, true),
            // What nobody knows now stays as it was.
            Err(UserError::Unavailable(_)) => {}
        }
        *last = user.uid;
    }
}
