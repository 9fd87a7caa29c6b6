//! What the daemon does besides answering: committing the audit log, opening the vault when its TPM comes, keeping the
//! watchdog fed.

use std::sync::Arc;
use std::time::Duration;

use tokenvault_core::Error;
use tokenvault_store::SqliteStore;
use tokio::sync::Notify;

use crate::bus::blocking;
use crate::journal;
use crate::lifecycle::Attempt;
use crate::service::Service;

/// Records of reads are durable within twice this time.
const AUDIT_DELAY: Duration = Duration::from_millis(50);
/// How often runs of equal reads are looked at while there are any.
const AUDIT_RUNS: Duration = Duration::from_millis(500);
/// Waits between attempts to open the vault: the first, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// While the machine boots, when a TPM comes late and units wait for it: how long that takes, and the longest wait meanwhile.
const BOOT: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(2));

/// Commits the records of reads and denials soon after they were noted.
pub async fn commit_audit(service: Arc<Service>) {
    let noted = Arc::new(Notify::new());
    let waker = Arc::clone(&noted);
    service.vault.on_audit(move || waker.notify_one());
    let mut health = AuditHealth::default();
    loop {
        noted.notified().await;
        tokio::time::sleep(AUDIT_DELAY).await;
        health.heed(&service, flush(&service, false).await);
        while service.vault.audit_waits() {
            tokio::select! {
                () = noted.notified() => tokio::time::sleep(AUDIT_DELAY).await,
                () = tokio::time::sleep(AUDIT_RUNS) => {}
            }
            health.heed(&service, flush(&service, false).await);
        }
    }
}

/// Whether the last attempt to write the audit log failed. It is tried many times a second: only a change is told.
#[derive(Default)]
struct AuditHealth {
    failure: Option<String>,
}

impl AuditHealth {
    fn heed(&mut self, service: &Service, outcome: Result<(), Error>) {
        match self.change(outcome.map_err(|error| error.to_string())) {
            // While the vault is not open the records simply wait.
            Some(Err(_)) if service.vault.check_open().is_err() => self.failure = None,
            Some(Err(why)) => log::error!("audit records could not be written and are kept in memory: {why}"),
            Some(Ok(())) => log::info!("the audit log is written again"),
            None => {}
        }
    }

    /// The outcome, where it is another than before.
    fn change(&mut self, outcome: Result<(), String>) -> Option<Result<(), String>> {
        let failure = outcome.err();
        if failure == self.failure {
            return None;
        }
        self.failure.clone_from(&failure);
        Some(failure.map_or(Ok(()), Err))
    }
}

/// Commits what waits; with `all` also what is still being folded.
async fn flush(service: &Arc<Service>, all: bool) -> Result<(), Error> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    service.vault.flush_audit(all, Box::new(move |result| drop(sender.send(result))));
    receiver.await.unwrap_or_else(|_| Err(Error::Unavailable("the vault is stopping".into())))
}

/// Commits what waits and what is still being folded, because the daemon ends; says what is lost.
pub async fn flush_last(service: &Arc<Service>) {
    if let Err(error) = flush(service, true).await {
        let lost = service.vault.audit_waiting();
        if lost > 0 {
            log::error!("audit records could not be written and are lost with the daemon's end ({lost}): {error}");
        }
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
                let longest = if service.started.elapsed() < BOOT.0 { BOOT.1 } else { RETRY.1 };
                wait = (wait * 2).min(longest);
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
        Err(Error::Quarantined(reason)) => {
            service.vault.quarantine(reason);
        }
        Err(error) => log::warn!("the store could not be verified: {error}"),
    }
}

/// Tells the service manager that the daemon lives, as often as it asks.
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
        journal::aside(|| journal::notify(&[sd_notify::NotifyState::Watchdog])).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_change_of_the_audit_log_is_told() {
        let mut health = AuditHealth::default();
        let mut told = |outcome: Result<(), &str>| health.change(outcome.map_err(str::to_owned));
        assert_eq!(told(Ok(())), None);
        assert_eq!(told(Err("full")), Some(Err("full".into())));
        assert_eq!(told(Err("full")), None);
        assert_eq!(told(Err("read-only")), Some(Err("read-only".into())));
        assert_eq!(told(Ok(())), Some(Ok(())));
        assert_eq!(told(Ok(())), None);
    }
}
