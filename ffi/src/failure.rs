//! Why a call failed, and the text of it for `tokenvault_client_error`.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::ffi::{CStr, CString, c_char, c_int};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use tokenvault_client::proto::memory::{self, NoMemory};
use tokenvault_client::{AddressError, Error, ErrorCode};

/// A failed call.
#[derive(Debug)]
pub(crate) struct Failure {
    code: ErrorCode,
    text: Cow<'static, str>,
    /// There was no memory for what came back.
    is_unheld: bool,
}

impl Failure {
    pub(crate) fn new(code: ErrorCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, text: text.into(), is_unheld: false }
    }

    pub(crate) fn invalid(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::InvalidArgs, text)
    }

    /// There is no memory for what came back.
    pub(crate) fn unheld(NoMemory: NoMemory) -> Self {
        let text = "this program has no memory left for the answer; free some and try again";
        Self { is_unheld: true, ..Self::new(ErrorCode::LimitsExceeded, text) }
    }

    /// The same of a call that changes something.
    pub(crate) fn of_change(self) -> Self {
        if !self.is_unheld {
            return self;
        }
        let text = "this program has no memory left for the answer: what was done is unknown; free some, and check before \
                    you repeat it";
        Self::new(ErrorCode::LimitsExceeded, text)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(error.code(), error.into_text())
    }
}

/// Before anything was sent.
impl From<NoMemory> for Failure {
    fn from(error: NoMemory) -> Self {
        Error::from(error).into()
    }
}

impl From<AddressError> for Failure {
    fn from(error: AddressError) -> Self {
        Self::invalid(error.to_string())
    }
}

/// What makes one client another than the next, also when it gets the same memory. Alive as long as the client is.
pub(crate) type Identity = Arc<ClientNumber>;

/// No two clients of a program have the same.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ClientNumber(u64);

impl Default for ClientNumber {
    fn default() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// The text of a failure for whose own there is no memory: true of all of them.
const NO_TEXT: &CStr =
    c"this program has no memory left: what was done is unknown; free some, and check before you repeat a change";

/// On which client, and the text.
type Kept = (Option<Weak<ClientNumber>>, Cow<'static, CStr>);

thread_local! {
    /// This thread's last failure on each client; no client: on opening one.
    static LAST: RefCell<Vec<Kept>> = const { RefCell::new(Vec::new()) };
    /// Whether this thread has used the one above. Its first use takes memory, and ends the program where there is none.
    static IS_USED: Cell<bool> = const { Cell::new(false) };
    /// The clients on which this thread's last failure was one that there was no memory to keep, and none in the other places.
    static UNKEPT: Cell<[Option<u64>; UNKEPT_MAX]> = const { Cell::new([None; UNKEPT_MAX]) };
}

/// More than it takes to keep one more failure, beside its text and the list.
const KEEPING: usize = 1024;
/// More clients than a thread without memory fails on before it looks.
const UNKEPT_MAX: usize = 8;

/// Keeps the text for this thread and returns the number for C.
pub(crate) fn record(client: Option<&Identity>, failure: &Failure) -> c_int {
    let text = string(&failure.text).map_or(Cow::Borrowed(NO_TEXT), Cow::Owned);
    if keep(client, text).is_ok() {
        UNKEPT.set(UNKEPT.get().map(|unkept| unkept.filter(|unkept| *unkept != number(client))));
    } else {
        mark_unkept(client);
    }
    failure.code.number()
}

fn keep(client: Option<&Identity>, text: Cow<'static, CStr>) -> Result<(), NoMemory> {
    memory::room_for(KEEPING)?;
    IS_USED.set(true);
    let kept = LAST.try_with(|last| {
        let mut last = last.borrow_mut();
        // Clients that are gone, and the text this one replaces.
        last.retain(|(owner, _)| is_alive(owner.as_ref()) && !is_owner(owner.as_ref(), client));
        memory::push(&mut last, (client.map(Arc::downgrade), text))
    });
    // A thread that is ending has nobody left to ask.
    kept.unwrap_or(Ok(()))
}

fn mark_unkept(client: Option<&Identity>) {
    let mut unkept = UNKEPT.get();
    if !unkept.contains(&Some(number(client))) {
        // The latest first.
        unkept.rotate_right(1);
        if let Some(first) = unkept.first_mut() {
            *first = Some(number(client));
        }
    }
    UNKEPT.set(unkept);
}

/// A text for C. A zero byte would hide the end of it; none is ever in one.
fn string(text: &str) -> Result<CString, NoMemory> {
    let mut bytes = Vec::new();
    memory::exactly(&mut bytes, text.len() + 1)?;
    bytes.extend(text.bytes().map(|byte| if byte == 0 { b' ' } else { byte }));
    bytes.push(0);
    Ok(CString::from_vec_with_nul(bytes).unwrap_or_default())
}

/// This thread's last text for `client`; empty when there is none.
pub(crate) fn last(client: Option<&Identity>) -> *const c_char {
    const NONE: &CStr = c"";
    if UNKEPT.get().contains(&Some(number(client))) {
        return NO_TEXT.as_ptr();
    }
    if !IS_USED.get() {
        return NONE.as_ptr();
    }
    LAST.try_with(|last| {
        let last = last.borrow();
        let found = last.iter().find(|(owner, _)| is_owner(owner.as_ref(), client));
        found.map_or(NONE.as_ptr(), |(_, text)| text.as_ptr())
    })
    .unwrap_or(NONE.as_ptr())
}

/// 0: on opening one.
fn number(client: Option<&Identity>) -> u64 {
    client.map_or(0, |client| client.0)
}

fn is_alive(owner: Option<&Weak<ClientNumber>>) -> bool {
    owner.is_none_or(|owner| owner.strong_count() > 0)
}

fn is_owner(owner: Option<&Weak<ClientNumber>>, client: Option<&Identity>) -> bool {
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
    fn who_failed_without_memory_is_told_so_until_the_next_failure() {
        let (one, two) = (Identity::default(), Identity::default());
        record(Some(&one), &Failure::invalid("before"));
        for client in [Some(&one), Some(&two), None] {
            mark_unkept(client);
        }
        let none = NO_TEXT.to_str().unwrap();
        assert_eq!([text(Some(&one)), text(Some(&two)), text(None)], [none, none, none]);
        record(Some(&one), &Failure::invalid("after"));
        assert_eq!([text(Some(&one)), text(Some(&two)), text(None)], ["after", none, none]);
        drop(two);
        assert_eq!(text(Some(&Identity::default())), "");
    }

    #[test]
    fn texts_of_clients_that_are_gone_are_not_kept() {
        for _ in 0..100 {
            record(Some(&Identity::default()), &Failure::invalid("gone"));
        }
        LAST.with_borrow(|last| assert!(last.len() <= 1, "{}", last.len()));
    }
}
