//! The functions that libpam looks for (`pam_sm_*(3)`): what comes from C is taken apart here and nowhere else.
//!
//! The `SAFETY` lines rest on what libpam promises a module: a handle that lives during the call, and `argc` strings.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int};

use crate::arguments::Arguments;
use crate::boundary::{PAM_IGNORE, guest};
use crate::host::{Host, Level};
use crate::sys::{Handle, PamHost};
use crate::{authentication, password, session};

/// The second of the two calls of `pam_chauthtok(3)`, in which the password is changed.
const PAM_UPDATE_AUTHTOK: c_int = 0x2000;

/// Keeps the password that was typed.
///
/// # Safety
/// Called by libpam.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pam_sm_authenticate(
    handle: *mut Handle,
    _flags: c_int,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    // SAFETY: libpam's promise.
    guest(|| unsafe { enter("auth", handle, argc, argv, authentication::keep) })
}

/// Nothing: credentials are the session's.
#[unsafe(no_mangle)]
pub extern "C" fn pam_sm_setcred(
    _handle: *mut Handle,
    _flags: c_int,
    _argc: c_int,
    _argv: *const *const c_char,
) -> c_int {
    PAM_IGNORE
}

/// Nothing: the vault has no say in who may log in. It is there for a service file that names the module for `account`.
#[unsafe(no_mangle)]
pub extern "C" fn pam_sm_acct_mgmt(
    _handle: *mut Handle,
    _flags: c_int,
    _argc: c_int,
    _argv: *const *const c_char,
) -> c_int {
    PAM_IGNORE
}

/// Opens the login class, and begins the lease.
///
/// # Safety
/// Called by libpam.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pam_sm_open_session(
    handle: *mut Handle,
    _flags: c_int,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    // SAFETY: libpam's promise.
    guest(|| unsafe { enter("session", handle, argc, argv, session::open) })
}

/// Ends the lease.
///
/// # Safety
/// Called by libpam.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pam_sm_close_session(
    handle: *mut Handle,
    _flags: c_int,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    // SAFETY: libpam's promise.
    guest(|| unsafe { enter("session", handle, argc, argv, session::close) })
}

/// Gives the login class the new password too.
///
/// # Safety
/// Called by libpam.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pam_sm_chauthtok(
    handle: *mut Handle,
    flags: c_int,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    if flags & PAM_UPDATE_AUTHTOK == 0 {
        return PAM_IGNORE;
    }
    // SAFETY: libpam's promise.
    guest(|| unsafe { enter("password", handle, argc, argv, password::change) })
}

/// Makes a host of what libpam gave, and does the work for it.
///
/// # Safety
/// The handle is NULL or lives during the call, and `argv` is NULL or has `argc` strings.
unsafe fn enter(
    kind: &'static str,
    handle: *mut Handle,
    argc: c_int,
    argv: *const *const c_char,
    work: fn(&mut dyn Host),
) {
    // SAFETY: the caller's promise.
    let arguments = Arguments::parse(unsafe { words(argc, argv) });
    // SAFETY: the caller's promise; nobody else has the handle during the call.
    let Some(handle) = (unsafe { handle.as_mut() }) else { return };
    let mut host = PamHost::new(kind, handle, &arguments);
    for word in &arguments.unusable {
        host.log(Level::Warning, &format!("the argument '{}' is not understood", word.escape_debug()));
    }
    work(&mut host);
}

/// The arguments of the module.
///
/// # Safety
/// `argv` is NULL or has `argc` strings, which live as long as they are used.
unsafe fn words<'a>(argc: c_int, argv: *const *const c_char) -> Vec<&'a CStr> {
    let count = usize::try_from(argc).unwrap_or(0);
    if argv.is_null() || count == 0 {
        return Vec::new();
    }
    // SAFETY: an array of this length, by the caller's promise.
    let words = unsafe { std::slice::from_raw_parts(argv, count) };
    // SAFETY: strings, by the caller's promise.
    words.iter().filter(|word| !word.is_null()).map(|word| unsafe { CStr::from_ptr(*word) }).collect()
}

#[cfg(test)]
mod tests {
    use std::ptr::null_mut;

    use super::*;

    type Entry = unsafe extern "C" fn(*mut Handle, c_int, c_int, *const *const c_char) -> c_int;

    /// Of `pam_sm_setcred` libpam itself takes no notice: what `pam_sm_authenticate` answered counts for it.
    #[test]
    fn every_entry_answers_ignore_also_where_it_is_given_nothing() {
        let entries: [Entry; 6] = [
            pam_sm_authenticate,
            pam_sm_setcred,
            pam_sm_acct_mgmt,
            pam_sm_open_session,
            pam_sm_close_session,
            pam_sm_chauthtok,
        ];
        for (number, entry) in entries.into_iter().enumerate() {
            for flags in [0, PAM_UPDATE_AUTHTOK] {
                // SAFETY: no handle and no strings are what an entry has to bear.
                assert_eq!(unsafe { entry(null_mut(), flags, 0, null_mut()) }, PAM_IGNORE, "{number}");
            }
        }
    }
}
