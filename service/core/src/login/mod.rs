//! Class `login`: a user's key that is open only while the user is logged in.
//!
//! The key (UKl) wraps the DEKs of login-class tokens. It is drawn once, at enrolment, and kept wrapped under what the login
//! password gives and under a recovery code; both are mixed with a key of the keyring, so a copied store allows no guessing.
//! Whoever unlocks derives the key of the password elsewhere (argon2id, RFC 9106): it is expensive on purpose, and the password
//! never comes here. One operation a file; what is kept stands in `record`, who is unlocked in `unlocked`.

mod change;
mod enrol;
mod park;
mod record;
mod state;
mod unlock;
mod unlocked;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::Caller;
use crate::error::Error;
use crate::port::{ReadTx, WriteTx};
use crate::principal::Principal;
use crate::vault::{Event, OpenVault, Vault};

pub use park::leave_out_parked;
pub use state::LoginState;
pub(crate) use unlocked::Unlocked;

use self::record::{LoginRecord, Wrapping};

/// Length of a key derived from a login password.
pub const KEY_BYTES: usize = 32;
/// Length of a recovery code.
pub const RECOVERY_CODE_BYTES: usize = 20;
/// What a login password is derived with, in PHC form: 64 MiB, three passes.
pub const PARAMS: &str = "$argon2id$v=19$m=65536,t=3,p=1";

impl Vault {
    /// A user's principal, and what is kept of its login; `None` where there is nothing.
    fn find_login(
        &self,
        open: &OpenVault,
        tx: &dyn ReadTx,
        subject: &Caller,
    ) -> Result<Option<(Arc<Principal>, LoginRecord)>, Error> {
        let Some(principal) = self.find_principal(open, tx, subject.uid)? else { return Ok(None) };
        check_principal(&principal, subject)?;
        let Some(row) = tx.login(principal.id)? else { return Ok(None) };
        let record = Wrapping { open, principal: &principal, memory: self.memory() }.open_record(&row)?;
        Ok(Some((principal, record)))
    }
}

/// What became of a login in a rotation.
pub(crate) struct RenewedLogin {
    /// Whether it was sealed anew.
    pub is_renewed: bool,
    /// Terms of the pepper without which it does not open.
    pub peppers: BTreeSet<u32>,
}

impl Vault {
    /// Seals what is kept of a principal's login with the newest keys; `None` where there is nothing.
    pub(crate) fn renew_login(
        &self,
        open: &OpenVault,
        tx: &mut dyn WriteTx,
        principal: &Principal,
    ) -> Result<Option<RenewedLogin>, Error> {
        let Some(row) = tx.login(principal.id)? else { return Ok(None) };
        let wrapping = Wrapping { open, principal, memory: self.memory() };
        let renewed = wrapping.renew(&row)?;
        if let Some(renewed) = &renewed {
            tx.set_login(principal.id, renewed)?;
        }
        let peppers = wrapping.open_record(renewed.as_ref().unwrap_or(&row))?.pepper_terms().collect();
        Ok(Some(RenewedLogin { is_renewed: renewed.is_some(), peppers }))
    }
}

/// Refuses whoever is neither the user nor root.
fn check_caller(caller: &Caller, subject: u32) -> Result<(), Error> {
    if caller.uid == subject || caller.is_root() {
        return Ok(());
    }
    Err(Error::AccessDenied("only the user and root unlock, lock and change a login".into()))
}

fn check_principal(principal: &Principal, subject: &Caller) -> Result<(), Error> {
    principal.check_name(subject)?;
    if principal.active {
        return Ok(());
    }
    Err(Error::AccessDenied("this user is disabled in the vault; an administrator can enable it".into()))
}

/// What the audit log is told.
fn event(caller: &Caller, operation: &'static str, subject: u32) -> Event {
    Event::new(caller, operation).about(Some(subject), "")
}

fn not_enrolled() -> Error {
    Error::InvalidArgs("this user has no login key yet; 'tokenvault unlock' makes one".into())
}
