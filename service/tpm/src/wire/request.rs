//! What the daemon asks.

use tokenvault_core::port::SealedBlob;

use super::{Fields, Message, SECRET_LEN, WireError};

const SEAL: u8 = 1;
const UNSEAL: u8 = 2;
const STATUS: u8 = 3;

/// One operation on one TPM. Has no `Debug`: it can hold a secret.
pub struct Request<'a> {
    /// Which TPM, as text; the worker parses it into a [`crate::Tcti`].
    pub tcti: &'a str,
    /// What to do.
    pub operation: Operation<'a>,
}

/// What the worker can do.
pub enum Operation<'a> {
    /// Seal a secret.
    Seal {
        /// The secret, in the sender's or receiver's own buffer.
        secret: &'a [u8; SECRET_LEN],
        /// PCRs of the SHA-256 bank to bind it to, ascending; none by default.
        pcrs: &'a [u8],
    },
    /// Open what was sealed.
    Unseal(SealedBlob),
    /// Ask the TPM about itself.
    Status,
}

impl<'a> Request<'a> {
    /// Writes the message into `buffer` ([`super::MAX_MESSAGE`] bytes always do); how many bytes to send.
    ///
    /// # Errors
    /// [`WireError::TooBig`] when it does not fit, [`WireError::Field`] when the PCRs are not such.
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, WireError> {
        let kind = match self.operation {
            Operation::Seal { .. } => SEAL,
            Operation::Unseal(_) => UNSEAL,
            Operation::Status => STATUS,
        };
        let mut message = Message::new(buffer, kind)?;
        message.bytes(self.tcti.as_bytes())?;
        match &self.operation {
            Operation::Seal { secret, pcrs } => {
                message.pcrs(pcrs)?;
                message.raw(*secret)?;
            }
            Operation::Unseal(blob) => message.blob(blob)?,
            Operation::Status => {}
        }
        message.finish()
    }

    /// Reads a message without its length. A secret stays where it is, in `body`.
    ///
    /// # Errors
    /// See [`WireError`].
    pub fn decode(body: &'a [u8]) -> Result<Self, WireError> {
        let (kind, mut fields) = Fields::new(body)?;
        if !matches!(kind, SEAL | UNSEAL | STATUS) {
            return Err(WireError::Kind(kind));
        }
        let tcti = fields.text("tcti")?;
        let operation = match kind {
            SEAL => Operation::Seal { pcrs: fields.pcrs()?, secret: fields.array()? },
            UNSEAL => Operation::Unseal(fields.blob()?),
            _ => Operation::Status,
        };
        fields.finish()?;
        Ok(Self { tcti, operation })
    }
}
