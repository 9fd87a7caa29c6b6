//! The calls about the vault itself and about who calls.

use std::ffi::c_int;

use crate::client::{self, Client};
use crate::info::Info;
use crate::input::Output;

/// Asks for the state of the vault, also while it is sealed. Texts: "state" ("starting", "uninitialised", "sealed",
/// "serving", "read-only", "quarantined"), "reason", "protection", "vault-id", "anchor" ("held", "pending", "none"), "disk-theft",
/// "machine-theft", "next-step". Numbers: "recovery-confirmed", "lockdown", "anchor-raises", and of the caller "tokens",
/// "bytes", "quota-tokens", "quota-bytes". Free it with tokenvault_info_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_status(client: *mut Client, info: *mut *mut Info) -> c_int {
    let work = |vault: &tokenvault_client::Client| {
        // SAFETY: NULL or a place for a pointer.
        let info = unsafe { Output::new("info", info) }?;
        info.give(Info::of_vault(&vault.status()?)?);
        Ok(())
    };
    // SAFETY: NULL or an open client.
    unsafe { client::call(client, work) }
}

/// Asks who the vault takes this program for. Texts: "user", "role" ("consumer", "developer", "auditor", "admin"), "door"
/// ("bus", "socket"). Numbers: "uid", "active", "login-unlocked". Free it with tokenvault_info_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_whoami(client: *mut Client, info: *mut *mut Info) -> c_int {
    let work = |vault: &tokenvault_client::Client| {
        // SAFETY: NULL or a place for a pointer.
        let info = unsafe { Output::new("info", info) }?;
        info.give(Info::of_caller(&vault.who_am_i()?)?);
        Ok(())
    };
    // SAFETY: NULL or an open client.
    unsafe { client::call(client, work) }
}
