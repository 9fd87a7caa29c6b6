//! The calls about issued tokens, and what is known of one.

use std::ffi::{CStr, c_char, c_int};
use std::ptr;

use crate::client::{self, Client};
use crate::failure::Failure;
use crate::input::{self, Output};
use crate::issue_options::IssueOptions;
use crate::issued_options::IssuedOptions;
use crate::list::List;
use crate::validate_options::ValidateOptions;
use crate::value::{Text, Value, ask};

/// Has the vault issue a token, or a code of digits, that others can have validated. Its text is the data of what is given out, a
/// string that tokenvault_validate takes: the vault does not keep it. tokenvault_value_id names it, tokenvault_value_expires is its
/// end. Free it with tokenvault_value_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_issue(
    client: *mut Client,
    options: *const IssueOptions,
    token: *mut *mut Value,
) -> c_int {
    let work = |vault: &tokenvault_client::Client| {
        // SAFETY: NULL or a place for a pointer.
        let token = unsafe { Output::new("token", token) }?;
        // SAFETY: NULL or options that begin with their size.
        let options = unsafe { IssueOptions::read(options) }?;
        token.give(Value::with_token(vault.issue(&options)?).map_err(Failure::of_change)?);
        Ok(())
    };
    // SAFETY: NULL or an open client.
    unsafe { client::call(client, work) }
}

/// Says whether a token is valid, 1 or 0. Its issuer may ask, its audience, and root; for everyone else it is not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_validate(
    client: *mut Client,
    token: *const c_char,
    options: *const ValidateOptions,
    valid: *mut c_int,
) -> c_int {
    let work = |vault: &tokenvault_client::Client| {
        // SAFETY: NULL or a place for a number.
        let valid = unsafe { Output::new("valid", valid) }?;
        // SAFETY: NULL or a string.
        let token = unsafe { input::text("token", token) }?;
        // SAFETY: NULL or options that begin with their size.
        let options = unsafe { ValidateOptions::read(options) }?;
        valid.set(c_int::from(vault.validate(token, &options)?.is_some()));
        Ok(())
    };
    // SAFETY: NULL or an open client.
    unsafe { client::call(client, work) }
}

/// Gives out what a valid token says, and NULL for one that is not valid. Free it with tokenvault_value_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_validate_claims(
    client: *mut Client,
    token: *const c_char,
    options: *const ValidateOptions,
    claims: *mut *mut Value,
) -> c_int {
    let work = |vault: &tokenvault_client::Client| {
        // SAFETY: NULL or a place for a pointer.
        let claims = unsafe { Output::new("claims", claims) }?;
        // SAFETY: NULL or a string.
        let token = unsafe { input::text("token", token) }?;
        // SAFETY: NULL or options that begin with their size.
        let options = unsafe { ValidateOptions::read(options) }?;
        match vault.validate(token, &options)? {
            // It may have taken a use.
            Some(info) => claims.give(Value::of_issued(&info).map_err(Failure::of_change)?),
            None => claims.set(ptr::null_mut()),
        }
        Ok(())
    };
    // SAFETY: NULL or an open client.
    unsafe { client::call(client, work) }
}

/// Revokes something the caller has issued, or withdraws an offer, by its id.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_revoke(client: *mut Client, id: *const c_char) -> c_int {
    let work = |vault: &tokenvault_client::Client| {
        // SAFETY: NULL or a string.
        vault.revoke(unsafe { input::text("id", id) }?)?;
        Ok(())
    };
    // SAFETY: NULL or an open client.
    unsafe { client::call(client, work) }
}

/// Revokes all that the caller has issued and the options mean, and tells how many that were (count may be NULL).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_revoke_all(
    client: *mut Client,
    options: *const IssuedOptions,
    count: *mut u64,
) -> c_int {
    let work = |vault: &tokenvault_client::Client| {
        // SAFETY: NULL or options that begin with their size.
        let filter = unsafe { IssuedOptions::read_filter(options) }?;
        let revoked = vault.revoke_all(&filter)?;
        // SAFETY: NULL or a place for a number.
        if let Ok(count) = unsafe { Output::new("count", count) } {
            count.set(revoked);
        }
        Ok(())
    };
    // SAFETY: NULL or an open client.
    unsafe { client::call(client, work) }
}

/// Lists what the caller has issued and is still good, by the days it expires on. The names of the rows are empty:
/// tokenvault_value_id. Free the list with tokenvault_list_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_list_issued(
    client: *mut Client,
    options: *const IssuedOptions,
    list: *mut *mut List,
) -> c_int {
    let work = |vault: &tokenvault_client::Client| {
        // SAFETY: NULL or a place for a pointer.
        let list = unsafe { Output::new("list", list) }?;
        // SAFETY: NULL or options that begin with their size.
        let (filter, limit) = unsafe { IssuedOptions::read(options) }?;
        list.give(List::fetch_issued(vault, filter, limit)?);
        Ok(())
    };
    // SAFETY: NULL or an open client.
    unsafe { client::call(client, work) }
}

/// Of what was issued, and of an offer, its id. Else empty.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_id(value: *const Value) -> *const c_char {
    // SAFETY: NULL or a value that was not freed.
    unsafe { ask(value, ptr::null(), |value| value.text(Text::Id)) }
}

/// Of a row of tokenvault_list_issued or of claims: "token", "code", "offer". Else empty.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_kind(value: *const Value) -> *const c_char {
    // SAFETY: NULL or a value that was not freed.
    unsafe { ask(value, ptr::null(), |value| value.text(Text::Kind)) }
}

/// Of a row of tokenvault_list_issued or of claims: about whom or what it says something; of an offer the name of its token. Else
/// empty.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_subject(value: *const Value) -> *const c_char {
    // SAFETY: NULL or a value that was not freed.
    unsafe { ask(value, ptr::null(), |value| value.text(Text::Subject)) }
}

/// Of a row of tokenvault_list_issued or of claims: for whom it is. Else empty.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_audience(value: *const Value) -> *const c_char {
    // SAFETY: NULL or a value that was not freed.
    unsafe { ask(value, ptr::null(), |value| value.text(Text::Audience)) }
}

/// Of a row of tokenvault_list_issued or of claims: who issued it, "uid:N". Else empty.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_issuer(value: *const Value) -> *const c_char {
    // SAFETY: NULL or a value that was not freed.
    unsafe { ask(value, ptr::null(), |value| value.text(Text::Issuer)) }
}

/// How many scopes something issued is good for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_scope_count(value: *const Value) -> usize {
    // SAFETY: NULL or a value that was not freed.
    unsafe { ask(value, 0, |value| value.facts.scopes) }
}

/// One of the scopes; NULL beyond the end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_scope(value: *const Value, index: usize) -> *const c_char {
    // SAFETY: NULL or a value that was not freed.
    unsafe { ask(value, ptr::null(), |value| value.scope(index).map_or(ptr::null(), CStr::as_ptr)) }
}

/// Of a code or an offer: how many wrong codes may still be tried. Else -1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_attempts_left(value: *const Value) -> i64 {
    // SAFETY: NULL or a value that was not freed.
    unsafe { ask(value, -1, |value| value.facts.attempts_left.map_or(-1, i64::from)) }
}
