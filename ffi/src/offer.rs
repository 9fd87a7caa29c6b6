//! The calls that offer a token, and take an offer.

use std::ffi::{c_char, c_int};

use crate::client::{self, Client};
use crate::failure::Failure;
use crate::input::{self, Output};
use crate::offer_options::OfferOptions;
use crate::redeem_options::RedeemOptions;
use crate::value::Value;

/// Offers a token: whoever has the code gets its value once, by tokenvault_redeem. The code is the data of what is given out, a
/// string; tokenvault_value_id names the offer to tokenvault_revoke, tokenvault_value_expires is its end. Free it with
/// tokenvault_value_free. Machine tokens are offered by root alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_offer(
    client: *mut Client,
    name: *const c_char,
    options: *const OfferOptions,
    code: *mut *mut Value,
) -> c_int {
    let work = |vault: &tokenvault_client::Client| {
        // SAFETY: NULL or a place for a pointer.
        let place = unsafe { Output::new("code", code) }?;
        // SAFETY: NULL or a string.
        let name = unsafe { input::text("name", name) }?;
        // SAFETY: NULL or options that begin with their size.
        let options = unsafe { OfferOptions::read(options) }?;
        let (code, info) = vault.offer(name, &options)?;
        place.give(Value::with_code(name, &code, &info).map_err(Failure::of_change)?);
        Ok(())
    };
    // SAFETY: NULL or an open client.
    unsafe { client::call(client, work) }
}

/// Fetches the value of an offered token, which ends the offer. A code that is wrong, was redeemed or has expired is
/// TOKENVAULT_ERROR_NOT_FOUND. Free the value with tokenvault_value_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_redeem(
    client: *mut Client,
    code: *const c_char,
    options: *const RedeemOptions,
    value: *mut *mut Value,
) -> c_int {
    let work = |vault: &tokenvault_client::Client| {
        // SAFETY: NULL or a place for a pointer.
        let value = unsafe { Output::new("value", value) }?;
        // SAFETY: NULL or a string.
        let code = unsafe { input::text("code", code) }?;
        // SAFETY: NULL or options that begin with their size.
        let options = unsafe { RedeemOptions::read(options) }?;
        value.give(Value::with_data(vault.redeem(code, &options)?).map_err(Failure::of_change)?);
        Ok(())
    };
    // SAFETY: NULL or an open client.
    unsafe { client::call(client, work) }
}
