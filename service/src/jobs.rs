//! What the daemon does besides answering: committing the audit log, opening the vault when its TPM comes, keeping the
//! watchdog fed.

use std::sync::Arc;
use std::time::Duration;

use tokenvault_core::vault::State;
use tokenvault_store::SqliteStore;
use tokio::sync::Notify;

use crate::bus::blocking;
use crate::lifecycle::Attempt;
use crate::service::Service;

/// Records of reads are durable within twice this time.
const AUDIT_DELAY: Duration = Duration::from_millis(50);
/// How often runs of equal reads are looked at while there are any.
const AUDIT_RUNS: Duration = Duration::from_millis(500);
/// Waits between attempts to open the vault: the first, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// Commits the records of reads and denials soon after they were noted.
pub async fn commit_audit(service: Arc<Service>) {
    let noted = Arc::new(Notify::new());
    let waker = Arc::clone(&noted);
    service.vault.on_audit(move || waker.notify_one());
    loop {
        noted.notified().await;
        tokio::time::sleep(AUDIT_DELAY).await;
        flush(&service, false).await;
        while service.vault.audit_waits() {
            tokio::select! {
                () = noted.notified() => tokio::time::sleep(AUDIT_DELAY).await,
                () = tokio::time::sleep(AUDIT_RUNS) => {}
            }
            flush(&service, false).await;
        }
    }
}

/// Commits what waits; with `all`, because the daemon ends, also what is still being folded.
pub async fn flush(service: &Arc<Service>, all: bool) {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    service.vault.flush_audit(all, Box::new(move |result| drop(sender.send(result))));
    let answer = receiver.await;
    // While the vault is not open the records simply wait.
    if let Ok(Err(error)) = answer
        && service.vault.check_open().is_ok()
    {
        let fate = if all { "are lost with the daemon's end" } else { "are kept in memory" };
        log::error!("audit records could not be written and {fate}: {error}");
    }
}

/// Opens the vault, and goes on trying while that may help. `tried` is told after the first attempt.
pub async fn keep_opening(service: Arc<Service>, tried: Arc<Notify>) {
    let mut wait = RETRY.0;
    loop {
        let (worker, first) = (Arc::clone(&service), Arc::clone(&tried));
        let attempt = blocking(move || Ok(worker.open_unasked())).await;
        first.notify_one();
        match attempt {
            Ok(Attempt::Later) => {
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(RETRY.1);
            }
            Ok(Attempt::Settled) => {
                service.reopen.notified().await;
                wait = RETRY.0;
            }
            Err(error) => return log::error!("the vault could not be opened: {error}"),
        }
    }
}

/// Reads the whole store once while serving; damage takes the vault out of service.
pub async fn verify_structure(service: Arc<Service>, store: Arc<SqliteStore>) {
    let verified = blocking(move || Ok(store.verify_structure()?)).await;
    match verified {
        Ok(()) => {}
        Err(tokenvault_core::Error::Quarantined(reason)) => {
            log::error!("the store is damaged and the vault is quarantined: {reason}");
            service.vault.quarantine(reason);
        }
        Err(error) => log::warn!("the store could not be verified: {error}"),
    }
}

/// Tells the service manager that the daemon lives, as often as it asks, and what state the vault is in.
pub async fn feed_watchdog(service: Arc<Service>) {
    let Some(asked) = sd_notify::watchdog_enabled() else { return };
    let mut ticks = tokio::time::interval(asked / 2);
    loop {
        ticks.tick().await;
        // A daemon whose writer does not come round any more is not alive.
        let (sender, receiver) = tokio::sync::oneshot::channel();
        service.vault.round_trip(Box::new(move |_| {
            let _unheard = sender.send(());
        }));
        if receiver.await.is_err() {
            continue;
        }
        let state: State = service.vault.state();
        let states = [sd_notify::NotifyState::Watchdog, sd_notify::NotifyState::Status(state.as_str())];
        if let Err(error) = sd_notify::notify(&states) {
            log::warn!("the service manager could not be notified: {error}");
        }
    }
}
