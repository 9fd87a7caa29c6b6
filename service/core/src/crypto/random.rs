//! Random bytes from the operating system, `getrandom(2)`. No generator of our own.

use crate::Secret;
use crate::crypto::CryptoError;
use crate::port::SecretMemory;

/// Fills `buffer`.
///
/// # Errors
/// [`CryptoError::Random`] when the system has no random source; `buffer` is then not to be used.
pub fn fill(buffer: &mut [u8]) -> Result<(), CryptoError> {
    getrandom::fill(buffer).map_err(CryptoError::Random)
}

/// `N` random bytes that are no secret: ids, salts, generations.
///
/// # Errors
/// See [`fill`].
pub fn array<const N: usize>() -> Result<[u8; N], CryptoError> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}

/// `len` random bytes in secret memory: keys.
///
/// # Errors
/// [`CryptoError::Memory`], [`CryptoError::Random`].
pub fn secret(memory: &dyn SecretMemory, len: usize) -> Result<Secret, CryptoError> {
    let mut secret = Secret::zeroed(memory, len)?;
    fill(secret.expose_mut())?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::HeapMemory;

    #[test]
    fn two_draws_differ_and_have_the_length_asked_for() {
        let first = secret(&HeapMemory, 48).unwrap();
        let second = secret(&HeapMemory, 48).unwrap();
        assert_eq!(first.len(), 48);
        assert!(first.expose() != second.expose());
        assert_ne!(array::<16>().unwrap(), array::<16>().unwrap());
    }
}
