//! Why a call failed, and the text of it for `tokenvault_client_error`.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_int};
use std::sync::{Arc, Weak};

use tokenvault_client::{AddressError, Error, ErrorCode};

/// A failed call.
#[derive(Debug)]
pub(crate) struct Failure {
    code: ErrorCode,
    text: String,
}

impl Failure {
    pub(crate) fn new(code: ErrorCode, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidArgs, text)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<AddressError> for Failure {
    fn from(error: AddressError) -> Self {
        Self::invalid(error.to_string())
    }
}

/// What makes one client another than the next, also when it gets the same memory. Alive as long as the client is.
pub(crate) type Identity = Arc<()>;

thread_local! {
    /// This thread's last failure on each client; no client: on opening one.
    static LAST: RefCell<Vec<(Option<Weak<()>>, CString)>> = const { RefCell::new(Vec::new()) };
}

/// Keeps the text for this thread and returns the number for C.
pub(crate) fn record(client: Option<&Identity>, failure: &Failure) -> c_int {
    // A zero byte would hide the end of the text; none is ever in one.
    let text = CString::new(failure.text.replace('\0', " ")).unwrap_or_default();
    // A thread that is ending has nobody left to ask.
    let _ = LAST.try_with(|last| {
        let mut last = last.borrow_mut();
        // Clients that are gone, and the text this one replaces.
        last.retain(|(owner, _)| is_alive(owner.as_ref()) && !is_owner(owner.as_ref(), client));
        last.push((client.map(Arc::downgrade), text));
    });
    failure.code.number()
}

/// This thread's last text for `client`; empty when there is none.
pub(crate) fn last(client: Option<&Identity>) -> *const c_char {
    const NONE: &CStr = c"";
    LAST.try_with(|last| {
        let last = last.borrow();
        let found = last.iter().find(|(owner, _)| is_owner(owner.as_ref(), client));
        found.map_or(NONE.as_ptr(), |(_, text)| text.as_ptr())
    })
    .unwrap_or(NONE.as_ptr())
}

fn is_alive(owner: Option<&Weak<()>>) -> bool {
    owner.is_none_or(|owner| owner.strong_count() > 0)
}

fn is_owner(owner: Option<&Weak<()>>, client: Option<&Identity>) -> bool {
    match (owner, client) {
        (None, None) => true,
        (Some(owner), Some(client)) => std::ptr::eq(owner.as_ptr(), Arc::as_ptr(client)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(client: Option<&Identity>) -> String {
        // SAFETY: the pointer was just given out and nothing was recorded since.
        unsafe { CStr::from_ptr(last(client)) }.to_str().unwrap().to_owned()
    }

    #[test]
    fn each_client_has_its_own_last_text_and_each_thread_its_own_view() {
        let (one, two) = (Identity::default(), Identity::default());
        record(Some(&one), &Failure::invalid("first"));
        record(Some(&one), &Failure::invalid("second"));
        record(None, &Failure::invalid("open"));
        assert_eq!((text(Some(&one)), text(Some(&two)), text(None)), ("second".into(), String::new(), "open".into()));
        let there = Arc::clone(&one);
        assert_eq!(std::thread::spawn(move || text(Some(&there))).join().unwrap(), "");
    }

    #[test]
    fn texts_of_clients_that_are_gone_are_not_kept() {
        for _ in 0..100 {
            record(Some(&Identity::default()), &Failure::invalid("gone"));
        }
        LAST.with_borrow(|last| assert!(last.len() <= 1, "{}", last.len()));
    }
}
