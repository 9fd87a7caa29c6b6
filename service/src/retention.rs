//! Care of the audit log while the daemon runs: it is kept as small as the settings say, and the journal is told where it ends.

use std::sync::Arc;
use std::time::Duration;

use tokenvault_core::Error;
use tokenvault_core::audit::Mark;
use tokenvault_core::hex;
use tokenvault_core::port::{Cancelled, Progress};

use crate::bus::blocking;
use crate::journal::event;
use crate::service::Service;

/// How often the log is looked at, beside when the settings change.
const LOOK: Duration = Duration::from_secs(60 * 60);
/// How long after the start first: others have more urgent things to do with the disk.
const FIRST_LOOK: Duration = Duration::from_secs(60);
/// How often the journal is told of the newest record, if there is a newer one.
const TELL: Duration = Duration::from_secs(15 * 60);

/// Keeps the log short as long as the daemon runs.
pub async fn keep_short(service: Arc<Service>) {
    let mut wait = FIRST_LOOK;
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = service.settings_changed.notified() => {}
        }
        wait = LOOK;
        let vault = Arc::clone(&service.vault);
        match blocking(move || vault.shorten_audit(&Unwatched)).await {
            Ok(0) => {}
            Ok(gone) => log::info!(MESSAGE_ID = event::AUDIT_PRUNED; "{gone} old records of the audit log were let go"),
            // What keeps the vault from being open is told elsewhere.
            Err(Error::Sealed(_)) => {}
            Err(error) => log::warn!("the audit log could not be shortened: {error}"),
        }
    }
}

/// Tells the journal of the newest record as long as the daemon runs.
pub async fn tell_head(service: Arc<Service>) {
    let mut told = None;
    loop {
        tokio::time::sleep(TELL).await;
        let vault = Arc::clone(&service.vault);
        if let Ok(Some(head)) = blocking(move || vault.audit_head()).await
            && told != Some(head)
        {
            tell(&head);
            told = Some(head);
        }
    }
}

/// The same once, because the daemon ends.
pub async fn tell_last_head(service: &Service) {
    let vault = Arc::clone(&service.vault);
    if let Ok(Some(head)) = blocking(move || vault.audit_head()).await {
        tell(&head);
    }
}

fn tell(head: &Mark) {
    let chain = hex::encode(&head.chain);
    log::info!(
        MESSAGE_ID = event::AUDIT_HEAD, TOKENVAULT_SEQ = head.seq, TOKENVAULT_CHAIN = chain.as_str();
        "the newest record of the audit log is {}:{chain}", head.seq
    );
}

/// Nobody waits for it.
struct Unwatched;

impl Progress for Unwatched {
    fn report(&self, _done: u64, _total: u64) -> Result<(), Cancelled> {
        Ok(())
    }
}
