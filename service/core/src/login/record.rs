//! What is kept of a user's login: encrypted, and bound to the principal it belongs to.

use std::sync::Arc;

use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

use crate::crypto::{Aad, CryptoError, kdf, wrap};
use crate::error::Error;
use crate::port::SecretMemory;
use crate::principal::{Principal, encode};
use crate::vault::OpenVault;
use crate::{Secret, Timestamp};

const RECORD: &str = "login-record";
const KEY: &str = "login-key";
const OUTER: &str = "login-key-outer";

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

/// One copy of the login key. Only who has what it is wrapped under can wrap it anew; so one that is under a pepper of before is
/// wrapped once more, under the newest one alone.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub(super) struct Copy {
    #[n(0)]
    pub under: Under,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub wrapped: Vec<u8>,
    /// Term of the pepper that it was made with; the first one where it does not say.
    #[n(2)]
    term: Option<u32>,
    /// Term of the pepper that it was wrapped with once more.
    #[n(3)]
    outer: Option<u32>,
}

impl Copy {
    const fn inner_term(&self) -> u32 {
        match self.term {
            Some(term) => term,
            None => 1,
        }
    }
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
    pub fn replace_password(&mut self, present: Copy, previous: Option<Copy>) {
        self.copies.retain(|copy| copy.under == Under::RecoveryCode);
        self.copies.push(present);
        self.copies.extend(previous.map(|copy| Copy { under: Under::Previous, ..copy }));
        self.stale = false;
    }

    /// Replaces the copy under the recovery code.
    pub fn replace_recovery_code(&mut self, copy: Copy) {
        self.copies.retain(|copy| copy.under != Under::RecoveryCode);
        self.copies.push(copy);
    }

    /// The terms of the pepper without which some copy does not open.
    pub fn pepper_terms(&self) -> impl Iterator<Item = u32> {
        self.copies.iter().flat_map(|copy| [Some(copy.inner_term()), copy.outer]).flatten()
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
        Ok(self.open.users_key().seal(RECORD, self.record_aad().as_bytes(), &encode(record)?)?)
    }

    /// Decrypts the record of a row.
    pub fn open_record(&self, row: &[u8]) -> Result<LoginRecord, Error> {
        let record = self.open.users_key().open_record(RECORD, self.record_aad().as_bytes(), row)?;
        minicbor::decode(&record)
            .map_err(|error| Error::Quarantined(format!("login record of principal {}: {error}", self.principal.id)))
    }

    /// Encrypts a row's record with the newest term, and its copies with the newest pepper as well; `None` where all are.
    pub fn renew(&self, row: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let newest = self.open.pepper().newest_term();
        let mut record = self.open_record(row)?;
        let mut is_renewed = false;
        for copy in record.copies.iter_mut().filter(|copy| copy.outer.unwrap_or(copy.inner_term()) != newest) {
            let (inner, aad) = (self.inner(copy)?, self.key_aad(copy.under));
            copy.wrapped = wrap::seal(&self.outer_key(newest)?, OUTER, aad.as_bytes(), &inner)?;
            copy.outer = Some(newest);
            is_renewed = true;
        }
        let is_newest = self.open.users_key().is_newest(RECORD, self.record_aad().as_bytes(), row)?;
        if is_newest && !is_renewed { Ok(None) } else { self.seal_record(&record).map(Some) }
    }

    /// What a copy is without what it was wrapped in once more.
    fn inner(&self, copy: &Copy) -> Result<Zeroizing<Vec<u8>>, Error> {
        let Some(term) = copy.outer else { return Ok(copy.wrapped.clone().into()) };
        Ok(wrap::open_record(&self.outer_key(term)?, OUTER, self.key_aad(copy.under).as_bytes(), &copy.wrapped)?)
    }

    fn outer_key(&self, term: u32) -> Result<Secret, Error> {
        Ok(kdf::derive(&*self.pepper(term)?, OUTER, &self.principal.generation, self.memory)?)
    }

    fn pepper(&self, term: u32) -> Result<Arc<Secret>, Error> {
        let missing = || Error::Quarantined(format!("the keyring has no key 'pepper' of term {term}"));
        self.open.pepper().of_term(term).ok_or_else(missing)
    }

    /// The key that a copy is wrapped with: neither the store alone nor the password alone gives it.
    fn wrapping_key(&self, shown: &Secret, term: u32) -> Result<Secret, Error> {
        let pepper = self.pepper(term)?;
        let mut both = Secret::zeroed(self.memory, pepper.len() + shown.len())?;
        for (to, from) in both.expose_mut().iter_mut().zip(pepper.expose().iter().chain(shown.expose())) {
            *to = *from;
        }
        Ok(kdf::derive(&both, "login", &self.principal.generation, self.memory)?)
    }

    /// Wraps the login key under what somebody shows: the key of a password, or a recovery code.
    pub fn wrap(&self, login_key: &Secret, under: Under, shown: &Secret) -> Result<Copy, Error> {
        let term = self.open.pepper().newest_term();
        let key = self.wrapping_key(shown, term)?;
        let wrapped = wrap::seal(&key, KEY, self.key_aad(under).as_bytes(), login_key.expose())?;
        Ok(Copy { under, wrapped, term: Some(term), outer: None })
    }

    /// Whether a copy was made with a pepper of before.
    pub fn is_of_before(&self, copy: &Copy) -> bool {
        copy.inner_term() != self.open.pepper().newest_term()
    }

    /// The login key and the copy that gave it, if what is shown opens one of these.
    pub fn unwrap<'r>(
        &self,
        record: &'r LoginRecord,
        unders: &[Under],
        shown: &Secret,
    ) -> Result<Option<(Secret, &'r Copy)>, Error> {
        for copy in record.copies.iter().filter(|copy| unders.contains(&copy.under)) {
            let (key, inner) = (self.wrapping_key(shown, copy.inner_term())?, self.inner(copy)?);
            match wrap::open(&key, KEY, self.key_aad(copy.under).as_bytes(), &inner, self.memory) {
                Ok(login_key) => return Ok(Some((login_key, copy))),
                Err(CryptoError::WrongKey) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }
}
