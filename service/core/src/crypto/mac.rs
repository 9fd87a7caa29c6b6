//! HMAC-SHA256 (RFC 2104, FIPS 198-1).

use hkdf::HmacImpl;
use hmac::Hmac;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::Secret;
use crate::port::Tag;

/// The MAC of `parts`, joined. The caller sees to it that no two lists it can make join to the same bytes: all parts but
/// one have a fixed length, or the list is an [`Aad`](crate::crypto::Aad).
pub fn compute(key: &Secret, parts: &[&[u8]]) -> Tag {
    // Of the two constructors this one takes a key of any length and so cannot fail.
    let mut mac = <Hmac<Sha256> as HmacImpl>::new_from_slice(key.expose());
    for part in parts {
        HmacImpl::update(&mut mac, part);
    }
    HmacImpl::finalize(mac).into()
}

/// Whether `expected` is the MAC of `parts`; takes the same time wherever they differ.
#[must_use]
pub fn verify(key: &Secret, parts: &[&[u8]], expected: &[u8]) -> bool {
    equal(&compute(key, parts), expected)
}

/// Compares two public-length byte strings without telling where they differ.
#[must_use]
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::HeapMemory;

    /// RFC 4231, test case 2.
    const EXPECTED: Tag = [
        0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7, 0x5a, 0x00,
        0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43,
    ];

    #[test]
    fn the_rfc_4231_vector_comes_out() {
        let key = Secret::copy_from(&HeapMemory, b"Jefe").unwrap();
        assert_eq!(compute(&key, &[b"what do ya want ", b"for nothing?"]), EXPECTED);
        assert!(verify(&key, &[b"what do ya want for nothing?"], &EXPECTED));
    }

    #[test]
    fn a_changed_or_shortened_mac_is_refused() {
        let key = Secret::copy_from(&HeapMemory, b"Jefe").unwrap();
        let mut changed = EXPECTED;
        changed[31] ^= 1;
        let message: &[&[u8]] = &[b"what do ya want for nothing?"];
        assert!(!verify(&key, message, &changed));
        assert!(!verify(&key, message, &EXPECTED[..31]));
        assert!(!verify(&key, message, b""));
    }
}
