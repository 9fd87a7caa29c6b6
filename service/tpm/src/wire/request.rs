//! What the daemon asks.

use tokenvault_core::port::{CounterStep, SealedBlob};

use super::{Fields, Message, SECRET_LEN, WireError};

const SEAL: u8 = 1;
const UNSEAL: u8 = 2;
const STATUS: u8 = 3;
const COUNT: u8 = 4;

const READ: u8 = 0;
const MAKE: u8 = 1;
const RAISE: u8 = 2;
const REMOVE: u8 = 3;

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
    /// Read, make, raise or remove a counter.
    Count {
        /// Its NV index.
        index: u32,
        /// Name of the storage root key of the TPM it is in.
        root_key_name: &'a [u8],
        /// Its authorisation, in the sender's or receiver's own buffer.
        auth: &'a [u8; SECRET_LEN],
        /// What to do with it.
        step: CounterStep,
    },
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
            Operation::Count { .. } => COUNT,
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
            Operation::Count { index, root_key_name, auth, step } => {
                message.raw(&index.to_be_bytes())?;
                message.bytes(root_key_name)?;
                message.raw(*auth)?;
                let (kind, from) = step_code(*step);
                message.raw(&[kind])?;
                message.raw(&from.to_be_bytes())?;
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
        if !matches!(kind, SEAL | UNSEAL | STATUS | COUNT) {
            return Err(WireError::Kind(kind));
        }
        let tcti = fields.text("tcti")?;
        let operation = match kind {
            SEAL => Operation::Seal { pcrs: fields.pcrs()?, secret: fields.array()? },
            UNSEAL => Operation::Unseal(fields.blob()?),
            COUNT => Operation::Count {
                index: u32::from_be_bytes(*fields.array()?),
                root_key_name: fields.bytes()?,
                auth: fields.array()?,
                step: step_of(*fields.array()?, u64::from_be_bytes(*fields.array()?))?,
            },
            _ => Operation::Status,
        };
        fields.finish()?;
        Ok(Self { tcti, operation })
    }
}

const fn step_code(step: CounterStep) -> (u8, u64) {
    match step {
        CounterStep::Read => (READ, 0),
        CounterStep::Make => (MAKE, 0),
        CounterStep::Raise { from } => (RAISE, from),
        CounterStep::Remove => (REMOVE, 0),
    }
}

fn step_of([kind]: [u8; 1], from: u64) -> Result<CounterStep, WireError> {
    match (kind, from) {
        (READ, 0) => Ok(CounterStep::Read),
        (MAKE, 0) => Ok(CounterStep::Make),
        (RAISE, from) => Ok(CounterStep::Raise { from }),
        (REMOVE, 0) => Ok(CounterStep::Remove),
        _ => Err(WireError::Field("step")),
    }
}
