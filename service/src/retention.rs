//! Care of the audit log while the daemon runs: it is kept as small as the settings say, and the journal is told where it ends.

use std::sync::Arc;
use std::time::Duration;

use tokenvault_core::Error;
use tokenvault_core::audit::{ClockTrust, Mark};
use tokenvault_core::port::{Cancelled, Clock, Progress};

use crate::bus::blocking;
use crate::journal::event;
use crate::service::Service;

/// How often the log is looked at, beside when the settings change.
const LOOK: Duration = Duration::from_secs(60 * 60);
/// How long after the start first: others have more urgent things to do with the disk.
const FIRST_LOOK: Duration = Duration::from_secs(60);
/// How often the journal is told of the newest record, if there is a newer one.
const TELL: Duration = Duration::from_secs(15 * 60);
/// How long the clock has to have gone evenly before records go because of their age. A clock that is wrong at the start of a
/// machine is put right by then.
const EVEN_USEC: u64 = 60 * 60 * 1_000_000;
/// Less is no jump.
const JUMP_USEC: u64 = 60 * 1_000_000;

/// Keeps the log short as long as the daemon runs.
pub async fn keep_short(service: Arc<Service>, clock: Arc<dyn Clock>) {
    let mut evenness = Evenness::default();
    let mut wait = FIRST_LOOK;
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = service.settings_changed.notified() => {}
        }
        wait = LOOK;
        let (vault, trust) = (Arc::clone(&service.vault), evenness.judge(&*clock));
        match blocking(move || vault.shorten_audit(trust, &Unwatched)).await {
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
    let chain: String = head.chain.iter().map(|byte| format!("{byte:02x}")).collect();
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

/// Whether the clock has gone evenly: how far it was ahead of the time since boot, and since when.
#[derive(Default)]
struct Evenness {
    since: Option<(u64, u64)>,
}

impl Evenness {
    fn judge(&mut self, clock: &dyn Clock) -> ClockTrust {
        let boot = clock.boottime_usec();
        let ahead = clock.now().as_usec().saturating_sub(boot);
        let begun = match self.since {
            Some((before, begun)) if ahead.abs_diff(before) <= JUMP_USEC => begun,
            _ => boot,
        };
        self.since = Some((ahead, begun));
        if boot.saturating_sub(begun) >= EVEN_USEC { ClockTrust::Even } else { ClockTrust::Suspect }
    }
}

#[cfg(test)]
mod tests {
    use tokenvault_core::Timestamp;
    use tokenvault_core::port::ManualClock;

    use super::*;

    const YEAR: u64 = 365 * 24 * EVEN_USEC;

    #[test]
    fn a_clock_is_trusted_after_an_hour_and_not_after_it_was_set() {
        let clock = ManualClock::new(Timestamp::from_usec(50 * YEAR));
        let mut evenness = Evenness::default();
        assert_eq!(evenness.judge(&clock), ClockTrust::Suspect);
        clock.advance_usec(EVEN_USEC);
        assert_eq!(evenness.judge(&clock), ClockTrust::Even);
        // Ten years ahead, and then an hour of that.
        let ahead = ManualClock::new(Timestamp::from_usec(60 * YEAR));
        ahead.advance_usec(EVEN_USEC);
        assert_eq!(evenness.judge(&ahead), ClockTrust::Suspect);
        ahead.advance_usec(EVEN_USEC / 2);
        assert_eq!(evenness.judge(&ahead), ClockTrust::Suspect);
        // And back.
        clock.advance_usec(EVEN_USEC);
        assert_eq!(evenness.judge(&clock), ClockTrust::Suspect);
        clock.advance_usec(EVEN_USEC);
        assert_eq!(evenness.judge(&clock), ClockTrust::Even);
    }
}
