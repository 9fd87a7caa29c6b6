//! The error numbers, their meaning, and the version of the library.

use std::ffi::{CString, c_char, c_int};
use std::sync::OnceLock;

use tokenvault_client::ErrorCode;

use crate::boundary::answer;

/// Internal; details are in the journal under the request id in the message.
pub const TOKENVAULT_ERROR_FAILED: c_int = 1;
/// Malformed name, unknown option, value over its size, empty value.
pub const TOKENVAULT_ERROR_INVALID_ARGS: c_int = 2;
/// Missing, another's, or expired.
pub const TOKENVAULT_ERROR_NOT_FOUND: c_int = 3;
/// Something the caller may see but not do.
pub const TOKENVAULT_ERROR_ACCESS_DENIED: c_int = 4;
/// Mode create, or the new name of a rename, and the token is there.
pub const TOKENVAULT_ERROR_EXISTS: c_int = 5;
/// The token has another version than expect_version.
pub const TOKENVAULT_ERROR_CONFLICT: c_int = 6;
/// No slot has opened the vault.
pub const TOKENVAULT_ERROR_SEALED: c_int = 7;
/// Login class, and its owner has not unlocked.
pub const TOKENVAULT_ERROR_LOCKED: c_int = 8;
/// The store failed verification.
pub const TOKENVAULT_ERROR_QUARANTINED: c_int = 9;
/// A quota or a rate is used up, or the memory of the calling program. Of a change for whose answer there is no memory, the
/// text says that it is unknown if it was made.
pub const TOKENVAULT_ERROR_LIMITS_EXCEEDED: c_int = 10;
/// Disk full, read-only, directory service down, lockdown, daemon not reachable, connection lost. Of a change, the text says
/// whether it is unknown if it was made.
pub const TOKENVAULT_ERROR_UNAVAILABLE: c_int = 11;
/// A deadline passed. Of a change, the text says whether it is unknown if it was made.
pub const TOKENVAULT_ERROR_TIMEOUT: c_int = 12;
/// No TPM answers.
pub const TOKENVAULT_ERROR_NO_TPM: c_int = 13;
/// Another TPM than the one the vault was sealed to.
pub const TOKENVAULT_ERROR_WRONG_TPM: c_int = 14;
/// The TPM is in dictionary-attack lockout.
pub const TOKENVAULT_ERROR_TPM_LOCKOUT: c_int = 15;
/// The machine's measured state differs.
pub const TOKENVAULT_ERROR_POLICY_MISMATCH: c_int = 16;
/// The slot's data is damaged.
pub const TOKENVAULT_ERROR_DAMAGED_SLOT: c_int = 17;
/// polkit would ask and the caller did not allow it.
pub const TOKENVAULT_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED: c_int = 18;

/// What an error number means, in general; tokenvault_client_error has the case at hand.
#[unsafe(no_mangle)]
pub extern "C" fn tokenvault_strerror(code: c_int) -> *const c_char {
    answer(c"unknown error".as_ptr(), || match code {
        0 => c"success".as_ptr(),
        _ => texts()
            .iter()
            .find(|(number, _)| *number == code)
            .map_or(c"unknown error".as_ptr(), |(_, text)| text.as_ptr()),
    })
}

/// The version of the library, "MAJOR.MINOR.PATCH".
#[unsafe(no_mangle)]
pub extern "C" fn tokenvault_version() -> *const c_char {
    answer(c"".as_ptr(), || concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast())
}

/// The table's texts as C strings, made once.
fn texts() -> &'static [(c_int, CString)] {
    static TEXTS: OnceLock<Vec<(c_int, CString)>> = OnceLock::new();
    TEXTS.get_or_init(|| {
        ErrorCode::TABLE
            .iter()
            .map(|entry| (entry.code.number(), CString::new(entry.text).unwrap_or_default()))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    fn text(code: c_int) -> &'static str {
        // SAFETY: every answer is a string that lives as long as the library.
        unsafe { CStr::from_ptr(tokenvault_strerror(code)) }.to_str().unwrap()
    }

    #[test]
    fn the_numbers_of_the_header_are_those_of_the_table() {
        let header = [
            (TOKENVAULT_ERROR_FAILED, ErrorCode::Failed),
            (TOKENVAULT_ERROR_INVALID_ARGS, ErrorCode::InvalidArgs),
            (TOKENVAULT_ERROR_NOT_FOUND, ErrorCode::NotFound),
            (TOKENVAULT_ERROR_ACCESS_DENIED, ErrorCode::AccessDenied),
            (TOKENVAULT_ERROR_EXISTS, ErrorCode::Exists),
            (TOKENVAULT_ERROR_CONFLICT, ErrorCode::Conflict),
            (TOKENVAULT_ERROR_SEALED, ErrorCode::Sealed),
            (TOKENVAULT_ERROR_LOCKED, ErrorCode::Locked),
            (TOKENVAULT_ERROR_QUARANTINED, ErrorCode::Quarantined),
            (TOKENVAULT_ERROR_LIMITS_EXCEEDED, ErrorCode::LimitsExceeded),
            (TOKENVAULT_ERROR_UNAVAILABLE, ErrorCode::Unavailable),
            (TOKENVAULT_ERROR_TIMEOUT, ErrorCode::Timeout),
            (TOKENVAULT_ERROR_NO_TPM, ErrorCode::NoTpm),
            (TOKENVAULT_ERROR_WRONG_TPM, ErrorCode::WrongTpm),
            (TOKENVAULT_ERROR_TPM_LOCKOUT, ErrorCode::TpmLockout),
            (TOKENVAULT_ERROR_POLICY_MISMATCH, ErrorCode::PolicyMismatch),
            (TOKENVAULT_ERROR_DAMAGED_SLOT, ErrorCode::DamagedSlot),
            (TOKENVAULT_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, ErrorCode::InteractiveAuthorizationRequired),
        ];
        assert_eq!(header.len(), ErrorCode::TABLE.len());
        for (number, code) in header {
            assert_eq!(number, code.number());
            assert_eq!(text(number), code.text());
        }
    }

    #[test]
    fn numbers_outside_the_table_have_a_text_too() {
        assert_eq!(text(0), "success");
        assert_eq!(text(-1), "unknown error");
        assert_eq!(text(c_int::MAX), "unknown error");
    }
}
