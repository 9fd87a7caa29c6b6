//! `Put` and `Generate` by somebody with whom the token is shared: a new version of it, and nothing else. What is known of the
//! token stays its owner's to say, when it ends included, and the version counts against its owner's quota.

use std::sync::Arc;

use super::Permission;
use super::count::use_once;
use super::reach::{Asked, Foreign, Reach, of_another};
use crate::error::Error;
use crate::name::TokenName;
use crate::owner::Owner;
use crate::policy::Action;
use crate::port::{ReadTx, WriteTx};
use crate::principal::Principal;
use crate::token::attachment::Body;
use crate::token::found::TokenInfo;
use crate::token::put::Put;
use crate::token::request::{Expiry, PutOptions};
use crate::vault::{OpenVault, Vault};

/// By what right a caller writes a token.
pub(in crate::token) enum Right {
    /// It is theirs, or the machine's and they administer it.
    Owner(Arc<Principal>),
    /// It is shared with them for writing.
    Grantee(Box<Reach>),
}

impl Right {
    /// Whose token it is.
    pub fn owner(&self) -> &Principal {
        match self {
            Self::Owner(principal) => principal,
            Self::Grantee(reach) => &reach.principal,
        }
    }
}

impl Vault {
    /// By what right a caller writes a token. Enrols the caller when it comes for the first time and means its own.
    pub(in crate::token) fn right_to_put(
        &self,
        open: &OpenVault,
        tx: &mut dyn WriteTx,
        asked: &Foreign<'_>,
    ) -> Result<Right, Error> {
        let refused = match self.judged_writer(open, tx, asked.caller, asked.owner) {
            Ok(principal) => return Ok(Right::Owner(principal)),
            Err(refused) if asked.owner.uid(asked.caller) == Some(asked.caller.uid) => return Err(refused),
            Err(refused) => refused,
        };
        self.judged_in(open, tx, asked.caller, Owner::Own, Action::Read)?;
        let reach = match asked.reach_again(self, open, tx) {
            Ok(Asked::Answer(reach)) => reach,
            Ok(Asked::Groups(_)) | Err(Error::NotFound | Error::ShareOver) => return Err(refused),
            Err(error) => return Err(error),
        };
        if reach.share_for(Permission::Write).is_none() {
            return Err(Error::AccessDenied(
                "this token is shared with you for reading; ask its owner to share it with permission 'write'".into(),
            ));
        }
        // Whoever may not store at all stores nothing here either.
        self.judged_in(open, tx, asked.caller, Owner::Own, Action::Write)?;
        Ok(Right::Grantee(Box::new(reach)))
    }

    /// Stores a value for a grantee, as a use of the share.
    pub(in crate::token) fn put_as_grantee(
        &self,
        open: &OpenVault,
        tx: &mut dyn WriteTx,
        reach: &Reach,
        (name, options, value): (&TokenName, &PutOptions, &Body<'_>),
    ) -> Result<TokenInfo, Error> {
        let shelf = reach.shelf(self, open);
        let kept = options_of_a_grantee(reach, options)?;
        let put = Put { vault: self, shelf, name, options: &kept };
        let info = put.store(tx, value).map_err(|error| of_the_owner(of_another(error)))?;
        if let Some(share) = reach.share_for(Permission::Write) {
            use_once(tx, &shelf, &share.row, &share.meta)?;
        }
        Ok(TokenInfo { grant: reach.info()?.grant, ..info })
    }

    /// Refuses what [`Vault::put_as_grantee`] would, as far as it can be told without the value.
    pub(in crate::token) fn check_put_as_grantee(
        &self,
        open: &OpenVault,
        tx: &dyn ReadTx,
        reach: &Reach,
        (name, options): (&TokenName, &PutOptions),
    ) -> Result<(), Error> {
        let kept = options_of_a_grantee(reach, options)?;
        let put = Put { vault: self, shelf: reach.shelf(self, open), name, options: &kept };
        put.check(tx).map_err(of_another)
    }
}

/// What a grantee may say of a version, and what stays as it is.
fn options_of_a_grantee(reach: &Reach, options: &PutOptions) -> Result<PutOptions, Error> {
    check_options(options)?;
    Ok(PutOptions {
        mode: options.mode,
        expect_version: options.expect_version,
        content_type: options.content_type.clone(),
        expiry: reach.found.version.end().map_or(Expiry::Never, Expiry::With),
        ..PutOptions::default()
    })
}

/// Refuses what is the owner's to say.
fn check_options(options: &PutOptions) -> Result<(), Error> {
    let expiry = if matches!(options.expiry, Expiry::At(_)) { "expires" } else { "ttl" };
    let given = [
        ("class", options.class.is_some()),
        ("attributes", options.attributes.is_some()),
        (expiry, options.expiry != Expiry::Never),
        ("keep-versions", options.keep_versions.is_some()),
        ("require-purpose", options.require_purpose.is_some()),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((option, _)) => Err(Error::AccessDenied(format!(
            "option '{option}' of a token that is shared with you is its owner's to set; leave it out"
        ))),
    }
}

/// A quota that is not the caller's is not told in numbers.
pub(in crate::token) fn of_the_owner(error: Error) -> Error {
    match error {
        Error::LimitsExceeded { limit, .. } => {
            Error::LimitsExceeded { limit, retry: "it is the quota of the token's owner; ask them to make room".into() }
        }
        error => error,
    }
}
