//! Something that keeps a secret bound to this machine: a TPM.

use minicbor::{Decode, Encode};

use crate::Secret;

/// What a TPM made of a secret. Public: without that very TPM it opens nothing.
///
/// Stored in the slot table; decoding tolerates unknown later fields.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SealedBlob {
    /// TPM name (`nameAlg || digest`) of the storage root key the object was made under. Pinned: another name is another TPM.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub root_key_name: Vec<u8>,
    /// `TPM2B_PUBLIC` contents of the sealed object, marshalled.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub public: Vec<u8>,
    /// `TPM2B_PRIVATE` contents of the sealed object.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub private: Vec<u8>,
    /// Policy digest the object demands; compared before it is used.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub policy: Vec<u8>,
    /// PCRs of the SHA-256 bank in the policy, ascending. Empty by default.
    #[cbor(n(4))]
    pub pcrs: Vec<u8>,
}

/// Why a TPM did not do what was asked. Each has its own next step for the administrator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// No TPM answers: no device, no permission, no emulator.
    #[error("no TPM answers: {0}")]
    NoTpm(String),
    /// A TPM answers, but its storage root key is not the one the blob was made under: cleared, replaced or imitated.
    #[error("this is not the TPM the vault was sealed to")]
    WrongTpm,
    /// The TPM is the right one, but its PCRs differ from those the blob demands.
    #[error("the machine's measured state differs from the one the vault was sealed to")]
    PolicyMismatch,
    /// The TPM is in dictionary-attack lockout.
    #[error("the TPM is locked out after failed attempts")]
    Lockout,
    /// The right TPM refuses the blob: it was changed or truncated.
    #[error("the sealed key is damaged")]
    DamagedBlob,
    /// No answer within the deadline; the worker was ended.
    #[error("the TPM did not answer in time")]
    Timeout,
    /// Anything else, with the TPM's or worker's own words.
    #[error("TPM operation failed: {0}")]
    Failed(String),
}

/// What is known of the TPM without using a key of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TpmStatus {
    /// Manufacturer id as text (`IBM`, `STM`, ...).
    pub manufacturer: String,
    /// Firmware version, `major.minor`.
    pub firmware: String,
    /// Name of the storage root key at 0x81000001; empty when there is none yet.
    pub root_key_name: Vec<u8>,
    /// Whether the TPM is in dictionary-attack lockout.
    pub in_lockout: bool,
}

/// Seals small secrets to this machine. Blocking; the daemon calls it off its runtime.
pub trait Sealer: Send + Sync {
    /// Seals `secret` (32 bytes), creating the storage root key when there is none.
    ///
    /// # Errors
    /// See [`SealError`].
    fn seal(&self, secret: &Secret) -> Result<SealedBlob, SealError>;

    /// Opens what [`Sealer::seal`] made.
    ///
    /// # Errors
    /// See [`SealError`].
    fn unseal(&self, blob: &SealedBlob) -> Result<Secret, SealError>;

    /// Asks the TPM about itself.
    ///
    /// # Errors
    /// See [`SealError`].
    fn status(&self) -> Result<TpmStatus, SealError>;
}
