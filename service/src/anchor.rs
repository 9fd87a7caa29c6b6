//! Raising the TPM's counter: soon after the vault was opened or something was taken away, but not more often than the settings say;
//! once a day; and at the end of the daemon. Each raise wears the TPM's memory a little.

use std::sync::Arc;
use std::time::Duration;

use tokenvault_core::Error;
use tokio::sync::Notify;

use crate::bus::blocking;
use crate::journal::event;
use crate::service::Service;

/// How often it is raised whatever was written.
const DAILY: Duration = Duration::from_secs(24 * 60 * 60);
/// When it is tried again where it could not be done.
const AGAIN: Duration = Duration::from_secs(60);
/// How long the TPM has for it at a stop.
const LAST: Duration = Duration::from_secs(3);

/// Raises it for as long as the daemon runs.
pub async fn keep(service: Arc<Service>) {
    let wanted = Arc::new(Notify::new());
    let waker = Arc::clone(&wanted);
    service.vault.on_anchor(move || waker.notify_one());
    // What was opened before anybody listened.
    wanted.notify_one();
    let mut failure = None;
    loop {
        let again = if failure.is_some() { AGAIN } else { DAILY };
        tokio::select! {
            () = wanted.notified() => {
                tell_doubts(&service);
                pause(&service).await;
            }
            () = tokio::time::sleep(again) => {}
        }
        let told = raise(&service).await.map_err(|error| error.to_string()).err();
        if told != failure {
            match &told {
                Some(why) => log::warn!(
                    "the TPM's counter could not be raised, so an old copy of the store may pass for the present one; \
                     it is tried again: {why}"
                ),
                None => log::info!("the TPM's counter is raised again"),
            }
        }
        failure = told;
    }
}

/// Tells what was not as it should be when the vault was opened.
fn tell_doubts(service: &Service) {
    if let Some(doubt) = service.vault.take_anchor_notice() {
        log::warn!(MESSAGE_ID = event::ANCHOR_DOUBTED; "{doubt}; it serves all the same");
    }
}

/// Waits until it may be raised again.
async fn pause(service: &Service) {
    let least = Duration::from_secs(service.config().anchor_seconds);
    let vault = Arc::clone(&service.vault);
    if let Ok(Some(raised)) = blocking(move || vault.anchor_raised()).await {
        let since = service.vault.time().as_usec().saturating_sub(raised.as_usec());
        tokio::time::sleep(least.saturating_sub(Duration::from_micros(since))).await;
    }
}

/// Raises it once more, because the daemon ends. What cannot be done now is made up for at the next start.
pub async fn raise_last(service: &Service) {
    match tokio::time::timeout(LAST, raise(service)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => log::warn!("the TPM's counter could not be raised at the end: {error}"),
        Err(_) => log::warn!("the TPM's counter could not be raised at the end: the TPM takes too long"),
    }
}

async fn raise(service: &Service) -> Result<(), Error> {
    let vault = Arc::clone(&service.vault);
    match blocking(move || vault.raise_anchor()).await {
        // While the vault is not open there is nothing to hold against it.
        Err(_) if service.vault.check_open().is_err() => Ok(()),
        raised => raised,
    }
}
