//! The place in a list where its next page begins, as a caller keeps it: encrypted, because row numbers would tell how much
//! others store.

use zeroize::Zeroizing;

use crate::Secret;
use crate::crypto::{aad::Aad, wrap};
use crate::error::Error;
use crate::hex;
use crate::principal::Principal;
use crate::vault::VaultId;

/// The cursor of one list of one principal.
pub(crate) struct Cursor<'a> {
    /// Which list: a place of another one is none of this.
    pub list: &'static str,
    /// Of which vault.
    pub vault: &'a VaultId,
    /// Whose.
    pub principal: &'a Principal,
}

impl<'a> Cursor<'a> {
    const fn keyed(&self) -> KeyedCursor<'a> {
        let Principal { index_key, generation, .. } = self.principal;
        KeyedCursor { list: self.list, vault: self.vault, key: index_key, whose: generation }
    }

    /// The text of a place.
    pub fn encode<const NUMBERS: usize>(&self, place: [i64; NUMBERS]) -> Result<String, Error> {
        self.keyed().encode(place)
    }

    /// The place a text stands for; an empty one for the beginning.
    pub fn decode<const NUMBERS: usize>(&self, text: &str) -> Result<[i64; NUMBERS], Error> {
        self.keyed().decode(text)
    }

    /// The text of a place that is more than numbers, in a list about the token of a row.
    pub fn encode_about(&self, token: i64, place: &[u8]) -> Result<String, Error> {
        let keyed = self.keyed();
        Ok(hex::encode(&wrap::seal(keyed.key, keyed.list, keyed.aad().i64(token).as_bytes(), place)?))
    }

    /// The place such a text stands for.
    pub fn decode_about(&self, token: i64, text: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
        let keyed = self.keyed();
        keyed.open(&keyed.aad().i64(token), text)
    }
}

/// The cursor of one list of somebody who may be no principal.
pub(crate) struct KeyedCursor<'a> {
    /// Which list: a place of another one is none of this.
    pub list: &'static str,
    /// Of which vault.
    pub vault: &'a VaultId,
    /// What it is encrypted under.
    pub key: &'a Secret,
    /// Whose.
    pub whose: &'a [u8; 16],
}

impl KeyedCursor<'_> {
    fn aad(&self) -> Aad {
        Aad::new("cursor").bytes(self.vault).bytes(self.whose)
    }

    /// The text of a place.
    pub fn encode<const NUMBERS: usize>(&self, place: [i64; NUMBERS]) -> Result<String, Error> {
        let place = place.map(i64::to_be_bytes).concat();
        let sealed = wrap::seal(self.key, self.list, self.aad().as_bytes(), &place)?;
        Ok(hex::encode(&sealed))
    }

    /// The place a text stands for; an empty one for the beginning.
    pub fn decode<const NUMBERS: usize>(&self, text: &str) -> Result<[i64; NUMBERS], Error> {
        if text.is_empty() {
            return Ok([0; NUMBERS]);
        }
        let opened = self.open(&self.aad(), text)?;
        let mut numbers = [0; NUMBERS];
        let (bytes, rest) = opened.as_chunks::<8>();
        if bytes.len() != NUMBERS || !rest.is_empty() {
            return Err(no_place());
        }
        for (number, bytes) in numbers.iter_mut().zip(bytes) {
            *number = i64::from_be_bytes(*bytes);
        }
        Ok(numbers)
    }

    fn open(&self, aad: &Aad, text: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
        let sealed = hex::decode(text).ok_or_else(no_place)?;
        wrap::open_record(self.key, self.list, aad.as_bytes(), &sealed).map_err(|_| no_place())
    }
}

/// What is not the place of an earlier page, or that of another list.
pub(crate) fn no_place() -> Error {
    Error::InvalidArgs("option 'after' is not the 'next' of an earlier page".into())
}
