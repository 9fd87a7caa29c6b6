//! Words the suites share.

use std::collections::BTreeMap;

pub use std::time::Duration;
pub use tokenvault_client::{Client, Error};
pub use tokenvault_proto::{
    AddSlotOptions, AnnotateOptions, DeleteOptions, DescribeOptions, ErrorCode, GenerateOptions, GetOptions,
    ListOptions, MANAGER_INTERFACE, PutOptions, RemoveSlotOptions, ShareInfo, ShareOptions, TOKENS_INTERFACE,
    TokenInfo, UnsealOptions,
};
pub use tokenvault_tests::{
    ALICE, BOB, CAROL, Coded, Door, Entrance, NAMELESS, ROOT, Tokens, User, Vault, Wire, through_both_doors,
    through_every_client, wait,
};

/// An X25519 key pair, the second one of RFC 7748, section 6.1: its private half.
pub const RECOVERY_PRIVATE: [u8; 32] = hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
/// Its public half.
pub const RECOVERY_PUBLIC: [u8; 32] = hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");

/// The options nobody gave.
pub fn defaults<T: Default>() -> T {
    T::default()
}

/// The error of a call that must be refused.
#[track_caller]
pub fn refused<T, E>(result: Result<T, E>) -> E {
    result.err().expect("the call should have been refused")
}

/// Its code.
#[track_caller]
pub fn code<T, E: Coded>(result: Result<T, E>) -> ErrorCode {
    refused(result).code()
}

/// The wall clock, microseconds since the epoch.
pub fn now() -> u64 {
    u64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_micros()).unwrap()
}

/// How many records the audit log has in the store, as a program beside the daemon sees it.
pub fn audit_records(vault: &Vault) -> i64 {
    let store = rusqlite::Connection::open(vault.state_directory().join("vault.db")).unwrap();
    store.query_row("SELECT coalesce(max(seq), 0) FROM audit", [], |row| row.get(0)).unwrap()
}

/// Attributes from pairs.
pub fn attributes(pairs: &[(&str, &str)]) -> Option<BTreeMap<String, String>> {
    Some(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
}

/// The names of a list, in its order.
pub fn names(tokens: &[TokenInfo]) -> Vec<&str> {
    tokens.iter().map(|token| token.name.as_str()).collect()
}

/// Whether an error says what happened and what to do, in one line.
#[track_caller]
pub fn assert_helpful(error: &Error) {
    let text = error.to_string();
    assert!(!text.is_empty() && !text.contains('\n') && text.len() > 10, "not a helpful line: {text:?}");
}

/// 32 bytes from 64 hex digits.
const fn hex(text: &str) -> [u8; 32] {
    let (digits, mut bytes, mut at) = (text.as_bytes(), [0; 32], 0);
    while at < 32 {
        bytes[at] = digit(digits[2 * at]) << 4 | digit(digits[2 * at + 1]);
        at += 1;
    }
    bytes
}

const fn digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        _ => byte - b'a' + 10,
    }
}
