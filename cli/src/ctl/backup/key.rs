//! The recovery key, as the reader of a backup takes it: in memory that stays out of swap and is wiped.

use tokenvault_core::Secret;
use tokenvault_core::port::{SecretBuffer, SecretMemory, SecretMemoryExhausted};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::recovery::RecoveryKey;
use crate::sys;

/// Locked as far as the user's budget goes.
pub struct LockedMemory;

struct LockedBuffer(Zeroizing<Box<[u8]>>);

impl SecretBuffer for LockedBuffer {
    fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Drop for LockedBuffer {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut *self.0);
        sys::unlock(&mut self.0);
    }
}

impl SecretMemory for LockedMemory {
    fn allocate(&self, len: usize) -> Result<Box<dyn SecretBuffer>, SecretMemoryExhausted> {
        let mut bytes = Zeroizing::new(vec![0; len].into_boxed_slice());
        sys::lock(&mut bytes);
        Ok(Box::new(LockedBuffer(bytes)))
    }
}

/// The private key.
pub fn private(key: &RecoveryKey) -> Result<Secret, Failure> {
    Secret::copy_from(&LockedMemory, key.expose())
        .map_err(|error| Failure::new(tokenvault_proto::ErrorCode::LimitsExceeded, error, "try again"))
}
