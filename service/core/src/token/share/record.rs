//! What is kept of a share: encrypted, and bound to the row it stands in.

use minicbor::{Decode, Encode};

use crate::Timestamp;
use crate::crypto::aad::Aad;
use crate::error::Error;
use crate::grantee::Grantee;
use crate::moment::{Deadline, End, Moment};
use crate::port::ShareRow;
use crate::principal::encode;
use crate::token::metadata::Records;

const SHARE: &str = "share-record";

/// What a grantee may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Permission {
    /// See and fetch.
    #[n(0)]
    Read,
    /// Also put new versions.
    #[n(1)]
    Write,
}

impl Permission {
    /// As the interface writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }

    /// From the interface's word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Read, Self::Write].into_iter().find(|permission| permission.as_str() == word)
    }
}

/// A share. Fields are added with new numbers, never reused.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ShareMeta {
    /// With whom.
    #[n(0)]
    pub grantee: Grantee,
    /// What they may do.
    #[n(1)]
    pub permission: Permission,
    /// When it was granted.
    #[n(2)]
    pub created: Timestamp,
    /// When it ends.
    #[n(3)]
    pub expires: Option<Timestamp>,
    /// How often it may still be used; `None`: without a limit.
    #[n(4)]
    pub uses_left: Option<u32>,
    /// A few words for the grantee; empty when there are none.
    #[n(5)]
    #[cbor(default)]
    pub note: String,
    /// When it ends by the clock that nobody sets.
    #[n(6)]
    pub deadline: Option<Deadline>,
}

impl ShareMeta {
    /// Whether it has ended at `now`.
    pub fn is_expired(&self, now: &Moment) -> bool {
        self.expires.is_some_and(|at| End { at, deadline: self.deadline }.has_come(now))
    }

    /// Whether nothing is given for it any more at `now`: it has expired, or its uses are up.
    pub fn has_ended(&self, now: &Moment) -> bool {
        self.uses_left == Some(0) || self.is_expired(now)
    }
}

impl Records<'_> {
    fn share_aad(&self, row: &ShareRow) -> Aad {
        Aad::new("share")
            .bytes(&self.open.id)
            .i64(row.id)
            .i64(row.token)
            .bytes(&self.principal.generation)
            .bytes(&row.grantee_tag)
            .option_u64(row.expires_day.map(i64::cast_unsigned))
    }

    /// Encrypts a share into its row.
    ///
    /// # Errors
    /// When random numbers or memory cannot be had.
    pub fn seal_share(&self, row: &mut ShareRow, meta: &ShareMeta) -> Result<(), Error> {
        row.expires_day = meta.expires.map(Timestamp::day_rounded_up);
        row.meta = self.principal.machine_key.seal(SHARE, self.share_aad(row).as_bytes(), &encode(meta)?)?;
        Ok(())
    }

    /// Decrypts a share.
    ///
    /// # Errors
    /// [`Error::Quarantined`] when it does not open where it stands.
    pub fn open_share(&self, row: &ShareRow) -> Result<ShareMeta, Error> {
        let meta = self.principal.machine_key.open_record(SHARE, self.share_aad(row).as_bytes(), &row.meta)?;
        minicbor::decode(&meta).map_err(|error| Error::Quarantined(format!("share {}: {error}", row.id)))
    }
    /// Whether the newest term of the machine key has sealed a share.
    ///
    /// # Errors
    /// As [`Records::token_is_newest`].
    pub fn share_is_newest(&self, row: &ShareRow) -> Result<bool, Error> {
        Ok(self.principal.machine_key.is_newest(SHARE, self.share_aad(row).as_bytes(), &row.meta)?)
    }
}
