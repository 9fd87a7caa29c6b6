//! The calls that change what is there, without a new value from the caller.

use std::ffi::{c_char, c_int};

use crate::annotate_options::AnnotateOptions;
use crate::client::{self, Client};
use crate::delete_options::DeleteOptions;
use crate::input::{self, Output};
use crate::token_options::TokenOptions;

/// Changes what is known about a token beside its name and its value, without a new version.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_annotate(
    client: *mut Client,
    name: *const c_char,
    options: *const AnnotateOptions,
) -> c_int {
    let work = |vault: &tokenvault_client::Client| {
        // SAFETY: NULL or a string.
        let name = unsafe { input::text("name", name) }?;
        // SAFETY: NULL or options that begin with their size.
        let options = unsafe { AnnotateOptions::read(options) }?;
        vault.annotate(name, &options)?;
        Ok(())
    };
    // SAFETY: NULL or an open client.
    unsafe { client::call(client, work) }
}

/// Gives a token another name, which must be free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_rename(
    client: *mut Client,
    name: *const c_char,
    new_name: *const c_char,
    options: *const TokenOptions,
) -> c_int {
    let work = |vault: &tokenvault_client::Client| {
        // SAFETY: NULL or a string.
        let name = unsafe { input::text("name", name) }?;
        // SAFETY: NULL or a string.
        let new_name = unsafe { input::text("new_name", new_name) }?;
        // SAFETY: NULL or options that begin with their size.
        let options = unsafe { TokenOptions::read(options) }?;
        vault.rename(name, new_name, &options)?;
        Ok(())
    };
    // SAFETY: NULL or an open client.
    unsafe { client::call(client, work) }
}

/// Makes a new version with the value of an old one, and tells the new version's number (new_version may be NULL).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_rollback(
    client: *mut Client,
    name: *const c_char,
    version: u64,
    options: *const TokenOptions,
    new_version: *mut u64,
) -> c_int {
    let work = |vault: &tokenvault_client::Client| {
        // SAFETY: NULL or a string.
        let name = unsafe { input::text("name", name) }?;
        // SAFETY: NULL or options that begin with their size.
        let options = unsafe { TokenOptions::read(options) }?;
        let number = vault.rollback(name, version, &options)?;
        // SAFETY: NULL or a place for a number.
        if let Ok(new_version) = unsafe { Output::new("new_version", new_version) } {
            new_version.set(number);
        }
        Ok(())
    };
    // SAFETY: NULL or an open client.
    unsafe { client::call(client, work) }
}

/// Deletes a token with all its versions.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_delete(client: *mut Client, name: *const c_char) -> c_int {
    // SAFETY: as here, and options may be NULL.
    unsafe { tokenvault_delete_with(client, name, std::ptr::null()) }
}

/// Deletes a token with all its versions, or what the options say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_delete_with(
    client: *mut Client,
    name: *const c_char,
    options: *const DeleteOptions,
) -> c_int {
    let work = |vault: &tokenvault_client::Client| {
        // SAFETY: NULL or a string.
        let name = unsafe { input::text("name", name) }?;
        // SAFETY: NULL or options that begin with their size.
        let options = unsafe { DeleteOptions::read(options) }?;
        vault.delete(name, &options)?;
        Ok(())
    };
    // SAFETY: NULL or an open client.
    unsafe { client::call(client, work) }
}
