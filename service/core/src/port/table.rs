//! What the tables of the store have: ciphertexts, keyed tags, counters and coarse dates.

/// A keyed tag: an HMAC under a key of the keyring. Equal things have equal tags; nothing else can be read from it.
pub type Tag = [u8; 32];

/// A shortened keyed tag of one attribute pair.
pub type AttributeTag = [u8; 16];

/// Single values kept beside the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetaKey {
    /// 16 random bytes; part of every AAD. Stays over backup and restore.
    VaultId,
    /// 16 random bytes of this copy of the vault.
    InstanceId,
    /// MAC over the slot table.
    SlotMac,
    /// The recovery slot whose private key was shown, and what it says of the vault's keys: see
    /// [`Confirmed`](crate::slot::voucher::Confirmed).
    RecoveryConfirmed,
    /// Chain value before the oldest audit record kept, after pruning.
    AuditBase,
    /// The last time that is known to have been right, encrypted.
    TrustedTime,
    /// Which notes about deleted users were heeded, encrypted.
    HeededNotes,
    /// Up to which time it was told what expires, encrypted.
    ToldExpiry,
    /// Whether no value leaves the vault: one byte, 1; empty or missing where it may.
    Lockdown,
    /// The sum over the rows and the newest audit link when it was written down, encrypted.
    RowSum,
    /// What the TPM's counter has, encrypted; empty or missing where the store has no anchor.
    Anchor,
}

/// One way of opening the vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotRow {
    /// Number of the slot, never used again.
    pub id: u32,
    /// `tpm2`, `recovery`, `passphrase`, `host-key`.
    pub kind: String,
    /// What the kind needs to find its KEK (CBOR): sealed blob, HPKE ciphertext, salt and parameters.
    pub body: Vec<u8>,
    /// VK wrapped under this slot's KEK.
    pub wrapped_vk: Vec<u8>,
    /// The KEK wrapped under the keyring, so that a new VK needs nobody's passphrase.
    pub wrapped_kek: Vec<u8>,
    /// When it was added, microseconds since the epoch.
    pub created: u64,
}

/// One key of the keyring, wrapped under VK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyringRow {
    /// `integrity`, `index`, `tokens`, `audit`, `pepper`, `users`.
    pub purpose: String,
    /// Term: 1 for the first key of that purpose.
    pub term: u32,
    /// The wrapped key.
    pub wrapped: Vec<u8>,
}

/// Whose tokens they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalRow {
    /// Row number; never used again. Zero in a row that is about to be inserted.
    pub id: i64,
    /// Keyed tag of the uid.
    pub uid_tag: Tag,
    /// Random at enrolment: tells two users apart who had the same uid one after the other.
    pub generation: [u8; 16],
    /// Encrypted record: uid, user name, role, quota, dates.
    pub record: Vec<u8>,
    /// UKm, wrapped under the keyring.
    pub key: Vec<u8>,
    /// Tokens, expired ones included until they are deleted.
    pub tokens: u64,
    /// Stored bytes over all versions: values, padded, and what is kept beside them; and of what was issued.
    pub bytes: u64,
    /// Issued tokens, codes and offers, those that have ended included until they are deleted.
    pub issued: u64,
}

/// A token without its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// Row number; never used again.
    pub id: i64,
    /// Principal the token belongs to.
    pub principal: i64,
    /// Keyed tag of the name, unique in the store.
    pub name_tag: Tag,
    /// Number of the current version.
    pub current: u64,
    /// Highest version number ever given for this row; numbers are not used again.
    pub newest: u64,
    /// Encrypted metadata.
    pub meta: Vec<u8>,
}

/// A token about to be inserted.
#[derive(Debug)]
pub struct NewToken<'a> {
    /// Principal the token belongs to.
    pub principal: i64,
    /// Keyed tag of its name.
    pub name_tag: &'a Tag,
}

/// What is known of a version without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionHead {
    /// Row number of the token.
    pub token: i64,
    /// Version number, from 1.
    pub version: u64,
    /// 0 machine, 1 login.
    pub class: u8,
    /// Day (since the epoch, rounded up) after which the version has certainly expired; `None`: never.
    pub expires_day: Option<i64>,
    /// Padded size of the value, for quotas.
    pub stored_bytes: u64,
    /// Encrypted metadata of the version.
    pub meta: Vec<u8>,
    /// DEK, wrapped.
    pub dek: Vec<u8>,
    /// Number of the content whose chunks are its value; `None`: the value is in the row.
    pub content: Option<i64>,
}

/// One version with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRow {
    /// Everything but the value.
    pub head: VersionHead,
    /// The value, padded and encrypted under the DEK.
    pub value: Vec<u8>,
}

/// What somebody else than its owner may do with a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareRow {
    /// Row number; never used again.
    pub id: i64,
    /// Row number of the token.
    pub token: i64,
    /// Keyed tag of the grantee, unique for the token.
    pub grantee_tag: Tag,
    /// Day (since the epoch, rounded up) after which the share has certainly ended; `None`: never.
    pub expires_day: Option<i64>,
    /// Encrypted record.
    pub meta: Vec<u8>,
}

/// A share about to be inserted.
#[derive(Debug)]
pub struct NewShare<'a> {
    /// Row number of the token.
    pub token: i64,
    /// Keyed tag of the grantee.
    pub grantee_tag: &'a Tag,
}

/// Where something stands that has an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// Day (since the epoch) after which it has certainly ended.
    pub day: i64,
    /// Row number of the token.
    pub token: i64,
    /// Principal the token belongs to.
    pub principal: i64,
    /// Row number of what ends.
    pub row: i64,
}

/// A token, a code or an offer that was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedRow {
    /// Row number. Zero in a row that is about to be inserted.
    pub id: i64,
    /// Principal that issued it.
    pub principal: i64,
    /// 0 token, 1 code, 2 offer.
    pub kind: u8,
    /// Keyed tag of its id, unique in the store and random: it never comes again.
    pub tag: Tag,
    /// Keyed hash of its secret.
    pub hash: Tag,
    /// Row number of the token that is offered.
    pub token: Option<i64>,
    /// Day (since the epoch, rounded up) after which it has certainly expired.
    pub expires_day: i64,
    /// Encrypted record.
    pub meta: Vec<u8>,
}

/// One link of the audit chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Sequence number, from 1, without gaps.
    pub seq: u64,
    /// Encrypted record.
    pub record: Vec<u8>,
    /// Chain value after this record.
    pub chain: Tag,
}

/// What all principals have, by their counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Tokens.
    pub tokens: u64,
    /// Stored bytes.
    pub bytes: u64,
    /// Issued tokens, codes and offers.
    pub issued: u64,
}
