//! `tokenvault_list`: tokens, or the versions or shares of one, or what was issued.

use std::ffi::c_char;
use std::ptr;

use tokenvault_client::proto::{PAGE_MAX, memory};
use tokenvault_client::{Client, IssuedOptions, ListOptions, ShareInfo, VersionInfo};

use crate::boundary::answer;
use crate::failure::Failure;
use crate::handle::{self, Handle, Object};
use crate::value::{Text, Value};

/// Tokens, or versions or shares of one, or what was issued. What its functions give out lives as long as it does.
pub struct List {
    rows: Vec<Handle<Value>>,
}

impl Object for List {
    const MARK: [u8; 8] = *b"tv  list";
}

impl List {
    /// Fetches page after page, until `limit` tokens are there or the last page was.
    pub(crate) fn fetch(vault: &Client, mut filter: ListOptions, limit: u64) -> Result<Self, Failure> {
        let mut rows = Vec::new();
        loop {
            let left = limit.saturating_sub(rows.len() as u64);
            filter.limit = Some(u32::try_from(left).map_or(PAGE_MAX, |left| left.min(PAGE_MAX)));
            let (page, next) = vault.list(&filter)?;
            extend(&mut rows, &page, Value::without_data)?;
            // A page may have no rows and not be the last; one that leads nowhere is.
            if next.is_empty() || filter.after.as_deref() == Some(&next) || rows.len() as u64 >= limit {
                return Ok(Self { rows });
            }
            filter.after = Some(next);
        }
    }

    /// The versions of one token, the newest first.
    pub(crate) fn of_versions(name: &str, mut versions: Vec<VersionInfo>) -> Result<Self, Failure> {
        versions.sort_unstable_by_key(|info| std::cmp::Reverse(info.version));
        let mut rows = Vec::new();
        extend(&mut rows, &versions, |info| Value::of_version(name, info))?;
        Ok(Self { rows })
    }

    /// Fetches page after page of what was issued, until `limit` are there or the last page was.
    pub(crate) fn fetch_issued(vault: &Client, mut filter: IssuedOptions, limit: u64) -> Result<Self, Failure> {
        let mut rows = Vec::new();
        loop {
            let left = limit.saturating_sub(rows.len() as u64);
            filter.limit = Some(u32::try_from(left).map_or(PAGE_MAX, |left| left.min(PAGE_MAX)));
            let (page, next) = vault.issued(&filter)?;
            extend(&mut rows, &page, Value::of_issued)?;
            if next.is_empty() || filter.after.as_deref() == Some(&next) || rows.len() as u64 >= limit {
                return Ok(Self { rows });
            }
            filter.after = Some(next);
        }
    }

    /// The shares of one token.
    pub(crate) fn of_shares(name: &str, shares: &[ShareInfo]) -> Result<Self, Failure> {
        let mut rows = Vec::new();
        extend(&mut rows, shares, |info| Value::of_share(name, info))?;
        Ok(Self { rows })
    }
}

/// Puts a row for each of `infos` behind the others.
fn extend<I>(
    rows: &mut Vec<Handle<Value>>,
    infos: &[I],
    row: impl Fn(&I) -> Result<Value, Failure>,
) -> Result<(), Failure> {
    memory::more(rows, infos.len()).map_err(Failure::unheld)?;
    for info in infos {
        rows.push(Handle::kept(row(info)?));
    }
    // For what is small until the next page is here.
    memory::room().map_err(Failure::unheld)
}

/// How many rows there are in the list.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_list_len(list: *const List) -> usize {
    // SAFETY: NULL or a list that was not freed.
    let list = unsafe { handle::look(list) };
    answer(0, || list.map_or(0, |list| list.rows.len()))
}

/// The name of a row's token; NULL beyond the end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_list_name(list: *const List, index: usize) -> *const c_char {
    // SAFETY: NULL or a list that was not freed.
    let list = unsafe { handle::look(list) };
    answer(ptr::null(), || row(list, index).map_or(ptr::null(), |row| row.object().text(Text::Name)))
}

/// Everything about a row's token but its value; NULL beyond the end. It belongs to the list: do not free it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_list_value(list: *const List, index: usize) -> *const Value {
    // SAFETY: NULL or a list that was not freed.
    let list = unsafe { handle::look(list) };
    answer(ptr::null(), || row(list, index).map_or(ptr::null(), Handle::pointer))
}

fn row(list: Option<&List>, index: usize) -> Option<&Handle<Value>> {
    list.and_then(|list| list.rows.get(index))
}

/// Frees the list. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_list_free(list: *mut List) {
    // SAFETY: NULL or a list that was not freed.
    answer((), || unsafe { handle::take_back(list) });
}
