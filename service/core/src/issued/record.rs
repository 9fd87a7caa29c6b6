//! What is kept of something issued: encrypted under its issuer's key, and bound to the row it stands in. Of its secret only an
//! HMAC is kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use minicbor::{Decode, Encode};

use super::{Audience, IssuedId};
use crate::crypto::{aad::Aad, mac, tag};
use crate::error::Error;
use crate::moment::{Deadline, End, Moment};
use crate::port::{IssuedRow, ReadTx, Tag};
use crate::principal::{Principal, encode};
use crate::vault::OpenVault;
use crate::{Secret, Timestamp};

const RECORD: &str = "issued-record";

/// What was issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A token: id and secret in one text.
    Token,
    /// A code of digits, which is nothing without its id.
    Code,
    /// An offer of a stored token.
    Offer,
}

impl Kind {
    /// As the store writes it.
    pub const fn as_u8(self) -> u8 {
        match self {
            Self::Token => 0,
            Self::Code => 1,
            Self::Offer => 2,
        }
    }

    /// From the store's number.
    pub const fn from_u8(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Token),
            1 => Some(Self::Code),
            2 => Some(Self::Offer),
            _ => None,
        }
    }

    /// As the interface writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Code => "code",
            Self::Offer => "offer",
        }
    }

    /// From the interface's word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Token, Self::Code, Self::Offer].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Something issued. Fields are added with new numbers, never reused.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct IssuedMeta {
    /// Its name in lists and in the audit log.
    #[n(0)]
    pub id: String,
    /// About whom or what it says something.
    #[n(1)]
    pub subject: String,
    /// For whom it is.
    #[n(2)]
    pub audience: Audience,
    /// What it is good for.
    #[n(3)]
    pub scopes: Vec<String>,
    /// What else it says.
    #[n(4)]
    pub claims: BTreeMap<String, String>,
    /// When it was issued.
    #[n(5)]
    pub issued: Timestamp,
    /// When it expires.
    #[n(6)]
    pub expires: Timestamp,
    /// How often it may still be used; `None`: without a limit.
    #[n(7)]
    pub uses_left: Option<u32>,
    /// How many wrong codes may still be tried; `None` for a token, whose secret nobody guesses.
    #[n(8)]
    pub attempts_left: Option<u32>,
    /// When it expires by the clock that nobody sets.
    #[n(9)]
    pub deadline: Option<Deadline>,
}

impl IssuedMeta {
    /// Whether it is good for anything at `now`.
    pub fn is_live(&self, now: &Moment) -> bool {
        let end = End { at: self.expires, deadline: self.deadline };
        !end.has_come(now) && self.uses_left != Some(0) && self.attempts_left != Some(0)
    }

    /// The same after one use. What has no number of uses is used up at once by whoever says that it is to be.
    #[must_use]
    pub fn used(&self, now: Timestamp) -> Self {
        let uses_left = Some(self.uses_left.map_or(0, |uses| uses.saturating_sub(1)));
        Self { uses_left, ..self.clone() }.over_at(now)
    }

    /// The same after a wrong code.
    #[must_use]
    pub fn tried(&self, now: Timestamp) -> Self {
        let attempts_left = self.attempts_left.map(|attempts| attempts.saturating_sub(1));
        Self { attempts_left, ..self.clone() }.over_at(now)
    }

    /// What is used up ends with that: it is found by its date, and makes room or is deleted with others that have ended.
    fn over_at(self, now: Timestamp) -> Self {
        let is_over = self.uses_left == Some(0) || self.attempts_left == Some(0);
        if is_over { Self { expires: self.expires.min(now), ..self } } else { self }
    }
}

impl OpenVault {
    /// The key for what is issued from here on.
    ///
    /// # Errors
    /// None, as long as the keyring is one.
    pub(crate) fn newest_issued_key(&self) -> Result<IssuedKey, Error> {
        Ok(IssuedKey(self.tokens_key().newest()?))
    }

    /// The keys under which something that was issued may stand, the newest first.
    pub(crate) fn issued_keys(&self) -> Vec<IssuedKey> {
        self.tokens_key().all().into_iter().map(|(_, key)| IssuedKey(key)).collect()
    }

    /// What has a tag, under whichever key it stands, and that key.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn find_issued(
        &self,
        tx: &dyn ReadTx,
        tag: impl Fn(&IssuedKey) -> Tag,
    ) -> Result<Option<(IssuedRow, IssuedKey)>, Error> {
        let found = self.find_issued_or_other(tx, tag)?;
        Ok(found.and_then(|(row, key)| Some((row, key?))))
    }

    /// The same, or else another row, if there is any, without a key: what looks for one that is not there has as much to do.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn find_issued_or_other(
        &self,
        tx: &dyn ReadTx,
        tag: impl Fn(&IssuedKey) -> Tag,
    ) -> Result<Option<(IssuedRow, Option<IssuedKey>)>, Error> {
        let mut found: Option<(IssuedRow, Option<IssuedKey>)> = None;
        for key in self.issued_keys() {
            let tag = tag(&key);
            let row = tx.issued_or_other(&tag)?;
            let row = row.map(|row| if mac::equal(&row.tag, &tag) { (row, Some(key)) } else { (row, None) });
            found = found.filter(|(_, key)| key.is_some()).or(row);
        }
        Ok(found)
    }

    fn issued_aad(&self, principal: &Principal, row: &IssuedRow) -> Aad {
        Aad::new("issued")
            .bytes(&self.id)
            .bytes(&principal.generation)
            .u8(row.kind)
            .bytes(&row.tag)
            .bytes(&row.hash)
            .option_u64(row.token.map(i64::cast_unsigned))
            .i64(row.expires_day)
    }

    /// Encrypts a record into its row.
    ///
    /// # Errors
    /// When random numbers or memory cannot be had.
    pub(crate) fn seal_issued(
        &self,
        principal: &Principal,
        row: &mut IssuedRow,
        meta: &IssuedMeta,
    ) -> Result<(), Error> {
        row.expires_day = meta.expires.day_rounded_up();
        let aad = self.issued_aad(principal, row);
        row.meta = principal.machine_key.seal(RECORD, aad.as_bytes(), &encode(meta)?)?;
        Ok(())
    }

    /// Decrypts a record.
    ///
    /// # Errors
    /// [`Error::Quarantined`] when it does not open where it stands.
    pub(crate) fn open_issued(&self, principal: &Principal, row: &IssuedRow) -> Result<IssuedMeta, Error> {
        let aad = self.issued_aad(principal, row);
        let meta = principal.machine_key.open_record(RECORD, aad.as_bytes(), &row.meta)?;
        minicbor::decode(&meta).map_err(|error| Error::Quarantined(format!("issued {}: {error}", row.id)))
    }

    /// Whether the newest term of its issuer's machine key has sealed a record.
    ///
    /// # Errors
    /// [`Error::Quarantined`] for what is in no form that the vault writes.
    pub(crate) fn issued_is_newest(&self, principal: &Principal, row: &IssuedRow) -> Result<bool, Error> {
        let aad = self.issued_aad(principal, row);
        Ok(principal.machine_key.is_newest(RECORD, aad.as_bytes(), &row.meta)?)
    }
}

/// One term of the key for what is issued.
#[derive(Clone)]
pub(crate) struct IssuedKey(Arc<Secret>);

impl IssuedKey {
    /// The tag of a token or code.
    pub(crate) fn tag(&self, id: IssuedId) -> Tag {
        tag::issued_tag(&self.0, id.as_bytes())
    }

    /// The tag of an offer.
    pub(crate) fn offer_tag(&self, selector: &str) -> Tag {
        tag::offer_tag(&self.0, selector)
    }

    /// What is kept of the secret of what has this tag.
    pub(crate) fn hash(&self, tag: &Tag, secret: &[u8]) -> Tag {
        tag::issued_hash(&self.0, tag, secret)
    }

    /// Whether `secret` is that of what has this tag and hash.
    pub(crate) fn is_secret_of(&self, (tag, hash): (&Tag, &Tag), secret: &[u8]) -> bool {
        mac::equal(&self.hash(tag, secret), hash)
    }
}

/// The one of some terms under whose key a row stands, if it is one of these.
///
/// # Errors
/// [`Error::Quarantined`] when the row does not open where it stands.
pub(crate) fn term_of(
    open: &OpenVault,
    issuer: &Principal,
    row: &IssuedRow,
    terms: &[(u32, Arc<Secret>)],
) -> Result<Option<u32>, Error> {
    let meta = open.open_issued(issuer, row)?;
    let is_of = |key: &Arc<Secret>| {
        let key = IssuedKey(Arc::clone(key));
        let tag = match kind_of(row)? {
            Kind::Offer => Some(key.offer_tag(&meta.id)),
            Kind::Token | Kind::Code => IssuedId::parse(&meta.id).map(|id| key.tag(id)),
        };
        Ok::<_, Error>(tag.is_some_and(|tag| mac::equal(&tag, &row.tag)))
    };
    for (term, key) in terms {
        if is_of(key)? {
            return Ok(Some(*term));
        }
    }
    Ok(None)
}

/// What a row is of.
///
/// # Errors
/// [`Error::Quarantined`] for what this release does not know.
pub(crate) fn kind_of(row: &IssuedRow) -> Result<Kind, Error> {
    Kind::from_u8(row.kind)
        .ok_or_else(|| Error::Quarantined(format!("what was issued as {} is of an unknown kind", row.id)))
}
