//! Opening a login, and closing it.

use std::sync::Arc;

use super::record::{Under, Wrapping};
use super::{check_caller, event, not_enrolled};
use crate::error::Error;
use crate::vault::{Effect, Event, Vault};
use crate::{Caller, Secret};

/// As what it stands in the queue that a password of before opens a login no more.
const SETTLE: &str = "SettleLogin";

impl Vault {
    /// Opens a user's login with the key of its password, the present or the previous one. Blocks.
    ///
    /// # Errors
    /// [`Error::AccessDenied`] for a key that opens nothing, and for anyone but the user and root; [`Error::InvalidArgs`] when
    /// the user has no login key.
    pub fn unlock_login(self: &Arc<Self>, caller: &Caller, subject: &Caller, key: &Secret) -> Result<(), Error> {
        check_caller(caller, subject.uid)?;
        let open = self.open()?;
        let event = event(caller, "Unlock", subject.uid);
        let (principal, record) = self.read(|tx| self.find_login(&open, tx, subject))?.ok_or_else(not_enrolled)?;
        let wrapping = Wrapping { open: &open, principal: &principal, memory: self.memory() };
        let Some((login_key, copy)) = wrapping.unwrap(&record, &[Under::Password, Under::Previous], key)? else {
            // Who logs in somebody has seen that the password is right, and is root. A root who mistypes his own is taken for
            // that too: it only has him asked once more.
            if caller.is_root() && !record.stale {
                self.change_record(event.clone(), subject, |_, record| {
                    record.stale = true;
                    Ok(())
                });
            }
            let refused = wrong_key();
            self.note_refusal(&event, &refused);
            return Err(refused);
        };
        self.note_login(&event)?;
        let is_present = copy.under == Under::Password;
        let anew = if is_present && wrapping.is_of_before(copy) {
            let copied = |secret: &Secret| Secret::copy_from(self.memory(), secret.expose());
            Some((copy.wrapped.clone(), copied(&login_key)?, copied(key)?))
        } else {
            None
        };
        open.unlocked.insert(&principal, login_key);
        if is_present && (record.is_unsettled() || anew.is_some()) {
            // The password before opens nothing any more.
            let event = Event { operation: if record.is_unsettled() { SETTLE } else { event.operation }, ..event };
            self.change_record(event, subject, move |wrapping, record| {
                if let Some((before, login_key, shown)) = &anew
                    && let Some(copy) = record.copies.iter_mut().find(|copy| copy.wrapped == *before)
                {
                    *copy = wrapping.wrap(login_key, copy.under, shown)?;
                }
                record.settle();
                Ok(())
            });
        }
        Ok(())
    }

    /// Closes a user's login; whether it was open.
    ///
    /// # Errors
    /// [`Error::AccessDenied`] for anyone but the user and root; when the vault is not open.
    pub fn lock_login(&self, caller: &Caller, subject: u32) -> Result<bool, Error> {
        check_caller(caller, subject)?;
        let open = self.open()?;
        let was_open = self.without_hot(subject, || open.unlocked.remove(subject));
        if was_open {
            // It is closed all the same.
            let _noted = self.note_login(&event(caller, "Lock", subject));
        }
        Ok(was_open)
    }

    /// Changes a record that the outcome does not hang on: where it cannot be written, it is tried again the next time.
    fn change_record(
        self: &Arc<Self>,
        event: Event,
        subject: &Caller,
        change: impl Fn(Wrapping<'_>, &mut super::LoginRecord) -> Result<(), Error> + Send + 'static,
    ) {
        let Ok(open) = self.open() else { return };
        let (vault, user) = (Arc::clone(self), subject.clone());
        let _tried_again = self.write_and_wait(event, Effect::Reserved, move |tx| {
            let Some((principal, mut record)) = vault.find_login(&open, tx, &user)? else { return Ok(()) };
            let wrapping = Wrapping { open: &open, principal: &principal, memory: vault.memory() };
            change(wrapping, &mut record)?;
            Ok(tx.set_login(principal.id, &wrapping.seal_record(&record)?)?)
        });
    }
}

/// The answer to what opens nothing.
pub(super) fn wrong_key() -> Error {
    Error::AccessDenied(
        "this does not open the login: the password is wrong, or it was changed without the vault; \
         'tokenvault unlock --changed' then takes the old one, and '--recovery' the recovery code"
            .into(),
    )
}
