//! Reading all rows after each time the vault is opened, while it serves: what somebody else than the vault has removed, added or
//! put back takes it out of service. The service manager is told how far that is. Then what waits for the rows to be verified.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sd_notify::NotifyState;
use tokenvault_core::Error;
use tokenvault_core::port::{Cancelled, Progress};

use crate::bus::{blocking, rotate};
use crate::journal;
use crate::service::Service;

/// How often it is told how far it is; not at all where it is over sooner.
const TELL: Duration = Duration::from_secs(1);

/// When it is tried again where it could not be done.
const AGAIN: Duration = Duration::from_secs(60);

/// Verifies the rows whenever the vault was opened.
pub async fn keep(service: Arc<Service>) {
    loop {
        tokio::select! {
            () = service.opened.notified() => {
                if is_verified(&service).await {
                    go_on(&service).await;
                }
            }
            () = service.rotation_left.notified() => go_on(&service).await,
        }
    }
}

/// Verifies them, again and again where they could not be read; whether they are the vault's.
async fn is_verified(service: &Arc<Service>) -> bool {
    loop {
        let worker = Arc::clone(service);
        match blocking(move || verify(&worker)).await {
            Ok(()) => return true,
            Err(Error::Sealed(_) | Error::Cancelled | Error::Quarantined(_)) => return false,
            Err(error) => log::error!("the rows of the store could not be verified: {error}"),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Goes on with rotations that were interrupted, now that the rows are known to be the vault's; again and again where something keeps
/// one from its end that may pass, until the vault is opened anew.
async fn go_on(service: &Arc<Service>) {
    let mut told = String::new();
    loop {
        let worker = Arc::clone(service);
        match blocking(move || rotate::go_on(&worker)).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) if error.to_string() == told => {}
            Err(error) => {
                told = error.to_string();
                log::warn!("rotations of keys that were interrupted do not go on: {error}");
            }
        }
        tokio::select! {
            () = service.opened.notified() => return service.opened.notify_one(),
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}

fn verify(service: &Service) -> Result<(), Error> {
    let begun = Instant::now();
    let line = journal::line(&service.vault.status());
    let telling = Telling { service, line, told: Mutex::new(begun) };
    let verified = service.vault.verify_rows(&telling);
    if *telling.last() > begun {
        journal::notify(&[NotifyState::Status(&journal::line(&service.vault.status()))]);
    }
    let seconds = begun.elapsed().as_secs_f64();
    verified.map(|whole| log::info!("{} rows of the store are as the vault wrote them ({seconds:.1} s)", whole.rows))
}

/// Tells the service manager how far it is.
struct Telling<'a> {
    service: &'a Service,
    /// What it was told before.
    line: String,
    /// When it was told last, or when this began.
    told: Mutex<Instant>,
}

impl Telling<'_> {
    fn last(&self) -> MutexGuard<'_, Instant> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Telling<'_> {
    fn report(&self, done: u64, total: u64) -> Result<(), Cancelled> {
        if self.service.ending.load(Ordering::Relaxed) {
            return Err(Cancelled);
        }
        let now = Instant::now();
        let mut last = self.last();
        if now.duration_since(*last) >= TELL {
            *last = now;
            let line = format!("{}; verifying, {done} of about {total} rows", self.line);
            journal::notify(&[NotifyState::Status(&line)]);
        }
        Ok(())
    }
}
