//! A token that was found: its rows with their metadata opened.

use std::collections::BTreeMap;

use crate::crypto::tag;
use crate::error::Error;
use crate::moment::Moment;
use crate::name::TokenName;
use crate::port::{ReadTx, TokenRow, VersionHead, WriteTx};
use crate::principal::Principal;
use crate::token::metadata::{Class, Records, TokenMeta, VersionMeta};
use crate::token::share::{Permission, Sharing};
use crate::{Timestamp, vault::OpenVault};

/// A token as its caller sees it, without the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenInfo {
    /// Its name.
    pub name: String,
    /// Uid of its principal.
    pub owner: u32,
    /// Number of the version described.
    pub version: u64,
    /// Bytes of the value.
    pub size: u64,
    /// Class of that version.
    pub class: Class,
    /// Media type; empty when none was given.
    pub content_type: String,
    /// Attributes.
    pub attributes: BTreeMap<String, String>,
    /// When the token was first put.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
    /// When the version expires.
    pub expires: Option<Timestamp>,
    /// Whether a reader must name a purpose.
    pub require_purpose: bool,
    /// Whether it is shared with anyone.
    pub shared: bool,
    /// What a grantee may do; `None` for its owner.
    pub grant: Option<Grant>,
}

/// What somebody else than its owner is told of a token beside that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// What they may do.
    pub permission: Permission,
    /// What the owner says about it; empty when nothing.
    pub note: String,
}

/// A token row, one version of it, and what stands in them.
pub(super) struct Found {
    pub row: TokenRow,
    pub meta: TokenMeta,
    pub head: VersionHead,
    pub version: VersionMeta,
}

impl Found {
    /// Opens the metadata of rows that belong together.
    pub fn open(records: Records<'_>, row: TokenRow, head: VersionHead) -> Result<Self, Error> {
        let meta = records.open_token(&row)?;
        let version = records.open_version(&head)?;
        Ok(Self { row, meta, head, version })
    }

    /// Class of the version.
    pub fn class(&self) -> Result<Class, Error> {
        Class::from_u8(self.head.class)
            .ok_or_else(|| Error::Quarantined(format!("a version of token {} has an unknown class", self.row.id)))
    }

    /// What the caller is told; `shared` also where all shares have ended by themselves.
    pub fn info(&self, owner: u32) -> Result<TokenInfo, Error> {
        let class = self.class()?;
        Ok(TokenInfo {
            name: self.meta.name.clone(),
            owner,
            version: self.head.version,
            size: self.version.size,
            class,
            content_type: self.version.content_type.clone(),
            attributes: self.meta.attributes.clone(),
            created: self.meta.created,
            updated: self.meta.updated,
            expires: self.version.expires,
            require_purpose: self.meta.require_purpose,
            shared: self.meta.shared,
            grant: None,
        })
    }

    /// What its owner is told, as it is shared now.
    pub fn told(&self, tx: &dyn ReadTx, shelf: &Shelf<'_>) -> Result<TokenInfo, Error> {
        Ok(TokenInfo { shared: Sharing::of(tx, shelf, self)?.shared, ..self.info(shelf.principal.uid)? })
    }
}

/// One principal's tokens inside a transaction.
#[derive(Clone, Copy)]
pub(super) struct Shelf<'a> {
    pub open: &'a OpenVault,
    pub principal: &'a Principal,
    pub now: Moment,
}

impl<'a> Shelf<'a> {
    pub const fn records(&self) -> Records<'a> {
        Records { open: self.open, principal: self.principal }
    }

    /// The token of that name with its current version, expired or not.
    pub fn find_any(&self, tx: &dyn ReadTx, name: &TokenName) -> Result<Option<Found>, Error> {
        let name_tag = tag::name_tag(&self.principal.index_key, name);
        let Some(row) = tx.token(self.principal.id, &name_tag)? else { return Ok(None) };
        let head = tx
            .version_head(row.id, row.current)?
            .ok_or_else(|| Error::Quarantined(format!("token {} has lost its current version", row.id)))?;
        Found::open(self.records(), row, head).map(Some)
    }

    /// The live token of that name with its current version.
    pub fn find(&self, tx: &dyn ReadTx, name: &TokenName) -> Result<Found, Error> {
        self.find_any(tx, name)?.filter(|found| !found.version.is_expired(&self.now)).ok_or(Error::NotFound)
    }

    /// Wraps the DEKs of all versions anew after something they are bound to has changed: `before` and `after` are the
    /// token's row and metadata. Values stay as they are.
    pub fn rewrap(
        &self,
        tx: &mut dyn WriteTx,
        before: (&TokenRow, &TokenMeta),
        after: (&TokenRow, &TokenMeta),
        memory: &dyn crate::port::SecretMemory,
    ) -> Result<(), Error> {
        let records = self.records();
        for mut head in tx.versions(before.0.id)? {
            let version = records.open_version(&head)?;
            let dek = records.open_dek(before, (&head, &version), memory)?;
            records.seal_dek(after, (&mut head, &version), &dek)?;
            tx.update_version(&head)?;
        }
        Ok(())
    }

    /// Replaces the attribute tags of a token.
    pub fn index_attributes(
        &self,
        tx: &mut dyn WriteTx,
        token: i64,
        attributes: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        let tags: Vec<_> =
            attributes.iter().map(|(key, value)| tag::attribute_tag(&self.principal.index_key, key, value)).collect();
        Ok(tx.set_attributes(token, &tags)?)
    }
}
