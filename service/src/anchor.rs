//! Raising the TPM's counter: soon after the vault was opened or something was taken away, but not more often than the settings say,
//! and after some times a day only once an hour; once a day; and at the end of the daemon. Each raise wears the TPM's memory a little.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokenvault_core::Error;
use tokio::sync::Notify;

use crate::bus::blocking;
use crate::journal::event;
use crate::service::Service;

/// How often it is raised whatever was written.
const DAILY: Duration = Duration::from_secs(24 * 60 * 60);
/// How often a day it is raised before it is only once an hour: what any user deletes wears the TPM.
const OFTEN: usize = 24;
const HOURLY: Duration = Duration::from_secs(60 * 60);
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
    let (mut failure, mut raises) = (None, Raises::default());
    loop {
        let again = if failure.is_some() { AGAIN } else { DAILY };
        tokio::select! {
            () = wanted.notified() => {
                tell_doubts(&service);
                let least = raises.least_pause(Duration::from_secs(service.config().anchor_seconds));
                pause(&service, least).await;
            }
            () = tokio::time::sleep(again) => {}
        }
        let before = service.vault.anchor().raises;
        let Some(raised) = raise(&service).await else { continue };
        // What has failed, or had nothing to do, wears nothing.
        if service.vault.anchor().raises > before {
            raises.note();
        }
        let told = raised.map_err(|error| error.to_string()).err();
        if told != failure {
            match &told {
                Some(why) => log::warn!(
                    "the TPM's counter could not be raised, so an old copy of the store may pass for the present one; \
                     it is tried again: {why}"
                ),
                None => log::info!("the TPM's counter is raised again, or there is none to raise"),
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

/// When it was raised within a day.
#[derive(Default)]
struct Raises(VecDeque<Instant>);

impl Raises {
    fn note(&mut self) {
        let now = Instant::now();
        self.0.push_back(now);
        self.0.retain(|raised| now.duration_since(*raised) < DAILY);
        while self.0.len() > OFTEN {
            self.0.pop_front();
        }
    }

    /// Least time to the next one. Where the settings ask for no time at all, the wear is meant.
    fn least_pause(&self, wanted: Duration) -> Duration {
        if self.0.len() < OFTEN || wanted.is_zero() { wanted } else { wanted.max(HOURLY) }
    }
}

/// Waits until it may be raised again.
async fn pause(service: &Service, least: Duration) {
    let vault = Arc::clone(&service.vault);
    if let Ok(Some(raised)) = blocking(move || vault.anchor_raised()).await {
        let since = service.vault.time().as_usec().saturating_sub(raised.as_usec());
        tokio::time::sleep(least.saturating_sub(Duration::from_micros(since))).await;
    }
}

/// Raises it once more, because the daemon ends. What cannot be done now is made up for at the next start.
pub async fn raise_last(service: &Service) {
    match tokio::time::timeout(LAST, raise(service)).await {
        Ok(None | Some(Ok(()))) => {}
        Ok(Some(Err(error))) => log::warn!("the TPM's counter could not be raised at the end: {error}"),
        Err(_) => log::warn!("the TPM's counter could not be raised at the end: the TPM takes too long"),
    }
}

/// `None`: while the vault is not open there is nothing to hold against it.
async fn raise(service: &Service) -> Option<Result<(), Error>> {
    let vault = Arc::clone(&service.vault);
    let raised = blocking(move || vault.raise_anchor()).await;
    service.vault.check_open().is_ok().then_some(raised)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_deletes_all_day_does_not_have_the_tpm_count_all_day() {
        let (mut raises, wanted) = (Raises::default(), Duration::from_secs(600));
        for _ in 0..OFTEN {
            assert_eq!(raises.least_pause(wanted), wanted);
            raises.note();
        }
        assert_eq!(raises.least_pause(wanted), HOURLY);
        assert_eq!(raises.least_pause(2 * HOURLY), 2 * HOURLY);
        assert_eq!(raises.least_pause(Duration::ZERO), Duration::ZERO);
    }
}
