//! Whose tokens they are: a uid, a random generation, the name it had when it came.
//!
//! The generation is what keeps two users apart who had the same uid one after the other: every tag and every AAD holds it.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use minicbor::{Decode, Encode};

use crate::crypto::{KeyTerms, aad::Aad, random, tag};
use crate::error::Error;
use crate::machine_key::{MachineKeys, StoredKey};
use crate::policy::{Role, Standing};
use crate::port::{PrincipalRow, SecretMemory, Tag};
use crate::role_rules::RoleFrom;
use crate::vault::{Settings, VaultId};
use crate::{Caller, Secret, Timestamp};

const RECORD: &str = "principal-record";
const MACHINE_KEY: &str = "principal-key-machine";

/// What is kept of a principal, encrypted. Fields are added with new numbers, never reused.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct PrincipalRecord {
    /// Its uid.
    #[n(0)]
    pub uid: u32,
    /// Name the uid had at enrolment.
    #[n(1)]
    pub user: String,
    /// Its role; root is admin whatever is written.
    #[n(2)]
    pub role: Role,
    /// False when an administrator disabled it; root cannot be.
    #[n(3)]
    pub active: bool,
    /// When it stored for the first time, or was taken in.
    #[n(4)]
    pub enrolled: Timestamp,
    /// Its own quota of tokens, where an administrator set one.
    #[n(5)]
    pub quota_tokens: Option<u64>,
    /// Its own quota of bytes, where an administrator set one.
    #[n(6)]
    pub quota_bytes: Option<u64>,
    /// When it was frozen: its user was deleted, or an administrator said so.
    #[n(7)]
    pub frozen: Option<Timestamp>,
    /// When it called last, to the day.
    #[n(8)]
    pub last_seen: Option<Timestamp>,
    /// Whether an administrator set its role; records of before that was told apart do not say.
    #[n(9)]
    pub role_set: Option<bool>,
    /// Term of its machine key; the first one where it does not say.
    #[n(10)]
    pub key_term: Option<u32>,
    /// While the machine key is renewed: whether values are encrypted anew, too.
    #[n(11)]
    pub reencrypts: Option<bool>,
}

impl PrincipalRecord {
    /// Whether it may do anything.
    pub const fn is_active(&self) -> bool {
        self.active || self.uid == 0
    }

    /// Term of its machine key, from 1.
    pub fn key_term(&self) -> u32 {
        self.key_term.unwrap_or(1)
    }
}

/// The role of a uid, and where that is from: its own, with whether an administrator set it, or that of a rule for its name and
/// its groups.
pub(crate) fn role_of(
    uid: u32,
    (own, is_set): (Role, Option<bool>),
    settings: &Settings,
    (user, gids): (&str, &[u32]),
) -> (Role, RoleFrom) {
    if uid == 0 {
        return (Role::Admin, RoleFrom::Root);
    }
    if is_set.unwrap_or(false) {
        return (own, RoleFrom::Set);
    }
    match settings.roles.find(user, gids) {
        Some(rule) => (rule.role, RoleFrom::Rule(rule.subject.clone())),
        None => (own, RoleFrom::Default),
    }
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
    /// Its own role, where neither a rule nor uid 0 says otherwise.
    role: Role,
    /// Whether an administrator set that; `None`: not said.
    role_set: Option<bool>,
    /// False when an administrator disabled it, and while it is frozen.
    pub active: bool,
    /// Its own quota of tokens, where an administrator set one.
    pub quota_tokens: Option<u64>,
    /// Its own quota of bytes, where an administrator set one.
    pub quota_bytes: Option<u64>,
    /// Whether its user was deleted.
    pub frozen: bool,
    /// Whether its uid has another name now, or none: who asks under the right one shows that it is not so.
    pub(crate) estranged: bool,
    /// The day of its last call that is written down, or about to be; days since the epoch.
    pub(crate) seen_day: AtomicU64,
    /// Wraps the DEKs of class `machine` and all metadata.
    pub machine_key: Arc<KeyTerms>,
    /// Tags names and attributes.
    pub index_key: Secret,
}

/// The keys of the keyring a principal depends on.
#[derive(Clone, Copy)]
pub struct PrincipalKeys<'a> {
    /// Part of every AAD.
    pub vault: &'a VaultId,
    /// `users` of the keyring.
    pub users: &'a KeyTerms,
    /// `index` of the keyring.
    pub index: &'a Secret,
    /// Machine keys in use; `None` where a row may still be undone, whose keys nobody else is to know.
    pub machine_keys: Option<&'a MachineKeys>,
    /// Where keys lie.
    pub memory: &'a dyn SecretMemory,
}

impl PrincipalKeys<'_> {
    /// The tag the principal of a uid is found by.
    pub(crate) fn uid_tag(&self, uid: u32) -> Tag {
        tag::uid_tag(self.index, uid)
    }

    fn aad(&self, uid_tag: &Tag, generation: &[u8; 16]) -> Aad {
        Aad::new("principal").bytes(self.vault).bytes(uid_tag).bytes(generation)
    }

    /// Makes the row of a uid that comes for the first time. Its number is set when it is inserted.
    ///
    /// # Errors
    /// When random numbers or memory cannot be had.
    pub fn enrol(&self, caller: &Caller, role: Role, now: Timestamp) -> Result<PrincipalRow, Error> {
        let uid_tag = self.uid_tag(caller.uid);
        let generation = random::array::<16>()?;
        let aad = self.aad(&uid_tag, &generation);
        let record = PrincipalRecord {
            uid: caller.uid,
            user: caller.user.to_string(),
            role,
            active: true,
            enrolled: now,
            quota_tokens: None,
            quota_bytes: None,
            frozen: None,
            last_seen: Some(now),
            role_set: Some(false),
            key_term: None,
            reencrypts: None,
        };
        let machine_key = StoredKey::generate(self.memory)?;
        Ok(PrincipalRow {
            id: 0,
            uid_tag,
            generation,
            record: self.users.seal(RECORD, aad.as_bytes(), &encode(&record)?)?,
            key: self.users.seal(MACHINE_KEY, aad.as_bytes(), machine_key.expose())?,
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
        let record = self.open_record(row)?;
        let (stored, term) = (self.open_key(row)?, record.key_term());
        let machine_key = match self.machine_keys {
            Some(used) => used.of(row.id, (&stored, term), self.memory)?,
            None => stored.terms(term, self.memory)?,
        };
        Ok(Principal {
            id: row.id,
            role: record.role,
            role_set: record.role_set,
            active: record.is_active() && record.frozen.is_none(),
            uid: record.uid,
            user: record.user,
            generation: row.generation,
            quota_tokens: record.quota_tokens,
            quota_bytes: record.quota_bytes,
            frozen: record.frozen.is_some(),
            estranged: false,
            seen_day: AtomicU64::new(record.last_seen.map_or(0, Timestamp::day)),
            machine_key,
            index_key: tag::principal_index_key(self.index, &row.generation, self.memory)?,
        })
    }

    /// What is kept of a principal, without its keys.
    ///
    /// # Errors
    /// As [`PrincipalKeys::open`].
    pub(crate) fn open_record(&self, row: &PrincipalRow) -> Result<PrincipalRecord, Error> {
        let aad = self.aad(&row.uid_tag, &row.generation);
        let record = self.users.open_record(RECORD, aad.as_bytes(), &row.record)?;
        minicbor::decode(&record).map_err(|error| Error::Quarantined(format!("principal record {}: {error}", row.id)))
    }

    /// The machine key of a row.
    ///
    /// # Errors
    /// As [`PrincipalKeys::open`].
    pub(crate) fn open_key(&self, row: &PrincipalRow) -> Result<StoredKey, Error> {
        let aad = self.aad(&row.uid_tag, &row.generation);
        Ok(StoredKey::parse(self.users.open(MACHINE_KEY, aad.as_bytes(), &row.key, self.memory)?)?)
    }

    /// The same row sealed with the newest term; `None` where it is.
    ///
    /// # Errors
    /// As [`PrincipalKeys::open`].
    pub(crate) fn renewed(&self, row: &PrincipalRow) -> Result<Option<PrincipalRow>, Error> {
        let aad = self.aad(&row.uid_tag, &row.generation);
        let is_newest = |purpose, sealed: &[u8]| self.users.is_newest(purpose, aad.as_bytes(), sealed);
        if is_newest(RECORD, &row.record)? && is_newest(MACHINE_KEY, &row.key)? {
            return Ok(None);
        }
        self.with_record(row, &self.open_record(row)?).map(Some)
    }

    /// The row of a principal with another record, which may give it another uid.
    ///
    /// # Errors
    /// As [`PrincipalKeys::open`], and when random numbers or memory cannot be had.
    pub(crate) fn with_record(&self, row: &PrincipalRow, record: &PrincipalRecord) -> Result<PrincipalRow, Error> {
        self.with_key(row, record, &self.open_key(row)?)
    }

    /// The same with another machine key.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn with_key(
        &self,
        row: &PrincipalRow,
        record: &PrincipalRecord,
        machine_key: &StoredKey,
    ) -> Result<PrincipalRow, Error> {
        let uid_tag = self.uid_tag(record.uid);
        let aad = self.aad(&uid_tag, &row.generation);
        Ok(PrincipalRow {
            uid_tag,
            record: self.users.seal(RECORD, aad.as_bytes(), &encode(record)?)?,
            key: self.users.seal(MACHINE_KEY, aad.as_bytes(), machine_key.expose())?,
            ..row.clone()
        })
    }
}

impl Principal {
    /// What policy needs to know of it when it calls, for it has the name and the groups of its connection.
    pub fn standing(&self, settings: &Settings, caller: &Caller) -> Standing {
        let own = (self.role, self.role_set);
        let (role, _) = role_of(self.uid, own, settings, (&caller.user, &caller.gids));
        Standing { uid: self.uid, role, active: self.active }
    }

    /// The same where it only reads what is its own, for which every role does.
    pub const fn standing_to_read(&self) -> Standing {
        Standing { uid: self.uid, role: self.role, active: self.active }
    }

    /// Whether somebody is given anything of it now, once it is known that it may be: its owner, or who was given a right to it.
    pub fn serves(&self, uid: u32) -> bool {
        self.active && (!self.estranged || uid == self.uid)
    }

    /// Refuses a caller whose uid now belongs to a user of another name, or to another user of that name.
    ///
    /// # Errors
    /// [`Error::AccessDenied`] while the principal is frozen.
    pub fn check_name(&self, caller: &Caller) -> Result<(), Error> {
        let uid = caller.uid;
        if self.frozen {
            return Err(Error::AccessDenied(format!(
                "the tokens of uid {uid} are frozen, as those of a deleted user are; an administrator deletes them with \
                 'tokenvaultctl user purge {uid}' or gives them to the present user with 'tokenvaultctl user adopt {uid}'"
            )));
        }
        if self.uid == 0 || self.user == *caller.user {
            return Ok(());
        }
        Err(Error::AccessDenied(format!(
            "the tokens of uid {uid} were stored for a user of another name and are frozen; they come back when the user \
             has that name again, or when an administrator runs 'tokenvaultctl user adopt {uid}'"
        )))
    }
}

/// CBOR of a record that is about to be encrypted.
pub(crate) fn encode<T: Encode<()>>(record: &T) -> Result<zeroize::Zeroizing<Vec<u8>>, Error> {
    minicbor::to_vec(record)
        .map(zeroize::Zeroizing::new)
        .map_err(|error| Error::Internal(format!("a record could not be encoded: {error}")))
}
