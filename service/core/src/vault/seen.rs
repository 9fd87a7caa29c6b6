//! When users called last, to the day: written down once a day each, beside the audit log and not on the way of a call.

use std::mem;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use super::{Effect, Event, OpenVault, Vault};
use crate::principal::Principal;

impl Vault {
    /// Notes that a user called. On the way of every call.
    pub(super) fn note_seen(&self, principal: &Principal) {
        let day = self.now().day();
        let before = principal.seen_day.load(Ordering::Relaxed);
        if before != day
            && principal.seen_day.compare_exchange(before, day, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(principal.uid);
        }
    }

    /// Nobody was seen: the principals are others.
    pub(super) fn forget_seen(&self) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Writes down who was seen for the first time of a day. Best effort: what cannot be written is noted again another day.
    pub(super) fn flush_seen(self: &Arc<Self>, open: &Arc<OpenVault>) {
        let seen = mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        if seen.is_empty() {
            return;
        }
        let (vault, open) = (Arc::clone(self), Arc::clone(open));
        let event = Event::new(&super::slots::daemon(), "Seen");
        self.write(event, Effect::Grows, Box::new(|_another_day| ()), move |tx| {
            let keys = open.keys(&vault);
            for uid in &seen {
                let Some(row) = tx.principal(&keys.uid_tag(*uid))? else { continue };
                let mut record = keys.open_record(&row)?;
                record.last_seen = Some(vault.now());
                tx.update_principal(&keys.with_record(&row, &record)?)?;
            }
            Ok(())
        });
    }
}
