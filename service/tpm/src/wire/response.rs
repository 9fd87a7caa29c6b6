//! What the worker answers.

use tokenvault_core::port::{Counted, SealError, SealedBlob, TpmStatus};

use super::{Fields, Message, SECRET_LEN, WireError};

// The high bit keeps the two directions apart: neither side takes its own message for an answer.
const SEALED: u8 = 0x81;
const UNSEALED: u8 = 0x82;
const STATUS: u8 = 0x83;
const COUNTED: u8 = 0x84;
const FAILED: u8 = 0xff;

const MISSING: u8 = 0;
const FOREIGN: u8 = 1;
const AT: u8 = 2;

const NO_TPM: u8 = 1;
const WRONG_TPM: u8 = 2;
const POLICY_MISMATCH: u8 = 3;
const LOCKOUT: u8 = 4;
const DAMAGED_BLOB: u8 = 5;
const TIMEOUT: u8 = 6;
const OTHER: u8 = 7;

/// Longest text of a failure.
const MAX_TEXT: usize = 512;

/// What came of the operation. Has no `Debug`: it can hold a secret.
pub enum Response<'a> {
    /// The secret was sealed.
    Sealed(SealedBlob),
    /// The secret, in the sender's or receiver's own buffer.
    Unsealed(&'a [u8; SECRET_LEN]),
    /// What the TPM says of itself.
    Status(TpmStatus),
    /// What there is of a counter.
    Counted(Counted),
    /// Nothing came of it.
    Failed(SealError),
}

impl<'a> Response<'a> {
    /// Writes the message into `buffer` ([`super::MAX_MESSAGE`] bytes always do); how many bytes to send.
    ///
    /// # Errors
    /// [`WireError::TooBig`] when it does not fit, [`WireError::Field`] when the PCRs of a blob are not such.
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, WireError> {
        let kind = match self {
            Self::Sealed(_) => SEALED,
            Self::Unsealed(_) => UNSEALED,
            Self::Status(_) => STATUS,
            Self::Counted(_) => COUNTED,
            Self::Failed(_) => FAILED,
        };
        let mut message = Message::new(buffer, kind)?;
        match self {
            Self::Sealed(blob) => message.blob(blob)?,
            Self::Unsealed(secret) => message.raw(*secret)?,
            Self::Status(status) => {
                message.bytes(status.manufacturer.as_bytes())?;
                message.bytes(status.firmware.as_bytes())?;
                message.bytes(&status.root_key_name)?;
                message.raw(&[u8::from(status.in_lockout)])?;
            }
            Self::Counted(counted) => {
                let (kind, value) = match counted {
                    Counted::Missing => (MISSING, 0),
                    Counted::Foreign => (FOREIGN, 0),
                    Counted::At(value) => (AT, *value),
                };
                message.raw(&[kind])?;
                message.raw(&value.to_be_bytes())?;
            }
            Self::Failed(error) => {
                let (code, text) = error_code(error);
                message.raw(&[code])?;
                message.bytes(shortened(text).as_bytes())?;
            }
        }
        message.finish()
    }

    /// Reads a message without its length. A secret stays where it is, in `body`.
    ///
    /// # Errors
    /// See [`WireError`].
    pub fn decode(body: &'a [u8]) -> Result<Self, WireError> {
        let (kind, mut fields) = Fields::new(body)?;
        let response = match kind {
            SEALED => Self::Sealed(fields.blob()?),
            UNSEALED => Self::Unsealed(fields.array()?),
            STATUS => Self::Status(TpmStatus {
                manufacturer: fields.text("manufacturer")?.into(),
                firmware: fields.text("firmware")?.into(),
                root_key_name: fields.bytes()?.to_vec(),
                in_lockout: match fields.array()? {
                    [0] => false,
                    [1] => true,
                    _ => return Err(WireError::Field("in-lockout")),
                },
            }),
            COUNTED => {
                let [kind] = *fields.array()?;
                Self::Counted(match (kind, u64::from_be_bytes(*fields.array()?)) {
                    (MISSING, 0) => Counted::Missing,
                    (FOREIGN, 0) => Counted::Foreign,
                    (AT, value) => Counted::At(value),
                    _ => return Err(WireError::Field("counter")),
                })
            }
            FAILED => {
                let [code] = *fields.array()?;
                Self::Failed(error_of(code, fields.text("text")?)?)
            }
            other => return Err(WireError::Kind(other)),
        };
        fields.finish()?;
        Ok(response)
    }
}

fn error_code(error: &SealError) -> (u8, &str) {
    match error {
        SealError::NoTpm(text) => (NO_TPM, text),
        SealError::WrongTpm => (WRONG_TPM, ""),
        SealError::PolicyMismatch => (POLICY_MISMATCH, ""),
        SealError::Lockout => (LOCKOUT, ""),
        SealError::DamagedBlob => (DAMAGED_BLOB, ""),
        SealError::Timeout => (TIMEOUT, ""),
        SealError::Failed(text) => (OTHER, text),
    }
}

fn error_of(code: u8, text: &str) -> Result<SealError, WireError> {
    let text_allowed = matches!(code, NO_TPM | OTHER);
    if text.len() > MAX_TEXT || text.chars().any(char::is_control) || (!text_allowed && !text.is_empty()) {
        return Err(WireError::Field("text"));
    }
    match code {
        NO_TPM => Ok(SealError::NoTpm(text.into())),
        WRONG_TPM => Ok(SealError::WrongTpm),
        POLICY_MISMATCH => Ok(SealError::PolicyMismatch),
        LOCKOUT => Ok(SealError::Lockout),
        DAMAGED_BLOB => Ok(SealError::DamagedBlob),
        TIMEOUT => Ok(SealError::Timeout),
        OTHER => Ok(SealError::Failed(text.into())),
        _ => Err(WireError::Field("failure")),
    }
}

/// One line of at most [`MAX_TEXT`] bytes: what goes into a log.
fn shortened(text: &str) -> String {
    let line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut short = String::new();
    for c in line {
        if short.len() + c.len_utf8() > MAX_TEXT {
            break;
        }
        short.push(c);
    }
    short
}
