//! The moment in which a restored store takes the place of the one in use.
//!
//! Nothing may be written with the keys of the one to the other, so the vault is closed first, and whoever still holds its keys is waited
//! for.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::port::{Replacement, Taken};
use crate::vault::anchor::Trust;
use crate::vault::state::Inner;
use crate::vault::{Effect, Event, OpenVault, SealReason, Vault};

/// How long requests that are under way have to end.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(5);

impl Vault {
    /// Closes the vault, waits until nobody uses its keys, and exchanges the store; the file that the one before is kept in. Where that
    /// fails it serves as before, but where the other one has taken its place already and cannot be used before the next start.
    pub(super) fn exchange(
        self: &Arc<Self>,
        event: &Event,
        replacement: Box<dyn Replacement>,
        replace: bool,
    ) -> Result<Option<String>, Error> {
        let before = self.with_state(|state| match state {
            Inner::Open(open) => Some(Inner::Open(Arc::clone(open))),
            Inner::Uninitialised(reason) => Some(Inner::Uninitialised(reason.clone())),
            Inner::Sealed(reason) => Some(Inner::Sealed(reason.clone())),
            _ => None,
        });
        let Some(before) = before else { return Err(Error::Unavailable("the vault was taken out of service".into())) };
        // Whatever it holds: its log is there for whoever asks what has become of it.
        let is_kept = !matches!(before, Inner::Uninitialised(_));
        self.enter(Inner::Sealed(SealReason::Restoring))?;
        let exchanged = self.close_log(event, &before).and_then(|()| {
            wait_for_requests(&before)?;
            // What came in meanwhile.
            self.check_restore(replace)?;
            // Before the first write to the other one.
            self.exchanges.fetch_add(1, Ordering::AcqRel);
            replacement.take_place(is_kept).map_err(|error| {
                self.exchanges.fetch_sub(1, Ordering::AcqRel);
                self.store_failed(error)
            })
        });
        match exchanged {
            Ok(Taken { kept, unusable: None }) => Ok(kept),
            Ok(Taken { kept, unusable: Some(cause) }) => {
                let error = told_replaced(kept.as_deref(), "restart tokenvaultd", self.store_failed(cause));
                // Not as before: its keys are of the other store.
                self.enter(Inner::Unavailable(error.to_string()))?;
                Err(error)
            }
            Err(error) => {
                self.audit.reopen();
                self.enter(before)?;
                Err(error)
            }
        }
    }

    /// Writes what waits to the log of the vault that is closed, and that it was restored over.
    fn close_log(self: &Arc<Self>, event: &Event, before: &Inner) -> Result<(), Error> {
        let Inner::Open(open) = before else { return Ok(()) };
        let records = self.audit.close(self.now());
        let (vault, open, audited) = (Arc::clone(self), Arc::clone(open), event.clone());
        let (written, cap) = (Arc::new(records), self.settings().audit_records);
        let waiting = Arc::clone(&written);
        let done = self.write_and_wait(event.clone(), Effect::Reserved, move |tx| {
            written.iter().try_for_each(|record| open.audit.append(tx, record, cap))?;
            vault.record_mutation(&open, tx, &audited, 0)
        });
        done.inspect_err(|_| self.audit.put_back(waiting.to_vec()))
    }

    /// Opens what was restored, as after a start, for who has the turn of the anchor.
    pub(super) fn serve_restored(self: &Arc<Self>, open: &Arc<OpenVault>) -> Result<(), Error> {
        // Whatever was known of the store before.
        self.forsaken.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.forget_seen();
        let resumed = self
            .resume_trusted_time(open)
            .and_then(|()| self.resume_lockdown())
            // Whoever restores has the recovery key, and what is restored is older than what was there.
            .and_then(|()| self.check_anchor(open, Trust::Recover))
            .and_then(|finding| self.account_for_rows(open).map(|()| finding));
        match resumed {
            Ok(finding) => {
                // They were read a moment ago, and told by their digest.
                open.anchor.note_verified_rows();
                self.serve(open, finding)?;
                // At once: what is sealed or stopped before would be doubted. Where the TPM does not answer it is tried again.
                let _tried_again = self.tend_anchor(open);
                Ok(())
            }
            Err(error) => {
                self.quarantine_after(&error);
                // As after a start; a quarantine stays.
                self.enter(Inner::Sealed(SealReason::NotTried))?;
                Err(error)
            }
        }
    }
}

/// What went wrong after the other store had taken the place of the one in use.
pub(super) fn told_replaced(kept: Option<&str>, next: &str, error: Error) -> Error {
    let kept = kept.map_or(String::new(), |kept| format!(", which is kept as {kept} in the state directory,"));
    let text = format!("the backup has taken the place of the store{kept} and is not served ({error}); {next}");
    match error {
        Error::Quarantined(_) => Error::Quarantined(text),
        _ => Error::Unavailable(text),
    }
}

/// Waits until only we hold the keys of the vault that was open: whatever is written with them is in its store by then.
fn wait_for_requests(before: &Inner) -> Result<(), Error> {
    let Inner::Open(open) = before else { return Ok(()) };
    let until = Instant::now() + PATIENCE;
    while Arc::strong_count(open) > 1 {
        if Instant::now() >= until {
            return Err(Error::Unavailable(
                "requests that were under way did not end, and nothing was changed; restore again when fewer use the vault".into(),
            ));
        }
        thread::sleep(PAUSE);
    }
    Ok(())
}
