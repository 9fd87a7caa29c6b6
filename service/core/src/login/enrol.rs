//! A login key for a user who has none.

use std::sync::Arc;

use super::record::{LoginRecord, Under, Wrapping};
use super::{RECOVERY_CODE_BYTES, check_caller, check_principal, event};
use crate::crypto::random;
use crate::error::Error;
use crate::owner::Owner;
use crate::vault::{Effect, Vault};
use crate::{Caller, Secret};

impl Vault {
    /// Draws a login key for a user and wraps it under the `key` of its password; its recovery code, which is told once. The
    /// login is unlocked. Blocks.
    ///
    /// # Errors
    /// [`Error::AccessDenied`] for anyone but the user and root, [`Error::InvalidArgs`] when the user has a login key.
    pub fn enrol_login(self: &Arc<Self>, caller: &Caller, subject: &Caller, key: Secret) -> Result<Secret, Error> {
        check_caller(caller, subject.uid)?;
        let state = self.login_state(caller, subject)?;
        let (open, memory) = (self.open()?, self.memory());
        let (login_key, code) = (random::secret(memory, 32)?, random::secret(memory, RECOVERY_CODE_BYTES)?);
        let event = event(caller, "Enrol", subject.uid);
        let (vault, user, audited) = (Arc::clone(self), subject.clone(), event.clone());
        let keys = Arc::clone(&open);
        let (principal, login_key, code) = self.write_and_wait(event, Effect::Grows, move |tx| {
            let principal = match vault.find_principal(&keys, tx, user.uid)? {
                Some(principal) => principal,
                None => vault.enrol(&keys, tx, &user, Owner::Own)?,
            };
            check_principal(&principal, &user)?;
            if tx.login(principal.id)?.is_some() {
                return Err(Error::InvalidArgs(
                    "this user has a login key already; unlock it with the password or the recovery code".into(),
                ));
            }
            let wrapping = Wrapping { open: &keys, principal: &principal, memory: vault.memory() };
            let copy = |under, shown| wrapping.wrap(&login_key, under, shown);
            let record = LoginRecord {
                salt: state.salt.clone(),
                params: state.params.clone(),
                copies: vec![copy(Under::Password, &key)?, copy(Under::RecoveryCode, &code)?],
                stale: false,
                enrolled: vault.now(),
            };
            tx.set_login(principal.id, &wrapping.seal_record(&record)?)?;
            vault.record_mutation(&keys, tx, &audited, 0)?;
            let copy = |secret: &Secret| Secret::copy_from(vault.memory(), secret.expose());
            Ok((principal, copy(&login_key)?, copy(&code)?))
        })?;
        open.unlocked.insert(&principal, login_key);
        Ok(code)
    }
}
