//! `org.tokenvault1.Admin`: users.

use tokenvault_proto::{AdoptUserOptions, DeletionInfo, NoOptions, SetUserOptions, UserInfo};

use crate::client::Client;
use crate::error::Error;
use crate::method;

impl Client {
    /// The users the vault knows, by uid.
    ///
    /// # Errors
    /// A row of the contract's table.
    pub fn users(&self) -> Result<Vec<UserInfo>, Error> {
        self.call_rows(&method::USERS, &NoOptions::default())
    }

    /// Changes what a user may do.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn set_user(&self, uid: u32, options: &SetUserOptions) -> Result<(), Error> {
        self.call(&method::SET_USER, &(uid, options))
    }

    /// Freezes the tokens of a user who was deleted.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn freeze_user(&self, uid: u32) -> Result<(), Error> {
        self.call(&method::FREEZE_USER, &(uid, NoOptions::default()))
    }

    /// The notes about users who were deleted while the vault could not be told; also while it is sealed.
    ///
    /// # Errors
    /// A row of the contract's table.
    pub fn deletions(&self) -> Result<Vec<DeletionInfo>, Error> {
        self.call_rows(&method::DELETIONS, &NoOptions::default())
    }

    /// Deletes everything of a user.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn purge_user(&self, uid: u32) -> Result<(), Error> {
        self.call(&method::PURGE_USER, &(uid, NoOptions::default()))
    }

    /// Gives the tokens of `uid` to the user who has it now, or to another one.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn adopt_user(&self, uid: u32, options: &AdoptUserOptions) -> Result<(), Error> {
        self.call(&method::ADOPT_USER, &(uid, options))
    }
}
