//! The calls that share a token, end a share, and list them.

use std::ffi::{c_char, c_int};
use std::ptr;

use crate::client::{self, Client};
use crate::input::{self, Output};
use crate::list::List;
use crate::share_options::ShareOptions;
use crate::token_options::TokenOptions;
use crate::value::{Text, Value, ask};

/// Shares a token with a grantee: "user:NAME", "uid:N", "group:NAME", who get it by tokenvault_get with the owner in its options;
/// or "unit:NAME.service", which is given it by LoadCredential= in its unit file. Only machine tokens are shared with units, by
/// root and administrators; with users and groups root alone shares them. A share the grantee has already is replaced.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_share(
    client: *mut Client,
    name: *const c_char,
    grantee: *const c_char,
    options: *const ShareOptions,
) -> c_int {
    let work = |vault: &tokenvault_client::Client| {
        // SAFETY: NULL or a string.
        let name = unsafe { input::text("name", name) }?;
        // SAFETY: NULL or a string.
        let grantee = unsafe { input::text("grantee", grantee) }?;
        // SAFETY: NULL or options that begin with their size.
        let options = unsafe { ShareOptions::read(options) }?;
        vault.share(name, grantee, &options)?;
        Ok(())
    };
    // SAFETY: NULL or an open client.
    unsafe { client::call(client, work) }
}

/// Ends a share of one of the caller's own tokens.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_unshare(client: *mut Client, name: *const c_char, grantee: *const c_char) -> c_int {
    // SAFETY: as here, and options may be NULL.
    unsafe { tokenvault_unshare_with(client, name, grantee, ptr::null()) }
}

/// Ends a share of a token.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_unshare_with(
    client: *mut Client,
    name: *const c_char,
    grantee: *const c_char,
    options: *const TokenOptions,
) -> c_int {
    let work = |vault: &tokenvault_client::Client| {
        // SAFETY: NULL or a string.
        let name = unsafe { input::text("name", name) }?;
        // SAFETY: NULL or a string.
        let grantee = unsafe { input::text("grantee", grantee) }?;
        // SAFETY: NULL or options that begin with their size.
        let options = unsafe { TokenOptions::read(options) }?;
        vault.unshare(name, grantee, &options)?;
        Ok(())
    };
    // SAFETY: NULL or an open client.
    unsafe { client::call(client, work) }
}

/// Lists the shares of a token: of each row tokenvault_value_grantee, tokenvault_value_permission, tokenvault_value_created,
/// tokenvault_value_expires, tokenvault_value_uses_left, tokenvault_value_note. Free the list with tokenvault_list_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_list_shares(
    client: *mut Client,
    name: *const c_char,
    options: *const TokenOptions,
    list: *mut *mut List,
) -> c_int {
    let work = |vault: &tokenvault_client::Client| {
        // SAFETY: NULL or a place for a pointer.
        let list = unsafe { Output::new("list", list) }?;
        // SAFETY: NULL or a string.
        let name = unsafe { input::text("name", name) }?;
        // SAFETY: NULL or options that begin with their size.
        let options = unsafe { TokenOptions::read(options) }?;
        list.give(List::of_shares(name, &vault.shares(name, &options)?)?);
        Ok(())
    };
    // SAFETY: NULL or an open client.
    unsafe { client::call(client, work) }
}

/// For a row of tokenvault_list_shares: with whom the token is shared. Else empty.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_grantee(value: *const Value) -> *const c_char {
    // SAFETY: NULL or a value that was not freed.
    unsafe { ask(value, ptr::null(), |value| value.text(Text::Grantee)) }
}

/// For a token that is shared with the caller, and for a row of tokenvault_list_shares: what its owner says about it to those it
/// is shared with. Else empty.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_note(value: *const Value) -> *const c_char {
    // SAFETY: NULL or a value that was not freed.
    unsafe { ask(value, ptr::null(), |value| value.text(Text::Note)) }
}

/// For a row of tokenvault_list_shares, and for what was issued: how often it may still be used, -1: without a limit. Else -1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_uses_left(value: *const Value) -> i64 {
    // SAFETY: NULL or a value that was not freed.
    unsafe { ask(value, -1, |value| value.facts.uses_left.map_or(-1, i64::from)) }
}
