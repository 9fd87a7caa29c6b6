//! What journal and service manager are told of the vault's state: every change once, and every day that nobody has
//! confirmed the recovery key.

use std::sync::Arc;
use std::time::Duration;

use tokenvault_core::vault::{SealReason, State, VaultStatus};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use super::event;
use crate::bus::blocking;
use crate::service::Service;

/// Changes within this time are told as one: a store that fails fails every write.
const SETTLING: Duration = Duration::from_millis(100);
/// How often an unconfirmed recovery key is demanded.
const DEMAND: Duration = Duration::from_secs(24 * 60 * 60);

/// Tells of the state as long as the daemon runs.
pub async fn tell(service: Arc<Service>) {
    let changed = Arc::new(Notify::new());
    let waker = Arc::clone(&changed);
    service.vault.on_state(move || waker.notify_one());
    let mut told = Told::default();
    loop {
        // A vault whose slots are being tried says in a moment how that went.
        if service.vault.seal_reason() != Some(SealReason::NotTried) {
            let asked = Arc::clone(&service);
            if let Ok(status) = blocking(move || Ok(asked.vault.status())).await {
                for news in told.news(&status, Instant::now()) {
                    log_news(news, &status);
                }
                let line = line(&status);
                super::aside(move || super::notify(&[sd_notify::NotifyState::Status(&line)])).await;
            }
        }
        tokio::select! {
            () = changed.notified() => sleep(SETTLING).await,
            () = sleep_until(told.next_demand(Instant::now())) => {}
        }
    }
}

/// The state on one line, with the cause and the next step where there are any.
pub fn line(status: &VaultStatus) -> String {
    let VaultStatus { state, reason, next_step, .. } = status;
    let mut line = state.as_str().to_owned();
    for (separator, text) in [(": ", reason), ("; ", next_step)] {
        if !text.is_empty() {
            line.push_str(separator);
            line.push_str(text);
        }
    }
    line
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum News {
    State(State),
    RecoveryUnconfirmed,
}

/// What was told already.
#[derive(Default)]
struct Told {
    state: Option<(State, String)>,
    demanded: Option<Instant>,
}

impl Told {
    /// What is to be told of `status`.
    fn news(&mut self, status: &VaultStatus, now: Instant) -> Vec<News> {
        let mut news = Vec::new();
        // An open vault is open whatever its status advises.
        let reason = if status.state == State::Serving { String::new() } else { status.reason.clone() };
        let state = Some((status.state, reason));
        if state != self.state && status.state != State::Starting {
            news.push(News::State(status.state));
            self.state = state;
        }
        if status.state != State::Serving || status.recovery_confirmed {
            self.demanded = None;
        } else if self.demanded.is_none_or(|before| now.duration_since(before) >= DEMAND) {
            news.push(News::RecoveryUnconfirmed);
            self.demanded = Some(now);
        }
        news
    }

    /// When the recovery key is to be demanded again, if nothing changes before.
    fn next_demand(&self, now: Instant) -> Instant {
        self.demanded.unwrap_or(now) + DEMAND
    }
}

fn log_news(news: News, status: &VaultStatus) {
    let VaultStatus { reason, next_step, .. } = status;
    match news {
        News::State(State::Serving) => {
            let slot = status.protection.map_or("", |kind| kind.as_str());
            log::info!(MESSAGE_ID = event::OPENED; "the vault is open, by its slot of kind {slot}");
        }
        News::State(State::Sealed) => {
            log::warn!(MESSAGE_ID = event::SEALED; "the vault is sealed: {reason}; {next_step}");
        }
        News::State(State::Uninitialised) => {
            log::warn!(MESSAGE_ID = event::UNINITIALISED; "there is no vault yet: {reason}; {next_step}");
        }
        News::State(State::ReadOnly) => {
            log::error!(MESSAGE_ID = event::READ_ONLY; "the vault cannot be written: {reason}; {next_step}");
        }
        News::State(State::Quarantined) => {
            log::error!(MESSAGE_ID = event::QUARANTINED; "the vault is quarantined: {reason}; {next_step}");
        }
        News::State(State::Starting) => {}
        News::RecoveryUnconfirmed => {
            log::warn!(MESSAGE_ID = event::RECOVERY_UNCONFIRMED; "{reason}; {next_step}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(state: State, reason: &str, recovery_confirmed: bool) -> VaultStatus {
        VaultStatus {
            state,
            reason: reason.into(),
            next_step: "do something".into(),
            protection: None,
            vault_id: None,
            recovery_confirmed,
            theft: None,
        }
    }

    #[test]
    fn a_state_is_told_once_and_its_cause_when_it_changes() {
        let (mut told, now) = (Told::default(), Instant::now());
        let sealed = |reason| status(State::Sealed, reason, true);
        assert_eq!(told.news(&status(State::Starting, "", true), now), []);
        assert_eq!(told.news(&sealed("no TPM"), now), [News::State(State::Sealed)]);
        assert_eq!(told.news(&sealed("no TPM"), now), []);
        assert_eq!(told.news(&sealed("another TPM"), now), [News::State(State::Sealed)]);
        assert_eq!(told.news(&status(State::Serving, "", true), now), [News::State(State::Serving)]);
        assert_eq!(told.news(&sealed("another TPM"), now), [News::State(State::Sealed)]);
    }

    #[test]
    fn an_unconfirmed_recovery_key_is_demanded_when_the_vault_opens_and_every_day() {
        let (mut told, start) = (Told::default(), Instant::now());
        let open = status(State::Serving, "no recovery key", false);
        assert_eq!(told.news(&open, start), [News::State(State::Serving), News::RecoveryUnconfirmed]);
        assert_eq!(told.next_demand(start), start + DEMAND);
        assert_eq!(told.news(&open, start + DEMAND / 2), []);
        assert_eq!(told.news(&open, start + DEMAND), [News::RecoveryUnconfirmed]);
        assert_eq!(told.news(&status(State::Serving, "", true), start + DEMAND), []);
        assert_eq!(told.news(&open, start + DEMAND), [News::RecoveryUnconfirmed], "its slot was removed again");
    }

    #[test]
    fn the_line_has_cause_and_next_step_where_there_are_any() {
        let open = VaultStatus { next_step: String::new(), ..status(State::Serving, "", true) };
        assert_eq!(line(&open), "serving");
        assert_eq!(line(&status(State::Sealed, "no TPM", true)), "sealed: no TPM; do something");
    }
}
