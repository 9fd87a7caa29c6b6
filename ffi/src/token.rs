//! The calls that put, fetch and list tokens.

use std::ffi::{c_char, c_int, c_void};

use crate::client::{self, Client};
use crate::failure::Failure;
use crate::generate_options::GenerateOptions;
use crate::get_options::GetOptions;
use crate::input::{self, Output};
use crate::list::List;
use crate::list_options::ListOptions;
use crate::put_options::PutOptions;
use crate::token_options::TokenOptions;
use crate::value::Value;

/// Fetches a token with its value. Free it with tokenvault_value_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_get(
    client: *mut Client,
    name: *const c_char,
    options: *const GetOptions,
    value: *mut *mut Value,
) -> c_int {
    let work = |vault: &tokenvault_client::Client| {
        // SAFETY: NULL or a place for a pointer.
        let value = unsafe { Output::new("value", value) }?;
        // SAFETY: NULL or a string.
        let name = unsafe { input::text("name", name) }?;
        // SAFETY: NULL or options that begin with their size.
        let options = unsafe { GetOptions::read(options) }?;
        // Of what is somebody else's a use may be gone.
        let unheld = if options.owner.is_some() { Failure::of_change } else { std::convert::identity };
        value.give(Value::with_data(vault.get(name, &options)?).map_err(unheld)?);
        Ok(())
    };
    // SAFETY: NULL or an open client.
    unsafe { client::call(client, work) }
}

/// Stores len bytes as the newest version of a token, and tells that version's number (version may be NULL).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_put(
    client: *mut Client,
    name: *const c_char,
    data: *const c_void,
    len: usize,
    options: *const PutOptions,
    version: *mut u64,
) -> c_int {
    let work = |vault: &tokenvault_client::Client| {
        // SAFETY: NULL or a string.
        let name = unsafe { input::text("name", name) }?;
        // SAFETY: NULL or `len` bytes.
        let value = unsafe { input::bytes(data.cast(), len) }?;
        // SAFETY: NULL or options that begin with their size.
        let options = unsafe { PutOptions::read(options) }?;
        let number = vault.put_with(name, value, options)?;
        // SAFETY: NULL or a place for a number.
        if let Ok(version) = unsafe { Output::new("version", version) } {
            version.set(number);
        }
        Ok(())
    };
    // SAFETY: NULL or an open client.
    unsafe { client::call(client, work) }
}

/// Has the vault make a value, stores it and fetches it. Free it with tokenvault_value_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_generate(
    client: *mut Client,
    name: *const c_char,
    options: *const GenerateOptions,
    value: *mut *mut Value,
) -> c_int {
    let work = |vault: &tokenvault_client::Client| {
        // SAFETY: NULL or a place for a pointer.
        let value = unsafe { Output::new("value", value) }?;
        // SAFETY: NULL or a string.
        let name = unsafe { input::text("name", name) }?;
        // SAFETY: NULL or options that begin with their size.
        let options = unsafe { GenerateOptions::read(options) }?;
        value.give(Value::with_data(vault.generate(name, &options)?).map_err(Failure::of_change)?);
        Ok(())
    };
    // SAFETY: NULL or an open client.
    unsafe { client::call(client, work) }
}

/// Fetches a token without its value: its length is 0 and its data NULL. Of the options, owner counts; version
/// must be zero. Free it with tokenvault_value_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_describe(
    client: *mut Client,
    name: *const c_char,
    options: *const GetOptions,
    metadata_only: *mut *mut Value,
) -> c_int {
    let work = |vault: &tokenvault_client::Client| {
        // SAFETY: NULL or a place for a pointer.
        let value = unsafe { Output::new("metadata_only", metadata_only) }?;
        // SAFETY: NULL or a string.
        let name = unsafe { input::text("name", name) }?;
        // SAFETY: NULL or options that begin with their size.
        let options = unsafe { GetOptions::read_for_describe(options) }?;
        value.give(Value::without_data(&vault.describe(name, &options)?)?);
        Ok(())
    };
    // SAFETY: NULL or an open client.
    unsafe { client::call(client, work) }
}

/// Lists tokens in the order in which they were first put. Free the list with tokenvault_list_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_list_tokens(
    client: *mut Client,
    options: *const ListOptions,
    list: *mut *mut List,
) -> c_int {
    let work = |vault: &tokenvault_client::Client| {
        // SAFETY: NULL or a place for a pointer.
        let list = unsafe { Output::new("list", list) }?;
        // SAFETY: NULL or options that begin with their size.
        let (filter, limit) = unsafe { ListOptions::read(options) }?;
        list.give(List::fetch(vault, filter, limit)?);
        Ok(())
    };
    // SAFETY: NULL or an open client.
    unsafe { client::call(client, work) }
}

/// Lists the versions of a token, the newest first. Free the list with tokenvault_list_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_list_versions(
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
        list.give(List::of_versions(name, vault.versions(name, &options)?)?);
        Ok(())
    };
    // SAFETY: NULL or an open client.
    unsafe { client::call(client, work) }
}
