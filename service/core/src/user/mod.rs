//! What administrators do about users: see them, set what they may, and say what becomes of the tokens of those who are gone.
//! One operation a file. No value and no name of a token is told here.

mod adopt;
mod deleted;
mod list;
mod purge;
mod set;

use std::sync::Arc;

use crate::Caller;
use crate::announcement::{Announcement, Happened};
use crate::error::Error;
use crate::grantee::Grantee;
use crate::port::{PrincipalRow, ReadTx, WriteTx};
use crate::principal::PrincipalRecord;
use crate::vault::{Change, Effect, Event, OpenVault, Vault};

pub use deleted::Deletion;
pub(crate) use deleted::heeded_sealing;
pub use list::UserView;
pub use set::UserChanges;

/// The user database's word for a uid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The uid.
    pub uid: u32,
    /// Its name.
    pub user: NameNow,
}

/// What the user database answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameNow {
    /// The name.
    Is(Arc<str>),
    /// It has no such uid.
    None,
    /// Nothing; why.
    Unavailable(String),
}

impl Named {
    /// The name, where it is needed.
    fn name(&self) -> Result<Arc<str>, Error> {
        match &self.user {
            NameNow::Is(name) => Ok(Arc::clone(name)),
            NameNow::None => Err(Error::InvalidArgs(format!(
                "uid {} is not in the user database; the vault takes in users of this machine",
                self.uid
            ))),
            NameNow::Unavailable(why) => Err(Error::Unavailable(format!("{why}; retry"))),
        }
    }
}

/// One change of a principal: who makes it, and of whom.
struct Work<'a> {
    vault: &'a Arc<Vault>,
    open: Arc<OpenVault>,
    event: Event,
    uid: u32,
}

impl<'a> Work<'a> {
    fn new(vault: &'a Arc<Vault>, caller: &Caller, operation: &'static str, uid: u32) -> Result<Self, Error> {
        Ok(Self::with(vault, vault.open()?, caller, operation, uid))
    }

    /// The same with keys that may not be in use yet.
    fn with(vault: &'a Arc<Vault>, open: Arc<OpenVault>, caller: &Caller, operation: &'static str, uid: u32) -> Self {
        Self { vault, open, event: Event::new(caller, operation).about(Some(uid), ""), uid }
    }

    /// Writes. Nothing of the principal that was opened before is used from the beginning of the write on. Blocks.
    fn write<T: Send + 'static>(
        &self,
        effect: Effect,
        work: impl FnMut(&mut dyn WriteTx) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let _change = Change::begin(&self.open, self.uid);
        let tag = self.open.keys(self.vault).uid_tag(self.uid);
        let issuer = self.vault.read(|tx| Ok(tx.principal(&tag)?))?.map(|row| row.id);
        let written = self.vault.write_and_wait(self.event.clone(), effect, work);
        if let Some(issuer) = issuer {
            self.vault.hot_issued.forget(issuer);
        }
        written
    }

    /// With whom of those who listen tokens of the principal with this row are shared. What cannot be read there does not undo
    /// the change, of which it would only be told. Blocks.
    fn grantees(&self, principal: i64) -> Vec<Grantee> {
        self.vault.grantees_of_all(&self.open, principal).unwrap_or_default()
    }

    /// Tells what has become of all tokens of the principal. Blocks.
    fn tell(&self, principal: i64, happened: Happened) {
        let grantees = self.grantees(principal);
        self.vault.announce(vec![Announcement::of_all(self.uid, happened, grantees)]);
    }

    /// Closes the login, so that nothing of it opens for whoever is next.
    fn close_login(&self) -> Result<(), Error> {
        self.vault.lock_login(&crate::vault::daemon(), self.uid).map(|_was_open| ())
    }
}

/// The row of a uid.
pub(crate) fn find(
    vault: &Vault,
    open: &OpenVault,
    tx: &dyn ReadTx,
    uid: u32,
) -> Result<(PrincipalRow, PrincipalRecord), Error> {
    let keys = open.keys(vault);
    let row = tx.principal(&keys.uid_tag(uid))?.ok_or_else(|| unknown(uid))?;
    let record = keys.open_record(&row)?;
    Ok((row, record))
}

fn unknown(uid: u32) -> Error {
    Error::InvalidArgs(format!("the vault has nothing of uid {uid}; 'tokenvaultctl user list' shows its users"))
}

/// Refuses what cannot be done to the principal that holds the machine's tokens.
fn refuse_root(uid: u32, what: &str) -> Result<(), Error> {
    if uid != 0 {
        return Ok(());
    }
    Err(Error::InvalidArgs(format!("root holds the machine's tokens and cannot be {what}")))
}
