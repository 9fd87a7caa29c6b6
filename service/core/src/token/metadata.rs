//! What is kept of tokens and versions beside their values: encrypted, and bound to the row it stands in.

use std::collections::BTreeMap;
use std::sync::Arc;

use minicbor::{Decode, Encode};

use crate::crypto::{aad::Aad, chunk, wrap};
use crate::error::Error;
use crate::moment::{Deadline, End, Moment};
use crate::port::{TokenRow, VersionHead};
use crate::principal::{Principal, encode};
use crate::vault::OpenVault;
use crate::{Secret, Timestamp};

const TOKEN: &str = "token-metadata";
const VERSION: &str = "version-metadata";
/// Wraps a DEK.
const DEK: &str = "dek";
/// Encrypts a value.
pub(super) const VALUE: &str = "value";

/// When the value may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Whenever the vault is open.
    Machine,
    /// While its owner is logged in.
    Login,
}

impl Class {
    /// As the store writes it.
    pub const fn as_u8(self) -> u8 {
        match self {
            Self::Machine => 0,
            Self::Login => 1,
        }
    }

    /// As the interface writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Machine => "machine",
            Self::Login => "login",
        }
    }

    /// From the store's number.
    pub const fn from_u8(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Machine),
            1 => Some(Self::Login),
            _ => None,
        }
    }

    /// From the interface's word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Machine, Self::Login].into_iter().find(|class| class.as_str() == word)
    }
}

/// Metadata of a token.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TokenMeta {
    /// Its name.
    #[n(0)]
    pub name: String,
    /// Attributes.
    #[n(1)]
    pub attributes: BTreeMap<String, String>,
    /// When it was first put.
    #[n(2)]
    pub created: Timestamp,
    /// When it was last changed.
    #[n(3)]
    pub updated: Timestamp,
    /// How many versions are kept.
    #[n(4)]
    pub keep_versions: u32,
    /// Whether a reader must name a purpose.
    #[n(5)]
    pub require_purpose: bool,
    /// Whether it has shares.
    #[n(6)]
    #[cbor(default)]
    pub shared: bool,
}

/// Metadata of a version.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct VersionMeta {
    /// Bytes of the value.
    #[n(0)]
    pub size: u64,
    /// When it was put.
    #[n(1)]
    pub created: Timestamp,
    /// When it expires.
    #[n(2)]
    pub expires: Option<Timestamp>,
    /// Media type of the value; empty when none was given.
    #[n(3)]
    pub content_type: String,
    /// When it expires by the clock that nobody sets.
    #[n(4)]
    pub deadline: Option<Deadline>,
    /// Term of the machine key in which the DEK was drawn; the first one where it does not say.
    #[n(5)]
    pub dek_term: Option<u32>,
}

impl VersionMeta {
    /// When it expires.
    pub fn end(&self) -> Option<End> {
        self.expires.map(|at| End { at, deadline: self.deadline })
    }

    /// Whether it has.
    pub fn is_expired(&self, now: &Moment) -> bool {
        self.end().is_some_and(|end| end.has_come(now))
    }
}

/// The rows of one principal: seals and opens what stands in them.
#[derive(Clone, Copy)]
pub struct Records<'a> {
    /// The keys of the vault.
    pub open: &'a OpenVault,
    /// Whose rows.
    pub principal: &'a Principal,
}

impl Records<'_> {
    fn token_aad(&self, row: &TokenRow) -> Aad {
        Aad::new("token")
            .bytes(&self.open.id)
            .i64(row.id)
            .bytes(&self.principal.generation)
            .bytes(&row.name_tag)
            .u64(row.current)
            .u64(row.newest)
    }

    fn version_aad(&self, head: &VersionHead) -> Aad {
        Aad::new("version")
            .bytes(&self.open.id)
            .i64(head.token)
            .bytes(&self.principal.generation)
            .u8(head.class)
            .u64(head.version)
            .option_u64(head.expires_day.map(i64::cast_unsigned))
            .u64(head.stored_bytes)
    }

    /// Everything a decision about the value depends on: a row that is swapped, re-owned or extended does not open.
    fn dek_aad(&self, row: &TokenRow, token: &TokenMeta, head: &VersionHead, version: &VersionMeta) -> Aad {
        let aad = Aad::new("dek")
            .bytes(&self.open.id)
            .i64(row.id)
            .bytes(&self.principal.generation)
            .u8(head.class)
            .u64(head.version)
            .bytes(&row.name_tag)
            .str(&version.content_type)
            .option_u64(version.expires.map(Timestamp::as_usec))
            .u8(u8::from(token.require_purpose))
            .u64(version.size);
        // What was stored before there were deadlines is bound to none.
        let aad = match version.deadline {
            Some(deadline) => aad.bytes(deadline.boot.as_bytes()).u64(deadline.since_boot_usec),
            None => aad,
        };
        match head.content {
            None => aad,
            Some(content) => aad.i64(content).u64(chunk::count(version.size)),
        }
    }

    /// AAD of a value: where it stands.
    pub fn value_aad(&self, token: i64, version: u64) -> Aad {
        Aad::new("value").bytes(&self.open.id).i64(token).u64(version)
    }

    /// Encrypts a token's metadata into its row.
    ///
    /// # Errors
    /// When random numbers or memory cannot be had.
    pub fn seal_token(&self, row: &mut TokenRow, meta: &TokenMeta) -> Result<(), Error> {
        row.meta = self.principal.machine_key.seal(TOKEN, self.token_aad(row).as_bytes(), &encode(meta)?)?;
        Ok(())
    }

    /// Decrypts a token's metadata.
    ///
    /// # Errors
    /// [`Error::Quarantined`] when it does not open where it stands.
    pub fn open_token(&self, row: &TokenRow) -> Result<TokenMeta, Error> {
        let meta = self.principal.machine_key.open_record(TOKEN, self.token_aad(row).as_bytes(), &row.meta)?;
        minicbor::decode(&meta).map_err(|error| Error::Quarantined(format!("metadata of token {}: {error}", row.id)))
    }

    /// Whether the newest term of the machine key has sealed a token's metadata.
    ///
    /// # Errors
    /// [`Error::Quarantined`] for what is in no form that the vault writes.
    pub fn token_is_newest(&self, row: &TokenRow) -> Result<bool, Error> {
        Ok(self.principal.machine_key.is_newest(TOKEN, self.token_aad(row).as_bytes(), &row.meta)?)
    }

    /// Encrypts a version's metadata into its head.
    ///
    /// # Errors
    /// When random numbers or memory cannot be had.
    pub fn seal_version(&self, head: &mut VersionHead, meta: &VersionMeta) -> Result<(), Error> {
        head.expires_day = meta.expires.map(Timestamp::day_rounded_up);
        head.meta = self.principal.machine_key.seal(VERSION, self.version_aad(head).as_bytes(), &encode(meta)?)?;
        Ok(())
    }

    /// Decrypts a version's metadata.
    ///
    /// # Errors
    /// [`Error::Quarantined`] when it does not open where it stands.
    pub fn open_version(&self, head: &VersionHead) -> Result<VersionMeta, Error> {
        let meta = self.principal.machine_key.open_record(VERSION, self.version_aad(head).as_bytes(), &head.meta)?;
        minicbor::decode(&meta)
            .map_err(|error| Error::Quarantined(format!("metadata of a version of token {}: {error}", head.token)))
    }

    /// Whether the newest term of the machine key has sealed a version's metadata.
    ///
    /// # Errors
    /// As [`Records::token_is_newest`].
    pub fn version_is_newest(&self, head: &VersionHead) -> Result<bool, Error> {
        Ok(self.principal.machine_key.is_newest(VERSION, self.version_aad(head).as_bytes(), &head.meta)?)
    }

    /// The same of the DEK of a version of class `machine`.
    ///
    /// # Errors
    /// As [`Records::token_is_newest`].
    pub fn dek_is_newest(
        &self,
        (row, token): (&TokenRow, &TokenMeta),
        (head, version): (&VersionHead, &VersionMeta),
    ) -> Result<bool, Error> {
        let aad = self.dek_aad(row, token, head, version);
        Ok(self.principal.machine_key.is_newest(DEK, aad.as_bytes(), &head.dek)?)
    }

    fn class(head: &VersionHead) -> Result<Class, Error> {
        let unknown = || Error::Quarantined(format!("a version of token {} has an unknown class", head.token));
        Class::from_u8(head.class).ok_or_else(unknown)
    }

    fn login_key(&self) -> Result<Arc<Secret>, Error> {
        self.open.unlocked.key(self.principal).ok_or(Error::Locked)
    }

    /// Refuses what could not be sealed or opened now.
    ///
    /// # Errors
    /// [`Error::Locked`] for class `login` while its owner has not unlocked.
    pub fn check_unlocked(&self, class: Class) -> Result<(), Error> {
        match class {
            Class::Machine => Ok(()),
            Class::Login => self.login_key().map(drop),
        }
    }

    /// Wraps a DEK into a head.
    ///
    /// # Errors
    /// [`Error::Locked`] for class `login` while its owner has not unlocked.
    pub fn seal_dek(
        &self,
        (row, token): (&TokenRow, &TokenMeta),
        (head, version): (&mut VersionHead, &VersionMeta),
        dek: &Secret,
    ) -> Result<(), Error> {
        let aad = self.dek_aad(row, token, head, version);
        head.dek = match Self::class(head)? {
            Class::Machine => self.principal.machine_key.seal(DEK, aad.as_bytes(), dek.expose())?,
            Class::Login => wrap::seal(&*self.login_key()?, DEK, aad.as_bytes(), dek.expose())?,
        };
        Ok(())
    }

    /// Unwraps the DEK of a head.
    ///
    /// # Errors
    /// [`Error::Locked`] for class `login` while its owner has not unlocked; [`Error::Quarantined`] when it does not open.
    pub fn open_dek(
        &self,
        (row, token): (&TokenRow, &TokenMeta),
        (head, version): (&VersionHead, &VersionMeta),
        memory: &dyn crate::port::SecretMemory,
    ) -> Result<Secret, Error> {
        let aad = self.dek_aad(row, token, head, version);
        Ok(match Self::class(head)? {
            Class::Machine => self.principal.machine_key.open(DEK, aad.as_bytes(), &head.dek, memory)?,
            Class::Login => wrap::open(&*self.login_key()?, DEK, aad.as_bytes(), &head.dek, memory)?,
        })
    }
}
