//! A counter that only goes up and that no copy of the disk has: in a TPM's memory.

use crate::Secret;
use crate::port::SealError;

/// Which counter of the TPM.
pub struct CounterPlace {
    /// NV index, of the range that TCG leaves to the owner.
    pub index: u32,
    /// Name of the storage root key of the TPM it is in. Nothing is shown to another TPM.
    pub root_key_name: Vec<u8>,
    /// Authorises reading and raising it (32 bytes); proves that the answer is the TPM's.
    pub auth: Secret,
}

/// What to do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CounterStep {
    /// Read it.
    Read,
    /// Make it, unless it is there. Its first value is above that of every counter this TPM ever had.
    Make,
    /// Raise it by one, if it has this value; one that has another stays. So an answer that was lost can be asked for again.
    Raise {
        /// The value it is to have.
        from: u64,
    },
    /// Remove it, if it is there and opens with this authorisation.
    Remove,
}

/// What is there after that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Nothing.
    Missing,
    /// Something of somebody else.
    Foreign,
    /// The counter, and its value.
    At(u64),
}

/// Keeps counters. Blocking; the daemon calls it off its runtime.
pub trait Counter: Send + Sync {
    /// Takes a step; what is there then.
    ///
    /// # Errors
    /// See [`SealError`]; [`SealError::WrongTpm`] for a TPM with another storage root key.
    fn count(&self, place: &CounterPlace, step: CounterStep) -> Result<Counted, SealError>;
}
