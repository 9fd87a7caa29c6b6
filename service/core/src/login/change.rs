//! Another password, and the way back with the recovery code.

use std::sync::Arc;

use super::record::{LoginRecord, Under, Wrapping};
use super::unlock::wrong_key;
use super::{check_caller, event, not_enrolled};
use crate::error::Error;
use crate::principal::Principal;
use crate::vault::{Effect, OpenVault, Vault};
use crate::{Caller, Secret};

impl Vault {
    /// Wraps a user's login key under the key of a new password. The old one goes on opening it until the new one has:
    /// whoever changes passwords may still fail after this. Whether the login is unlocked by it: the user's own change does
    /// that. One that root makes for a user is no login: there may be none whose end would lock it again. Blocks.
    ///
    /// # Errors
    /// [`Error::AccessDenied`] when `old` opens nothing, and for anyone but the user and root; [`Error::InvalidArgs`] when the
    /// user has no login key.
    pub fn set_login_key(
        self: &Arc<Self>,
        caller: &Caller,
        subject: &Caller,
        old: Secret,
        new: Secret,
    ) -> Result<bool, Error> {
        let opened = self.rewrap_login(caller, subject, "SetKey", move |wrapping, record| {
            let opened = wrapping.unwrap(record, &[Under::Password, Under::Previous], &old)?;
            let (login_key, previous) = opened.map(|(key, copy)| (key, copy.clone())).ok_or_else(wrong_key)?;
            record.replace_password(wrapping.wrap(&login_key, Under::Password, &new)?, Some(previous));
            Ok(login_key)
        })?;
        let is_own = caller.uid == subject.uid;
        if is_own {
            opened.keep();
        }
        Ok(is_own)
    }

    /// The same for a user whose old password is not known, with the recovery code. The login is unlocked. Blocks.
    ///
    /// # Errors
    /// As for [`Vault::set_login_key`].
    pub fn recover_login(
        self: &Arc<Self>,
        caller: &Caller,
        subject: &Caller,
        code: Secret,
        new: Secret,
    ) -> Result<(), Error> {
        let opened = self.rewrap_login(caller, subject, "Recover", move |wrapping, record| {
            let opened = wrapping.unwrap(record, &[Under::RecoveryCode], &code)?;
            let (login_key, copy) = opened.ok_or_else(wrong_code)?;
            if wrapping.is_of_before(copy) {
                let anew = wrapping.wrap(&login_key, Under::RecoveryCode, &code)?;
                record.replace_recovery_code(anew);
            }
            record.replace_password(wrapping.wrap(&login_key, Under::Password, &new)?, None);
            Ok(login_key)
        })?;
        opened.keep();
        Ok(())
    }

    fn rewrap_login(
        self: &Arc<Self>,
        caller: &Caller,
        subject: &Caller,
        operation: &'static str,
        change: impl Fn(Wrapping<'_>, &mut LoginRecord) -> Result<Secret, Error> + Send + 'static,
    ) -> Result<Opened, Error> {
        check_caller(caller, subject.uid)?;
        let open = self.open()?;
        let event = event(caller, operation, subject.uid);
        let (vault, user, audited, keys) = (Arc::clone(self), subject.clone(), event.clone(), Arc::clone(&open));
        let (principal, login_key) = self.write_and_wait(event, Effect::Reserved, move |tx| {
            let (principal, mut record) = vault.find_login(&keys, tx, &user)?.ok_or_else(not_enrolled)?;
            let wrapping = Wrapping { open: &keys, principal: &principal, memory: vault.memory() };
            let login_key = change(wrapping, &mut record)?;
            tx.set_login(principal.id, &wrapping.seal_record(&record)?)?;
            vault.record_mutation(&keys, tx, &audited, 0)?;
            Ok((principal, login_key))
        })?;
        Ok(Opened { open, principal, login_key })
    }
}

/// A login key that came to light.
struct Opened {
    open: Arc<OpenVault>,
    principal: Arc<Principal>,
    login_key: Secret,
}

impl Opened {
    /// Unlocks the login with it.
    fn keep(self) {
        self.open.unlocked.insert(&self.principal, self.login_key);
    }
}

fn wrong_code() -> Error {
    Error::AccessDenied("this recovery code does not open the login of this user".into())
}
