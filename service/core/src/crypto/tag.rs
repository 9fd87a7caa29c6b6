//! Keyed tags: how a row is found without its name being readable.
//!
//! HMAC-SHA256 over a domain, and the fields with their lengths where more than one varies. Names and attributes are
//! tagged under a key of their principal's generation, so equal names of two users, or of two generations of one uid, have
//! different tags.

use crate::Secret;
use crate::crypto::{CryptoError, kdf, mac};
use crate::grantee::Key;
use crate::name::TokenName;
use crate::port::{AttributeTag, SecretMemory, Tag};

/// Tag of a uid, under the keyring's index key.
pub fn uid_tag(index: &Secret, uid: u32) -> Tag {
    mac::compute(index, &[b"tv1/tag/uid\0", &uid.to_be_bytes()])
}

/// The key under which one generation of a principal tags its names and attributes.
///
/// # Errors
/// [`CryptoError::Memory`].
pub fn principal_index_key(
    index: &Secret,
    generation: &[u8; 16],
    memory: &dyn SecretMemory,
) -> Result<Secret, CryptoError> {
    kdf::derive(index, "principal-index", generation, memory)
}

/// Tag of a token name, under [`principal_index_key`].
pub fn name_tag(principal_index: &Secret, name: &TokenName) -> Tag {
    mac::compute(principal_index, &[b"tv1/tag/name\0", name.as_str().as_bytes()])
}

/// Tag of a grantee, under the keyring's index key: the same whoever shares with it, so that what is shared with one is found.
pub(crate) fn grantee_tag(index: &Secret, grantee: Key<'_>) -> Tag {
    let (kind, name) = grantee.kind_and_name();
    mac::compute(index, &[b"tv1/tag/grantee\0", kind.as_bytes(), b"\0", name.as_bytes()])
}

/// Tag of one attribute pair, under [`principal_index_key`]. Sixteen bytes: a false match only costs one decryption.
pub fn attribute_tag(principal_index: &Secret, key: &str, value: &str) -> AttributeTag {
    let key_len = (key.len() as u64).to_be_bytes();
    let tag = mac::compute(principal_index, &[b"tv1/tag/attribute\0", &key_len, key.as_bytes(), value.as_bytes()]);
    let mut short = AttributeTag::default();
    for (to, from) in short.iter_mut().zip(tag) {
        *to = from;
    }
    short
}

/// Tag of an issued token or code by its id, under the keyring's key for issued tokens.
pub fn issued_tag(tokens: &Secret, id: &[u8; 16]) -> Tag {
    mac::compute(tokens, &[b"tv1/issued/id\0", id])
}

/// Tag of an offer by the part of its code that finds it, under the same key.
pub fn offer_tag(tokens: &Secret, selector: &str) -> Tag {
    mac::compute(tokens, &[b"tv1/issued/offer\0", selector.as_bytes()])
}

/// What is kept of the secret of what has this tag, which stands for its id; under the same key.
pub fn issued_hash(tokens: &Secret, tag: &Tag, secret: &[u8]) -> Tag {
    mac::compute(tokens, &[b"tv1/issued/secret\0", tag, secret])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::HeapMemory;

    fn index(generation: u8) -> Secret {
        let root = Secret::copy_from(&HeapMemory, &[7; 32]).unwrap();
        principal_index_key(&root, &[generation; 16], &HeapMemory).unwrap()
    }

    #[test]
    fn another_generation_tags_the_same_name_differently() {
        let name = TokenName::parse("ci/deploy").unwrap();
        assert_eq!(name_tag(&index(1), &name), name_tag(&index(1), &name));
        assert_ne!(name_tag(&index(1), &name), name_tag(&index(2), &name));
    }

    #[test]
    fn key_and_value_of_an_attribute_cannot_run_into_each_other() {
        assert_ne!(attribute_tag(&index(1), "ab", "c"), attribute_tag(&index(1), "a", "bc"));
        assert_ne!(attribute_tag(&index(1), "a", ""), attribute_tag(&index(1), "", "a"));
    }

    #[test]
    fn uids_have_tags_of_their_own() {
        let root = Secret::copy_from(&HeapMemory, &[7; 32]).unwrap();
        assert_ne!(uid_tag(&root, 0), uid_tag(&root, 1000));
    }
}
