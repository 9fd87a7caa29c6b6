//! The page that is handed out.

use std::time::SystemTime;

use tokenvault_core::port::{BATCH_BOUNDS, StoreCounters, Totals};
use tokenvault_core::vault::State;
use tokenvault_core::{Caller, Error};

use super::openmetrics::{Buckets, Text};
use crate::service::Service;

/// Who reads it.
pub enum Reader {
    /// Somebody who may know what others do.
    Administrator,
    /// Anybody else: what others do is nothing to them, not even how much of it.
    User(Caller),
}

/// The page for `reader`. Blocks.
pub fn page(service: &Service, reader: &Reader) -> String {
    let mut text = Text::default();
    about_the_daemon(service, &mut text);
    match reader {
        Reader::Administrator => {
            service.metrics.calls.write(&mut text);
            service.sealer.metrics().write(&mut text);
            about_the_store(service, &mut text);
            about_the_log(service, &mut text);
        }
        Reader::User(caller) => about_own(service, caller, &mut text),
    }
    text.end()
}

fn about_the_daemon(service: &Service, text: &mut Text) {
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    text.gauge("tokenvault_build_info", "The daemon's version.").sample(&version, 1);
    let since = service.metrics.since.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let help = "When the daemon was started, seconds since 1970.";
    text.gauge_in("tokenvault_start_time_seconds", "seconds", help).sample(&[], since.as_secs());
    let status = service.vault.status();
    let mut states = text.gauge("tokenvault_state", "1 for the state the vault is in.");
    for state in State::ALL {
        states.sample(&[("state", state.as_str())], u64::from(state == status.state));
    }
    let help = "Whether somebody has shown to have the recovery key.";
    text.gauge("tokenvault_recovery_confirmed", help).sample(&[], u64::from(status.recovery_confirmed));
}

fn about_own(service: &Service, caller: &Caller, text: &mut Text) {
    // While the vault is not open nobody knows.
    let Ok([tokens, bytes, quota_tokens, quota_bytes]) = service.vault.usage(caller) else { return };
    text.gauge("tokenvault_tokens", "Your tokens.").sample(&[], tokens);
    text.gauge_in("tokenvault_stored_bytes", "bytes", "What your tokens take.").sample(&[], bytes);
    text.gauge("tokenvault_quota_tokens", "Most tokens you may have; 0: no limit.").sample(&[], quota_tokens);
    let help = "Most that your tokens may take; 0: no limit.";
    text.gauge_in("tokenvault_quota_bytes", "bytes", help).sample(&[], quota_bytes);
}

fn about_the_store(service: &Service, text: &mut Text) {
    let vault = &service.vault;
    if let Ok(Totals { tokens, bytes, issued }) = vault.totals() {
        text.gauge("tokenvault_tokens", "Tokens of all users.").sample(&[], tokens);
        text.gauge_in("tokenvault_stored_bytes", "bytes", "What the tokens of all users take.").sample(&[], bytes);
        let help = "Issued tokens, codes and offers of all users; those that have ended until they are cleaned up.";
        text.gauge("tokenvault_issued", help).sample(&[], issued);
    }
    if let Ok(versions) = service.metrics.versions.get(|| vault.count_versions()) {
        text.gauge("tokenvault_versions", "Versions of all tokens, as they were lately.").sample(&[], versions);
    }
    let (counters, disk_bytes) = vault.store_counters();
    let help = "Size of the database and its log on disk.";
    text.gauge_in("tokenvault_disk_bytes", "bytes", help).sample(&[], disk_bytes);
    let StoreCounters { writes, erasures, .. } = counters;
    text.counter("tokenvault_writes", "Writes that were made durable.").sample(&[], writes);
    let help = "Times that deleted rows were taken out of the database's log.";
    text.counter("tokenvault_erasures", help).sample(&[], erasures);
    let help = "Writes that one commit made durable.";
    text.sizes("tokenvault_commit_writes", help).histogram(&[], &batches(&counters));
}

fn batches(counters: &StoreCounters) -> Buckets {
    let bounds = BATCH_BOUNDS.iter().map(|bound| format!("{bound}.0")).collect();
    Buckets { bounds, counts: counters.batches.to_vec(), sum: counters.writes.to_string() }
}

fn about_the_log(service: &Service, text: &mut Text) {
    let head: Result<_, Error> = service.vault.audit_head();
    if let Ok(head) = head {
        let written = head.map_or(0, |head| head.seq);
        text.counter("tokenvault_audit_records", "Records that were written to the audit log.").sample(&[], written);
    }
    let waiting = u64::try_from(service.vault.audit_waiting()).unwrap_or(u64::MAX);
    let help = "Records of the audit log that are not written yet.";
    text.gauge("tokenvault_audit_waiting", help).sample(&[], waiting);
    let subscriptions = u64::try_from(service.subscriptions.count()).unwrap_or(u64::MAX);
    let help = "Connections that are told of changes.";
    text.gauge("tokenvault_subscriptions", help).sample(&[], subscriptions);
    let running = u64::try_from(service.operations.running()).unwrap_or(u64::MAX);
    text.gauge("tokenvault_operations_running", "Long work that is under way.").sample(&[], running);
}
