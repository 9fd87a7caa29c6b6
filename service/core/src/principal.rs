//! Whose tokens they are: a uid, a random generation, the name it had when it came.
//!
//! The generation is what keeps two users apart who had the same uid one after the other: every tag and every AAD holds it.

use minicbor::{Decode, Encode};

use crate::crypto::{aad::Aad, random, tag, wrap};
use crate::error::Error;
use crate::policy::{Role, Standing};
use crate::port::{PrincipalRow, SecretMemory, Tag};
use crate::vault::VaultId;
use crate::{Caller, Secret, Timestamp};

const RECORD: &str = "principal-record";
const MACHINE_KEY: &str = "principal-key-machine";

/// What is kept of a principal, encrypted. Fields are added with new numbers, never reused.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct Record {
    #[n(0)]
    uid: u32,
    #[n(1)]
    user: String,
    #[n(2)]
    role: Role,
    #[n(3)]
    active: bool,
    #[n(4)]
    enrolled: Timestamp,
    #[n(5)]
    quota_tokens: Option<u64>,
    #[n(6)]
    quota_bytes: Option<u64>,
}

/// A principal with its keys unwrapped.
pub struct Principal {
    /// Row number.
    pub id: i64,
    /// Its uid.
    pub uid: u32,
    /// Name the uid had at enrolment.
    pub user: String,
    /// Random at enrolment.
    pub generation: [u8; 16],
    /// Its role; root is admin whatever is written.
    pub role: Role,
    /// False when an administrator disabled it.
    pub active: bool,
    /// Its own quota of tokens, where an administrator set one.
    pub quota_tokens: Option<u64>,
    /// Its own quota of bytes, where an administrator set one.
    pub quota_bytes: Option<u64>,
    /// Wraps the DEKs of class `machine` and all metadata.
    pub machine_key: Secret,
    /// Tags names and attributes.
    pub index_key: Secret,
}

/// The keys of the keyring a principal depends on.
#[derive(Clone, Copy)]
pub struct PrincipalKeys<'a> {
    /// Part of every AAD.
    pub vault: &'a VaultId,
    /// `users` of the keyring.
    pub users: &'a Secret,
    /// `index` of the keyring.
    pub index: &'a Secret,
    /// Where keys lie.
    pub memory: &'a dyn SecretMemory,
}

impl PrincipalKeys<'_> {
    fn aad(&self, uid_tag: &Tag, generation: &[u8; 16]) -> Aad {
        Aad::new("principal").bytes(self.vault).bytes(uid_tag).bytes(generation)
    }

    /// Makes the row of a uid that comes for the first time. Its number is set when it is inserted.
    ///
    /// # Errors
    /// When random numbers or memory cannot be had.
    pub fn enrol(&self, caller: &Caller, role: Role, now: Timestamp) -> Result<PrincipalRow, Error> {
        let uid_tag = tag::uid_tag(self.index, caller.uid);
        let generation = random::array::<16>()?;
        let aad = self.aad(&uid_tag, &generation);
        let record = Record {
            uid: caller.uid,
            user: caller.user.to_string(),
            role,
            active: true,
            enrolled: now,
            quota_tokens: None,
            quota_bytes: None,
        };
        let machine_key = random::secret(self.memory, 32)?;
        Ok(PrincipalRow {
            id: 0,
            uid_tag,
            generation,
            record: wrap::seal(self.users, RECORD, aad.as_bytes(), &encode(&record)?)?,
            key: wrap::seal(self.users, MACHINE_KEY, aad.as_bytes(), machine_key.expose())?,
            tokens: 0,
            bytes: 0,
            issued: 0,
        })
    }

    /// Opens a row.
    ///
    /// # Errors
    /// [`Error::Quarantined`] when the row does not open under this vault's keys: it was changed or moved.
    pub fn open(&self, row: &PrincipalRow) -> Result<Principal, Error> {
        let aad = self.aad(&row.uid_tag, &row.generation);
        let record = wrap::open_record(self.users, RECORD, aad.as_bytes(), &row.record)?;
        let record: Record = minicbor::decode(&record)
            .map_err(|error| Error::Quarantined(format!("principal record {}: {error}", row.id)))?;
        let role = if record.uid == 0 { Role::Admin } else { record.role };
        Ok(Principal {
            id: row.id,
            uid: record.uid,
            user: record.user,
            generation: row.generation,
            role,
            active: record.active || record.uid == 0,
            quota_tokens: record.quota_tokens,
            quota_bytes: record.quota_bytes,
            machine_key: wrap::open(self.users, MACHINE_KEY, aad.as_bytes(), &row.key, self.memory)?,
            index_key: tag::principal_index_key(self.index, &row.generation, self.memory)?,
        })
    }
}

impl Principal {
    /// What policy needs to know of it.
    pub const fn standing(&self) -> Standing {
        Standing { uid: self.uid, role: self.role, active: self.active }
    }

    /// Refuses a caller whose uid now belongs to a user of another name.
    ///
    /// # Errors
    /// [`Error::AccessDenied`] while the principal is frozen.
    pub fn check_name(&self, caller: &Caller) -> Result<(), Error> {
        if self.uid == 0 || self.user == *caller.user {
            return Ok(());
        }
        Err(Error::AccessDenied(format!(
            "the tokens of uid {} were stored for a user of another name and are frozen; \
             they come back when the user has that name again",
            caller.uid
        )))
    }
}

/// CBOR of a record that is about to be encrypted.
pub(crate) fn encode<T: Encode<()>>(record: &T) -> Result<zeroize::Zeroizing<Vec<u8>>, Error> {
    minicbor::to_vec(record)
        .map(zeroize::Zeroizing::new)
        .map_err(|error| Error::Internal(format!("a record could not be encoded: {error}")))
}
