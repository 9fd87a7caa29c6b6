//! `tokenvault_list`: names of tokens.

use std::ffi::{CString, c_char};
use std::ptr;

use tokenvault_client::proto::PAGE_MAX;
use tokenvault_client::{Client, ListOptions};

use crate::boundary::answer;
use crate::failure::Failure;
use crate::value::c_string;

/// Tokens by name. What its functions give out lives as long as it does.
pub struct List {
    names: Vec<CString>,
}

impl List {
    /// Fetches page after page, until `limit` names are there or the last page was.
    pub(crate) fn fetch(vault: &Client, mut filter: ListOptions, limit: u64) -> Result<Self, Failure> {
        let mut names = Vec::new();
        loop {
            let left = limit.saturating_sub(names.len() as u64);
            filter.limit = Some(u32::try_from(left).map_or(PAGE_MAX, |left| left.min(PAGE_MAX)));
            let (rows, next) = vault.list(&filter)?;
            for row in &rows {
                names.push(c_string(&row.name)?);
            }
            // A page without rows cannot lead on, whatever it says.
            if next.is_empty() || rows.is_empty() || names.len() as u64 >= limit {
                return Ok(Self { names });
            }
            filter.after = Some(next);
        }
    }
}

/// How many tokens there are in the list.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_list_len(list: *const List) -> usize {
    // SAFETY: NULL or a list that was not freed.
    let list = unsafe { list.as_ref() };
    answer(0, || list.map_or(0, |list| list.names.len()))
}

/// The name of one; NULL beyond the end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_list_name(list: *const List, index: usize) -> *const c_char {
    // SAFETY: NULL or a list that was not freed.
    let list = unsafe { list.as_ref() };
    answer(ptr::null(), || list.and_then(|list| list.names.get(index)).map_or(ptr::null(), |name| name.as_ptr()))
}

/// Frees the list. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_list_free(list: *mut List) {
    answer((), || {
        if !list.is_null() {
            // SAFETY: given out by tokenvault_list_tokens and not freed before.
            drop(unsafe { Box::from_raw(list) });
        }
    });
}
