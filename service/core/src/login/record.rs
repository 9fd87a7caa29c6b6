//! What is kept of a user's login: encrypted, and bound to the principal it belongs to.

use minicbor::{Decode, Encode};

use crate::crypto::{Aad, CryptoError, kdf, wrap};
use crate::error::Error;
use crate::port::SecretMemory;
use crate::principal::{Principal, encode};
use crate::vault::OpenVault;
use crate::{Secret, Timestamp};

const RECORD: &str = "login-record";
const KEY: &str = "login-key";

/// What a copy of the login key is wrapped under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub(super) enum Under {
    /// The key of the login password.
    #[n(0)]
    Password,
    /// The key of the password before: the change may still have failed elsewhere.
    #[n(1)]
    Previous,
    /// The recovery code.
    #[n(2)]
    RecoveryCode,
}

/// One copy of the login key.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub(super) struct Copy {
    #[n(0)]
    pub under: Under,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub wrapped: Vec<u8>,
}

/// All of it. Fields are added with new numbers, never reused.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub(super) struct LoginRecord {
    /// Salt of the password's key.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub salt: Vec<u8>,
    /// Parameters of the password's key, in PHC form.
    #[n(1)]
    pub params: String,
    #[n(2)]
    pub copies: Vec<Copy>,
    /// Set when a login that went well did not unlock: the password was changed behind the vault's back.
    #[n(3)]
    pub stale: bool,
    #[n(4)]
    pub enrolled: Timestamp,
}

impl LoginRecord {
    /// Replaces the copy under the password's key, and keeps `previous`, if any, beside it.
    pub fn replace_password(&mut self, wrapped: Vec<u8>, previous: Option<Vec<u8>>) {
        self.copies.retain(|copy| copy.under == Under::RecoveryCode);
        self.copies.push(Copy { under: Under::Password, wrapped });
        self.copies.extend(previous.map(|wrapped| Copy { under: Under::Previous, wrapped }));
        self.stale = false;
    }

    /// Whether the password before the present one still opens it, or it is said to be stale.
    pub fn is_unsettled(&self) -> bool {
        self.stale || self.copies.iter().any(|copy| copy.under == Under::Previous)
    }

    /// The password was shown to be the present one.
    pub fn settle(&mut self) {
        self.copies.retain(|copy| copy.under != Under::Previous);
        self.stale = false;
    }
}

/// Seals and opens what is kept of one principal's login.
#[derive(Clone, Copy)]
pub(super) struct Wrapping<'a> {
    pub open: &'a OpenVault,
    pub principal: &'a Principal,
    pub memory: &'a dyn SecretMemory,
}

impl Wrapping<'_> {
    fn record_aad(&self) -> Aad {
        Aad::new("login").bytes(&self.open.id).i64(self.principal.id).bytes(&self.principal.generation)
    }

    fn key_aad(&self, under: Under) -> Aad {
        // A copy keeps its wrapping when its password becomes the previous one.
        let by_code = u8::from(under == Under::RecoveryCode);
        Aad::new("login-key").bytes(&self.open.id).bytes(&self.principal.generation).u8(by_code)
    }

    /// Encrypts the record into its row.
    pub fn seal_record(&self, record: &LoginRecord) -> Result<Vec<u8>, Error> {
        Ok(wrap::seal(self.open.users_key(), RECORD, self.record_aad().as_bytes(), &encode(record)?)?)
    }

    /// Decrypts the record of a row.
    pub fn open_record(&self, row: &[u8]) -> Result<LoginRecord, Error> {
        let record = wrap::open_record(self.open.users_key(), RECORD, self.record_aad().as_bytes(), row)?;
        minicbor::decode(&record)
            .map_err(|error| Error::Quarantined(format!("login record of principal {}: {error}", self.principal.id)))
    }

    /// The key that a copy is wrapped with: neither the store alone nor the password alone gives it.
    fn wrapping_key(&self, shown: &Secret) -> Result<Secret, Error> {
        let pepper = self.open.pepper();
        let mut both = Secret::zeroed(self.memory, pepper.len() + shown.len())?;
        for (to, from) in both.expose_mut().iter_mut().zip(pepper.expose().iter().chain(shown.expose())) {
            *to = *from;
        }
        Ok(kdf::derive(&both, "login", &self.principal.generation, self.memory)?)
    }

    /// Wraps the login key under what somebody shows: the key of a password, or a recovery code.
    pub fn wrap(&self, login_key: &Secret, under: Under, shown: &Secret) -> Result<Vec<u8>, Error> {
        let key = self.wrapping_key(shown)?;
        Ok(wrap::seal(&key, KEY, self.key_aad(under).as_bytes(), login_key.expose())?)
    }

    /// The login key and the copy that gave it, if what is shown opens one of these.
    pub fn unwrap<'r>(
        &self,
        record: &'r LoginRecord,
        unders: &[Under],
        shown: &Secret,
    ) -> Result<Option<(Secret, &'r Copy)>, Error> {
        let key = self.wrapping_key(shown)?;
        for copy in record.copies.iter().filter(|copy| unders.contains(&copy.under)) {
            match wrap::open(&key, KEY, self.key_aad(copy.under).as_bytes(), &copy.wrapped, self.memory) {
                Ok(login_key) => return Ok(Some((login_key, copy))),
                Err(CryptoError::WrongKey) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }
}
