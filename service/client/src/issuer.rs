//! `org.tokenvault1.Issuer`: tokens the vault issues and validates.

use tokenvault_proto::{
    Claims, IssueOptions, IssuedInfo, IssuedOptions, NoOptions, RevokeAllOptions, Taken, TakenSecret, ValidateOptions,
};
use zeroize::Zeroizing;

use crate::client::Client;
use crate::error::Error;
use crate::method;
use crate::text::Text;

/// A token or a code that was issued.
pub struct Issued {
    /// Its text, which the vault does not keep.
    pub token: Zeroizing<String>,
    /// Names it.
    pub id: String,
    /// When it expires, microseconds since the epoch.
    pub expires: u64,
}

impl Client {
    /// Has the vault issue a token or a code.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn issue(&self, options: &IssueOptions) -> Result<Issued, Error> {
        let (TakenSecret(token), Taken(id), expires) = self.call(&method::ISSUE, options)?;
        Ok(Issued { token, id, expires })
    }

    /// What a token or a code says, if it is valid.
    ///
    /// # Errors
    /// A row of the contract's table; that it is not valid is none. `Unavailable` says when it is unknown whether a use was
    /// taken.
    pub fn validate(&self, token: &str, options: &ValidateOptions) -> Result<Option<IssuedInfo>, Error> {
        let is_counted = options.consume == Some(true) || options.id.is_some();
        let method = if is_counted { &method::VALIDATE_COUNTED } else { &method::VALIDATE };
        let (valid, claims): (bool, Claims) = self.call(method, &(Text(token), options))?;
        Ok(claims.0.filter(|_| valid))
    }

    /// Revokes something issued, or withdraws an offer, by its id.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn revoke(&self, id: &str) -> Result<(), Error> {
        self.call(&method::REVOKE, &(Text(id), NoOptions::default()))
    }

    /// Revokes all that a filter means, and returns how many that were.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn revoke_all(&self, filter: &RevokeAllOptions) -> Result<u64, Error> {
        self.call(&method::REVOKE_ALL, filter)
    }

    /// One page of what the caller has issued, and where the next begins: empty after the last.
    ///
    /// # Errors
    /// A row of the contract's table.
    pub fn issued(&self, options: &IssuedOptions) -> Result<(Vec<IssuedInfo>, String), Error> {
        self.call_page(&method::ISSUED, options)
    }
}
