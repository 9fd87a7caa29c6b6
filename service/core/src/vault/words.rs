//! What people are told of a vault that is not open, or not as well protected as it could be: one line for the cause, one for
//! the next step. Decides nothing.

use crate::port::SealError;
use crate::slot::SlotKind;

/// Why a vault is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SealReason {
    /// Its slots were not tried yet.
    NotTried,
    /// An administrator sealed it.
    Administrator,
    /// The TPM did not open it.
    Tpm(SealError),
    /// The TPM did not tell whether the store is the present one.
    Anchor(SealError),
    /// The host key did not open it.
    HostKey(String),
    /// The slot that opens unattended is damaged.
    DamagedSlot(String),
    /// It has no slot that opens unattended.
    NoUnattendedSlot,
    /// A backup takes its place.
    Restoring,
}

impl SealReason {
    /// One line: which of the distinct failures, and what it means.
    pub fn text(&self) -> String {
        match self {
            Self::NotTried => "the slots are being tried".into(),
            Self::Administrator => "an administrator sealed it".into(),
            Self::Tpm(error) => format!("{}: {error}", tpm_error_name(error)),
            Self::Anchor(error) => {
                format!(
                    "{}: {error}; whether the store is the one that was written last is for the TPM to say",
                    tpm_error_name(error)
                )
            }
            Self::HostKey(text) => format!("the host key does not open it: {text}"),
            Self::DamagedSlot(text) => format!("DamagedSlot: {text}"),
            Self::NoUnattendedSlot => "it has no slot that opens unattended".into(),
            Self::Restoring => "a backup is taking its place".into(),
        }
    }

    /// What an administrator does about it.
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::NotTried | Self::Restoring => "wait a moment",
            Self::Administrator => {
                "run 'tokenvaultctl unseal', with --passphrase or --recovery where no slot opens unattended"
            }
            Self::Anchor(_) | Self::Tpm(SealError::NoTpm(_)) => {
                "check the TPM device and its permissions, it is tried again by itself; or run 'tokenvaultctl unseal --recovery'"
            }
            Self::Tpm(SealError::WrongTpm) => {
                "run 'tokenvaultctl unseal --recovery' with the recovery key, then 'tokenvaultctl slot add tpm2'"
            }
            Self::Tpm(SealError::PolicyMismatch) => {
                "boot the measured system again, or run 'tokenvaultctl unseal --recovery', then 'tokenvaultctl slot add tpm2'"
            }
            Self::Tpm(SealError::Lockout) => {
                "wait until the lockout ends or clear it with the owner's tools; or run 'tokenvaultctl unseal --recovery'"
            }
            Self::Tpm(SealError::DamagedBlob) | Self::DamagedSlot(_) => {
                "run 'tokenvaultctl unseal --recovery', then replace the slot: 'tokenvaultctl slot add tpm2'"
            }
            Self::Tpm(SealError::Timeout | SealError::Failed(_)) => {
                "run 'tokenvaultctl unseal' to try again, or 'tokenvaultctl unseal --recovery'"
            }
            Self::HostKey(_) => "put the host key file back, or run 'tokenvaultctl unseal --recovery'",
            Self::NoUnattendedSlot => "run 'tokenvaultctl unseal --passphrase' or 'tokenvaultctl unseal --recovery'",
        }
    }
}

/// The word the interface has for a TPM failure.
pub const fn tpm_error_name(error: &SealError) -> &'static str {
    match error {
        SealError::NoTpm(_) => "NoTpm",
        SealError::WrongTpm => "WrongTpm",
        SealError::PolicyMismatch => "PolicyMismatch",
        SealError::Lockout => "TpmLockout",
        SealError::DamagedBlob => "DamagedSlot",
        SealError::Timeout => "Timeout",
        SealError::Failed(_) => "Failed",
    }
}

/// What a thief gets, in sentences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protection {
    /// Of the disk alone.
    pub disk_theft: &'static str,
    /// Of the whole machine.
    pub machine_theft: &'static str,
}

impl Protection {
    pub(super) fn of(kinds: &[SlotKind]) -> Self {
        if kinds.contains(&SlotKind::HostKey) {
            return Self {
                disk_theft: "NOT protected: the host key lies on the same disk",
                machine_theft: "NOT protected: the host key lies in the machine",
            };
        }
        let machine_theft = if kinds.contains(&SlotKind::Tpm2) {
            "NOT protected: the TPM opens the vault for whoever boots the machine; encrypt the disk, keep a passphrase slot instead \
             of the tpm2 one, or put tokens with class 'login'"
        } else {
            "protected: no slot opens without a secret that is not in the machine"
        };
        Self { disk_theft: "protected: the disk does not hold a key that opens the vault", machine_theft }
    }
}

/// Why the store cannot be written and what to do about it, which its own line may say after the cause.
pub(super) fn cause_and_next_step(why: String) -> (String, String) {
    const RESTART: &str = "restart tokenvaultd";
    match why.rsplit_once("; ") {
        Some((cause, next)) if next.contains(RESTART) => (cause.to_owned(), next.to_owned()),
        Some((cause, next)) => (cause.to_owned(), format!("{next}, then {RESTART}")),
        None => (why, format!("make the state directory's file system writable and {RESTART}")),
    }
}
