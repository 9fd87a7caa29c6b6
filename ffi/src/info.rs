//! `tokenvault_info`: what the vault says about itself and about the caller.

use std::ffi::{CStr, CString, c_char};
use std::ptr;

use tokenvault_client::proto::memory;
use tokenvault_client::{ErrorCode, Status, WhoAmI};

use crate::boundary::answer;
use crate::failure::Failure;
use crate::handle::{self, Object};

/// Facts by key; a text or a number each. What its functions give out lives as long as it does.
pub struct Info {
    facts: Vec<(&'static CStr, Fact)>,
}

enum Fact {
    Text(CString),
    Number(u64),
}

impl Object for Info {
    const MARK: [u8; 8] = *b"tv  info";
}

impl Info {
    pub(crate) fn of_vault(status: &Status) -> Result<Self, Failure> {
        let facts = vec![
            (c"state", text(&status.state)?),
            (c"reason", text(&status.reason)?),
            (c"protection", text(&status.protection)?),
            (c"vault-id", text(&status.vault_id)?),
            (c"recovery-confirmed", Fact::Number(status.recovery_confirmed.into())),
            (c"lockdown", Fact::Number(status.lockdown.into())),
            (c"anchor", text(&status.anchor)?),
            (c"anchor-raises", Fact::Number(status.anchor_raises)),
            (c"disk-theft", text(&status.disk_theft)?),
            (c"machine-theft", text(&status.machine_theft)?),
            (c"tokens", Fact::Number(status.tokens)),
            (c"bytes", Fact::Number(status.bytes)),
            (c"quota-tokens", Fact::Number(status.quota_tokens)),
            (c"quota-bytes", Fact::Number(status.quota_bytes)),
            (c"next-step", text(&status.next_step)?),
        ];
        Ok(Self { facts })
    }

    pub(crate) fn of_caller(me: &WhoAmI) -> Result<Self, Failure> {
        let facts = vec![
            (c"uid", Fact::Number(me.uid.into())),
            (c"user", text(&me.user)?),
            (c"role", text(&me.role)?),
            (c"door", text(&me.door)?),
            (c"active", Fact::Number(me.active.into())),
            (c"login-unlocked", Fact::Number(me.login_unlocked.into())),
        ];
        Ok(Self { facts })
    }
}

fn text(text: &str) -> Result<Fact, Failure> {
    let broken = |_| Failure::new(ErrorCode::Failed, "the daemon sent a text with a zero byte in it");
    let mut bytes = Vec::new();
    memory::exactly(&mut bytes, text.len() + 1).map_err(Failure::unheld)?;
    bytes.extend_from_slice(text.as_bytes());
    bytes.push(0);
    CString::from_vec_with_nul(bytes).map(Fact::Text).map_err(broken)
}

/// The fact with that key.
///
/// # Safety
/// Each is NULL, or a string, or an info that was not freed and lives for `'a`.
unsafe fn fact<'a>(info: *const Info, key: *const c_char) -> Option<&'a Fact> {
    if key.is_null() {
        return None;
    }
    // SAFETY: a string, by the caller's promise.
    let key = unsafe { CStr::from_ptr(key) };
    // SAFETY: NULL or an info, by the caller's promise.
    let info = unsafe { handle::look(info) }?;
    info.facts.iter().find(|(candidate, _)| *candidate == key).map(|(_, fact)| fact)
}

/// A text by its key; NULL when there is none of that key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_info_text(info: *const Info, key: *const c_char) -> *const c_char {
    // SAFETY: NULL or what the types say.
    answer(ptr::null(), || match unsafe { fact(info, key) } {
        Some(Fact::Text(text)) => text.as_ptr(),
        _ => ptr::null(),
    })
}

/// A number by its key, for yes and no 1 and 0; 0 when there is none of that key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_info_number(info: *const Info, key: *const c_char) -> u64 {
    // SAFETY: NULL or what the types say.
    answer(0, || match unsafe { fact(info, key) } {
        Some(Fact::Number(number)) => *number,
        _ => 0,
    })
}

/// Frees the info. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_info_free(info: *mut Info) {
    // SAFETY: NULL or an info that was not freed.
    answer((), || unsafe { handle::take_back(info) });
}
